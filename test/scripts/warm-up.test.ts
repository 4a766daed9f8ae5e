import assert from 'node:assert/strict';
import { test } from 'node:test';
import { warmUp } from '../../scripts/warm-up.ts';

test('the relay starts and, stopped at once, ends in good order', async () => {
  assert.equal(await warmUp(), 0);
});
