import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HeapMemory } from '../../src/protocol/sink-memory.ts';

test('what was written stays when more room is needed, and room that is there is given again', () => {
  const memory = new HeapMemory();
  memory.reserve(10, 0).set([1, 2, 3]);
  const more = memory.reserve(100_000, 3);
  assert.equal(more.byteLength, 100_000);
  assert.deepEqual([...more.subarray(0, 3)], [1, 2, 3]);
  const less = memory.reserve(50, 3);
  assert.deepEqual([less.byteLength, less.buffer], [50, more.buffer]);
  assert.equal(memory.ptr, undefined);
});
