import assert from 'node:assert/strict';
import { test } from 'node:test';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import fc from 'fast-check';
import { nodeFs } from '../../../src/queue/file/fs.ts';
import {
  findVmagentQueue,
  VmagentQueueReader,
  vmagentQueueName,
} from '../../../src/queue/file/vmagent-queue.ts';
import { MemoryFs } from '../../support/memory-fs.ts';
import { freePort, startProgram, temporaryDirectory } from '../../support/process.ts';
import { missingPrograms, program } from '../../support/programs.ts';
import { recordingLogger } from '../../support/quiet-logger.ts';

const CHUNK = 2_000;
const DIRECTORY = '/data/persistent-queue/1_BA6E4303DCFA0D45';

const blockOf = (id: number) => zstdCompressSync(Buffer.from(`block ${id} ${'x'.repeat(id % 50)}`));
const idOf = (block: Uint8Array) => Number(zstdDecompressSync(block).toString().split(' ')[1]);

/** Writes as vmagent does: a new chunk when the largest record would not fit; here the room is `room`. */
function writeQueue(blocks: readonly Buffer[], read = 0, room = 200): MemoryFs {
  const fs = new MemoryFs();
  const chunks = new Map<number, Buffer[]>();
  let at = 0;
  let readerOffset = 0;
  for (const [index, block] of blocks.entries()) {
    if ((at % CHUNK) + room > CHUNK) at += CHUNK - (at % CHUNK);
    if (index === read) readerOffset = at;
    const start = at - (at % CHUNK);
    const head = Buffer.alloc(8);
    head.writeBigUInt64BE(BigInt(block.byteLength));
    chunks.set(start, [...(chunks.get(start) ?? []), head, block]);
    at += 8 + block.byteLength;
  }
  for (const [start, parts] of chunks) {
    const name = start.toString(16).toUpperCase().padStart(16, '0');
    fs.put(`${DIRECTORY}/${name}`, Buffer.concat(parts));
  }
  const meta = {
    Name: '1:secret-url',
    ReaderOffset: read >= blocks.length ? at : readerOffset,
    WriterOffset: at,
  };
  fs.put(`${DIRECTORY}/metainfo.json`, Buffer.from(JSON.stringify(meta)));
  fs.put(`${DIRECTORY}/flock.lock`, Buffer.alloc(0));
  return fs;
}

async function readAll(fs: MemoryFs) {
  const log = recordingLogger();
  const reader = await VmagentQueueReader.open(fs, DIRECTORY, log, CHUNK);
  const ids: number[] = [];
  for (let block = await reader.next(); block !== undefined; block = await reader.next())
    ids.push(idOf(block));
  assert.equal(reader.pendingBytes, 0);
  await reader.close();
  return { ids, lostBytes: reader.lostBytes, log };
}

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);
const chunksOf = (fs: MemoryFs) =>
  fs.files().filter((name) => /[0-9A-F]{16}$/.test(name) && !name.includes('metainfo'));

test("the names are vmagent's", async () => {
  assert.equal(await vmagentQueueName('http://example-1:8428/prometheus/api/v1/write'), 'BA6E4303DCFA0D45');
  assert.equal(
    await vmagentQueueName('http://user:pass@example-2:8428/prometheus/api/v1/write?a=b#c'),
    '0AAFDF53E314A72A',
  );
});

test('everything from the reader on is read, across chunks', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 120 }), fc.nat(130), async (count, read) => {
      const { ids, lostBytes } = await readAll(writeQueue(range(1, count).map(blockOf), read));
      assert.deepEqual(ids, range(read + 1, count));
      assert.equal(lostBytes, 0);
    }),
    { numRuns: 60 },
  );
});

test('without a usable metainfo.json everything is read from the start', async () => {
  for (const text of ['foobarbaz', '{}', '{"ReaderOffset":-1}', undefined]) {
    const fs = writeQueue(range(1, 50).map(blockOf), 20);
    if (text === undefined) await fs.unlink(`${DIRECTORY}/metainfo.json`);
    else fs.put(`${DIRECTORY}/metainfo.json`, Buffer.from(text));
    const { ids, log } = await readAll(fs);
    assert.deepEqual(ids, range(1, 50), text);
    assert.ok(log.lines.some(({ level }) => level === 'warn'));
  }
});

test('a damaged length costs its block, not the rest of the chunk', async () => {
  const fs = writeQueue(range(1, 30).map(blockOf));
  const [first] = chunksOf(fs);
  const third = [1, 2].reduce((sum, id) => sum + 8 + blockOf(id).byteLength, 0);
  fs.flip(first!, third, 0xff);
  const { ids, lostBytes } = await readAll(fs);
  assert.deepEqual(ids, [1, 2, ...range(4, 30)]);
  assert.equal(lostBytes, 8 + blockOf(3).byteLength);
});

test('a lost chunk costs what was in it, a torn tail nothing', async () => {
  const fs = writeQueue(range(1, 150).map(blockOf));
  const chunks = chunksOf(fs);
  assert.ok(chunks.length >= 3);
  const last = chunks.at(-1)!;
  fs.put(last, fs.bytesOf(last).subarray(0, -3));
  await fs.unlink(chunks[1]!);
  const { ids, lostBytes } = await readAll(fs);
  assert.equal(ids.at(-1), 149);
  assert.ok(ids.length < 149 && ids[0] === 1);
  assert.equal(lostBytes, 0);
});

test('the queue of a URL is found at any position', async () => {
  const root = new MemoryFs();
  root.list = async () => ['1_0AAFDF53E314A72A', '3_BA6E4303DCFA0D45', 'x'];
  const url = 'http://example-1:8428/prometheus/api/v1/write?token=x';
  assert.equal(await findVmagentQueue(root, '/data', url), '/data/persistent-queue/3_BA6E4303DCFA0D45');
  assert.equal(await findVmagentQueue(root, '/data', 'http://other/'), undefined);
});

test('a queue that the real vmagent left is read', { skip: missingPrograms('vmagent') }, async (t) => {
  const data = temporaryDirectory(t);
  const port = await freePort();
  const url = 'http://127.0.0.1:9/api/v1/write';
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
  for (const name of ['one', 'two']) {
    await fetch(`http://127.0.0.1:${port}/api/v1/import/prometheus`, {
      method: 'POST',
      body: `led_${name} 1\n`,
    });
  }
  await running.kill('SIGTERM');
  const directory = await findVmagentQueue(nodeFs, data, url);
  assert.ok(directory !== undefined);
  const reader = await VmagentQueueReader.open(nodeFs, directory, recordingLogger());
  let found = '';
  for (let block = await reader.next(); block !== undefined; block = await reader.next()) {
    found += zstdDecompressSync(block).toString('latin1');
  }
  assert.match(found, /led_one/);
  assert.match(found, /led_two/);
});
