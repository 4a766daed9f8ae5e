import { test } from 'node:test';
import { assertOutputs, sumOf, windowOf } from '../../support/model.ts';

test('sum_samples is the sum of the window, 0 without samples', () => {
  assertOutputs({ sum_samples: (history) => ({ '': sumOf(windowOf(history).map(({ value }) => value)) }) });
});
