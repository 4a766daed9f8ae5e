/** Samples as the engine would hand them over, and labels from texts. */
import { Labels } from '../../../src/model/labels.ts';
import type { SampleBatch } from '../../../src/transform/state/samples.ts';

/** A value that is these bits. */
export type Value = number | bigint;
export type Sample = readonly [timestampMs: number, value: Value];

export const STALE = 0x7ff0_0000_0000_0002n;

export interface SeriesSamples {
  readonly ref: number;
  readonly samples: readonly Sample[];
}

export function batchOf(series: readonly SeriesSamples[]): SampleBatch {
  const all = series.flatMap(({ samples }) => samples);
  const values = new Float64Array(all.length);
  const bits = new BigUint64Array(values.buffer);
  const timestamps = new BigInt64Array(all.length);
  for (const [index, [timestampMs, value]] of all.entries()) {
    timestamps[index] = BigInt(Math.trunc(timestampMs));
    if (typeof value === 'bigint') bits[index] = value;
    else values[index] = value;
  }
  let start = 0;
  const starts = series.map(({ samples }) => {
    start += samples.length;
    return start - samples.length;
  });
  return {
    seriesCount: series.length,
    refs: Uint32Array.from(series.map(({ ref }) => ref)),
    starts: Uint32Array.from(starts),
    counts: Uint32Array.from(series.map(({ samples }) => samples.length)),
    timestampWords: new Int32Array(timestamps.buffer),
    values,
    valueWords: new Uint32Array(values.buffer),
  };
}

/** `foo{a="1",b="2"}`; values without quotes or commas in them. */
export function labelsOf(text: string): Labels {
  const [, name = '', inner = ''] = /^([^{]*)(?:\{(.*)\})?$/.exec(text) ?? [];
  const pairs = inner === '' ? [] : inner.split(',').map((pair) => pair.replaceAll('"', '').split('='));
  const labels = pairs as [string, string][];
  return Labels.of(name === '' ? labels : [['__name__', name], ...labels]);
}

/** Only what tests need: a metric name, or labels that are equal. */
export function selectorOf(text: string): (labels: Labels) => boolean {
  const wanted = labelsOf(text).pairs();
  return (labels) => wanted.every(([name, value]) => labels.get(name) === value);
}
