import { test } from 'node:test';
import { assertOutputs, ofWindow, sumOf } from '../../support/model.ts';

/** The mean of the squared distances from the mean. */
function variance(values: readonly number[]): number {
  const mean = sumOf(values) / values.length;
  return sumOf(values.map((value) => (value - mean) ** 2)) / values.length;
}

/** Two ways to compute it agree on six digits unless nearly all of it is rounding. */
const rounded = (value: number, values: readonly number[]): number =>
  value < Math.max(...values.map(Math.abs)) * 1e-6 ? 0 : value;

test('stddev and stdvar are those of the population', () => {
  assertOutputs({
    stddev: ofWindow((values) => rounded(Math.sqrt(variance(values)), values)),
    stdvar: ofWindow((values) => rounded(variance(values), values)),
  });
});
