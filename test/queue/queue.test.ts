import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { DestinationQueue } from '../../src/queue/queue.ts';
import { makeBlock } from '../support/blocks.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { recordingLogger } from '../support/quiet-logger.ts';

let root: string;
before(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'sluice-queue-'));
});
after(() => rm(root, { recursive: true }));

async function freshQueue(directory?: string, bytesMax = 1_000) {
  const own = directory ?? (await mkdtemp(path.join(root, 'q-')));
  const queue = new DestinationQueue({ directory: own, bytesMax }, new FakeClock(), recordingLogger());
  await queue.open();
  return { queue, directory: own };
}

test('a sender that waits gets the block that is pushed', async () => {
  const { queue } = await freshQueue();
  const waiting = queue.lease();
  queue.push(makeBlock(7));
  const lease = await waiting;
  assert.equal(lease?.block.seq, 7);
  lease?.end({ kind: 'delivered' });
  assert.equal(queue.pendingBlocks, 0);
  assert.equal(queue.ledger.ended.delivered.samples, 7);
  assert.equal(queue.pendingCounts.samples, 0);
});

test('a block that was put back comes again before later ones', async () => {
  const { queue } = await freshQueue();
  queue.push(makeBlock(1));
  queue.push(makeBlock(2));
  const first = await queue.lease();
  first?.putBack();
  const again = await queue.lease();
  assert.equal(again?.block.seq, 1);
});

test('the end of a lease counts once', async () => {
  const { queue } = await freshQueue();
  queue.push(makeBlock(3));
  const lease = await queue.lease();
  lease?.end({ kind: 'rejected', reason: 'http_400', detail: 'no' });
  lease?.end({ kind: 'delivered' });
  assert.equal(queue.ledger.ended.rejected.samples, 3);
  assert.equal(queue.ledger.ended.delivered.samples, 0);
});

test('closing ends the wait of every sender', async () => {
  const { queue } = await freshQueue();
  const waiting = [queue.lease(), queue.lease()];
  queue.close();
  assert.deepEqual(await Promise.all(waiting), [undefined, undefined]);
  assert.equal(await queue.lease(), undefined);
});

test('unsent blocks survive a stop, in order and ahead of new ones, and their file goes when they are sent', async () => {
  const { queue, directory } = await freshQueue();
  for (const seq of [1, 2, 3]) queue.push(makeBlock(seq));
  (await queue.lease())?.end({ kind: 'delivered' });
  queue.close();
  assert.equal(await queue.spill(), 2);
  assert.equal((await readdir(directory)).length, 1);

  const { queue: next } = await freshQueue(directory);
  next.push(makeBlock(9));
  assert.equal(next.ledger.recovered.samples, 5);
  const order: number[] = [];
  for (let k = 0; k < 3; k++) {
    const lease = await next.lease();
    order.push(lease!.block.counts.samples);
    lease?.end({ kind: 'delivered' });
  }
  assert.deepEqual(order, [2, 3, 9]);
  assert.equal(next.pendingCounts.samples, 0);
  await eventually(async () => assert.deepEqual(await readdir(directory), []));
});

test('a second stop before everything was sent loses nothing and leaves one copy', async () => {
  const { queue, directory } = await freshQueue();
  for (const seq of [1, 2, 3]) queue.push(makeBlock(seq));
  queue.close();
  await queue.spill();
  const { queue: second } = await freshQueue(directory);
  (await second.lease())?.end({ kind: 'delivered' });
  second.push(makeBlock(4));
  second.close();
  await second.spill();
  const { queue: third } = await freshQueue(directory);
  const samples: number[] = [];
  for (let k = 0; k < 3; k++) {
    const lease = await third.lease();
    samples.push(lease!.block.counts.samples);
    lease?.end({ kind: 'delivered' });
  }
  assert.deepEqual(samples, [2, 3, 4]);
  assert.equal(third.pendingBlocks, 0);
});

test('damage costs the damaged block only, is counted, and the file is set aside', async () => {
  const { queue, directory } = await freshQueue();
  for (const seq of [1, 2, 3]) queue.push(makeBlock(seq));
  queue.close();
  await queue.spill();
  const [name] = await readdir(directory);
  const file = path.join(directory, name!);
  const bytes = await readFile(file);
  bytes[bytes.indexOf('block 2')]! ^= 1;
  await writeFile(file, bytes);

  const { queue: next } = await freshQueue(directory);
  assert.equal(next.ledger.ended.damaged.samples, 2);
  assert.equal(next.pendingCounts.samples, 4);
  for (let k = 0; k < 2; k++) (await next.lease())?.end({ kind: 'delivered' });
  await eventually(async () => assert.deepEqual(await readdir(directory), [`${name}.bad`]));
  assert.equal(next.pendingCounts.samples, 0);
});

test('nothing pending writes nothing', async () => {
  const { queue, directory } = await freshQueue();
  queue.close();
  assert.equal(await queue.spill(), 0);
  assert.deepEqual(await readdir(directory), []);
});

/** Files are removed in the background of the last `end`: looks again every turn of the event loop, not after a time. */
async function eventually(check: () => Promise<void>): Promise<void> {
  for (let turn = 0; turn < 1_000; turn++) {
    if (
      await check().then(
        () => true,
        () => false,
      )
    )
      return;
    await new Promise((resolve) => setImmediate(resolve));
  }
  await check();
}
