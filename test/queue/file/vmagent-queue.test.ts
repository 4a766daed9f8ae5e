import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import fc from 'fast-check';
import { compress, uncompress } from 'snappyjs';
import { nodeFs } from '../../../src/queue/file/fs.ts';
import {
  CHUNK_BYTES,
  findVmagentQueue,
  VmagentQueueReader,
  vmagentQueueName,
} from '../../../src/queue/file/vmagent-queue.ts';
import { MemoryFs } from '../../support/memory-fs.ts';
import { freePort, startProgram, temporaryDirectory } from '../../support/process.ts';
import { missingPrograms, program } from '../../support/programs.ts';
import { recordingLogger } from '../../support/quiet-logger.ts';

/** Small chunks: a payload has at most 117 bytes, as it has at most 32 MiB in vmagent's. */
const CHUNK = 2_000;
const DIRECTORY = '/data/persistent-queue/1_BA6E4303DCFA0D45';
const METAINFO = `${DIRECTORY}/metainfo.json`;

type Codec = 'zstd' | 'snappy';

/** A text that a reader can tell from others, `extra` characters longer. */
function blockOf(id: number, codec: Codec = 'zstd', extra = id % 50): Buffer {
  const text = Buffer.from(`block ${id} ${'abcdefghij'.repeat(5).slice(0, extra)}`);
  return codec === 'zstd' ? zstdCompressSync(text) : Buffer.from(compress(text));
}

function idOf(block: Uint8Array): number {
  const isZstd = block[0] === 0x28 && block[1] === 0xb5;
  const text = Buffer.from(isZstd ? zstdDecompressSync(block) : uncompress(block)).toString();
  assert.match(text, /^block \d+ [a-j]*$/);
  return Number(text.split(' ')[1]);
}

interface Place {
  readonly file: string;
  /** In the file. */
  readonly at: number;
  /** Of header and payload. */
  readonly bytes: number;
  /** Global offset. */
  readonly offset: number;
}

interface WrittenQueue {
  readonly fs: MemoryFs;
  /** Where the record of each payload is. */
  readonly places: readonly Place[];
  readonly writerOffset: number;
}

const nameOf = (start: number) => `${DIRECTORY}/${start.toString(16).toUpperCase().padStart(16, '0')}`;

/** Writes as vmagent does: a new chunk when the largest record would not fit. The first `read` blocks were read. */
function writeQueue(blocks: readonly Uint8Array[], read = 0, chunkBytes = CHUNK): WrittenQueue {
  const fs = new MemoryFs();
  const recordBytesMax = Math.floor(chunkBytes / 16);
  const chunks = new Map<number, Buffer[]>();
  const places: Place[] = [];
  let offset = 0;
  for (const block of blocks) {
    if ((offset % chunkBytes) + recordBytesMax > chunkBytes) offset += chunkBytes - (offset % chunkBytes);
    const at = offset % chunkBytes;
    const head = Buffer.alloc(8);
    head.writeBigUInt64BE(BigInt(block.byteLength));
    chunks.set(offset - at, [...(chunks.get(offset - at) ?? []), head, Buffer.from(block)]);
    places.push({ file: nameOf(offset - at), at, bytes: 8 + block.byteLength, offset });
    offset += 8 + block.byteLength;
  }
  for (const [start, parts] of chunks) fs.put(nameOf(start), Buffer.concat(parts));
  fs.put(`${DIRECTORY}/flock.lock`, Buffer.alloc(0));
  putMetainfo(fs, places[read]?.offset ?? offset, offset);
  return { fs, places, writerOffset: offset };
}

function putMetainfo(fs: MemoryFs, ReaderOffset: number, WriterOffset: number): void {
  fs.put(METAINFO, Buffer.from(JSON.stringify({ Name: '1:secret-url', ReaderOffset, WriterOffset })));
}

/** Puts other bytes in place of some of a file. */
function overwrite(fs: MemoryFs, file: string, at: number, bytes: Uint8Array): void {
  const all = Buffer.from(fs.bytesOf(file));
  all.set(bytes, at);
  fs.put(file, all);
}

async function payloadsOf(reader: VmagentQueueReader): Promise<Uint8Array[]> {
  const payloads: Uint8Array[] = [];
  for (let next = await reader.next(); next !== undefined; next = await reader.next()) payloads.push(next);
  await reader.close();
  return payloads;
}

async function readAll(fs: MemoryFs, chunkBytes = CHUNK) {
  const log = recordingLogger();
  const reader = await VmagentQueueReader.open(fs, DIRECTORY, log, { chunkBytes });
  const payloads = await payloadsOf(reader);
  const warnings = log.lines.filter(({ level }) => level === 'warn');
  return { payloads, lostBytes: reader.lostBytes, offset: reader.offset, warnings };
}

async function readIds(fs: MemoryFs) {
  const { payloads, ...rest } = await readAll(fs);
  return { ids: payloads.map(idOf), ...rest };
}

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);
/** `block 1 …` to `block n …`, some of each codec. */
const blocksTo = (count: number) =>
  range(1, count).map((id) => blockOf(id, id % 3 === 0 ? 'snappy' : 'zstd'));

const anyBlocks = fc
  .array(fc.record({ codec: fc.constantFrom<Codec>('zstd', 'snappy'), extra: fc.nat(50) }), {
    minLength: 1,
    maxLength: 120,
  })
  .map((specs) => specs.map(({ codec, extra }, index) => blockOf(index + 1, codec, extra)));

test("the names are vmagent's, also where Go prints a URL otherwise than it was given", async () => {
  const names = {
    'http://example-1:8428/prometheus/api/v1/write': 'BA6E4303DCFA0D45',
    'http://user:pass@example-2:8428/prometheus/api/v1/write?a=b#c': '0AAFDF53E314A72A',
    // Directories that vmagent 1.145 made.
    'http://u:p!w$x@127.0.0.1:9/a': '6765E8C8A170F3E4',
    'http://u:p%40w@127.0.0.1:9/a': '5C81313410A81109',
    'http://127.0.0.1:9/a?': '9ECD988D7246C4BE',
    'HTTP://Host:9/a?x=1#y': '8E950E901BEB4DBD',
    'http://127.0.0.1:9/a b{x}': 'B5BF56699745E628',
    "http://127.0.0.1:9/it's!": 'D06AB8B4D6B7E6FE',
    'http://127.0.0.1:9': '2BD3BEEB3979E710',
  };
  for (const [url, name] of Object.entries(names)) assert.equal(await vmagentQueueName(url), name, url);
});

test('the queue of a URL is found at any index', async (t) => {
  const data = temporaryDirectory(t);
  const url = 'http://example-1:8428/prometheus/api/v1/write?token=x';
  assert.equal(await findVmagentQueue(nodeFs, data, url), undefined);
  for (const name of ['1_0AAFDF53E314A72A', '1_BA6E4303DCFA0D45.taken-over', '12_BA6E4303DCFA0D45', 'x']) {
    mkdirSync(path.join(data, 'persistent-queue', name), { recursive: true });
  }
  const found = path.join(data, 'persistent-queue/12_BA6E4303DCFA0D45');
  assert.equal(await findVmagentQueue(nodeFs, data, url), found);
  assert.equal(await findVmagentQueue(nodeFs, data, 'http://other/'), undefined);
});

test('everything from the reader on is read, across chunks', async () => {
  await fc.assert(
    fc.asyncProperty(anyBlocks, fc.nat(130), async (blocks, read) => {
      const { fs, places, writerOffset } = writeQueue(blocks, read);
      const reader = await VmagentQueueReader.open(fs, DIRECTORY, recordingLogger(), { chunkBytes: CHUNK });
      assert.equal(reader.directory, DIRECTORY);
      assert.equal(reader.pendingBytes, writerOffset - (places[read]?.offset ?? writerOffset));
      for (const [index, block] of blocks.entries()) {
        if (index < read) continue;
        assert.deepEqual(await reader.next(), block);
        assert.equal(reader.offset, places[index]!.offset + places[index]!.bytes);
      }
      assert.equal(await reader.next(), undefined);
      assert.deepEqual([reader.offset, reader.lostBytes], [writerOffset, 0]);
      await reader.close();
    }),
  );
});

test('one damaged byte in a length costs its record and no other', async () => {
  const damage = fc.record({ record: fc.nat(119), byte: fc.nat(7), mask: fc.integer({ min: 1, max: 255 }) });
  await fc.assert(
    fc.asyncProperty(anyBlocks, damage, async (blocks, { record, byte, mask }) => {
      const { fs, places } = writeQueue(blocks);
      const index = record % blocks.length;
      const { file, at, bytes } = places[index]!;
      fs.flip(file, at + byte, mask);
      const { payloads, lostBytes, warnings } = await readAll(fs);
      assert.deepEqual(payloads, blocks.toSpliced(index, 1));
      assert.equal(lostBytes, bytes);
      assert.deepEqual(
        warnings.map(({ fields }) => fields),
        [{ file, offset: at, bytes }],
      );
    }),
    { numRuns: 500 },
  );
});

test('without a usable metainfo.json everything is read from the start', async () => {
  const texts = [
    undefined,
    '',
    'foobarbaz',
    'null',
    '{}',
    '{"ReaderOffset":-1,"WriterOffset":5}',
    '{"ReaderOffset":0.5,"WriterOffset":5}',
    '{"ReaderOffset":0}',
    '{"ReaderOffset":300,"WriterOffset":200}',
    // Of another queue: no file has any of it.
    '{"ReaderOffset":2000000,"WriterOffset":2000300}',
  ];
  for (const text of texts) {
    const { fs, writerOffset } = writeQueue(blocksTo(150), 20);
    if (text === undefined) await fs.unlink(METAINFO);
    else fs.put(METAINFO, Buffer.from(text));
    const reader = await VmagentQueueReader.open(fs, DIRECTORY, recordingLogger(), { chunkBytes: CHUNK });
    assert.equal(reader.pendingBytes, writerOffset);
    await reader.close();
    const { ids, lostBytes, warnings } = await readIds(fs);
    assert.deepEqual([ids, lostBytes, warnings.length], [range(1, 150), 0, 1], text);
  }
});

test('lengths that cannot be are passed', async () => {
  const lengths = { none: 0n, 'more than 32 MiB': 118n, 'behind the end': 117n, huge: 2n ** 64n - 1n };
  for (const [what, length] of Object.entries(lengths)) {
    const { fs, places } = writeQueue(blocksTo(6));
    for (const index of [1, 4]) {
      const head = Buffer.alloc(8);
      head.writeBigUInt64BE(length);
      overwrite(fs, places[index]!.file, places[index]!.at, head);
    }
    const { ids, lostBytes } = await readIds(fs);
    assert.deepEqual(ids, [1, 3, 4, 6], what);
    assert.equal(lostBytes, places[1]!.bytes + places[4]!.bytes, what);
  }
});

test('bytes that are no records at all cost what they are in', async () => {
  for (const fill of [0x00, 0x01, 0x28, 0xff]) {
    const { fs, places } = writeQueue(blocksTo(60));
    const [from, to] = [places[10]!, places[13]!];
    overwrite(fs, from.file, from.at + 3, Buffer.alloc(to.at - from.at - 6, fill));
    const { ids, lostBytes } = await readIds(fs);
    assert.deepEqual(ids, [...range(1, 10), ...range(14, 60)], `${fill}`);
    assert.equal(lostBytes, to.at - from.at);
  }
});

test('a damaged payload comes as it is: its place is certain', async () => {
  const { fs, places } = writeQueue(blocksTo(5));
  overwrite(fs, places[2]!.file, places[2]!.at + 8, Buffer.from('damaged'));
  const { payloads, lostBytes } = await readAll(fs);
  assert.equal(payloads.length, 5);
  assert.match(Buffer.from(payloads[2]!).toString('latin1'), /^damaged/);
  assert.equal(lostBytes, 0);
});

test('missing chunks are passed, and their bytes counted', async () => {
  const blocks = blocksTo(200);
  const { places, writerOffset } = writeQueue(blocks);
  const files = [...new Set(places.map(({ file }) => file))];
  assert.ok(files.length >= 4);
  for (const [index, file] of files.entries()) {
    for (const read of [0, 5]) {
      const { fs } = writeQueue(blocks, read);
      await fs.unlink(file);
      const { ids, lostBytes, offset, warnings } = await readIds(fs);
      assert.deepEqual(
        ids,
        range(read + 1, 200).filter((id) => places[id - 1]!.file !== file),
      );
      const from = index === 0 ? places[read]!.offset : index * CHUNK;
      assert.equal(lostBytes, Math.min((index + 1) * CHUNK, writerOffset) - from);
      assert.deepEqual([offset, warnings.length], [writerOffset, 1]);
    }
  }
});

test('a chunk that was cut off costs what is missing', async () => {
  const { fs, places, writerOffset } = writeQueue(blocksTo(100));
  const { file, at, offset } = places[20]!;
  fs.put(file, fs.bytesOf(file).subarray(0, at));
  const next = places.findIndex((place) => place.file !== file);
  const { ids, lostBytes } = await readIds(fs);
  assert.deepEqual(ids, [...range(1, 20), ...range(next + 1, 100)]);
  assert.equal(lostBytes, places[next]!.offset - offset);

  const last = writeQueue(blocksTo(100));
  const torn = last.places.at(-1)!;
  last.fs.put(torn.file, last.fs.bytesOf(torn.file).subarray(0, -3));
  const found = await readIds(last.fs);
  assert.deepEqual(found.ids, range(1, 99));
  // vmagent recorded it as written, so it was whole.
  assert.equal(found.lostBytes, torn.bytes);
  assert.equal(found.offset, writerOffset);
});

test('what was written behind the recorded end is read as far as it is whole', async () => {
  const blocks = blocksTo(150);
  for (const recorded of [0, 1, 30, 100, 149]) {
    const { fs, places } = writeQueue(blocks);
    putMetainfo(fs, 0, places[recorded]!.offset);
    assert.deepEqual((await readIds(fs)).ids, range(1, 150));
    const { file } = places.at(-1)!;
    for (const cut of [3, places.at(-1)!.bytes - 8, places.at(-1)!.bytes - 2]) {
      fs.put(file, fs.bytesOf(file).subarray(0, places.at(-1)!.at + places.at(-1)!.bytes - cut));
      const { ids, lostBytes, offset } = await readIds(fs);
      assert.deepEqual([ids, lostBytes], [range(1, 149), 0], `${recorded} recorded, ${cut} bytes missing`);
      assert.equal(offset, places[148]!.offset + places[148]!.bytes);
    }
  }
});

test('remains of an earlier life behind the recorded end are no records', async () => {
  const { fs, places, writerOffset } = writeQueue(blocksTo(10));
  const { file } = places[0]!;
  const remains = Buffer.concat([blockOf(77).subarray(5), Buffer.from('00000000000000', 'hex'), blockOf(78)]);
  fs.put(file, Buffer.concat([fs.bytesOf(file), remains]));
  const { ids, lostBytes, offset } = await readIds(fs);
  assert.deepEqual([ids, lostBytes, offset], [range(1, 10), 0, writerOffset]);
});

test('remains at the end of a full chunk, where no record can start, are never read', async () => {
  const { fs, places } = writeQueue(blocksTo(100));
  const { file } = places[0]!;
  const bytes = fs.bytesOf(file);
  const remains = Buffer.alloc(CHUNK + 50 - bytes.byteLength, 0x28);
  // A whole record of an earlier life, behind the last place where one can start.
  const old = blockOf(777, 'zstd', 5);
  remains.set(Buffer.concat([Buffer.alloc(7), Buffer.of(old.byteLength), old]), 1_910 - bytes.byteLength);
  fs.put(file, Buffer.concat([bytes, remains]));
  const { ids, lostBytes } = await readIds(fs);
  assert.deepEqual([ids, lostBytes], [range(1, 100), 0]);

  const last = places.findLastIndex((place) => place.file === file);
  fs.flip(file, places[last]!.at);
  const damaged = await readIds(fs);
  assert.deepEqual(damaged.ids, range(1, 100).toSpliced(last, 1));
  assert.equal(damaged.lostBytes, CHUNK - places[last]!.at);
});

test('what looks like a short snappy block within damage is no record', async () => {
  const { fs, places } = writeQueue(blocksTo(20));
  const [from, to] = [places[10]!, places[12]!];
  const junk = Buffer.alloc(to.at - from.at, 0xff);
  junk.set([0, 0, 0, 0, 0, 0, 0, 3, ...compress(Buffer.from('a'))], 20);
  overwrite(fs, from.file, from.at, junk);
  const { ids, lostBytes } = await readIds(fs);
  assert.deepEqual([ids, lostBytes], [[...range(1, 10), ...range(13, 20)], junk.byteLength]);
});

test('without metainfo.json a torn last record is not lost, but a damaged one is', async () => {
  const { fs, places } = writeQueue(blocksTo(60));
  await fs.unlink(METAINFO);
  const { file, at, bytes } = places.at(-1)!;
  const whole = fs.bytesOf(file);
  for (const left of [1, 7, 8, bytes - 1]) {
    fs.put(file, whole.subarray(0, at + left));
    const { ids, lostBytes } = await readIds(fs);
    assert.deepEqual([ids, lostBytes], [range(1, 59), 0], `${left} bytes left`);
  }
  overwrite(fs, file, at, Buffer.alloc(8));
  assert.equal((await readIds(fs)).lostBytes, bytes - 1);
});

/** Blocks of every kind that the compressors make: literal, repeated and compressed, with long lengths. */
function largeBlocks(): Map<string, Uint8Array> {
  const blocks = new Map<string, Uint8Array>();
  const texts = new Map<string, Buffer>();
  for (const bytes of [1, 59, 60, 61, 255, 256, 257, 65_535, 65_536, 131_072, 131_073, 400_000]) {
    texts.set(`${bytes} random bytes`, randomBytes(bytes));
    texts.set(`${bytes} equal bytes`, Buffer.alloc(bytes, 'a'));
    const words = Array.from({ length: bytes / 8 + 1 }, (_, index) => `m_${(index * 7919) % 5_003} `).join(
      '',
    );
    texts.set(`${bytes} bytes of words`, Buffer.from(words.slice(0, bytes)));
  }
  for (const [what, text] of texts) {
    blocks.set(`snappy, ${what}`, compress(text));
    for (const level of [-5, 3, 19]) {
      for (const flag of [0, 1]) {
        const params = {
          [constants.ZSTD_c_compressionLevel]: level,
          [constants.ZSTD_c_checksumFlag]: flag,
          [constants.ZSTD_c_contentSizeFlag]: 1 - flag,
        };
        blocks.set(`zstd ${level}, checksum ${flag}, ${what}`, zstdCompressSync(text, { params }));
      }
    }
  }
  return blocks;
}

test('whole blocks of every kind are told from those with a wrong length', async () => {
  for (const [what, block] of largeBlocks()) {
    const neighbour = Buffer.alloc(300_000, 0xff);
    // What follows is damaged, so only the block itself shows that it is whole.
    const before = writeQueue([block, neighbour, blockOf(1)], 0, CHUNK_BYTES);
    overwrite(before.fs, before.places[1]!.file, before.places[1]!.at, Buffer.alloc(8, 0xff));
    assert.deepEqual(
      (await readAll(before.fs, CHUNK_BYTES)).payloads,
      [Buffer.from(block), blockOf(1)],
      what,
    );

    for (const change of [-1, 1, blockOf(2).byteLength + 8]) {
      const { fs, places } = writeQueue([block, blockOf(2), blockOf(3), blockOf(4)], 0, CHUNK_BYTES);
      const head = Buffer.alloc(8);
      head.writeBigUInt64BE(BigInt(block.byteLength + change));
      overwrite(fs, places[0]!.file, 0, head);
      const { payloads, lostBytes } = await readAll(fs, CHUNK_BYTES);
      assert.deepEqual(payloads.map(idOf), [2, 3, 4], `${what}, length wrong by ${change}`);
      assert.equal(lostBytes, places[0]!.bytes);
    }
  }
});

test('the next record is found wherever it is in a search window', async () => {
  const windowBytes = 1024 * 1024;
  for (const windows of [1, 2]) {
    for (const shift of range(-30, 30)) {
      const damaged = Buffer.alloc(windows * windowBytes + shift, 0xff);
      const { fs, places } = writeQueue([damaged, blockOf(1, 'snappy'), blockOf(2)], 0, CHUNK_BYTES);
      overwrite(fs, places[0]!.file, 0, Buffer.alloc(8, 0xff));
      const { payloads, lostBytes } = await readAll(fs, CHUNK_BYTES);
      assert.deepEqual([payloads.map(idOf), lostBytes], [[1, 2], places[0]!.bytes], `${windows}, ${shift}`);
    }
  }
});

test('a read that fails is told, and tried again by the next call', async () => {
  const { fs } = writeQueue(blocksTo(40));
  const reader = await VmagentQueueReader.open(fs, DIRECTORY, recordingLogger(), { chunkBytes: CHUNK });
  const ids: number[] = [];
  let operations = 0;
  let failures = 0;
  fs.onOperation = (operation) => {
    if (++operations % 3 === 0) throw Object.assign(new Error(operation), { code: 'EIO' });
  };
  for (;;) {
    try {
      const payload = await reader.next();
      if (payload === undefined) break;
      ids.push(idOf(payload));
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'EIO');
      failures++;
    }
  }
  assert.deepEqual([ids, reader.lostBytes], [range(1, 40), 0]);
  assert.ok(failures > 10);
});

test('after close nothing is read and nothing counted as lost', async () => {
  const { fs } = writeQueue(blocksTo(40));
  const reader = await VmagentQueueReader.open(fs, DIRECTORY, recordingLogger(), { chunkBytes: CHUNK });
  await reader.next();
  await reader.close();
  assert.equal(await reader.next(), undefined);
  assert.equal(reader.lostBytes, 0);
});

/** Every file under a directory with its contents. */
function contentsOf(directory: string): Map<string, string> {
  const names = readdirSync(directory, { recursive: true, withFileTypes: true });
  const files = names.filter((name) => name.isFile()).map((name) => path.join(name.parentPath, name.name));
  return new Map(files.map((file) => [file, readFileSync(file, 'hex')]));
}

test('other files are ignored, and nothing in the directory changes', async (t) => {
  const directory = temporaryDirectory(t);
  const { fs } = writeQueue(blocksTo(80));
  for (const file of fs.files()) writeFileSync(path.join(directory, path.basename(file)), fs.bytesOf(file));
  const chunk = fs.bytesOf(nameOf(0));
  // An offset that is none of a chunk, names that vmagent does not write, a directory in place of a chunk.
  for (const name of [
    '0000000000000001',
    'FFFFFFFFFFFFFFFF',
    '00000000000007d0',
    '7D0',
    'metainfo.json.tmp.1',
  ])
    writeFileSync(path.join(directory, name), chunk);
  mkdirSync(path.join(directory, (CHUNK * 100).toString(16).toUpperCase().padStart(16, '0')));
  mkdirSync(path.join(directory, 'sub'));
  const before = contentsOf(directory);
  const log = recordingLogger();
  const reader = await VmagentQueueReader.open(nodeFs, directory, log, { chunkBytes: CHUNK });
  assert.deepEqual((await payloadsOf(reader)).map(idOf), range(1, 80));
  assert.equal(reader.lostBytes, 0);
  assert.equal(log.lines.filter(({ level }) => level === 'warn').length, 3);
  assert.deepEqual(contentsOf(directory), before);
});

/** Runs a vmagent whose destination is dead, gives it a sample for each name, and stops it. */
async function fillVmagent(t: TestContext, data: string, url: string, names: readonly string[]) {
  const port = await freePort();
  const running = await startProgram(t, {
    name: 'vmagent',
    command: program('vmagent'),
    args: [
      `-remoteWrite.url=${url}`,
      `-remoteWrite.tmpDataPath=${data}`,
      `-httpListenAddr=127.0.0.1:${port}`,
    ],
    readyUrl: `http://127.0.0.1:${port}/health`,
  });
  for (const name of names) {
    const target = `http://127.0.0.1:${port}/api/v1/import/prometheus`;
    const response = await fetch(target, { method: 'POST', body: `led_${name} 1\n` });
    assert.equal(response.status, 204);
  }
  await running.kill('SIGTERM');
}

test('a queue that the real vmagent left is read', { skip: missingPrograms('vmagent') }, async (t) => {
  const data = temporaryDirectory(t);
  // A port that was free a moment ago: nobody listens. The password is one that Go prints otherwise.
  const url = `http://user:p!w@127.0.0.1:${await freePort()}/api/v1/write?token=x`;
  await fillVmagent(t, data, url, ['one', 'two']);
  const directory = await findVmagentQueue(nodeFs, data, url);
  assert.ok(directory !== undefined);
  const log = recordingLogger();
  const reader = await VmagentQueueReader.open(nodeFs, directory, log);
  assert.ok(reader.pendingBytes > 0);
  const payloads = await payloadsOf(reader);
  const text = payloads.map((payload) => zstdDecompressSync(payload).toString('latin1')).join('');
  assert.match(text, /led_one/);
  assert.match(text, /led_two/);
  const { WriterOffset } = JSON.parse(readFileSync(path.join(directory, 'metainfo.json'), 'utf8'));
  assert.deepEqual([reader.offset, reader.lostBytes, log.lines], [WriterOffset, 0, []]);
});

test('reading goes on where an earlier run had come to', async () => {
  const blocks = range(1, 40).map((id) => blockOf(id));
  for (const hasMetainfo of [true, false]) {
    const { fs, places, writerOffset } = writeQueue(blocks);
    if (!hasMetainfo) fs.put(METAINFO, Buffer.from('{}'));
    const from = places[25]!.offset;
    const reader = await VmagentQueueReader.open(fs, DIRECTORY, recordingLogger(), {
      from,
      chunkBytes: CHUNK,
    });
    assert.equal(reader.pendingBytes, writerOffset - from);
    assert.deepEqual((await payloadsOf(reader)).map(idOf), range(26, 40));
    assert.equal(reader.lostBytes, 0);
  }
});
