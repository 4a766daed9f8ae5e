/**
 * What a component needs of the metrics: it names a metric once, at construction, and keeps the handle. Every metric
 * is present from then on (at 0), so that `rate()` and alerts work before the first event. The implementation is
 * `telemetry/metrics.ts`.
 */
export type MetricLabels = Readonly<Record<string, string>>;

export interface Counter {
  inc(by?: number): void;
}

export interface Gauge {
  set(value: number): void;
}

export interface Histogram {
  observe(value: number): void;
}

export interface Meter {
  counter(name: string, help: string, labels?: MetricLabels): Counter;
  gauge(name: string, help: string, labels?: MetricLabels): Gauge;
  /** A gauge that is read at every scrape. */
  gaugeOf(name: string, help: string, labels: MetricLabels, read: () => number): void;
  /** A counter that is read at every scrape; `read` must never go down. */
  counterOf(name: string, help: string, labels: MetricLabels, read: () => number): void;
  /** VictoriaMetrics' histogram (`vmrange` buckets, `_sum`, `_count`) that also exposes `le` buckets. */
  histogram(name: string, help: string, labels?: MetricLabels): Histogram;
  /** Removes every metric that carries these labels (a destination that went away). */
  remove(labels: MetricLabels): void;
}
