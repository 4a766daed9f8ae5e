import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { parseSegment, readSpill, writeSpill } from '../../../src/queue/file/spill.ts';
import { makeBlock } from '../../support/blocks.ts';
import { FakeClock } from '../../support/fake-clock.ts';

let root: string;
before(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'sluice-spill-'));
});
after(() => rm(root, { recursive: true }));

const clock = new FakeClock();
const fresh = () => mkdtemp(path.join(root, 'q-'));

async function oneSegment(count: number): Promise<{ file: string; bytes: Buffer }> {
  const directory = await fresh();
  const blocks = Array.from({ length: count }, (_, index) =>
    makeBlock(index + 1, { bytes: Buffer.alloc(20 + index * 7, index + 65) }),
  );
  const [file] = await writeSpill(directory, blocks, 1, clock);
  return { file: file!, bytes: await readFile(file!) };
}

test('what is written is read back, field by field', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({
          bytes: fc.uint8Array({ minLength: 1, maxLength: 300 }),
          codec: fc.constantFrom('snappy' as const, 'zstd' as const),
          rawLength: fc.nat(2 ** 31),
          slots: fc.nat(0xffffffff),
          samples: fc.nat(2 ** 31),
        }),
        { minLength: 1, maxLength: 8 },
      ),
      async (given) => {
        const directory = await fresh();
        const blocks = given.map(({ samples, ...rest }, index) =>
          makeBlock(index, {
            ...rest,
            counts: { series: 2, samples, histograms: 3, exemplars: 4, metadata: 5 },
          }),
        );
        await writeSpill(directory, blocks, 41, clock);
        const segments = await readSpill(directory);
        const records = segments.flatMap((segment) => segment.records);
        assert.deepEqual(
          records.map(({ header, payload }) => ({ ...header, payload: Buffer.from(payload) })),
          blocks.map((block, index) => ({
            seq: 41 + index,
            payloadLength: block.bytes.byteLength,
            counts: block.counts,
            rawLength: block.rawLength,
            slots: block.slots,
            codec: block.codec,
            writtenAtMs: clock.nowMs(),
            payload: Buffer.from(block.bytes),
          })),
        );
      },
    ),
    { numRuns: 40 },
  );
});

test('a file cut at any byte keeps every record before the cut', async () => {
  const { file, bytes } = await oneSegment(4);
  const whole = parseSegment(file, bytes).records;
  for (let length = 0; length < bytes.length; length++) {
    const { records } = parseSegment(file, bytes.subarray(0, length));
    const complete = whole.filter((_, index) => length >= endOfRecord(index));
    assert.equal(records.length, complete.length, `cut at ${length}`);
  }

  function endOfRecord(index: number): number {
    let end = 32;
    for (let k = 0; k <= index; k++) end += 60 + whole[k]!.header.payloadLength + 4;
    return end;
  }
});

test('a flipped bit at any byte costs at most the record that it lies in', async () => {
  const { file, bytes } = await oneSegment(8);
  const whole = parseSegment(file, bytes).records;
  for (let at = 32; at < bytes.length; at++) {
    const damaged = Buffer.from(bytes);
    damaged[at]! ^= 1 << (at % 8);
    const { records, damaged: counted, lostBytes } = parseSegment(file, damaged);
    assert.ok(records.length >= whole.length - 1, `byte ${at}: ${records.length} records left`);
    assert.ok(records.length < whole.length, `byte ${at}: damage went unnoticed`);
    assert.ok(counted.length === 1 || lostBytes > 0, `byte ${at}: damage was not counted`);
    for (const record of records) {
      const original = whole.find((one) => one.header.seq === record.header.seq);
      assert.deepEqual(record, original);
    }
  }
});

test('a segment header that is damaged loses its bytes by count, one of a newer version refuses to be read', async () => {
  const { file, bytes } = await oneSegment(2);
  const damaged = Buffer.from(bytes);
  damaged[9]! ^= 1;
  assert.equal(parseSegment(file, damaged).lostBytes, bytes.length);

  const newer = Buffer.from(bytes);
  newer.writeUInt16LE(2, 4);
  const { crc32 } = await import('node:zlib');
  newer.writeUInt32LE(crc32(newer.subarray(0, 28)), 28);
  assert.throws(() => parseSegment(file, newer), /newer version of Sluice/);
});

test('other files in the directory are left alone, and a missing directory has no segments', async () => {
  const directory = await fresh();
  await writeFile(path.join(directory, 'notes.txt'), 'mine');
  assert.deepEqual(await readSpill(directory), []);
  assert.deepEqual(await readdir(directory), ['notes.txt']);
  assert.deepEqual(await readSpill(path.join(directory, 'missing')), []);
});

test('a directory that cannot be written says so and leaves nothing behind', async () => {
  const directory = path.join(await fresh(), 'file');
  await writeFile(directory, 'in the way');
  await assert.rejects(writeSpill(directory, [makeBlock(1)], 1, clock), /EEXIST|ENOTDIR|cannot write/);
});
