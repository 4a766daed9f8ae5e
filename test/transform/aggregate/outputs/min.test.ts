import { test } from 'node:test';
import { assertOutputs, ofWindow } from '../../support/model.ts';

test('min is the smallest of the window', () => {
  assertOutputs({ min: ofWindow((values) => Math.min(...values)) });
});
