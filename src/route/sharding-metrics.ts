/**
 * What sharding is seen by: the same eight metrics that metrics-governor has, under our prefix, so that a dashboard needs
 * only another prefix. `endpoint` is the name of a destination.
 */
import type { Counter, Gauge, Histogram, Meter } from '../util/meter.ts';

export interface EndpointMetrics {
  /** Samples given to it. */
  readonly datapoints: Counter;
  readonly exportErrors: Counter;
  readonly exportLatencySeconds: Histogram;
}

export class ShardingMetrics {
  readonly endpoints: Gauge;
  readonly rehashes: Counter;
  readonly dnsRefreshes: Counter;
  readonly dnsErrors: Counter;
  readonly dnsLatencySeconds: Histogram;
  readonly #meter: Meter;

  constructor(meter: Meter) {
    this.#meter = meter;
    this.endpoints = meter.gauge(
      'sluice_sharding_endpoints_total',
      'Destinations that series are placed on now.',
    );
    this.rehashes = meter.counter(
      'sluice_sharding_rehash_total',
      'Times that series were placed anew because destinations came, went or changed their health.',
    );
    this.dnsRefreshes = meter.counter('sluice_sharding_dns_refresh_total', 'Look-ups of the destinations.');
    this.dnsErrors = meter.counter(
      'sluice_sharding_dns_errors_total',
      'Look-ups that failed or found nothing.',
    );
    this.dnsLatencySeconds = meter.histogram(
      'sluice_sharding_dns_latency_seconds',
      'How long look-ups of the destinations take.',
    );
  }

  endpoint(name: string): EndpointMetrics {
    const labels = { endpoint: name };
    return {
      datapoints: this.#meter.counter(
        'sluice_sharding_datapoints_total',
        'Samples placed on the destination.',
        labels,
      ),
      exportErrors: this.#meter.counter(
        'sluice_sharding_export_errors_total',
        'Attempts to send to the destination that failed.',
        labels,
      ),
      exportLatencySeconds: this.#meter.histogram(
        'sluice_sharding_export_latency_seconds',
        'How long the destination takes for a request.',
        labels,
      ),
    };
  }

  /** A destination is gone for good. */
  forget(name: string): void {
    this.#meter.remove({ endpoint: name });
  }
}
