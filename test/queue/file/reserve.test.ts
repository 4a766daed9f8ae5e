import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Fs } from '../../../src/queue/file/fs.ts';
import { RESERVE_BYTES, Reserve } from '../../../src/queue/file/reserve.ts';
import { FakeMeter } from '../../deliver/support.ts';
import { MemoryFs } from '../../support/memory-fs.ts';
import { recordingLogger } from '../../support/quiet-logger.ts';

const FILE = '/data/reserve';
const KIB = Buffer.alloc(1024, 1);

async function setUp(capacity: number, disk = new MemoryFs()) {
  disk.capacity = capacity;
  const log = recordingLogger();
  const meter = new FakeMeter();
  const reserve = new Reserve('/data', { fs: disk, log, meter });
  await reserve.open();
  const isKept = () => meter.value('sluice_disk_reserve') === 1;
  return { disk, log, reserve, fs: reserve.fs, isKept };
}

async function write(fs: Fs, name: string, bytes: Uint8Array = KIB): Promise<void> {
  const file = await fs.create(name);
  try {
    await file.write([bytes], 0);
  } finally {
    await file.close();
  }
}

/** A disk on which queues have left no room. */
async function onFullDisk() {
  const world = await setUp(RESERVE_BYTES + 4 * 1024);
  await write(world.fs, '/data/queue/one/1.seg', Buffer.alloc(4 * 1024));
  return world;
}

test('it is made at the start, and found at the next one', async () => {
  const { disk, isKept } = await setUp(Number.POSITIVE_INFINITY);
  assert.equal(disk.bytesOf(FILE).byteLength, RESERVE_BYTES);
  assert.ok(isKept());
  const bytes = disk.bytesOf(FILE);
  const again = await setUp(Number.POSITIVE_INFINITY, disk);
  assert.equal(again.disk.bytesOf(FILE), bytes);
  assert.ok(again.isKept());
});

test('one that was cut off in making is made anew', async () => {
  const disk = new MemoryFs();
  disk.put(FILE, Buffer.alloc(5));
  await setUp(Number.POSITIVE_INFINITY, disk);
  assert.equal(disk.bytesOf(FILE).byteLength, RESERVE_BYTES);
});

test('a disk without room for it is a warning, and queues use what there is', async () => {
  const { disk, fs, log, isKept, reserve } = await setUp(100 * 1024);
  assert.deepEqual(
    log.lines.map(({ level }) => level),
    ['warn'],
  );
  assert.ok(!disk.files().includes(FILE), 'what was begun is gone');
  assert.ok(!isKept());
  await write(fs, '/data/queue/one/1.seg');
  disk.capacity = Number.POSITIVE_INFINITY;
  await reserve.maintain();
  assert.ok(isKept());
});

test('queues and journal do not get it', async () => {
  const { fs, isKept } = await onFullDisk();
  await assert.rejects(write(fs, '/data/queue/one/2.seg'), { code: 'ENOSPC' });
  await assert.rejects(write(fs, '/data/journal/2.seg.tmp'), { code: 'ENOSPC' });
  assert.ok(isKept());
});

for (const name of ['/data/queue/one/cursor', '/data/dead-letters/one/1.letter.tmp']) {
  test(`${name} gets it, and the queues do not take it away`, async () => {
    const { disk, fs, isKept, reserve } = await onFullDisk();
    await write(fs, name);
    assert.deepEqual(disk.bytesOf(name), KIB);
    assert.ok(!isKept());
    await assert.rejects(write(fs, '/data/queue/one/2.seg'), { code: 'ENOSPC' });
    await write(fs, `${name}2`);
    await reserve.maintain();
    assert.ok(!isKept(), 'there is no room for it yet');
    disk.capacity *= 3;
    await reserve.maintain();
    assert.ok(isKept());
    await write(fs, '/data/queue/one/3.seg');
  });
}

test('at the stop queues get it, too', async () => {
  const { disk, fs, reserve } = await onFullDisk();
  reserve.stop();
  await write(fs, '/data/queue/one/2.seg');
  assert.ok(disk.files().includes('/data/queue/one/2.seg'));
  await reserve.maintain();
  assert.ok(!disk.files().includes(FILE));
});

test('other failures are passed on and cost nothing', async () => {
  const { disk, fs, isKept } = await setUp(Number.POSITIVE_INFINITY);
  disk.onOperation = (operation) => {
    if (operation === 'write') throw Object.assign(new Error('EIO'), { code: 'EIO' });
  };
  await assert.rejects(write(fs, '/data/queue/one/cursor'), { code: 'EIO' });
  assert.ok(isKept());
});
