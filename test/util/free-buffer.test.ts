import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freeChunk, freeOwned, moved } from '../../src/util/free-buffer.ts';

test('memory of its own is given back', () => {
  const bytes = Buffer.allocUnsafeSlow(100_000);
  freeOwned(bytes.subarray(10, 20), 100_000);
  assert.equal(bytes.byteLength, 0);
});

test('what is moved lies in the new place only', () => {
  const before = Int32Array.of(1, 2);
  const after = moved(before, new Int32Array(3).fill(7));
  assert.deepEqual([[...after], before.length], [[1, 2, 7], 0]);
});

test('memory that others share stays', () => {
  const pooled = Buffer.from('in the pool');
  freeOwned(pooled, pooled.byteLength);
  assert.equal(pooled.toString(), 'in the pool');
  const shared = new Uint8Array(new SharedArrayBuffer(16));
  freeOwned(shared, 16);
  assert.equal(shared.byteLength, 16);
});

test('chunks are given back when whoever gave them is done', async () => {
  const chunk = Buffer.allocUnsafeSlow(100_000);
  const part = Buffer.allocUnsafeSlow(100_000).subarray(1);
  const small = Buffer.allocUnsafeSlow(100);
  for (const bytes of [chunk, part, small]) freeChunk(bytes);
  assert.equal(chunk.byteLength, 100_000);
  await new Promise(setImmediate);
  assert.deepEqual([chunk.byteLength, part.byteLength, small.byteLength], [0, 99_999, 100]);
});
