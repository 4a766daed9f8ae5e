import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Harness } from '../../support/harness.ts';
import { assertOutputs, flushOf, sumOf } from '../../support/model.ts';

test('sum_samples_total is the sum since the group began', () => {
  assertOutputs({
    sum_samples_total: (history) => {
      const { window } = flushOf(history);
      const samples = history.filter((event) => event.kind === 'sample' && event.window <= window);
      return { '': sumOf(samples.map((event) => (event.kind === 'sample' ? event.value : 0))) };
    },
  });
});

test('a total that whole numbers get lost in is told once, and begins at 0', () => {
  const harness = new Harness('- {interval: 1m, outputs: [sum_samples_total]}');
  assert.deepEqual(harness.values([[2 ** 53 - 2], [5], [1]], 60_000, 'a'), [2 ** 53 - 2, 2 ** 53 + 3, 1]);
});
