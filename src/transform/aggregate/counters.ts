/**
 * What the counters of a rule grew by, sample by sample, once for all outputs that need it. A sample that is older than
 * the last one of its series is left out; one that is smaller is a reset, and counts from 0. A counter without samples
 * for the staleness interval is forgotten.
 */
import type { Column, Rows } from '../state/columns.ts';
import { KIND, type Samples } from '../state/samples.ts';

/** Side by side in a row: the last value, its timestamp, and the wall time in ms from which the counter is not known; -Infinity when it never was. */
const WIDTH = 3;
const TIME = 1;
const UNTIL = 2;

export class Counters {
  /** Values that were smaller than the one before. */
  resets = 0;
  readonly #rows: Rows;
  readonly #counters: Column;

  /** `rows` by series; cleared by this class. */
  constructor(rows: Rows) {
    this.#rows = rows;
    this.#counters = rows.column(Number.NEGATIVE_INFINITY, WIDTH);
  }

  /** Fills `kinds` and `increases`. `nowS` is in whole seconds, as upstream's clock. */
  step(samples: Samples, nowS: number, knownUntilMs: number): void {
    const counters = this.#counters.data;
    const { series, times, values, increases, kinds, length } = samples;
    const nowMs = nowS * 1000;
    for (let i = 0; i < length; i++) {
      i = stepKnown(samples, i, counters, nowMs, knownUntilMs);
      if (i === length) break;
      const at = WIDTH * series[i]!;
      const value = values[i]!;
      increases[i] = 0;
      if (counters[at + UNTIL]! < nowMs) {
        if (counters[at + UNTIL] !== Number.NEGATIVE_INFINITY) this.#rows.clear(series[i]!);
        kinds[i] = KIND.first;
      } else if (times[i]! < counters[at + TIME]!) {
        kinds[i] = KIND.outOfOrder;
        continue;
      } else {
        kinds[i] = KIND.known;
        increases[i] = value;
        this.resets++;
      }
      counters[at] = value;
      counters[at + TIME] = times[i]!;
      counters[at + UNTIL] = knownUntilMs;
    }
  }

  /** Forgets the counter of a series if it had no sample for too long. */
  forgetStale(series: number, flushMs: number): void {
    const until = this.#counters.data[WIDTH * series + UNTIL]!;
    if (until < flushMs && until !== Number.NEGATIVE_INFINITY) this.#rows.clear(series);
  }
}

/** Steps counters that go on without a reset, which most do; the first sample from `from` on that is another. */
function stepKnown(
  { series, times, values, increases, kinds, length }: Samples,
  from: number,
  counters: Float64Array,
  nowMs: number,
  knownUntilMs: number,
): number {
  for (let i = from; i < length; i++) {
    const at = WIDTH * series[i]!;
    const value = values[i]!;
    const time = times[i]!;
    const before = counters[at]!;
    if (!(value >= before) || time < counters[at + TIME]! || counters[at + UNTIL]! < nowMs) return i;
    kinds[i] = KIND.known;
    increases[i] = value - before;
    counters[at] = value;
    counters[at + TIME] = time;
    counters[at + UNTIL] = knownUntilMs;
  }
  return length;
}
