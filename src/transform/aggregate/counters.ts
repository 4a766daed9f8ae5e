/**
 * What the counters of a rule grew by, sample by sample, once for all outputs that need it. A sample that is older than
 * the last one of its series is left out; one that is smaller is a reset, and counts from 0. A counter without samples
 * for the staleness interval is forgotten.
 */
import type { Column, Rows } from '../state/columns.ts';
import { KIND, type Samples } from '../state/samples.ts';

export class Counters {
  /** Values that were smaller than the one before. */
  resets = 0;
  readonly #rows: Rows;
  readonly #values: Column;
  readonly #times: Column;
  /** Wall time in ms; -Infinity for a counter that is not known. */
  readonly #knownUntil: Column;

  /** `rows` by series; cleared by this class. */
  constructor(rows: Rows) {
    this.#rows = rows;
    this.#values = rows.column();
    this.#times = rows.column();
    this.#knownUntil = rows.column(Number.NEGATIVE_INFINITY);
  }

  /** Fills `kinds` and `increases`. `nowS` is in whole seconds, as upstream's clock. */
  step(
    { series, times, values, increases, kinds, length }: Samples,
    nowS: number,
    knownUntilMs: number,
  ): void {
    const lastValues = this.#values.data;
    const lastTimes = this.#times.data;
    const knownUntil = this.#knownUntil.data;
    const nowMs = nowS * 1000;
    for (let i = 0; i < length; i++) {
      const one = series[i]!;
      const value = values[i]!;
      const until = knownUntil[one]!;
      increases[i] = 0;
      if (until < nowMs) {
        if (until !== Number.NEGATIVE_INFINITY) this.#rows.clear(one);
        kinds[i] = KIND.first;
      } else if (times[i]! < lastTimes[one]!) {
        kinds[i] = KIND.outOfOrder;
        continue;
      } else {
        kinds[i] = KIND.known;
        const before = lastValues[one]!;
        if (value >= before) increases[i] = value - before;
        else {
          increases[i] = value;
          this.resets++;
        }
      }
      lastValues[one] = value;
      lastTimes[one] = times[i]!;
      knownUntil[one] = knownUntilMs;
    }
  }

  /** Forgets the counter of a series if it had no sample for too long. */
  forgetStale(series: number, flushMs: number): void {
    const until = this.#knownUntil.data[series]!;
    if (until < flushMs && until !== Number.NEGATIVE_INFINITY) this.#rows.clear(series);
  }
}
