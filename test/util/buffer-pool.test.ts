import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BufferPool } from '../../src/util/buffer-pool.ts';

const KIB = 1024;

test('a buffer has at least the size that was asked for, in powers of two', () => {
  const pool = new BufferPool();
  for (const [asked, size] of [
    [0, 64],
    [64, 64],
    [65, 128],
    [300, 512],
  ] as const) {
    assert.equal(pool.take(asked * KIB).byteLength, size * KIB);
  }
});

test('a buffer that was given back is taken again, for its class only', () => {
  const pool = new BufferPool();
  const buffer = pool.take(100 * KIB);
  pool.give(buffer);
  assert.notEqual(pool.take(KIB), buffer);
  assert.equal(pool.take(128 * KIB), buffer);
  assert.notEqual(pool.take(128 * KIB), buffer, 'only once');
});

test('what is kept is bounded', () => {
  const pool = new BufferPool(256 * KIB);
  const buffers = Array.from({ length: 10 }, () => pool.take(64 * KIB));
  for (const buffer of buffers) pool.give(buffer);
  assert.equal(pool.keptBytes, 256 * KIB);
  pool.give(pool.take(1024 * KIB));
  assert.equal(pool.keptBytes, 256 * KIB);
  const empty = new BufferPool();
  empty.give(new ArrayBuffer(KIB));
  assert.equal(empty.keptBytes, 0, 'below the smallest class');
});

test('a cleared pool keeps nothing', () => {
  const pool = new BufferPool();
  const buffer = pool.take(10);
  pool.give(buffer);
  pool.clear();
  assert.equal(pool.keptBytes, 0);
  assert.notEqual(pool.take(10), buffer);
});
