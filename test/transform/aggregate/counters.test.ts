import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Counters } from '../../../src/transform/aggregate/counters.ts';
import { Rows } from '../../../src/transform/state/columns.ts';
import { KIND, Samples } from '../../../src/transform/state/samples.ts';

function step(
  counters: Counters,
  samples: [timestampMs: number, value: number][],
  nowS: number,
  untilMs: number,
) {
  const columns = new Samples();
  for (const [timestampMs, value] of samples) {
    columns.times[columns.length] = timestampMs;
    columns.values[columns.length++] = value;
  }
  counters.step(columns, nowS, untilMs);
  return samples.map((_, index) => [columns.kinds[index], columns.increases[index]]);
}

test('growth, resets and what is out of order', () => {
  const counters = new Counters(new Rows());
  const samples: [number, number][] = [
    [10, 5],
    [20, 8],
    [15, 100],
    [20, 8],
    [30, 2],
    [30, 1],
  ];
  assert.deepEqual(step(counters, samples, 0, 1000), [
    [KIND.first, 0],
    [KIND.known, 3],
    [KIND.outOfOrder, 0],
    [KIND.known, 0],
    [KIND.known, 2],
    [KIND.known, 1],
  ]);
  assert.equal(counters.resets, 2);
});

test('a counter is forgotten by whole seconds, or at a flush, with all columns of its row', () => {
  const rows = new Rows();
  const other = rows.column();
  const counters = new Counters(rows);
  step(counters, [[10, 5]], 0, 1000);
  other.data[0] = 7;
  assert.deepEqual(step(counters, [[20, 6]], 1, 2000), [[KIND.known, 1]]);
  counters.forgetStale(0, 2000);
  assert.equal(other.data[0], 7);
  counters.forgetStale(0, 2001);
  assert.equal(other.data[0], 0);
  assert.deepEqual(step(counters, [[5, 6]], 2, 3000), [[KIND.first, 0]]);
  other.data[0] = 7;
  assert.deepEqual(step(counters, [[5, 9]], 4, 5000), [[KIND.first, 0]]);
  assert.equal(other.data[0], 0);
});
