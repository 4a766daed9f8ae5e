import { test } from 'node:test';
import { assertOutputs, ofWindow } from '../../support/model.ts';

test('unique_samples counts a value once a window; -0 is 0', () => {
  assertOutputs({ unique_samples: ofWindow((values) => new Set(values).size) });
});
