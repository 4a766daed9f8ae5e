import type { Counts } from '../model/body.ts';
import type { Counter, Histogram, Meter, MetricLabels } from '../util/meter.ts';

/** The `vmagent_remotewrite_*` metrics of one destination's sender; `url` is the name for people. */
export class SenderMetrics {
  readonly rateLimitReached: Counter;
  readonly bytesSent: Counter;
  readonly blocksSent: Counter;
  readonly errors: Counter;
  readonly packetsDropped: Counter;
  readonly retries: Counter;
  readonly sendDurationSeconds: Counter;
  readonly durationSeconds: Histogram;
  readonly #blockBytes: Histogram;
  readonly #blockRows: Histogram;
  readonly #blockMetadata: Histogram;
  readonly #meter: Meter;
  readonly #labels: MetricLabels;
  readonly #requests = new Map<string, Counter>();

  constructor(meter: Meter, url: string, parallel: number, rateLimitBytesPerS: number) {
    const labels = { url };
    const counter = (name: string, help: string) =>
      meter.counter(`vmagent_remotewrite_${name}`, help, labels);
    this.#meter = meter;
    this.#labels = labels;
    meter.gauge('vmagent_remotewrite_queues', 'Parallel requests to the destination.', labels).set(parallel);
    meter
      .gauge('vmagent_remotewrite_rate_limit', 'Limit of sent bytes a second; 0 is none.', labels)
      .set(rateLimitBytesPerS);
    this.rateLimitReached = counter('rate_limit_reached_total', 'Waits for the rate limit.');
    this.bytesSent = counter('bytes_sent_total', 'Compressed bytes of accepted blocks.');
    this.blocksSent = counter('blocks_sent_total', 'Accepted blocks.');
    this.errors = counter('errors_total', 'Attempts that got no answer.');
    this.packetsDropped = counter('packets_dropped_total', 'Blocks that the destination refused for good.');
    this.retries = counter('retries_count_total', 'Attempts after a first one.');
    this.sendDurationSeconds = counter(
      'send_duration_seconds_total',
      'Time spent on blocks, waits between attempts included.',
    );
    this.durationSeconds = meter.histogram(
      'vmagent_remotewrite_duration_seconds',
      'Duration of an attempt.',
      labels,
    );
    const block = (name: string, help: string) => meter.histogram(`vmagent_remotewrite_block_${name}`, help);
    this.#blockBytes = block('size_bytes', 'Compressed bytes of accepted blocks, all destinations together.');
    this.#blockRows = block('size_rows', 'Series in accepted blocks.');
    this.#blockMetadata = block('metadata_rows', 'Metadata entries in accepted blocks.');
    this.answered(200, 0);
  }

  /** A block was accepted as `bytes` compressed bytes. */
  delivered(bytes: number, counts: Readonly<Counts>): void {
    this.blocksSent.inc();
    this.bytesSent.inc(bytes);
    this.#blockBytes.observe(bytes);
    this.#blockRows.observe(counts.series);
    this.#blockMetadata.observe(counts.metadata);
  }

  /** Counts an answer; all of 2xx together, everything else by its exact status. */
  answered(status: number, by = 1): void {
    const code = status >= 200 && status < 300 ? '2XX' : String(status);
    let counter = this.#requests.get(code);
    if (counter === undefined) {
      counter = this.#meter.counter('vmagent_remotewrite_requests_total', 'Answers by status.', {
        ...this.#labels,
        status_code: code,
      });
      this.#requests.set(code, counter);
    }
    if (by > 0) counter.inc(by);
  }
}
