import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { BlockMemory } from '../../src/model/block.ts';
import type { Lease } from '../../src/model/delivery.ts';
import type { QueueConfig } from '../../src/queue/config.ts';
import { DestinationQueue } from '../../src/queue/queue.ts';
import { makeBlock } from '../support/blocks.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { MemoryFs } from '../support/memory-fs.ts';
import { recordingLogger } from '../support/quiet-logger.ts';

const delivered = { kind: 'delivered' } as const;
/** Every test block has this length. */
const BLOCK_BYTES = 100;

const block = (samples: number) =>
  makeBlock(samples, { bytes: Buffer.alloc(BLOCK_BYTES, samples), bornMs: 0 });

async function openQueue(over: Partial<QueueConfig> = {}, fs = new MemoryFs(), clock = new FakeClock()) {
  const config: QueueConfig = {
    directory: '/q',
    onDisk: true,
    memoryBytesMax: 10 * BLOCK_BYTES,
    brokenBytesMax: 20 * BLOCK_BYTES,
    diskBytesMax: 0,
    whenFull: 'drop-oldest',
    ageMsMax: 0,
    freshFirst: false,
    synced: false,
    ...over,
  };
  const log = recordingLogger();
  const queue = new DestinationQueue(config, { fs, clock, log });
  await queue.open();
  return { queue, fs, clock, log };
}

/** Lets everything that the queue does in the background come to its end. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await nextTurn();
}

/** Takes everything out in order; returns the numbers of samples. */
async function drain(queue: DestinationQueue): Promise<number[]> {
  const found: number[] = [];
  while (queue.pendingBlocks > 0) {
    const lease: Lease | undefined = await queue.lease();
    found.push(lease!.block.counts.samples);
    assert.deepEqual(Buffer.from(lease!.block.bytes), Buffer.alloc(BLOCK_BYTES, lease!.block.counts.samples));
    lease!.end(delivered);
    await nextTurn();
  }
  return found;
}

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

function assertBalanced(queue: DestinationQueue): void {
  const { routed, recovered, ended } = queue.ledger;
  const out = Object.values(ended).reduce((sum, { samples }) => sum + samples, 0);
  assert.equal(routed.samples + recovered.samples, out + queue.pendingCounts.samples);
}

test('a sender that waits gets the block that is pushed', async () => {
  const { queue } = await openQueue();
  const waiting = queue.lease();
  queue.push(block(7));
  const lease = await waiting;
  assert.equal(lease?.block.seq, 7);
  lease?.end(delivered);
  assert.equal(queue.pendingBlocks, 0);
  assert.equal(queue.ledger.ended.delivered.samples, 7);
  assert.equal(queue.pendingCounts.samples, 0);
});

test('a block that was put back comes again before later ones', async () => {
  const { queue } = await openQueue();
  queue.push(block(1));
  queue.push(block(2));
  const first = await queue.lease();
  first?.putBack();
  assert.equal((await queue.lease())?.block.seq, 1);
});

test('the end of a lease counts once', async () => {
  const { queue } = await openQueue();
  queue.push(block(3));
  const lease = await queue.lease();
  lease?.end({ kind: 'rejected' });
  lease?.end(delivered);
  assert.equal(queue.ledger.ended.rejected.samples, 3);
  assert.equal(queue.ledger.ended.delivered.samples, 0);
});

test('closing ends the wait of every sender', async () => {
  const { queue } = await openQueue();
  const waiting = [queue.lease(), queue.lease()];
  queue.close();
  assert.deepEqual(await Promise.all(waiting), [undefined, undefined]);
  assert.equal(await queue.lease(), undefined);
});

test('while the destination keeps up, no file is touched', async () => {
  const { queue, fs } = await openQueue();
  for (const samples of range(1, 50)) {
    queue.push(block(samples));
    (await queue.lease())?.end(delivered);
    queue.maintain();
  }
  await settled();
  assert.deepEqual(fs.files(), []);
});

test('when memory is full everything goes to the file, in order, and most of it leaves memory', async () => {
  const { queue, fs } = await openQueue();
  for (const samples of range(1, 40)) queue.push(block(samples));
  await settled();
  assert.ok(fs.files().some((name) => name.endsWith('.seg')));
  assert.ok(queue.memoryBlocks <= 4, `${queue.memoryBlocks} blocks in memory`);
  assert.equal(queue.pendingBlocks, 40);
  assert.equal(queue.firstUnsafeBody, undefined);
  assertBalanced(queue);
  assert.deepEqual(await drain(queue), range(1, 40));
  assertBalanced(queue);
});

test('what comes while the file has data goes behind it, and when all is gone memory is enough again', async () => {
  const { queue, clock } = await openQueue();
  for (const samples of range(1, 20)) queue.push(block(samples));
  await settled();
  const order: number[] = [];
  for (const samples of range(21, 60)) {
    queue.push(block(samples));
    const lease = await queue.lease();
    order.push(lease!.block.counts.samples);
    lease!.end(delivered);
    await nextTurn();
  }
  order.push(...(await drain(queue)));
  assert.deepEqual(order, range(1, 60));
  queue.maintain();
  clock.advance(1_000);
  queue.maintain();
  await settled();
  const written = queue.fileTraffic.written.records;
  queue.push(makeBlock(61, { bornMs: clock.monotonicMs() }));
  await settled();
  assert.equal(queue.fileTraffic.written.records, written);
});

test('a block that waits for 5 s goes to the file, also while it is under way', async () => {
  const { queue, clock } = await openQueue();
  queue.push(block(1));
  await queue.lease();
  queue.push(block(2));
  clock.advance(4_999);
  queue.maintain();
  await settled();
  assert.equal(queue.firstUnsafeBody, 1);
  clock.advance(1);
  queue.maintain();
  await settled();
  assert.equal(queue.firstUnsafeBody, undefined);
  assert.equal(queue.fileTraffic.written.records, 2);
});

test('unsent blocks survive a stop, in order and ahead of new ones, and their files go when they are sent', async () => {
  const first = await openQueue();
  for (const samples of range(1, 3)) first.queue.push(block(samples));
  (await first.queue.lease())?.end(delivered);
  first.queue.close();
  assert.equal(await first.queue.spill(), 2);

  const { queue, fs, clock } = await openQueue({}, first.fs);
  queue.push(block(9));
  assert.equal(queue.ledger.recovered.samples, 5);
  assert.deepEqual(await drain(queue), [2, 3, 9]);
  clock.advance(1_000);
  queue.maintain();
  await settled();
  assert.deepEqual(fs.files(), ['/q/cursor']);
});

test('a second stop before everything was sent loses nothing and repeats nothing', async () => {
  const first = await openQueue();
  for (const samples of range(1, 30)) first.queue.push(block(samples));
  first.queue.close();
  assert.equal(await first.queue.spill(), 30);
  const second = await openQueue({}, first.fs);
  (await second.queue.lease())?.end(delivered);
  second.queue.push(block(31));
  second.queue.close();
  await settled();
  await second.queue.spill();
  const third = await openQueue({}, first.fs);
  assert.deepEqual(await drain(third.queue), range(2, 31));
});

test('a stop writes to disk what a queue without a file has', async () => {
  const first = await openQueue({ onDisk: false });
  for (const samples of range(1, 12)) first.queue.push(block(samples));
  await settled();
  assert.deepEqual(first.fs.files(), []);
  first.queue.close();
  assert.equal(await first.queue.spill(), 12);
  assert.deepEqual(await drain((await openQueue({ onDisk: false }, first.fs)).queue), range(1, 12));
});

test('damage costs the damaged block only and is a column of the ledger', async () => {
  const first = await openQueue();
  for (const samples of range(1, 9)) first.queue.push(block(samples));
  first.queue.close();
  await first.queue.spill();
  const file = first.fs.files().find((name) => name.endsWith('.seg'))!;
  const bytes = first.fs.bytesOf(file);
  first.fs.flip(file, bytes.indexOf(Buffer.alloc(BLOCK_BYTES, 3)));
  first.fs.flip(file, bytes.indexOf(Buffer.alloc(BLOCK_BYTES, 6)) - 20); // its header

  const { queue } = await openQueue({}, first.fs);
  assert.deepEqual(await drain(queue), [1, 2, 4, 5, 7, 8, 9]);
  // What the damaged header held is not known.
  assert.equal(queue.ledger.recovered.samples, 45 - 6);
  assert.equal(queue.ledger.ended.damaged.samples, 3);
  assert.equal(queue.fileTraffic.damage.records, 2);
  assertBalanced(queue);
});

test('damage while the queue runs is counted too, header or not', async () => {
  const { queue, fs } = await openQueue();
  for (const samples of range(1, 40)) queue.push(block(samples));
  await settled();
  const file = fs.files().find((name) => name.endsWith('.seg'))!;
  fs.flip(file, fs.bytesOf(file).indexOf(Buffer.alloc(BLOCK_BYTES, 20)) - 20);
  assert.deepEqual(
    await drain(queue),
    range(1, 40).filter((samples) => samples !== 20),
  );
  assert.equal(queue.ledger.ended.damaged.samples, 20);
  assertBalanced(queue);
});

test('at the disk limit the oldest go first, and are counted', async () => {
  const { queue } = await openQueue({ diskBytesMax: 15 * BLOCK_BYTES });
  for (const samples of range(1, 40)) {
    queue.push(block(samples));
    await nextTurn();
  }
  await settled();
  assert.ok(queue.pendingBytes <= 15 * BLOCK_BYTES);
  assertBalanced(queue);
  assert.deepEqual(await drain(queue), range(26, 40));
  assert.equal(queue.dropped.blocks, 25);
});

test('with drop-newest what comes to a full queue is dropped', async () => {
  const { queue } = await openQueue({ diskBytesMax: 15 * BLOCK_BYTES, whenFull: 'drop-newest' });
  for (const samples of range(1, 40)) queue.push(block(samples));
  await settled();
  assert.equal(queue.refuses, false);
  assert.deepEqual(await drain(queue), range(1, 15));
  assert.equal(queue.dropped.blocks, 25);
  assertBalanced(queue);
});

test('with refuse nothing is dropped, and clients must wait until there is room', async () => {
  const { queue } = await openQueue({ diskBytesMax: 15 * BLOCK_BYTES, whenFull: 'refuse' });
  for (const samples of range(1, 16)) queue.push(block(samples));
  await settled();
  assert.equal(queue.refuses, true);
  assert.deepEqual(await drain(queue), range(1, 16));
  assert.equal(queue.refuses, false);
});

test('what has waited for too long is dropped and counted, in memory and in the file', async () => {
  const { queue, clock } = await openQueue({ ageMsMax: 60_000 });
  for (const samples of range(1, 30)) queue.push(block(samples));
  await settled();
  clock.advance(61_000);
  queue.push(makeBlock(31, { bytes: Buffer.alloc(BLOCK_BYTES, 31), bornMs: clock.monotonicMs() }));
  for (let round = 0; round < 20; round++) {
    queue.maintain();
    await settled();
  }
  assert.deepEqual(await drain(queue), [31]);
  assert.equal(queue.ledger.ended.too_old.samples, 465);
  assertBalanced(queue);
});

test('a full disk keeps blocks in memory, says so, and goes on by itself', async () => {
  const { queue, fs, log } = await openQueue();
  fs.capacity = 700;
  for (const samples of range(1, 19)) queue.push(block(samples));
  await settled();
  assert.match(queue.failure ?? '', /ENOSPC/);
  assert.ok(log.lines.some(({ level }) => level === 'error'));
  assert.equal(queue.full, false);
  queue.push(block(20));
  assert.equal(queue.full, true);
  fs.capacity = Number.POSITIVE_INFINITY;
  queue.maintain();
  await settled();
  assert.equal(queue.failure, undefined);
  assert.equal(queue.full, false);
  assert.deepEqual(await drain(queue), range(1, 20));
});

test('nothing pending writes nothing', async () => {
  const { queue, fs } = await openQueue();
  queue.close();
  assert.equal(await queue.spill(), 0);
  assert.deepEqual(fs.files(), []);
});

test('a purge drops what waits, in memory and in the file, and not what is under way', async () => {
  const { queue } = await openQueue();
  for (const samples of range(1, 60)) queue.push(block(samples));
  await settled();
  const lease = await queue.lease();
  const { samples, blocks } = await queue.purge();
  assert.deepEqual([samples, blocks], [1_830 - 1, 59]);
  assert.equal(queue.pendingBlocks, 1);
  lease!.end(delivered);
  assertBalanced(queue);
  queue.push(block(61));
  assert.deepEqual(await drain(queue), [61]);
});

test('a sync beside the regular writing writes every block once, and tells when it cannot', async () => {
  const { queue, fs, clock } = await openQueue({ memoryBytesMax: 100 * BLOCK_BYTES });
  for (const samples of range(1, 20)) queue.push(block(samples));
  clock.advance(6_000);
  queue.maintain();
  await Promise.all([queue.sync(), queue.sync(), queue.adopt(block(21))]);
  queue.maintain();
  await queue.sync();
  assert.equal(queue.fileTraffic.written.records, 21);
  assert.equal(queue.firstUnsafeBody, undefined);
  fs.capacity = fs.used;
  queue.push(block(22));
  await assert.rejects(queue.sync(), /ENOSPC/);
  fs.capacity = Number.POSITIVE_INFINITY;
  await queue.sync();
  assert.deepEqual(await drain(queue), range(1, 22));
});

test('a failure that is over is not shown any more, although nothing is written', async () => {
  const { queue, fs, clock } = await openQueue();
  const room = fs.room.bind(fs);
  fs.room = async () => {
    throw new Error('EIO: statfs');
  };
  clock.advance(1_000);
  queue.maintain();
  await settled();
  assert.match(queue.failure ?? '', /statfs/);
  fs.room = room;
  clock.advance(1_000);
  queue.maintain();
  await settled();
  assert.equal(queue.failure, undefined);
});

test('a file that cannot be read is shown, whatever is written meanwhile', async () => {
  const { queue, fs } = await openQueue();
  for (const samples of range(1, 40)) queue.push(block(samples));
  await settled();
  fs.onOperation = (operation) => {
    if (operation === 'read') throw Object.assign(new Error('EIO: read'), { code: 'EIO' });
  };
  for (let left = queue.memoryBlocks; left > 0; left--) (await queue.lease())?.end(delivered);
  await settled();
  queue.push(block(41));
  await settled();
  assert.equal(queue.firstUnsafeBody, undefined, 'it was written');
  assert.match(queue.failure ?? '', /EIO: read/);
  fs.onOperation = () => {};
  queue.maintain();
  await settled();
  assert.equal(queue.failure, undefined);
  assert.equal((await drain(queue)).at(-1), 41);
});

/** A backlog in the file, of which senders hold three blocks that are more than half of the window. */
async function withHeldLeases(over: Partial<QueueConfig> = {}) {
  const first = await openQueue();
  for (const samples of range(1, 30)) {
    first.queue.push(makeBlock(samples, { bytes: Buffer.alloc(BLOCK_BYTES, samples), slots: 1 << samples }));
  }
  first.queue.close();
  await first.queue.spill();
  const { queue } = await openQueue(over, first.fs, first.clock);
  const leases = [await queue.lease(), await queue.lease(), await queue.lease()];
  return { queue, leases };
}

test('a purge ends although senders hold much and the file is being read', async () => {
  const { queue, leases } = await withHeldLeases();
  leases[0]!.end(delivered); // the file is read now
  const { blocks } = await queue.purge();
  assert.equal(blocks, 27);
  assert.equal(queue.pendingBlocks, 2);
  for (const lease of leases.slice(1)) lease!.end(delivered);
  assert.equal(queue.pendingBlocks, 0);
  assertBalanced(queue);
});

test('a purge of a file that cannot be read ends, and so does one of a queue that is closed', async () => {
  const { queue, fs } = await openQueue();
  for (const samples of range(1, 40)) queue.push(block(samples));
  await settled();
  fs.onOperation = (operation) => {
    if (operation === 'read') throw Object.assign(new Error('EIO: read'), { code: 'EIO' });
  };
  const { blocks } = await queue.purge();
  assert.ok(blocks > 0 && blocks < 40);
  queue.close();
  await queue.purge();
  assertBalanced(queue);
});

test('the disk limit holds although senders hold more than half of the window', async () => {
  const { queue } = await openQueue({ diskBytesMax: 30 * BLOCK_BYTES });
  for (const samples of [1, 2])
    queue.push(makeBlock(samples, { bytes: Buffer.alloc(BLOCK_BYTES), slots: samples }));
  const leases = [await queue.lease(), await queue.lease()];
  for (const samples of range(3, 200)) {
    queue.push(makeBlock(samples, { bytes: Buffer.alloc(BLOCK_BYTES, samples), slots: 4 }));
    await settled();
    assert.ok(queue.pendingBytes <= 32 * BLOCK_BYTES, `${queue.pendingBytes} bytes wait`);
  }
  for (const lease of leases) lease!.end(delivered);
  assertBalanced(queue);
});

test('a move takes what waits, and leaves what comes while it copies', async () => {
  const from = await openQueue();
  const to = await openQueue({ directory: '/to' }, from.fs, from.clock);
  for (const samples of range(1, 30)) from.queue.push(block(samples));
  await settled();
  let next = 31;
  from.fs.onOperation = (operation, file) => {
    const isCopying = to.queue.pendingBlocks > 0 && operation === 'read' && file.startsWith('/q/');
    if (isCopying && next <= 40) from.queue.push(block(next++));
  };
  const under = await from.queue.lease();
  assert.equal(await from.queue.copyTo(to.queue, true), 30);
  under!.end(delivered);
  while (next <= 40) from.queue.push(block(next++));
  assert.equal(from.queue.ledger.ended.purged.samples, 465 - 1);
  assert.deepEqual(await drain(from.queue), range(31, 40));
  assert.deepEqual(await drain(to.queue), range(1, 30));
  assertBalanced(from.queue);
  assertBalanced(to.queue);
});

test('what cannot be copied as a whole stays', async () => {
  const from = await openQueue();
  const to = await openQueue({ directory: '/to' });
  for (const samples of range(1, 30)) from.queue.push(block(samples));
  to.fs.capacity = 1_000;
  await assert.rejects(from.queue.copyTo(to.queue, true), /ENOSPC/);
  assert.deepEqual(await drain(from.queue), range(1, 30));
});

test('a copy is of what waits, and not of what was delivered out of turn', async () => {
  const from = await openQueue({ memoryBytesMax: 100 * BLOCK_BYTES });
  const to = await openQueue({ directory: '/to' }, from.fs, from.clock);
  for (const samples of range(1, 20)) {
    from.queue.push(makeBlock(samples, { bytes: Buffer.alloc(BLOCK_BYTES, samples), slots: 1 << samples }));
  }
  from.clock.advance(6_000);
  from.queue.maintain();
  await settled();
  const held = await from.queue.lease();
  for (const _ of range(2, 11)) (await from.queue.lease())!.end(delivered);
  assert.equal(await from.queue.copyTo(to.queue, false), 10);
  assert.deepEqual(await drain(to.queue), [1, ...range(12, 20)]);
  held!.end(delivered);
  assert.deepEqual(await drain(from.queue), range(12, 20));
});

test('a pause that is given while a queue is copied outlasts the copying', async () => {
  const { queue } = await openQueue();
  const to = await openQueue({ directory: '/to' });
  queue.push(block(1));
  const copying = queue.copyTo(to.queue, false);
  const waiting = queue.lease();
  queue.pause(true);
  await copying;
  assert.equal(queue.isPaused, true);
  assert.equal(await Promise.race([waiting, settled()]), undefined, 'nothing is given out');
  queue.pause(false);
  assert.equal((await waiting)?.block.seq, 1);
});

test('what has waited for too long is not delivered after a restart, nor between two looks at its age', async () => {
  const first = await openQueue();
  for (const samples of range(1, 30)) first.queue.push(block(samples));
  first.queue.close();
  await first.queue.spill();
  first.clock.advance(61_000);
  const { queue, clock } = await openQueue({ ageMsMax: 60_000 }, first.fs, first.clock);
  queue.push(makeBlock(31, { bytes: Buffer.alloc(BLOCK_BYTES, 31), bornMs: clock.monotonicMs() }));
  const lease = await queue.lease();
  assert.equal(lease?.block.counts.samples, 31);
  assert.equal(queue.ledger.ended.too_old.samples, 465);
  lease.end(delivered);
  queue.push(makeBlock(32, { bytes: Buffer.alloc(BLOCK_BYTES, 32), bornMs: clock.monotonicMs() }));
  clock.advance(60_001);
  queue.push(makeBlock(33, { bytes: Buffer.alloc(BLOCK_BYTES, 33), bornMs: clock.monotonicMs() }));
  assert.deepEqual(await drain(queue), [33]);
  assertBalanced(queue);
});

test('a sync that failed in the background is made good before a stop says that everything is safe', async () => {
  const { queue, fs, clock } = await openQueue({ memoryBytesMax: 100 * BLOCK_BYTES });
  for (const samples of range(1, 20)) queue.push(block(samples));
  clock.advance(6_000);
  let syncs = 0;
  fs.onOperation = (operation, file) => {
    // The first is of the empty file.
    if (operation === 'sync' && file.includes('.seg') && ++syncs === 2)
      throw Object.assign(new Error('EIO: fsync'), { code: 'EIO' });
  };
  queue.maintain();
  await settled();
  clock.advance(1_000);
  queue.maintain();
  await settled();
  assert.ok(syncs >= 2);
  queue.close();
  assert.equal(await queue.spill(), 20);
  fs.crash(() => 0.9);
  assert.deepEqual(await drain((await openQueue({}, fs, clock)).queue), range(1, 20));
});

test('drained, it gives its blocks in order and at once, and nothing to senders, whatever is paused', async () => {
  const { queue } = await openQueue();
  const sender = queue.lease();
  queue.drain(true);
  assert.equal(await sender, undefined);
  assert.equal(await queue.lease(), undefined);
  queue.pause(true);
  for (const samples of range(1, 40)) queue.push(block(samples));
  await queue.sync();
  await settled();
  assert.ok(queue.unloadedBytes > 0, 'a part of it is in the file only');
  const found: number[] = [];
  let open: Lease[] = [];
  while (queue.pendingBlocks > 0) {
    const lease = (await queue.lease('drain'))!;
    found.push(lease.block.counts.samples);
    open.push(lease);
    if (open.length < 2 && queue.pendingBlocks > 1) continue;
    for (const one of open) one.end({ kind: 'rerouted' });
    open = [];
    await settled();
  }
  assert.deepEqual(found, range(1, 40));
  assert.equal(queue.ledger.ended.rerouted.samples, 820);
  assertBalanced(queue);
  const waiting = queue.lease('drain');
  queue.drain(false);
  assert.equal(await waiting, undefined);
  assert.equal(await queue.lease('drain'), undefined);
  queue.pause(false);
  queue.push(block(7));
  assert.equal((await queue.lease())!.block.counts.samples, 7);
});

test('what is put back in the middle of a drain comes first afterwards', async () => {
  const { queue } = await openQueue();
  for (const samples of range(1, 3)) queue.push(block(samples));
  queue.drain(true);
  const leases = [await queue.lease('drain'), await queue.lease('drain')];
  leases[1]!.end({ kind: 'rerouted' });
  leases[0]!.putBack();
  queue.drain(false);
  assert.deepEqual(await drain(queue), [1, 3]);
});

test('drained, what goes ahead of the queue comes first, and the queue waits for all of it', async () => {
  const { queue } = await openQueue();
  queue.push(block(3));
  queue.ahead.hold(true);
  const ended = [queue.ahead.send(block(1)), queue.ahead.send(block(2))];
  queue.drain(true);
  for (const samples of [1, 2]) {
    const lease = await queue.lease('drain');
    assert.equal(lease!.block.counts.samples, samples);
    lease!.end({ kind: 'rerouted' });
  }
  assert.deepEqual(await Promise.all(ended), [true, true]);
  const waiting = queue.lease('drain');
  await settled();
  queue.ahead.hold(false);
  (await waiting)!.end({ kind: 'rerouted' });
  queue.ahead.hold(true);
  assert.deepEqual([queue.pendingBlocks, queue.isEmpty], [0, false], 'more may come');
  queue.ahead.hold(false);
  assert.equal(queue.isEmpty, true);
});

test('what is drained and not safe elsewhere bounds what is read', async () => {
  const { queue } = await openQueue();
  for (const samples of range(1, 100)) queue.push(block(samples));
  await queue.sync();
  queue.drain(true);
  const leases: Lease[] = [];
  void (async () => {
    for (let lease = await queue.lease('drain'); lease !== undefined; lease = await queue.lease('drain')) {
      leases.push(lease);
    }
  })();
  for (let round = 0; round < 10; round++) {
    queue.maintain();
    await settled();
  }
  assert.ok(leases.length > 0 && queue.memoryBlocks < 50, `${queue.memoryBlocks} blocks are in memory`);
  let ended = 0;
  while (queue.pendingBlocks > 0) {
    leases[ended++]!.end({ kind: 'rerouted' });
    await settled();
  }
  assert.equal(ended, 100);
  queue.drain(false);
});

test('while a queue is copied, it is not drained', async () => {
  const { queue } = await openQueue();
  const to = await openQueue({ directory: '/to' });
  for (const samples of range(1, 3)) queue.push(block(samples));
  queue.drain(true);
  let isGiven = false;
  to.fs.onOperation = () => assert.equal(isGiven, false);
  const copying = queue.copyTo(to.queue, false);
  const lease = queue.lease('drain');
  void lease.then(() => {
    isGiven = true;
  });
  assert.equal(await copying, 3);
  assert.equal((await lease)!.block.counts.samples, 1);
});

const ownBlock = (samples: number) =>
  makeBlock(samples, { bytes: new Uint8Array(BLOCK_BYTES), memory: new BlockMemory() });

test('the memory of a block goes when its sender is done with it', async () => {
  const { queue } = await openQueue();
  const other = await openQueue();
  const both = ownBlock(1);
  for (const one of [queue, other.queue]) one.push(both);
  for (const one of [queue, other.queue]) {
    assert.equal(both.bytes.byteLength, BLOCK_BYTES);
    const lease = await one.lease();
    both.memory?.unpin();
    lease?.end(delivered);
  }
  assert.equal(both.bytes.byteLength, 0);
  assertBalanced(queue);
});

test('the memory of a block that is dropped or purged goes too, and is counted as it was', async () => {
  const { queue } = await openQueue({ diskBytesMax: 2 * BLOCK_BYTES });
  const blocks = range(1, 3).map(ownBlock);
  for (const one of blocks) queue.push(one);
  assert.deepEqual([queue.dropped.blocks, queue.dropped.bytes], [1, BLOCK_BYTES]);
  await queue.purge();
  assert.deepEqual(
    blocks.map(({ bytes }) => bytes.byteLength),
    [0, 0, 0],
  );
  assertBalanced(queue);
});

test('a block that ends while it is written to the file keeps its memory until it is there', async () => {
  const { queue, fs } = await openQueue();
  const one = ownBlock(1);
  queue.push(one);
  const lease = await queue.lease();
  let writes = 0;
  fs.onOperation = (operation) => {
    if (operation !== 'write') return;
    if (writes++ === 0) {
      one.memory?.unpin();
      lease?.end(delivered);
    }
    assert.equal(one.bytes.byteLength, BLOCK_BYTES);
  };
  await queue.sync();
  assert.ok(writes > 0);
  assert.equal(one.bytes.byteLength, 0);
});
