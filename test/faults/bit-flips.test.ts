/** Damage to a queue file, everywhere in it: a flip of every bit, and sectors that are zeroed, repeated or swapped. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RECORD_HEADER_BYTES, recordLength, SEGMENT_HEADER_BYTES } from '../../src/queue/file/format.ts';
import { openLog, readAll, record } from '../queue/file/support.ts';
import { MemoryFs } from '../support/memory-fs.ts';

const FLIP_RECORDS = Number(process.env.FLIP_RECORDS ?? 8);
const SECTOR_RECORDS = Math.max(32, FLIP_RECORDS);
const SECTOR_BYTES = 512;

/** Of many sizes, so that headers and payloads lie at all places of a sector. */
const sizeOf = (id: number) => 8 + ((id * 37) % 200);

/** A file of so many records: their numbers, and where each begins. */
async function segmentOf(count: number) {
  const ids = Array.from({ length: count }, (_, index) => index + 1);
  const fs = new MemoryFs();
  const { log } = await openLog(fs);
  await log.append(ids.map((id) => record(id, sizeOf(id))));
  const [file, ...others] = fs.files();
  assert.deepEqual(others, [], 'one segment');
  let end = SEGMENT_HEADER_BYTES;
  const starts = ids.map((id) => {
    end += recordLength(sizeOf(id));
    return end - recordLength(sizeOf(id));
  });
  return { ids, starts, file: file!, good: Buffer.from(fs.bytesOf(file!)) };
}

/** What is found in damaged bytes: the records that are whole, and how many are known to be lost. */
async function found(file: string, bytes: Buffer) {
  const fs = new MemoryFs();
  fs.put(file, bytes);
  const { log } = await openLog(fs);
  const all = await readAll(log);
  return { ...all, lost: log.damage.records, badBytes: log.damage.bytes, fs };
}

test(`every bit of a file of ${FLIP_RECORDS} records`, async () => {
  const { ids, starts, file, good } = await segmentOf(FLIP_RECORDS);
  for (let bit = 0; bit < good.byteLength * 8; bit++) {
    const at = bit >> 3;
    const bytes = Buffer.from(good);
    bytes[at]! ^= 1 << (bit & 7);
    const seen = await found(file, bytes);
    const touched = starts.findLastIndex((start) => start <= at) + 1;
    const left = ids.filter((id) => id !== touched);
    assert.deepEqual(seen.ids, left, `bit ${bit}`);
    if (touched === 0) continue;
    const inPayload = at - starts[touched - 1]! >= RECORD_HEADER_BYTES;
    assert.deepEqual(seen.damaged, inPayload ? [touched] : [], `bit ${bit}`);
    // Of the last one with a damaged header nothing tells that it was there.
    if (touched < FLIP_RECORDS || inPayload) assert.equal(seen.lost, 1, `bit ${bit}`);
    assert.ok(seen.badBytes > 0 && seen.fs.files().some((name) => name.endsWith('.bad')), `bit ${bit}`);
  }
});

const changes: Readonly<Record<string, (bytes: Buffer, at: number, other: number) => void>> = {
  'is zeroed': (bytes, at) => void bytes.fill(0, at, at + SECTOR_BYTES),
  'is repeated over another': (bytes, at, other) => void bytes.copy(bytes, other, at, at + SECTOR_BYTES),
  'is swapped with another': (bytes, at, other) => {
    const kept = Buffer.from(bytes.subarray(at, at + SECTOR_BYTES));
    bytes.copy(bytes, at, other, other + SECTOR_BYTES);
    kept.copy(bytes, other);
  },
};

for (const [name, change] of Object.entries(changes)) {
  test(`a sector that ${name} costs the records that it touches`, async () => {
    const { ids, starts, file, good } = await segmentOf(SECTOR_RECORDS);
    const sectors = Math.floor(good.byteLength / SECTOR_BYTES);
    for (let from = 1; from < sectors; from++) {
      for (let to = 1; to < sectors; to++) {
        const bytes = Buffer.from(good);
        change(bytes, from * SECTOR_BYTES, to * SECTOR_BYTES);
        const untouched = ids.filter((id) => {
          const start = starts[id - 1]!;
          const end = start + recordLength(sizeOf(id));
          return bytes.subarray(start, end).equals(good.subarray(start, end));
        });
        const seen = await found(file, bytes);
        assert.deepEqual(seen.ids, untouched, `sectors ${from} and ${to}`);
        if (seen.ids.includes(SECTOR_RECORDS)) {
          assert.equal(seen.ids.length + seen.lost, SECTOR_RECORDS, `sectors ${from} and ${to}: counted`);
        }
      }
    }
  });
}
