import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nextBatch } from '../../src/queue/batch.ts';
import { type Entry, MemoryQueue, newEntry } from '../../src/queue/memory.ts';
import { makeBlock } from '../support/blocks.ts';

function part(...entries: readonly Entry[]): MemoryQueue {
  const queue = new MemoryQueue();
  for (const entry of entries) queue.push(entry);
  return queue;
}

const entry = (number: number, over: Partial<Entry> = {}) =>
  newEntry(makeBlock(number, { bytes: Buffer.alloc(10) }), over);
const numbers = (batch: readonly Entry[]) => batch.map(({ block }) => block.seq);

test('what is in the file, or still fresh, is left out; the rest comes in order', () => {
  const parts = [
    part(entry(1, { seq: 7 }), entry(2)),
    part(entry(3, { isFresh: true }), entry(4, { isFresh: true, isAged: true })),
    part(entry(5)),
  ];
  assert.deepEqual(numbers(nextBatch(parts)), [2, 4, 5]);
});

test('a batch ends before its limit, but has one block at least', () => {
  const parts = [part(entry(1), entry(2), entry(3))];
  assert.deepEqual(numbers(nextBatch(parts, 25)), [1, 2]);
  assert.deepEqual(numbers(nextBatch(parts, 5)), [1]);
  assert.deepEqual(nextBatch([part()]), []);
});
