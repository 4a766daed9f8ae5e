/** A vmagent's backlog goes first while new blocks come in, in order, once, across stops and kills. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { zstdCompressSync } from 'node:zlib';
import { vmagentQueueName } from '../src/queue/file/vmagent-queue.ts';
import { DestinationQueue } from '../src/queue/queue.ts';
import { takeOverVmagent } from '../src/takeover.ts';
import { makeBlock } from './support/blocks.ts';
import { FakeClock } from './support/fake-clock.ts';
import { MemoryFs } from './support/memory-fs.ts';
import { recordingLogger } from './support/quiet-logger.ts';
import { bitsOf, decodeWriteRequest, decompressBody, encodeWriteRequest } from './support/remote-write.ts';

const URL = 'http://example-1:8428/api/v1/write';
const OLD = 30;
const delivered = { kind: 'delivered' } as const;
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

/** A block with one sample, whose value tells it from others. */
function messageOf(value: number): Buffer {
  const points = [{ timestampMs: 1, bits: bitsOf(value) }];
  return zstdCompressSync(encodeWriteRequest([{ labels: { __name__: 'm' }, points }]));
}

function sampleOf(bytes: Uint8Array): number {
  const { series } = decodeWriteRequest(decompressBody(bytes, 'zstd'));
  const scratch = new DataView(new ArrayBuffer(8));
  scratch.setBigUint64(0, series[0]!.points[0]!.bits);
  return scratch.getFloat64(0);
}

async function settled(): Promise<void> {
  // Decompression runs on threads: it takes more than turns.
  for (let turn = 0; turn < 200; turn++) await nextTurn();
}

async function vmagentQueue(fs: MemoryFs, payloads: readonly Buffer[]): Promise<string> {
  const directory = `/data/persistent-queue/1_${await vmagentQueueName(URL)}`;
  const records = payloads.flatMap((payload) => {
    const length = Buffer.alloc(8);
    length.writeBigUInt64BE(BigInt(payload.byteLength));
    return [length, payload];
  });
  const chunk = Buffer.concat(records);
  fs.put(`${directory}/0000000000000000`, chunk);
  const offsets = { Name: '1:secret-url', ReaderOffset: 0, WriterOffset: chunk.byteLength };
  fs.put(`${directory}/metainfo.json`, Buffer.from(JSON.stringify(offsets)));
  return directory;
}

/** One life of the relay. */
async function start(fs: MemoryFs, clock: FakeClock) {
  const log = recordingLogger();
  const config = {
    directory: '/data/queue/one',
    onDisk: true,
    memoryBytesMax: 1_000,
    brokenBytesMax: 100_000,
    diskBytesMax: 0,
    whenFull: 'drop-oldest' as const,
    ageMsMax: 0,
    freshFirst: false,
    synced: false,
  };
  const queue = new DestinationQueue(config, { fs, clock, log });
  await queue.open();
  const target = { name: 'one', queue, takenOver: { unreadableBlocks: 0, lostBytes: 0, pendingBytes: 0 } };
  const { done } = await takeOverVmagent(target, URL, '/data', { fs, clock, log });
  const push = (value: number) => {
    const bytes = messageOf(value);
    queue.push(makeBlock(1, { codec: 'zstd', bytes, bornMs: clock.monotonicMs() }));
  };
  const takeOne = async () => {
    const lease = await queue.lease();
    const value = sampleOf(lease!.block.bytes);
    lease!.end(delivered);
    clock.advance(300);
    await settled();
    return value;
  };
  return { queue, target, done, log, push, takeOne };
}

function assertBalanced(queue: DestinationQueue): void {
  const { routed, recovered, ended } = queue.ledger;
  const out = Object.values(ended).reduce((sum, { samples }) => sum + samples, 0);
  assert.equal(routed.samples + recovered.samples, out + queue.pendingCounts.samples);
}

test('the old blocks go first, in order, while new ones come in; then the directory is renamed', async () => {
  const fs = new MemoryFs();
  const directory = await vmagentQueue(fs, range(1, OLD).map(messageOf));
  const { queue, done, push, takeOne, target } = await start(fs, new FakeClock());
  for (const value of [101, 102, 103]) push(value);
  await settled();
  assert.ok(target.takenOver.pendingBytes > 0);
  const order: number[] = [];
  for (let count = 0; count < OLD + 3; count++) {
    order.push(await takeOne());
    assertBalanced(queue);
  }
  assert.deepEqual(order, [...range(1, OLD), 101, 102, 103]);
  await done;
  assert.equal(target.takenOver.pendingBytes, 0);
  assert.ok(
    fs.files().some((name) => name.startsWith(`${directory}.taken-over`)) || !fs.files().includes(directory),
  );
});

for (const how of ['stop', 'kill'] as const) {
  test(`after a ${how} in the middle it goes on where it was, ahead of what has come meanwhile`, async () => {
    const fs = new MemoryFs();
    await vmagentQueue(fs, range(1, OLD).map(messageOf));
    const clock = new FakeClock();
    const first = await start(fs, clock);
    for (const value of [101, 102]) first.push(value);
    const order: number[] = [];
    while (order.length < 15) order.push(await first.takeOne());
    if (how === 'kill') {
      clock.advance(6_000);
      first.queue.maintain(); // new blocks are in the file after 5 s
      await settled();
      fs.kill();
    }
    first.queue.close();
    if (how === 'stop') assert.equal(await first.queue.spill(), 2, 'only new blocks are written');
    await first.done;
    const second = await start(fs, clock);
    await settled();
    const rest: number[] = [];
    while (rest.at(-1) !== 102) rest.push(await second.takeOne());
    await second.done;
    const again = order.at(-1)! - rest[0]! + 1;
    assert.ok(again <= 8, `${again} came again`);
    assert.deepEqual(rest, [...range(rest[0]!, OLD), 101, 102]);
    assert.deepEqual([...new Set([...order, ...rest])].length, OLD + 2, 'nothing is lost');
    assertBalanced(second.queue);
  });
}

// One that is passed over would be waited for in vain.
test('a vmagent that has run meanwhile, and begun its queue anew, loses nothing', {
  timeout: 60_000,
}, async () => {
  const fs = new MemoryFs();
  await vmagentQueue(fs, range(1, OLD).map(messageOf));
  const clock = new FakeClock();
  const first = await start(fs, clock);
  for (let count = 0; count < 20; count++) await first.takeOne();
  first.queue.close();
  await first.queue.spill();
  await first.done;
  // It drained its queue, went back to offset 0 as it does then, and was cut off from the destination once more.
  await vmagentQueue(fs, range(201, 205).map(messageOf));
  const second = await start(fs, clock);
  const order: number[] = [];
  while (order.length < 5) order.push(await second.takeOne());
  assert.deepEqual(order, range(201, 205));
  await second.done;
});

test('what cannot be decoded is counted and left out', async () => {
  const fs = new MemoryFs();
  const garbage = zstdCompressSync(Buffer.from('no message'));
  await vmagentQueue(fs, [messageOf(1), garbage, messageOf(2)]);
  const { target, takeOne, done, queue } = await start(fs, new FakeClock());
  await settled();
  assert.deepEqual([await takeOne(), await takeOne()], [1, 2]);
  await done;
  assert.deepEqual(target.takenOver, { unreadableBlocks: 1, lostBytes: garbage.byteLength, pendingBytes: 0 });
  assertBalanced(queue);
});

test('a file that cannot be read holds nothing up, and is kept for the next start', async () => {
  const fs = new MemoryFs();
  const directory = await vmagentQueue(fs, [messageOf(1)]);
  fs.onOperation = (operation, file) => {
    if (operation === 'read' && file.endsWith('0000')) throw Object.assign(new Error('EIO'), { code: 'EIO' });
  };
  const { push, takeOne, done, log } = await start(fs, new FakeClock());
  push(101);
  await done;
  assert.equal(await takeOne(), 101);
  assert.ok(log.lines.some(({ level, message }) => level === 'error' && /next start/.test(message)));
  assert.ok(fs.files().includes(`${directory}/0000000000000000`));
});

test('without a vmagent nothing is held', async () => {
  const { queue, push, takeOne } = await start(new MemoryFs(), new FakeClock());
  push(1);
  assert.equal(queue.ahead.isHolding, false);
  assert.equal(await takeOne(), 1);
});
