/**
 * A block as text: one line per series, in the form of VictoriaMetrics' /api/v1/import and /api/v1/export:
 *
 *     {"metric":{"__name__":"up","job":"a"},"values":[1,"NaN"],"timestamps":[1790000000000,1790000001000]}
 *
 * Values that JSON has no number for are strings: "NaN", "Infinity", "-Infinity", and "stale" for Prometheus' staleness
 * marker. Native histograms, exemplars and metadata have no place in this form and are left out.
 */
import { remoteWriteType } from '../protocol/schema.ts';
import { DELIMITED, eachField } from './fields.ts';

interface Series {
  readonly labels: readonly { readonly name: string; readonly value: string }[];
  readonly samples: readonly { readonly value: number; readonly timestamp: unknown }[];
}

/** High and low word of the NaN that marks a series as gone (0x7ff0000000000002). */
const STALE_HIGH = 0x7ff00000;
const STALE_LOW = 2;
/** Of a WriteRequest, a TimeSeries, a Sample. */
const TIMESERIES = 1;
const SAMPLE = 2;
const VALUE = 1;
/** More than fit into the largest block (8 MiB) as samples: such a series is made to take memory. */
const SERIES_PARTS_MAX = 1_000_000;

/** One series is decoded at a time. Throws when the message is damaged, or one series is larger than blocks have them. */
export function blockLines(message: Uint8Array): string[] {
  const lines: string[] = [];
  eachField(message, 0, message.byteLength, (number, from, to, _start, wire) => {
    if (number !== TIMESERIES || wire !== DELIMITED) return;
    let parts = 0;
    eachField(message, from, to, () => parts++);
    if (parts > SERIES_PARTS_MAX) throw new Error(`a series has ${parts} labels and samples`);
    const line = lineOf(message.subarray(from, to));
    if (line !== undefined) lines.push(line);
  });
  return lines;
}

function lineOf(bytes: Uint8Array): string | undefined {
  const { labels, samples } = remoteWriteType('TimeSeries').decode(bytes) as unknown as Series;
  if (samples.length === 0) return undefined;
  const stale = staleSamples(bytes);
  const metric = Object.fromEntries(labels.map(({ name, value }) => [name, value]));
  const values = samples.map(({ value }, index) => (stale.has(index) ? 'stale' : jsonValue(value)));
  const timestamps = samples.map(({ timestamp }) => Number(timestamp));
  return `${JSON.stringify({ metric, values, timestamps })}\n`;
}

function jsonValue(value: number): number | string {
  return Number.isFinite(value) ? value : String(value);
}

/**
 * Indices of the samples that are staleness markers. protobufjs gives values as JavaScript numbers, and a number does not
 * keep the bits of a NaN; so the bytes are looked at directly.
 */
function staleSamples(series: Uint8Array): Set<number> {
  const found = new Set<number>();
  const view = new DataView(series.buffer, series.byteOffset, series.byteLength);
  let index = 0;
  eachField(series, 0, series.byteLength, (number, from, to, _start, wire) => {
    if (number !== SAMPLE || wire !== DELIMITED) return;
    eachField(series, from, to, (part, at, end) => {
      if (part !== VALUE || end - at !== 8) return;
      const isStale = view.getUint32(at, true) === STALE_LOW && view.getUint32(at + 4, true) === STALE_HIGH;
      if (isStale) found.add(index);
      else found.delete(index);
    });
    index++;
  });
  return found;
}
