import assert from 'node:assert/strict';
import { test } from 'node:test';
import { madOf, zscoreOf } from '../../../../src/transform/aggregate/outputs/anomaly.ts';
import { Harness } from '../../support/harness.ts';
import { assertOutputs, flushOf, type History, type Reference, sumOf } from '../../support/model.ts';

const WINDOW = 5;

const mean = (values: readonly number[]) => sumOf(values) / values.length;

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length / 2;
  return half % 1 === 0 ? (sorted[half - 1]! + sorted[half]!) / 2 : sorted[half - 0.5]!;
}

/** The averages of the last windows that had samples, and that of the one that ends. */
function averages(history: History): { earlier: number[]; own: number | undefined } {
  const { window } = flushOf(history);
  const samples = history
    .filter((event) => event.kind === 'sample')
    .filter((event) => event.window <= window);
  const byWindow = Map.groupBy(samples, (event) => event.window);
  const own = byWindow.get(window);
  byWindow.delete(window);
  const earlier = [...byWindow]
    .sort(([a], [b]) => a - b)
    .map(([, all]) => mean(all.map(({ value }) => value)));
  return { earlier: earlier.slice(-WINDOW), own: own && mean(own.map(({ value }) => value)) };
}

const scoreBy =
  (
    deviation: (values: readonly number[]) => number,
    middle: (values: readonly number[]) => number,
  ): Reference =>
  (history): Record<string, number> => {
    const { earlier, own } = averages(history);
    if (own === undefined || earlier.length < WINDOW / 2) return {};
    const distance = own - middle(earlier);
    if (Math.abs(distance) < 1e-9) return { '': 0 };
    return { '': Math.max(-100, Math.min(100, distance / deviation(earlier))) };
  };

const standardDeviation = (values: readonly number[]) =>
  Math.sqrt(mean(values.map((value) => (value - mean(values)) ** 2)));

function medianDeviation(values: readonly number[]): number {
  const deviations = values.map((value) => Math.abs(value - median(values)));
  return median(deviations) > 0 ? median(deviations) / 0.6745 : mean(deviations) * Math.sqrt(Math.PI / 2);
}

test('scores are deviations from the last averages', () => {
  assertOutputs({
    [`zscore(${WINDOW})`]: scoreBy(standardDeviation, mean),
    [`mad(${WINDOW})`]: scoreBy(medianDeviation, median),
  });
});

test('an even history is never unusual, whatever rounding does to its mean', () => {
  const history = Float64Array.from({ length: 10 }, () => 0.1);
  assert.equal(zscoreOf(0.1, history), 0);
  assert.equal(madOf(0.1, history), 0);
});

test('what leaves a history without spread is as unusual as can be', () => {
  const history = Float64Array.of(2, 2, 2, 2);
  assert.deepEqual([zscoreOf(3, history), zscoreOf(1, history), madOf(3, history)], [100, -100, 100]);
});

test('an outlier in the history moves mad less than zscore', () => {
  const history = Float64Array.of(10, 11, 9, 10, 12, 10, 9, 1000);
  assert.ok(madOf(20, history) > 3);
  assert.ok(Math.abs(zscoreOf(20, history)) < 1);
});

test('infinities are not remembered', () => {
  const harness = new Harness('- {interval: 1m, outputs: ["zscore(4)"], staleness_interval: 10m}');
  const values = harness.values([[1], [3], [Number.POSITIVE_INFINITY], [2]], 60_000, 'a');
  assert.deepEqual(values, [undefined, undefined, undefined, 0]);
});
