import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  encodeSegmentHeader,
  recordLength,
  SEGMENT_HEADER_BYTES,
  SEGMENT_VERSION,
} from '../../../src/queue/file/format.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { MemoryFs } from '../../support/memory-fs.ts';
import { openLog, readAll, record } from './support.ts';

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);
const records = (from: number, to: number) => range(from, to).map((id) => record(id));

test('what was appended is read in order, now and after a restart, across segments', async () => {
  const fs = new MemoryFs();
  const { log } = await openLog(fs);
  assert.equal(await log.append(records(1, 30)), 1);
  assert.equal(await log.append(records(31, 90)), 31);
  await log.append(records(91, 100));
  assert.ok(log.segments >= 3);
  assert.deepEqual((await readAll(log)).ids, range(1, 100));
  await log.close();
  const { log: again, contents } = await openLog(fs);
  assert.equal(contents.records, 100);
  assert.equal(contents.counts.samples, 5_050);
  assert.deepEqual((await readAll(again)).ids, range(1, 100));
  assert.equal(again.nextSeq, 101);
});

test('what is done with does not come again after a clean stop, and its segments go', async () => {
  const fs = new MemoryFs();
  const { log } = await openLog(fs);
  for (const id of range(1, 60)) await log.append([record(id)]);
  const { seqs } = await readAll(log);
  for (const seq of seqs.slice(0, 45).toReversed()) log.done(seq);
  const before = log.segments;
  await log.checkpoint();
  assert.ok(log.segments < before);
  await log.close();
  const { log: again } = await openLog(fs);
  assert.deepEqual((await readAll(again)).ids, range(46, 60));
  for (const seq of range(46, 60)) again.done(seq);
  await again.close();
  assert.deepEqual(fs.files(), ['/q/cursor']);
  const { log: third, contents } = await openLog(fs);
  assert.equal(contents.records, 0);
  assert.equal(third.nextSeq, 61, 'numbers are never used again');
});

test('a gap in what is done with holds the cursor', async () => {
  const fs = new MemoryFs();
  const { log } = await openLog(fs);
  await log.append(records(1, 5));
  for (const seq of [1, 2, 4, 5]) log.done(seq);
  await log.checkpoint();
  fs.kill();
  const { log: again } = await openLog(fs);
  assert.deepEqual((await readAll(again)).ids, [3, 4, 5]);
});

test('a lost or damaged cursor repeats records and loses none', async () => {
  for (const damage of ['lost', 'slot 0', 'slot 1', 'both']) {
    const fs = new MemoryFs();
    const { log } = await openLog(fs);
    await log.append(records(1, 10));
    for (const seq of range(1, 4)) {
      log.done(seq);
      await log.checkpoint();
    }
    fs.writeBack();
    if (damage === 'lost') await fs.unlink('/q/cursor');
    if (damage === 'slot 0' || damage === 'both') fs.flip('/q/cursor', 8);
    if (damage === 'slot 1' || damage === 'both') fs.flip('/q/cursor', 4096 + 8);
    fs.kill();
    const { ids } = await readAll((await openLog(fs)).log);
    assert.deepEqual(ids, range(ids[0]!, 10), damage);
    assert.ok(ids[0]! <= 5, damage);
  }
});

test('a torn tail costs what was not whole, at every byte of the last record', async () => {
  const last = recordLength(20);
  for (let cut = 1; cut <= last; cut++) {
    const fs = new MemoryFs();
    const { log } = await openLog(fs);
    await log.append(records(1, 4));
    const [file] = fs.files();
    const bytes = fs.bytesOf(file!);
    fs.put(file!, cut % 2 === 0 ? bytes.subarray(0, -cut) : zeroTail(bytes, cut));
    fs.kill();
    const { log: again } = await openLog(fs);
    await again.append([record(9)]);
    const { ids, damaged } = await readAll(again);
    // A zeroed payload under a good header is known to be damaged; all else was never a record.
    assert.deepEqual([ids, damaged.every((id) => id === 4)], [[1, 2, 3, 9], true], `cut ${cut}`);
  }
});

function zeroTail(bytes: Buffer, count: number): Buffer {
  const result = Buffer.from(bytes);
  result.fill(0, result.byteLength - count);
  return result;
}

test('a lost middle segment costs what was in it and is counted', async () => {
  const fs = new MemoryFs();
  const { log } = await openLog(fs);
  for (const id of range(1, 80)) await log.append([record(id)]);
  const files = fs.files();
  assert.ok(files.length >= 3);
  await fs.unlink(files[1]!);
  fs.kill();
  const { log: again } = await openLog(fs);
  const { ids } = await readAll(again);
  assert.equal(ids.length + again.damage.records, 80);
  assert.equal(ids.at(-1), 80);
});

test('a file of a newer version is refused and kept', async () => {
  const fs = new MemoryFs();
  const newer = encodeSegmentHeader({ version: SEGMENT_VERSION + 1, firstSeq: 1, salt: 5n, createdS: 0 });
  fs.put('/q/0000000000000001.seg', newer);
  await assert.rejects(openLog(fs), /newer version/);
  assert.deepEqual(fs.bytesOf('/q/0000000000000001.seg'), newer);
});

test('files of others are left alone', async () => {
  const fs = new MemoryFs();
  fs.put('/q/notes.txt', Buffer.from('mine'));
  fs.put('/q/ffffffffffffffff.seg', Buffer.from('no number of ours'));
  const { log } = await openLog(fs);
  await log.append(records(1, 3));
  await log.close();
  assert.equal(fs.bytesOf('/q/notes.txt').toString(), 'mine');
  assert.equal(fs.bytesOf('/q/ffffffffffffffff.seg').toString(), 'no number of ours');
});

test('a full disk rejects the append, keeps what was there, and is used again when there is room', async () => {
  const fs = new MemoryFs();
  const { log } = await openLog(fs);
  await log.append(records(1, 3));
  fs.capacity = fs.used + 100;
  await assert.rejects(log.append(records(4, 9)), /ENOSPC/);
  fs.capacity = Number.POSITIVE_INFINITY;
  assert.equal(await log.append(records(4, 5)), 4);
  fs.kill();
  assert.deepEqual((await readAll((await openLog(fs)).log)).ids, range(1, 5));
});

test('after a failed sync nothing is written to that file again', async () => {
  const fs = new MemoryFs();
  const { log } = await openLog(fs);
  await log.append(records(1, 3), true);
  const [first] = fs.files();
  fs.onOperation = (operation, file) => {
    if (operation === 'sync' && file.startsWith(first!))
      throw Object.assign(new Error('EIO'), { code: 'EIO' });
  };
  await assert.rejects(log.append([record(4)], true), /EIO/);
  fs.onOperation = () => {};
  const size = fs.bytesOf(first!).byteLength;
  await log.append([record(5)], true);
  assert.equal(fs.bytesOf(first!).byteLength, size);
  fs.writeBack();
  fs.kill();
  // 4 was not acknowledged; 5 was, and took its number.
  assert.deepEqual((await readAll((await openLog(fs)).log)).ids, [1, 2, 3, 5]);
});

test('appends that come together are written together, and one sync serves them', async () => {
  const fs = new MemoryFs();
  const { log } = await openLog(fs);
  await log.append([record(1)]);
  let syncs = 0;
  fs.onOperation = (operation) => {
    if (operation === 'sync') syncs++;
  };
  const seqs = await Promise.all(range(2, 11).map((id) => log.append([record(id)], true)));
  assert.deepEqual(seqs, range(2, 11));
  assert.ok(syncs <= 2, `${syncs} syncs`);
});

test('a record that the disk could not read is read again', async () => {
  const fs = new MemoryFs();
  const { log } = await openLog(fs);
  await log.append(records(1, 3));
  for (let nth = 1; nth <= 6; nth++) {
    let left = nth;
    fs.onOperation = (operation) => {
      if (operation === 'read' && --left === 0) throw Object.assign(new Error('EIO'), { code: 'EIO' });
    };
    log.readFrom(1);
    const ids: number[] = [];
    for (let turn = 0; turn < 6; turn++) {
      const found = await log.next().catch(() => undefined);
      if (found?.payload !== undefined) ids.push(Buffer.from(found.payload).readDoubleLE());
    }
    assert.deepEqual(ids, [1, 2, 3], `read ${nth} fails`);
    assert.deepEqual({ records: log.damage.records, bytes: log.damage.bytes }, { records: 0, bytes: 0 });
  }
});

test('a small record takes no more memory than twice its bytes when it is read', async () => {
  const { log } = await openLog(new MemoryFs());
  await log.append(records(1, 50));
  let memory = 0;
  for (let found = await log.next(); found !== undefined; found = await log.next()) {
    memory += found.payload!.buffer.byteLength;
    log.recycle(found.payload!);
  }
  assert.ok(memory <= 2 * 50 * recordLength(20), `${memory} bytes`);
});

test('what could not be read back is not written, and what comes with it is', async () => {
  const { log } = await openLog(new MemoryFs());
  const huge = { ...record(2), payload: new Array(17).fill(Buffer.alloc(64 * 1024 * 1024)) };
  const [first, , , last] = await Promise.allSettled([
    log.append([record(1)]),
    assert.rejects(log.append([huge]), /a payload of 1140850688 bytes/),
    assert.rejects(log.append([record(8), { ...record(3), payload: [] }]), /a payload of 0 bytes/),
    log.append([record(4)]),
  ]);
  assert.deepEqual([first.status, last.status], ['fulfilled', 'fulfilled']);
  assert.deepEqual((await readAll(log)).ids, [1, 4]);
});

/** The next sync of records fails, and what was not safe is as the kernel or the disk has it. */
function failNextSync(fs: MemoryFs): void {
  fs.onOperation = (operation, file) => {
    if (operation !== 'sync' || !file.includes('.seg')) return;
    fs.onOperation = () => {};
    throw Object.assign(new Error('EIO: fsync'), { code: 'EIO' });
  };
}

test('after a sync that failed, one that does not makes everything safe, what was written before too', async () => {
  const fs = new MemoryFs();
  const { log } = await openLog(fs);
  await log.append(records(1, 3));
  await log.sync();
  await log.append(records(4, 9));
  assert.equal((await log.next())?.header.seq, 1);
  failNextSync(fs);
  await assert.rejects(log.sync(), /fsync/);
  await log.append([record(10)]);
  await log.sync();
  assert.deepEqual((await readAll(log)).ids, range(2, 10));
  fs.crash(() => 0.9);
  assert.deepEqual((await readAll((await openLog(fs)).log)).ids, range(1, 10));
});

test('what a failed sync has lost is told by every sync, until nobody needs it', async () => {
  const fs = new MemoryFs();
  const { log } = await openLog(fs);
  await log.append(records(1, 3));
  failNextSync(fs);
  await assert.rejects(log.sync(), /fsync/);
  const [file] = fs.files();
  fs.flip(file!, fs.bytesOf(file!).byteLength - 8);
  await assert.rejects(log.sync(), /has lost what was written at/);
  await assert.rejects(log.sync(), /has lost what was written at/);
  log.done(3);
  await log.sync();
  fs.crash(() => 0.9);
  const { ids, damaged } = await readAll((await openLog(fs)).log);
  assert.deepEqual([ids, damaged], [[1, 2], [3]]);
});

test('a segment that cannot be written anew stays as it is, and is tried again', async () => {
  for (const failing of ['create', 'write', 'sync', 'rename', 'syncDirectory']) {
    const fs = new MemoryFs();
    const { log } = await openLog(fs);
    await log.append(records(1, 3));
    failNextSync(fs);
    await assert.rejects(log.sync(), /fsync/);
    fs.onOperation = (operation) => {
      if (operation === failing) throw Object.assign(new Error('EIO: again'), { code: 'EIO' });
    };
    await assert.rejects(log.sync(), /again/, failing);
    fs.onOperation = () => {};
    assert.deepEqual(fs.files().length, 1, failing);
    await log.sync();
    fs.crash(() => 0.9);
    assert.deepEqual((await readAll((await openLog(fs)).log)).ids, [1, 2, 3], failing);
  }
});

test('a segment that somebody has deleted holds up no checkpoint', async () => {
  const fs = new MemoryFs();
  const { log } = await openLog(fs);
  for (const id of range(1, 80)) log.done(await log.append([record(id)]));
  await fs.unlink(fs.files()[0]!);
  await log.checkpoint();
  assert.equal(log.segments, 0);
  assert.deepEqual(fs.files(), ['/q/cursor']);
});

/** A log of which some bytes, counted from the end of a record, can never be read. */
async function withBadSector(id: number, from: number, to: number) {
  const fs = new MemoryFs();
  const clock = new FakeClock();
  const { log } = await openLog(fs, clock);
  for (let nth = 1; nth <= 60; nth++) await log.append([record(nth, 300)]);
  await log.close();
  const { log: again } = await openLog(fs, clock);
  const file = fs.files().filter((name) => name.endsWith('.seg'))[1]!;
  const payload = Buffer.concat(record(id, 300).payload);
  const at = fs.bytesOf(file).indexOf(payload);
  assert.ok(at > 0);
  fs.unreadable = { file, from: at + from, to: at + to };
  return { fs, clock, log: again };
}

async function readOn(log: Awaited<ReturnType<typeof withBadSector>>['log'], clock: FakeClock) {
  const ids: number[] = [];
  const damaged: number[] = [];
  for (let failures = 0; failures < 100; ) {
    try {
      const found = await log.next();
      if (found === undefined && log.readSeq >= log.nextSeq) break;
      if (found !== undefined) (found.payload ? ids : damaged).push(found.header.counts.samples);
    } catch {
      failures++;
      clock.advance(500);
    }
  }
  return { ids, damaged };
}

test('a payload that can never be read costs its record, once the disk works otherwise for ten seconds', async () => {
  const { log, clock } = await withBadSector(9, 100, 200);
  const { ids, damaged } = await readOn(log, clock);
  assert.deepEqual(damaged, [9]);
  assert.deepEqual(
    ids,
    range(1, 60).filter((id) => id !== 9),
  );
  assert.equal(log.damage.records, 1);
  assert.equal(clock.monotonicMs(), 10_000);
});

test('a header that can never be read costs what cannot be found without it', async () => {
  const { log, clock } = await withBadSector(9, -50, -40);
  const { ids, damaged } = await readOn(log, clock);
  assert.deepEqual(damaged, []);
  assert.ok(!ids.includes(9) && ids.includes(8) && ids.at(-1) === 60);
  assert.equal(ids.length + log.damage.records, 60);
});

test('a file that can never be read costs what was in it', async () => {
  const { fs, log, clock } = await withBadSector(9, 0, 1);
  fs.unreadable = { ...fs.unreadable!, from: 0, to: 10_000 };
  const { ids } = await readOn(log, clock);
  assert.ok(ids.includes(1) && !ids.includes(9) && ids.at(-1) === 60);
  assert.ok(fs.files().some((name) => name.endsWith('.seg.bad')));
});

test('while the disk is gone nothing is given up, however long that lasts', async () => {
  const { fs, log, clock } = await withBadSector(9, 100, 200);
  fs.onOperation = (operation) => {
    if (operation === 'write' || operation === 'read') throw Object.assign(new Error('EIO'), { code: 'EIO' });
  };
  for (let k = 0; k < 100; k++) {
    await assert.rejects(log.next(), /EIO/);
    clock.advance(1_000);
  }
  fs.onOperation = () => {};
  fs.unreadable = undefined;
  assert.deepEqual((await readAll(log)).ids, range(1, 60));
});

test('numbers go on behind a segment of which a power cut left nothing', async () => {
  const fs = new MemoryFs();
  const { log } = await openLog(fs);
  await log.append([record(1)]);
  failNextSync(fs);
  await assert.rejects(log.sync(), /fsync/);
  await log.append([record(2)]);
  for (const file of fs.files()) fs.put(file, fs.bytesOf(file).subarray(0, SEGMENT_HEADER_BYTES));
  const { log: again } = await openLog(fs);
  assert.equal(await again.append(records(3, 4)), 2);
  assert.deepEqual((await readAll((await openLog(fs)).log)).ids, [3, 4]);
});
