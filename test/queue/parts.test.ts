import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryQueue, newEntry } from '../../src/queue/memory.ts';
import { Parts } from '../../src/queue/parts.ts';
import { makeBlock } from '../support/blocks.ts';

const entry = (nth: number, seq?: number) =>
  newEntry(makeBlock(nth, { bytes: Buffer.alloc(10), bornMs: nth }), { seq });

test('the parts together are what waits', () => {
  const parts = new Parts();
  assert.deepEqual([parts.bytes, parts.blocks, parts.memoryBlocks, parts.counts.samples], [0, 0, 0, 0]);
  assert.equal(parts.oldestBornMs, Number.POSITIVE_INFINITY);
  assert.equal(parts.firstUnsafeBody, undefined);
  parts.window.push(entry(3, 1));
  parts.unloaded.add(2, 2, 10, makeBlock(4).counts);
  parts.tail.push(entry(5));
  parts.fresh.push(entry(6));
  assert.deepEqual([parts.bytes, parts.blocks, parts.memoryBlocks, parts.counts.samples], [40, 4, 3, 18]);
  assert.equal(parts.oldestBornMs, 3);
  assert.equal(parts.firstUnsafeBody, 5);
  parts.window.lease();
  assert.deepEqual(
    parts.unleased.map(({ block }) => block.seq),
    [6],
  );
});

test('what goes ahead waits, too, and is safe elsewhere', () => {
  const ahead = new MemoryQueue();
  const parts = new Parts(ahead);
  ahead.push(entry(7));
  assert.deepEqual([parts.bytes, parts.blocks, parts.memoryBlocks, parts.counts.samples], [10, 1, 1, 7]);
  assert.equal(parts.firstUnsafeBody, undefined);
  assert.deepEqual(parts.unleased, []);
});

test('the first unsafe request is found among any number of blocks', () => {
  const parts = new Parts();
  for (let nth = 200_000; nth > 0; nth--) parts.window.push(entry(nth));
  assert.equal(parts.firstUnsafeBody, 1);
});

test('what is in the file leaves memory from the end of a window that is too large', () => {
  const parts = new Parts();
  for (const nth of [1, 2, 3, 4]) parts.window.push(entry(nth, nth));
  parts.tail.push(entry(5, 5));
  parts.tail.push(entry(6));
  assert.equal(
    parts.settle(() => parts.window.bytes > 20),
    3,
  );
  assert.deepEqual([parts.window.length, parts.unloaded.blocks, parts.tail.length], [2, 3, 1]);
  assert.equal(
    parts.settle(() => true),
    undefined,
    'only while nothing is unloaded',
  );
});

test('once the file has nothing more, what comes is in the window again', () => {
  const parts = new Parts();
  parts.window.push(entry(1));
  parts.tail.push(entry(2));
  assert.equal(
    parts.settle(() => true),
    undefined,
    'what is in memory only stays',
  );
  assert.deepEqual([parts.window.length, parts.tail.length], [2, 0]);
});
