import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BlockMemory } from '../../src/model/block.ts';

test('the memory of a block goes when the last queue has it in its file', () => {
  const memory = new BlockMemory();
  const bytes = new Uint8Array(new ArrayBuffer(100), 10, 50);
  memory.hold();
  memory.hold();
  memory.release(bytes);
  assert.equal(bytes.byteLength, 50);
  memory.release(bytes);
  assert.equal(bytes.byteLength, 0);
});

test('what a sender has seen stays', () => {
  const memory = new BlockMemory();
  const bytes = new Uint8Array(new ArrayBuffer(100));
  memory.hold();
  memory.pin();
  memory.release(bytes);
  assert.equal(bytes.byteLength, 100);
});

test('what the sender and its sockets are done with goes with the last queue', () => {
  const memory = new BlockMemory();
  const bytes = new Uint8Array(new ArrayBuffer(100));
  memory.hold();
  memory.hold();
  memory.pin();
  memory.pin();
  memory.unpin();
  memory.release(bytes);
  assert.equal(bytes.byteLength, 100);
  memory.unpin();
  memory.release(bytes);
  assert.equal(bytes.byteLength, 0);
});
