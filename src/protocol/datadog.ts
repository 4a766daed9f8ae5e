/** What the versions of DataDog's series API have in common: names, tags, labels, and answers. */
import { options, type Values } from '../config/option.ts';
import type { Answer } from './protocol.ts';
import type { SeriesSink } from './series-sink.ts';

export const datadogOptions = options({
  'datadog.maxInsertRequestSize': {
    kind: 'bytes',
    default: 64 * 1024 * 1024,
    min: 1,
    max: 1024 * 1024 * 1024,
    summary:
      'The largest body in a protocol of DataDog, before and after decompression. Larger ones get 413.',
  },
  'datadog.sanitizeMetricName': {
    kind: 'bool',
    default: true,
    summary:
      'Put `_` for characters other than letters, digits, `_` and `.` in names of metrics, as DataDog does.',
  },
});
export type DatadogOptions = Values<typeof datadogOptions>;

export const SIZE_OPTION = 'datadog.maxInsertRequestSize';
const SECOND_MS = 1_000;
/** For tags that are no pairs. */
const NO_VALUE = 'no_label_value';

export const json = (status: number, body: string): Answer => ({
  status,
  body,
  contentType: 'application/json',
});
export const ACCEPTED = json(202, '{"status":"ok"}');

/** A path, with and without a slash at its end. */
export const routesOf = (paths: readonly string[]) =>
  paths.flatMap((path) => [path, `${path}/`].map((each) => ({ path: each, counterPath: path })));

export interface DatadogSeries {
  readonly metric: string;
  /** Host, device, resources: those with an empty name are left out. */
  readonly labels: readonly (readonly [name: string, value: string])[];
  readonly tags: readonly string[];
  /** Seconds, not yet rounded; 0 and less stand for now unless `isExact`. */
  readonly points: readonly (readonly [timestampS: number, value: number])[];
}

export function writeSeries(
  { metric, labels, tags, points }: DatadogSeries,
  how: { readonly sanitize: boolean; readonly receivedMs: number; readonly isExact: boolean },
  sink: SeriesSink,
): void {
  if (points.length === 0) return;
  sink.begin();
  sink.text('__name__', how.sanitize ? sanitized(metric) : metric);
  for (const [name, value] of labels) if (name !== '') sink.text(name, value);
  // The host of the series is a label of its own.
  for (const tag of tags) writeTag(tag, 'exported_host', sink);
  const nowMs = how.receivedMs - (how.receivedMs % SECOND_MS);
  for (const [timestampS, value] of points) {
    const isNow = timestampS <= 0 && !how.isExact;
    sink.sample(value, isNow ? nowMs : Math.trunc(timestampS * SECOND_MS));
  }
  sink.end();
}

/** @param hostName what the tag `host` is called. */
export function writeTag(tag: string, hostName: string, sink: SeriesSink): void {
  const colon = tag.indexOf(':');
  const name = colon < 0 ? tag : tag.slice(0, colon);
  if (name !== '') sink.text(name === 'host' ? hostName : name, colon < 0 ? NO_VALUE : tag.slice(colon + 1));
}

/** https://docs.datadoghq.com/metrics/custom_metrics/#naming-custom-metrics */
export function sanitized(metric: string): string {
  return metric
    .replace(/[^0-9a-zA-Z_.]+/g, '_')
    .replace(/_+/g, '_')
    .replace(/_?\._?/g, '.');
}
