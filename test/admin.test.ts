/** What the actions do to queues that are interrupted, damaged or busy; the whole of it is in `e2e/admin.test.ts`. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { Admin } from '../src/admin.ts';
import type { Block } from '../src/model/block.ts';
import type { Outlet } from '../src/outlet.ts';
import { nodeFs } from '../src/queue/file/fs.ts';
import { DestinationQueue } from '../src/queue/queue.ts';
import { systemClock } from '../src/util/clock.ts';
import { makeBlock } from './support/blocks.ts';
import { temporaryDirectory } from './support/process.ts';
import { recordingLogger } from './support/quiet-logger.ts';

const MIB = 1024 * 1024;

async function openQueue(directory: string): Promise<DestinationQueue> {
  const config = {
    directory,
    onDisk: true,
    memoryBytesMax: 32 * MIB,
    brokenBytesMax: 64 * MIB,
    diskBytesMax: 0,
    whenFull: 'drop-oldest' as const,
    ageMsMax: 0,
    freshFirst: false,
    synced: false,
  };
  const queue = new DestinationQueue(config, { fs: nodeFs, clock: systemClock, log: recordingLogger() });
  await queue.open();
  return queue;
}

/** Leaves a queue of blocks with 1, 2, … samples. */
async function leaveQueue(directory: string, count: number, bytes: number): Promise<void> {
  const queue = await openQueue(directory);
  for (let nth = 1; nth <= count; nth++) {
    queue.push(makeBlock(nth, { bytes: Buffer.alloc(bytes, nth), bornMs: systemClock.monotonicMs() }));
  }
  queue.close();
  await queue.spill();
}

/** The administrator of a relay with one destination, whose disk is full once it has taken `room` blocks. */
async function start(directory: string, room = Number.POSITIVE_INFINITY) {
  const queue = await openQueue(path.join(directory, 'queue', 'one'));
  const taken: number[] = [];
  const limited = Object.assign(Object.create(queue), {
    ledger: queue.ledger,
    sync: () => queue.sync(),
    async adopt(block: Block) {
      if (taken.length >= room) throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' });
      taken.push(block.counts.samples);
      await queue.adopt(block);
    },
  });
  const outlet = { name: 'one', queue: limited };
  const queuesInHand = new Set<string>();
  const admin = new Admin({
    outlets: [outlet as unknown as Outlet],
    queuesInHand,
    dataDirectory: directory,
    fs: nodeFs,
    clock: systemClock,
    log: recordingLogger(),
    explainer: () => () => 'nothing to explain',
    lately: () => Promise.resolve([]),
  });
  await admin.findOrphans();
  const adopt = () => admin.actions.adopt!({ from: 'old', destination: 'one' });
  const stop = async () => {
    queue.close();
    await queue.spill();
  };
  return { admin, queue, taken, adopt, stop, queuesInHand };
}

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);
const descriptors = () => readdirSync('/proc/self/fd').length;

test('an adoption that was interrupted goes on where everything was safe, and leaves nothing open', async (t) => {
  const directory = temporaryDirectory(t);
  await leaveQueue(path.join(directory, 'queue', 'old'), 24, 2 * MIB);
  const first = await start(directory, 20);
  const before = descriptors();
  await assert.rejects(first.adopt(), /ENOSPC/);
  assert.ok(descriptors() <= before + 2, 'those of the queue that takes');
  assert.deepEqual(
    first.admin.orphans.map(({ name }) => name),
    ['old'],
  );
  await first.stop();
  const second = await start(directory);
  assert.deepEqual(await second.adopt(), { blocks: 8, damaged: 0 });
  assert.deepEqual(second.taken, range(17, 24));
  assert.deepEqual(readdirSync(path.join(directory, 'queue')), ['one']);
  await second.stop();
});

test('of two adoptions at once, one takes every block once and the other one is told', async (t) => {
  const directory = temporaryDirectory(t);
  await leaveQueue(path.join(directory, 'queue', 'old'), 20, 100);
  const { adopt, taken, stop } = await start(directory);
  const [one, other] = await Promise.allSettled([adopt(), adopt()]);
  assert.deepEqual(one, { status: 'fulfilled', value: { blocks: 20, damaged: 0 } });
  assert.ok(other.status === 'rejected' && /there is no queue "old"/.test(other.reason.message));
  assert.deepEqual(taken, range(1, 20));
  await stop();
});

test('a queue that a destination of its name is about to open is not adopted, and not opened while it is', async (t) => {
  const directory = temporaryDirectory(t);
  await leaveQueue(path.join(directory, 'queue', 'old'), 20, 100);
  const { adopt, queuesInHand, stop } = await start(directory);
  queuesInHand.add('old');
  await assert.rejects(adopt(), /there is no queue "old"/);
  queuesInHand.delete('old');
  const adoption = adopt();
  assert.deepEqual([...queuesInHand], ['old']);
  await adoption;
  assert.deepEqual([...queuesInHand], []);
  await stop();
});

test('what is damaged in an adopted queue is a column of the ledger, and its bytes are kept', async (t) => {
  const directory = temporaryDirectory(t);
  const old = path.join(directory, 'queue', 'old');
  await leaveQueue(old, 20, 100);
  const file = path.join(old, readdirSync(old).find((name) => name.endsWith('.seg'))!);
  const bytes = readFileSync(file);
  bytes[bytes.indexOf(Buffer.alloc(100, 3)) + 50]! ^= 1;
  writeFileSync(file, bytes);
  const { admin, adopt, queue, taken, stop } = await start(directory);
  assert.deepEqual(await adopt(), { blocks: 19, damaged: 1 });
  assert.deepEqual(
    taken,
    range(1, 20).filter((samples) => samples !== 3),
  );
  assert.deepEqual([queue.ledger.recovered.samples, queue.ledger.ended.damaged.samples], [210, 3]);
  const left = readdirSync(old);
  assert.ok(left.length > 0 && left.every((name) => name.endsWith('.bad')), left.join(' '));
  await admin.findOrphans();
  assert.deepEqual(admin.orphans, []);
  await stop();
});
