import { test } from 'node:test';
import { assertOutputs, ofWindow, sumOf } from '../../support/model.ts';

test('avg is the mean of the window', () => {
  assertOutputs({ avg: ofWindow((values) => sumOf(values) / values.length) });
});
