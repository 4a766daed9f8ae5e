import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { noCounts } from '../../src/model/body.ts';
import { Journal, type JournalConfig } from '../../src/queue/journal.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { MemoryFs } from '../support/memory-fs.ts';
import { recordingLogger } from '../support/quiet-logger.ts';

const format = {
  encoding: 'snappy-or-zstd',
  protocol: 'promremotewrite',
  extraLabels: [{ name: 'site', value: 'Zürich' }],
} as const;

async function openJournal(fs = new MemoryFs(), over: Partial<JournalConfig> = {}) {
  const log = recordingLogger();
  const config = { directory: '/j', bytesMax: 1_000_000, synced: false, ...over };
  const journal = await Journal.open(config, { fs, clock: new FakeClock(), log });
  return { journal, fs, log };
}

/** As it comes from the arena: shared memory. */
function bodyOf(id: number): Uint8Array {
  const bytes = new Uint8Array(new SharedArrayBuffer(50));
  bytes.fill(id);
  return bytes;
}

const entry = (id: number) => ({ id, format, bytes: bodyOf(id), counts: { ...noCounts, samples: id } });

async function replayAll(journal: Journal) {
  const found: number[] = [];
  for (let next = await journal.nextReplay(); next !== undefined; next = await journal.nextReplay()) {
    assert.deepEqual(next.format, format);
    assert.deepEqual([...next.bytes], [...bodyOf(next.bytes[0]!)]);
    found.push(next.bytes[0]!);
    journal.replayed(next.seq, found.length);
  }
  return found;
}

async function settled() {
  for (let turn = 0; turn < 10; turn++) await nextTurn();
}

test('what was not released comes again after a kill, byte for byte and in order', async () => {
  const { journal, fs } = await openJournal();
  await Promise.all([3, 5, 6, 9].map((id) => journal.append(entry(id))));
  journal.release(6);
  await settled();
  fs.kill();
  const { journal: next, log } = await openJournal(fs);
  assert.ok(log.lines.some(({ message }) => /journal/.test(message)));
  assert.deepEqual(await replayAll(next), [6, 9]);
});

test('what was replayed is given back like everything else', async () => {
  const { journal, fs } = await openJournal();
  for (const id of [1, 2, 3]) await journal.append(entry(id));
  fs.kill();
  const { journal: next } = await openJournal(fs);
  assert.deepEqual(await replayAll(next), [1, 2, 3]);
  await next.append(entry(4));
  next.release(3);
  await settled();
  assert.equal(next.requests, 2);
  fs.kill();
  assert.deepEqual(await replayAll((await openJournal(fs)).journal), [3, 4]);
});

test('a journal of which everything is safe elsewhere leaves no bytes behind', async () => {
  const { journal, fs } = await openJournal();
  for (const id of [1, 2, 3]) await journal.append(entry(id));
  journal.release(Number.POSITIVE_INFINITY);
  await journal.close();
  assert.deepEqual(fs.files(), ['/j/cursor']);
});

test('synced requests survive a power cut', async () => {
  const { journal, fs } = await openJournal(new MemoryFs(), { synced: true });
  for (const id of [1, 2, 3]) await journal.append(entry(id));
  fs.crash(() => 0.9);
  assert.deepEqual(await replayAll((await openJournal(fs)).journal), [1, 2, 3]);
});

test('a disk that does not take a request rejects it, is told, and is used again', async () => {
  const { journal, fs, log } = await openJournal();
  await journal.append(entry(1));
  fs.capacity = fs.used + 10;
  await assert.rejects(journal.append(entry(2)), /ENOSPC/);
  assert.match(journal.failure ?? '', /ENOSPC/);
  assert.ok(log.lines.some(({ level }) => level === 'error'));
  fs.capacity = Number.POSITIVE_INFINITY;
  await journal.append(entry(3));
  assert.equal(journal.failure, undefined);
  fs.kill();
  assert.deepEqual(await replayAll((await openJournal(fs)).journal), [1, 3]);
});

test('it is full at its bound, until something is released', async () => {
  const { journal } = await openJournal(new MemoryFs(), { bytesMax: 400 });
  for (const id of [1, 2, 3]) await journal.append(entry(id));
  assert.equal(journal.full, true);
  journal.release(Number.POSITIVE_INFINITY);
  await settled();
  assert.equal(journal.full, false);
});

test('a damaged request costs itself only', async () => {
  const { journal, fs } = await openJournal();
  for (const id of [1, 2, 3]) await journal.append(entry(id));
  const file = fs.files().find((name) => name.endsWith('.seg'))!;
  fs.flip(file, fs.bytesOf(file).indexOf(Buffer.from(bodyOf(2))));
  fs.kill();
  const { journal: next } = await openJournal(fs);
  assert.deepEqual(await replayAll(next), [1, 3]);
  assert.equal(next.damage.records, 1);
});

test('a request above 64 MiB that was acknowledged comes again', async () => {
  const { journal, fs } = await openJournal(new MemoryFs(), { bytesMax: 2 ** 30 });
  const bytes = Buffer.alloc(65 * 1024 * 1024, 'large');
  await journal.append({ ...entry(1), bytes });
  await journal.append(entry(2));
  fs.kill();
  const { journal: next } = await openJournal(fs);
  assert.equal(Buffer.compare((await next.nextReplay())!.bytes, bytes), 0);
  assert.deepEqual(await replayAll(next), [2]);
  assert.equal(next.damage.records, 0);
});

test('a small journal in good health is never full', async () => {
  const { journal } = await openJournal(new MemoryFs(), { bytesMax: 1_024 ** 2 });
  const bytes = Buffer.alloc(64 * 1024);
  for (let id = 1; id <= 100; id++) {
    assert.equal(journal.full, false, `request ${id}`);
    await journal.append({ ...entry(id), bytes });
    journal.release(id); // all but the last
    await settled();
  }
});

test('what a parser needs of a request is kept with it', async () => {
  const { journal, fs } = await openJournal();
  const arrival = { parameters: { precision: 'µ' }, receivedMs: 1_790_000_000_123 };
  await journal.append({ ...entry(1), format: { ...format, encoding: 'gzip', protocol: 'influx', arrival } });
  fs.kill();
  const { journal: next } = await openJournal(fs);
  const found = await next.nextReplay();
  assert.deepEqual(found?.format, { ...format, encoding: 'gzip', protocol: 'influx', arrival });
});

test('tells up to which record requests are in it: those before it were written, given back or refused', async () => {
  const { journal, fs } = await openJournal();
  assert.equal(journal.seqUpTo(9), 0);
  await Promise.all([2, 3].map((id) => journal.append(entry(id))));
  const third = journal.append(entry(5));
  assert.equal(journal.seqUpTo(4), 2);
  assert.equal(journal.seqUpTo(5), undefined, 'it is on its way');
  await third;
  assert.deepEqual([journal.seqUpTo(1), journal.seqUpTo(2), journal.seqUpTo(9)], [0, 1, 3]);
  journal.release(5);
  assert.equal(journal.seqUpTo(3), 2);
  fs.kill();
  const { journal: next } = await openJournal(fs);
  const replay = await next.nextReplay();
  assert.equal(replay!.arrivedMs > 0, true);
  next.replayed(replay!.seq, 1);
  assert.equal(next.seqUpTo(1), replay!.seq);
});
