import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ahead } from '../../src/queue/ahead.ts';
import { newEntry } from '../../src/queue/memory.ts';
import { makeBlock } from '../support/blocks.ts';

test('blocks come out in order, and whoever sent one learns that it has ended', async () => {
  let changes = 0;
  const ahead = new Ahead(() => changes++);
  ahead.hold(true);
  assert.ok(ahead.isHolding);
  const ended = [ahead.send(makeBlock(1)), ahead.send(makeBlock(2))];
  assert.equal(changes, 3);
  const first = ahead.blocks.lease()!;
  assert.equal(first.block.seq, 1);
  assert.equal(ahead.blocks.lease(), undefined, 'one after another: they may hold the same series');
  assert.equal(ahead.end(newEntry(makeBlock(1))), false, 'a block of the queue itself');
  assert.equal(ahead.end(first), true);
  assert.equal(await ended[0], true);
  assert.equal(ahead.blocks.lease()?.block.seq, 2);
});

test('who waits at the close learns that it did not end', async () => {
  const ahead = new Ahead(() => {});
  const waiting = ahead.send(makeBlock(1));
  ahead.close();
  assert.equal(await waiting, false);
  assert.equal(await ahead.send(makeBlock(2)), false);
  assert.ok(ahead.isClosed);
  assert.equal(ahead.blocks.length, 1, 'it is still what waits');
});
