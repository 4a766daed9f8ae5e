/** Samples on their way into state: what the engine hands over, and the columns that state folds. */
import type { Colour } from './columns.ts';
import { UNMATCHED } from './targets.ts';

/** Samples as they lie in the engine's memory; nothing here is kept or changed. */
export interface SampleColumns {
  /** i64 milliseconds since the epoch as 32-bit words: sample i at 2i (low) and 2i + 1 (high). */
  readonly timestampWords: Int32Array;
  readonly values: Float64Array;
  /** The same memory as `values`, little-endian: bits of NaNs are only seen here. */
  readonly valueWords: Uint32Array;
}

/** Series of one request with their samples. */
export interface SampleBatch extends SampleColumns {
  readonly seriesCount: number;
  /** By series: its ref, its first sample in the columns, and how many there are. */
  readonly refs: Uint32Array;
  readonly starts: Uint32Array;
  readonly counts: Uint32Array;
}

/** Milliseconds; exact up to 2^53, and rounded beyond. */
export function timestampOf(words: Int32Array, sample: number): number {
  return words[2 * sample + 1]! * 4_294_967_296 + (words[2 * sample]! >>> 0);
}

/** High and low word of Prometheus' stale marker, which is a NaN. */
export const STALE_HIGH = 0x7ff0_0000;
export const STALE_LOW = 2;

/** Where samples go by ref, and which are in time. */
export interface Plain {
  readonly targets: Int32Array;
  /** By target; undefined where both are one. */
  readonly groupOf: Int32Array | undefined;
  readonly oldestMs: number;
  readonly latestMs: number;
}

/** What a sample is to the counter that it belongs to: older than the last one, one more, or the first one. */
export const KIND = { outOfOrder: 0, known: 1, first: 2 } as const;

/** Few enough to stay in the processor's cache between the loops that walk them. */
const CAPACITY = 2048;

/** Samples that were accepted, as columns of one length. One colour only. */
export class Samples {
  readonly capacity = CAPACITY;
  length = 0;
  colour: Colour = 0;
  readonly groups = new Int32Array(CAPACITY);
  readonly series = new Int32Array(CAPACITY);
  readonly times = new Float64Array(CAPACITY);
  readonly values = new Float64Array(CAPACITY);
  /** The same memory as `values`. */
  readonly words = new Uint32Array(this.values.buffer);
  /** What the counter grew by; 0 unless its kind is `known`. Only for rules with outputs that need counters. */
  readonly increases = new Float64Array(CAPACITY);
  readonly kinds = new Uint8Array(CAPACITY);
  /** Whether first samples count as an increase from 0. */
  countsFirsts = false;
  /** The smallest timestamp that `takePlain` took last. */
  earliestMs = 0;

  /**
   * Takes rows of one sample, which is a number and in time, while there is room, and passes over those without a target;
   * returns the row that needs a closer look, or the number of rows. Nothing is called in here: V8 does not look at the arrays anew for each sample.
   */
  takePlain(
    { refs, starts, counts, seriesCount, timestampWords, values: from }: SampleBatch,
    first: number,
    { targets, groupOf, oldestMs, latestMs }: Plain,
  ): number {
    const { groups, series, times, values, capacity } = this;
    const known = targets.length;
    let { length } = this;
    let earliestMs = Number.POSITIVE_INFINITY;
    let row = first;
    for (; row < seriesCount; row++) {
      const ref = refs[row]!;
      const target = ref < known ? targets[ref]! : UNMATCHED;
      if (target === UNMATCHED) continue;
      if (target < 0 || counts[row] !== 1 || length === capacity) break;
      const sample = starts[row]!;
      const value = from[sample]!;
      const time = timestampWords[2 * sample + 1]! * 4_294_967_296 + (timestampWords[2 * sample]! >>> 0);
      if (Number.isNaN(value) || time < oldestMs || time > latestMs) break;
      if (time < earliestMs) earliestMs = time;
      groups[length] = groupOf === undefined ? target : groupOf[target]!;
      series[length] = target;
      times[length] = time;
      values[length] = value;
      length++;
    }
    this.length = length;
    this.earliestMs = earliestMs;
    return row;
  }
}
