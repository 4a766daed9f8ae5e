import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import { noCounts } from '../../src/model/body.ts';
import { DeadLetters, readLetters } from '../../src/queue/dead-letters.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { MemoryFs } from '../support/memory-fs.ts';
import { recordingLogger } from '../support/quiet-logger.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

const letter = (nth: number, bytes = 100) => ({
  destination: 'one',
  status: 400,
  message: 'out of "order"\nsample',
  series: `m{n="${nth}"}`,
  counts: { ...noCounts, series: 1, samples: nth },
  codec: 'snappy' as const,
  rawLength: 7,
  block: Buffer.alloc(bytes, nth),
});

async function openLetters(bytesMax = 1_000_000, fs = new MemoryFs(), clock = new FakeClock()) {
  const log = recordingLogger();
  const letters = new DeadLetters({ directory: '/d', bytesMax }, { fs, clock, log });
  await letters.open();
  return { letters, fs, log };
}

async function all(fs: MemoryFs) {
  const found: { nth: number; id: string; message: string }[] = [];
  const damaged: string[] = [];
  for await (const { id, info, block } of readLetters(fs, '/d', (file) => damaged.push(file))) {
    assert.deepEqual(block, letter(info.counts.samples, info.bytes).block);
    found.push({ nth: info.counts.samples, id, message: info.message });
  }
  return { found, damaged };
}

test('what was parked is there after a restart, with everything that is known of it', async () => {
  const { letters, fs } = await openLetters();
  await Promise.all([1, 2, 3].map((nth) => letters.park(letter(nth))));
  fs.kill();
  const { letters: next } = await openLetters(1_000_000, fs);
  assert.equal(next.count, 3);
  assert.equal(next.bytes, letters.bytes);
  const { found } = await all(fs);
  assert.deepEqual(
    found.map(({ nth }) => nth),
    [1, 2, 3],
  );
  assert.equal(found[0]!.message, 'out of "order"\nsample');
  await next.remove(found[1]!.id);
  assert.deepEqual(
    (await all(fs)).found.map(({ nth }) => nth),
    [1, 3],
  );
});

test('the oldest go when there are too many bytes', async () => {
  const { letters, fs, log } = await openLetters(2_000);
  for (let nth = 1; nth <= 10; nth++) await letters.park(letter(nth));
  assert.ok(letters.bytes <= 2_000);
  assert.equal(letters.count + letters.dropped, 10);
  assert.equal((await all(fs)).found.at(-1)?.nth, 10);
  assert.ok(log.lines.some(({ level }) => level === 'warn'));
});

test('a disk that does not take it rejects, and leaves no half of it', async () => {
  const { letters, fs } = await openLetters();
  fs.capacity = 50;
  await assert.rejects(letters.park(letter(1)), /ENOSPC/);
  assert.deepEqual((await all(fs)).found, []);
  fs.capacity = 10_000;
  await letters.park(letter(2));
  assert.equal((await all(fs)).found.length, 1);
});

test('a damaged letter is told and does not hide the others', async () => {
  const { letters, fs } = await openLetters();
  for (const nth of [1, 2, 3]) await letters.park(letter(nth));
  const [, second] = fs.files();
  fs.flip(second!, fs.bytesOf(second!).byteLength - 5);
  const { found, damaged } = await all(fs);
  assert.deepEqual(
    found.map(({ nth }) => nth),
    [1, 3],
  );
  assert.deepEqual(damaged, [second]);
});

test('a wall clock that is set, in a run or between two, changes neither order nor names', async () => {
  const clock = new FakeClock();
  const fs = new MemoryFs();
  const start = clock.nowMs();
  let nth = 0;
  for (const wall of [start, start + DAY_MS, start, start - HOUR_MS, 0, start]) {
    const { letters } = await openLetters(1_000_000, fs, clock);
    clock.setWall(wall);
    await letters.park(letter(++nth));
    clock.setWall(0);
    await letters.park(letter(++nth));
  }
  const { found } = await all(fs);
  assert.deepEqual(
    found.map((one) => one.nth),
    Array.from({ length: nth }, (_, index) => index + 1),
  );
  const { letters } = await openLetters(1_000, fs, clock);
  clock.setWall(start - DAY_MS);
  await letters.park(letter(++nth));
  assert.equal((await all(fs)).found.at(-1)?.nth, nth, 'the oldest go first, not the newest');
});

test('names go on rising when there are more than 10,000 in a millisecond', async () => {
  const fs = new MemoryFs();
  fs.put('/d/1790000000000-9999.letter', Buffer.alloc(1));
  const { letters } = await openLetters(1_000_000, fs);
  await letters.park(letter(1));
  assert.deepEqual(fs.files(), ['/d/1790000000000-9999.letter', '/d/1790000000001-0000.letter']);
});

test('what was parked survives a power cut', async () => {
  const { letters, fs } = await openLetters();
  await letters.park(letter(1));
  fs.crash(() => 0.9);
  assert.deepEqual(
    (await all(fs)).found.map(({ nth }) => nth),
    [1],
  );
});

test('a flipped bit anywhere in a letter is told', async () => {
  const { letters, fs } = await openLetters();
  await letters.park(letter(1, 10));
  const [file] = fs.files();
  const good = Buffer.from(fs.bytesOf(file!));
  for (let bit = 0; bit < good.byteLength * 8; bit++) {
    const copy = new MemoryFs();
    copy.put(file!, good);
    copy.flip(file!, bit >> 3, 1 << (bit & 7));
    const { damaged } = await all(copy);
    assert.deepEqual(damaged, [file], `bit ${bit & 7} of byte ${bit >> 3}`);
  }
});

test('letters whose checksum is of the block alone are read, unless no queue could take them', async () => {
  const { block, ...told } = letter(1);
  const put = (fs: MemoryFs, over: object, bytes = block) => {
    const info = {
      at: '2026-01-01T00:00:00.000Z',
      ...told,
      bytes: bytes.byteLength,
      crc: crc32(bytes),
      ...over,
    };
    fs.put('/d/1790000000000-0000.letter', Buffer.concat([Buffer.from(`${JSON.stringify(info)}\n`), bytes]));
  };
  const fs = new MemoryFs();
  put(fs, {});
  assert.equal((await all(fs)).found.length, 1);
  for (const over of [
    { codec: 'sjappy' },
    { counts: undefined },
    { counts: { ...told.counts, samples: -1 } },
    { counts: { ...told.counts, samples: '1' } },
    { rawLength: 2 ** 32 },
  ]) {
    put(fs, over);
    assert.deepEqual((await all(fs)).found, [], JSON.stringify(over));
  }
  put(fs, {}, Buffer.alloc(0));
  assert.deepEqual((await all(fs)).found, [], 'empty');
});
