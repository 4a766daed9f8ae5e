import { test } from 'node:test';
import { assertOutputs, ofWindow } from '../../support/model.ts';

test('max is the largest of the window', () => {
  assertOutputs({ max: ofWindow((values) => Math.max(...values)) });
});
