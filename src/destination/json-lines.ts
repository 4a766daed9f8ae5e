/**
 * A block as text: one line per series, in the form of VictoriaMetrics' /api/v1/import and /api/v1/export:
 *
 *     {"metric":{"__name__":"up","job":"a"},"values":[1,"NaN"],"timestamps":[1790000000000,1790000001000]}
 *
 * Values that JSON has no number for are strings: "NaN", "Infinity", "-Infinity", and "stale" for Prometheus' staleness
 * marker. Native histograms, exemplars and metadata have no place in this form and are left out.
 */
import { remoteWriteType } from '../protocol/schema.ts';

interface Series {
  readonly labels: readonly { readonly name: string; readonly value: string }[];
  readonly samples: readonly { readonly value: number; readonly timestamp: unknown }[];
}

/** High and low word of the NaN that marks a series as gone (0x7ff0000000000002). */
const STALE_HIGH = 0x7ff00000;
const STALE_LOW = 2;

export function blockLines(message: Uint8Array): string[] {
  const { timeseries } = remoteWriteType('WriteRequest').decode(message) as unknown as {
    readonly timeseries: readonly Series[];
  };
  const stale = staleSamples(message);
  let at = 0;
  const lines: string[] = [];
  for (const { labels, samples } of timeseries) {
    const first = at;
    at += samples.length;
    if (samples.length === 0) continue;
    const metric = Object.fromEntries(labels.map(({ name, value }) => [name, value]));
    const values = samples.map(({ value }, index) => (stale.has(first + index) ? 'stale' : jsonValue(value)));
    const timestamps = samples.map(({ timestamp }) => Number(timestamp));
    lines.push(`${JSON.stringify({ metric, values, timestamps })}\n`);
  }
  return lines;
}

function jsonValue(value: number): number | string {
  return Number.isFinite(value) ? value : String(value);
}

/**
 * Indices of the samples, counted through the whole message, that are staleness markers. protobufjs gives values as
 * JavaScript numbers, and a number does not keep the bits of a NaN; so the bytes are looked at directly.
 */
function staleSamples(message: Uint8Array): Set<number> {
  const found = new Set<number>();
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  let index = 0;
  eachField(view, 0, view.byteLength, (field, from, to) => {
    if (field !== 1) return;
    eachField(view, from, to, (inner, sampleFrom, sampleTo) => {
      if (inner !== 2) return;
      eachField(view, sampleFrom, sampleTo, (part, at) => {
        if (part !== 1) return;
        const isStale = view.getUint32(at, true) === STALE_LOW && view.getUint32(at + 4, true) === STALE_HIGH;
        if (isStale) found.add(index);
        else found.delete(index);
      });
      index++;
    });
  });
  return found;
}

/** Calls `visit` with every field of a message that protobufjs has already accepted. */
function eachField(
  view: DataView,
  start: number,
  end: number,
  visit: (field: number, from: number, to: number) => void,
): void {
  let at = start;
  const varint = () => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = view.getUint8(at++);
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < end) {
    const tag = varint();
    const type = tag % 8;
    let from = at;
    if (type === 0) varint();
    else if (type === 1) at += 8;
    else if (type === 5) at += 4;
    else {
      const length = varint();
      from = at;
      at += length;
    }
    visit(Math.floor(tag / 8), from, at);
  }
}
