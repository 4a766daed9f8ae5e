import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Scratch } from '../../src/protocol/scratch.ts';

test('what is used stays when the scratch grows', () => {
  const scratch = new Scratch();
  scratch.reserve(0, 3).set([1, 2, 3]);
  const before = scratch.bytes;
  assert.equal(scratch.reserve(3, 10), before);
  assert.deepEqual([...scratch.reserve(3, 10_000).subarray(0, 3)], [1, 2, 3]);
  assert.ok(scratch.bytes.byteLength >= 10_003);
});
