import nodeAssert from 'node:assert/strict';
import { test } from 'node:test';
import { assert } from '../../src/util/assert.ts';

test('a broken assumption is told as our bug', () => {
  assert(true, 'never told');
  nodeAssert.throws(() => assert(0, 'zero is false'), /^Error: BUG: zero is false$/);
});
