import { test } from 'node:test';
import { assertOutputs, ofWindow } from '../../support/model.ts';

test('count_samples counts what is no NaN', () => {
  assertOutputs({ count_samples: ofWindow((values) => values.length) });
});
