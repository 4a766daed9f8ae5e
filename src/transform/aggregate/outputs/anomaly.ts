/**
 * How unusual a group's average of the interval is among its averages of the last intervals: scores to alert on, made
 * where the data passes by. The history is the last `window` intervals that had samples, without the one that is judged;
 * nothing is told before it is half full. A score is in deviations, above 0 for unusually high, and never beyond ±100,
 * where the history has no spread at all and anything else would be infinitely unusual.
 *
 * `zscore`: (x - mean) / standard deviation (of the population).
 * `mad`: the modified z-score of B. Iglewicz and D. Hoaglin, How to Detect and Handle Outliers (1993): 0.6745 (x - median) /
 * median absolute deviation; where more than half of the history is one value, 0.7979 (x - median) / mean absolute
 * deviation. Both factors make it a z-score for normally distributed values; outliers in the history hardly move it.
 */
import { countsOf, type FlushWindow, type OutputArguments, type OutputDefinition } from './output.ts';

const WINDOW_MIN = 4;
const WINDOW_MAX = 1000;
const SCORE_MAX = 100;
/** The 75th percentile of the standard normal distribution. */
const PER_MEDIAN_DEVIATION = 0.6745;
/** √(2/π), the mean of its absolute value. */
const PER_MEAN_DEVIATION = Math.sqrt(2 / Math.PI);

const windowArgument = (name: string): OutputArguments => ({
  example: `${name}(60)`,
  check([window, ...more]) {
    if (window === undefined || more.length > 0) return 'it takes one number, the intervals to look back';
    if (Number.isInteger(window) && window >= WINDOW_MIN && window <= WINDOW_MAX) return undefined;
    return `the number of intervals is not between ${WINDOW_MIN} and ${WINDOW_MAX}`;
  },
});

/** `distance` in units of `deviation`, within ±100. */
function scoreOf(distance: number, deviation: number): number {
  if (distance === 0) return 0;
  return Math.max(-SCORE_MAX, Math.min(SCORE_MAX, distance / deviation));
}

export function zscoreOf(value: number, history: Float64Array): number {
  const mean = meanOf(history);
  let squares = 0;
  for (const one of history) squares += (one - mean) ** 2;
  return scoreOf(value - mean, Math.sqrt(squares / history.length));
}

export function madOf(value: number, history: Float64Array): number {
  const median = medianOf(history);
  const deviations = history.map((one) => Math.abs(one - median));
  const distance = value - median;
  const middle = medianOf(deviations);
  if (middle > 0) return scoreOf(distance * PER_MEDIAN_DEVIATION, middle);
  return scoreOf(distance * PER_MEAN_DEVIATION, meanOf(deviations));
}

/** Exact where all values are one. */
function meanOf(values: Float64Array): number {
  const first = values[0]!;
  let sum = 0;
  for (const one of values) sum += one - first;
  return first + sum / values.length;
}

function medianOf(values: Float64Array): number {
  const sorted = values.toSorted();
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

function define(
  name: string,
  summary: string,
  score: (value: number, history: Float64Array) => number,
): OutputDefinition {
  return {
    name,
    summary,
    args: windowArgument(name),
    create(state, [window]) {
      const size = window!;
      const sums = state.groups.window();
      const histories = state.groups.column(0, size);
      /** Averages that the group ever had; the next one goes to this index modulo the size. */
      const averages = state.groups.column();
      return {
        fold({ groups, values, length, colour }) {
          const sum = sums[colour]!.data;
          for (let i = 0; i < length; i++) sum[groups[i]!]! += values[i]!;
        },
        flush(flushed) {
          const sum = sums[flushed.colour]!.data;
          emitScores(flushed, sum, { histories: histories.data, averages: averages.data, size, score });
        },
      };
    },
  };
}

interface History {
  readonly histories: Float64Array;
  readonly averages: Float64Array;
  readonly size: number;
  readonly score: (value: number, history: Float64Array) => number;
}

function emitScores(
  flushed: FlushWindow,
  sum: Float64Array,
  { histories, averages, size, score }: History,
): void {
  const counts = countsOf(flushed);
  for (let i = 0; i < flushed.groupCount; i++) {
    const group = flushed.groups[i]!;
    if (counts[group] === 0) continue;
    const value = sum[group]! / counts[group]!;
    // An infinity would spoil the history for as long as it remembers.
    if (!Number.isFinite(value)) continue;
    const known = averages[group]!;
    const start = group * size;
    if (known >= size / 2)
      flushed.emit(group, score(value, histories.subarray(start, start + Math.min(known, size))));
    histories[start + (known % size)] = value;
    averages[group] = known + 1;
  }
}

export const zscore = define(
  'zscore',
  'how many standard deviations the average of the interval is away from the mean of the last intervals',
  zscoreOf,
);

export const mad = define(
  'mad',
  'as zscore, with the median and the median absolute deviation, which outliers in the history hardly move',
  madOf,
);
