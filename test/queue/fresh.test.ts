/** The queue with `freshFirst`: what has just come does not wait for a backlog, and nothing is lost or sent twice for it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Lease, LeaseKind } from '../../src/model/delivery.ts';
import type { QueueConfig } from '../../src/queue/config.ts';
import { DestinationQueue } from '../../src/queue/queue.ts';
import { makeBlock } from '../support/blocks.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { MemoryFs } from '../support/memory-fs.ts';
import { recordingLogger } from '../support/quiet-logger.ts';

const delivered = { kind: 'delivered' } as const;
const BLOCK_BYTES = 100;

async function openQueue(over: Partial<QueueConfig> = {}, fs = new MemoryFs(), clock = new FakeClock()) {
  const config: QueueConfig = {
    directory: '/q',
    onDisk: true,
    memoryBytesMax: 10 * BLOCK_BYTES,
    brokenBytesMax: 40 * BLOCK_BYTES,
    diskBytesMax: 0,
    whenFull: 'drop-oldest',
    ageMsMax: 0,
    freshFirst: true,
    synced: false,
    ...over,
  };
  const queue = new DestinationQueue(config, { fs, clock, log: recordingLogger() });
  await queue.open();
  const push = (...numbers: readonly number[]) => {
    for (const samples of numbers) {
      const bytes = Buffer.alloc(BLOCK_BYTES, samples);
      queue.push(makeBlock(samples, { bytes, bornMs: clock.monotonicMs() }));
    }
  };
  return { queue, fs, clock, push };
}

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

async function settled(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await nextTurn();
}

/** The next block of this kind; undefined if there is none now. */
async function take(queue: DestinationQueue, kind: LeaseKind): Promise<Lease | undefined> {
  await settled();
  return Promise.race([queue.lease(kind), nextTurn().then(() => undefined)]);
}

/** Takes out everything but what is held; returns the numbers of samples. */
async function drain(queue: DestinationQueue, held = () => 0): Promise<number[]> {
  const found: number[] = [];
  while (queue.pendingBlocks > held()) {
    const lease = await take(queue, 'oldest');
    assert.ok(lease, `${queue.pendingBlocks} blocks do not come out`);
    found.push(lease.block.counts.samples);
    lease.end(delivered);
    await settled();
  }
  return found;
}

function assertBalanced(queue: DestinationQueue): void {
  const { routed, recovered, ended } = queue.ledger;
  const out = Object.values(ended).reduce((sum, { samples }) => sum + samples, 0);
  assert.equal(routed.samples + recovered.samples, out + queue.pendingCounts.samples);
}

/** 40 blocks in the file, of an outage. */
async function withBacklog(over: Partial<QueueConfig> = {}) {
  const world = await openQueue(over);
  world.push(...range(1, 40));
  world.clock.advance(6_000);
  world.queue.maintain();
  await settled();
  assert.equal(world.queue.firstUnsafeBody, undefined, 'all is in the file');
  return world;
}

test('without a backlog everything goes in order, to whoever asks', async () => {
  const { queue, push, fs } = await openQueue();
  push(1, 2, 3);
  const order: number[] = [];
  for (const kind of ['oldest', 'fresh', 'oldest'] as const) {
    const lease = await take(queue, kind);
    order.push(lease!.block.counts.samples);
    lease!.end(delivered);
  }
  assert.deepEqual(order, [1, 2, 3]);
  assert.deepEqual(fs.files(), []);
});

test('what has just come is leased before the backlog is gone, and the backlog in order', async () => {
  const { queue, push } = await withBacklog();
  push(100, 101);
  const order: number[] = [];
  for (const kind of ['oldest', 'fresh', 'oldest', 'fresh'] as const) {
    const lease = await take(queue, kind);
    order.push(lease!.block.counts.samples);
    lease!.end(delivered);
  }
  assert.deepEqual(order, [1, 100, 2, 101]);
  assert.equal(await take(queue, 'fresh'), undefined);
  assertBalanced(queue);
});

test('senders that wait for fresh blocks get nothing else', async () => {
  const { queue, push } = await withBacklog();
  const got: (number | undefined)[] = [];
  void queue.lease('fresh').then((lease) => got.push(lease?.block.counts.samples));
  await settled();
  assert.deepEqual(got, []);
  push(100);
  await settled();
  assert.deepEqual(got, [100]);
});

test('fresh blocks that are not taken for 5 s join the backlog', async () => {
  const { queue, push, clock, fs } = await withBacklog();
  push(100, 101);
  await settled();
  clock.advance(5_000);
  queue.maintain();
  await settled();
  assert.equal(queue.firstUnsafeBody, undefined);
  assert.equal(await take(queue, 'fresh'), undefined);
  const { queue: again } = await reopened(queue, fs);
  assert.deepEqual(await drain(again), [...range(1, 40), 100, 101]);
  assertBalanced(again);
});

/** The same directory, after a stop in good order. */
async function reopened(queue: DestinationQueue, fs: MemoryFs) {
  queue.close();
  await queue.spill();
  return openQueue({}, fs);
}

test('what memory cannot hold goes to the file behind the rest', async () => {
  const { queue, push } = await withBacklog();
  push(...range(101, 115));
  await settled();
  queue.maintain();
  await settled();
  assert.ok(queue.memoryBlocks <= 10, `${queue.memoryBlocks} blocks in memory`);
  const fresh = await take(queue, 'fresh');
  assert.ok(fresh!.block.counts.samples > 110, 'what came after the overflow is fresh');
  fresh!.end(delivered);
  const rest = await drain(queue);
  assert.deepEqual(
    [...rest, fresh!.block.counts.samples].sort((a, b) => a - b),
    [...range(1, 40), ...range(101, 115)],
  );
  assertBalanced(queue);
});

test('a fresh block that is under way for 5 s is in the file, once, and is not sent twice', async () => {
  for (const isDelivered of [true, false]) {
    const { queue, push, clock } = await withBacklog();
    push(100);
    const held = await take(queue, 'fresh');
    clock.advance(5_000);
    queue.maintain();
    await settled();
    assert.equal(queue.firstUnsafeBody, undefined, 'the journal need not keep it');
    push(101);
    clock.advance(5_000);
    queue.maintain();
    await settled();
    // The backlog, its record in the middle, is read while the block is under way.
    assert.deepEqual(await drain(queue, () => 1), [...range(1, 40), 101]);
    if (isDelivered) held!.end(delivered);
    else {
      held!.putBack();
      assert.deepEqual(await drain(queue), [100]);
    }
    assert.equal(queue.pendingBlocks, 0);
    assertBalanced(queue);
    assert.equal(queue.ledger.ended.damaged.samples, 0);
  }
});

test('a fresh block that is delivered while its record is read does not come again', async () => {
  for (let nth = 1; nth <= 60; nth++) {
    const { queue, push, clock, fs } = await withBacklog();
    push(100);
    const held = await take(queue, 'fresh');
    clock.advance(5_000);
    queue.maintain();
    await settled();
    push(101);
    await settled();
    clock.advance(5_000);
    queue.maintain();
    await settled();
    let reads = 0;
    fs.onOperation = (operation) => {
      if (operation === 'read' && ++reads === nth) held!.end(delivered);
    };
    const order = await drain(queue, () => (reads < nth ? 1 : 0));
    if (reads < nth) held!.end(delivered);
    assert.deepEqual(order, [...range(1, 40), 101], `read ${nth}`);
    assertBalanced(queue);
  }
});

test('after a kill, what was fresh and under way for 5 s comes again, behind the backlog', async () => {
  const { queue, push, clock, fs } = await withBacklog();
  push(100);
  await take(queue, 'fresh');
  clock.advance(5_000);
  queue.maintain();
  await settled();
  queue.close();
  fs.kill();
  const { queue: again } = await openQueue({}, fs);
  assert.deepEqual(await drain(again), [...range(1, 40), 100]);
});

test('a stop writes fresh blocks too', async () => {
  const { queue, push, fs } = await withBacklog();
  push(100, 101);
  const { queue: again } = await reopened(queue, fs);
  assert.deepEqual(await drain(again), [...range(1, 40), 100, 101]);
});

test('purge, age and limit see fresh blocks', async () => {
  const purged = await withBacklog();
  purged.push(100, 101);
  assert.equal((await purged.queue.purge()).blocks, 42);
  assertBalanced(purged.queue);

  const aged = await openQueue({ ageMsMax: 1_000 });
  aged.push(1);
  aged.clock.advance(1_001);
  aged.queue.maintain();
  assert.equal(aged.queue.ledger.ended.too_old.samples, 1);

  const limited = await openQueue({ diskBytesMax: 3 * BLOCK_BYTES });
  limited.push(1, 2, 3, 4);
  assert.equal(limited.queue.ledger.ended.dropped_queue_full.samples, 1);
  assert.deepEqual(await drain(limited.queue), [2, 3, 4]);
});

test('blocks of elsewhere are not fresh', async () => {
  const { queue, push } = await openQueue();
  await queue.adopt(makeBlock(7));
  push(8);
  assert.equal((await take(queue, 'fresh'))?.block.counts.samples, 8);
  assert.equal((await take(queue, 'oldest'))?.block.counts.samples, 7);
});
