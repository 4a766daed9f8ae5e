import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import snappy from 'snappyjs';
import type { WireBlock } from '../../src/destination/destination.ts';
import { file, pathOf } from '../../src/destination/file.ts';
import { remoteWriteType } from '../../src/protocol/schema.ts';
import { systemClock } from '../../src/util/clock.ts';
import { FakeMeter } from '../deliver/support.ts';
import { recordingLogger } from '../support/quiet-logger.ts';

const never = new AbortController().signal;

function message(name: string, samples: number, labels: Record<string, string> = {}): Buffer {
  const type = remoteWriteType('WriteRequest');
  const all = Object.entries({ __name__: name, ...labels }).map(([key, value]) => ({ name: key, value }));
  const timeseries = [
    {
      labels: all,
      samples: Array.from({ length: samples }, (_, i) => ({ value: i, timestamp: 1_790_000_000_000 + i })),
    },
  ];
  return Buffer.from(type.encode(type.fromObject({ timeseries })).finish());
}

const block = (raw: Buffer): WireBlock => ({
  codec: 'snappy',
  bytes: snappy.compress(raw),
  rawLength: raw.length,
});

async function setUp(t: TestContext, name: string, maxBytes = 1_000_000) {
  const directory = await mkdtemp(path.join(tmpdir(), 'file-'));
  const target = path.join(directory, name);
  const transport = file.open(
    { url: `file:${target}`, shownUrl: '1:secret-url', options: { 'remoteWrite.file.maxBytes': maxBytes } },
    {
      clock: systemClock,
      log: recordingLogger(),
      meter: new FakeMeter(),
      http: () => assert.fail('no HTTP here'),
    },
  );
  t.after(async () => {
    await transport.close();
    await rm(directory, { recursive: true });
  });
  const lines = async (of = target) =>
    (await readFile(of, 'utf8'))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
  return { target, directory, transport, lines };
}

test('blocks of both codecs become lines', async (t) => {
  const { transport, lines } = await setUp(t, 'out.jsonl');
  const reply = await transport.send(block(message('up', 2, { job: 'a"b' })), never);
  assert.equal(reply.status, 204);
  const raw = message('down', 1);
  await transport.send({ codec: 'zstd', bytes: zstdCompressSync(raw), rawLength: raw.length }, never);
  assert.deepEqual(await lines(), [
    {
      metric: { __name__: 'up', job: 'a"b' },
      values: [0, 1],
      timestamps: [1_790_000_000_000, 1_790_000_000_001],
    },
    { metric: { __name__: 'down' }, values: [0], timestamps: [1_790_000_000_000] },
  ]);
});

test('a full file is rotated and never larger than its limit, and every line is whole', async (t) => {
  const { transport, target, lines } = await setUp(t, 'out.jsonl', 4096);
  for (let i = 0; i < 30; i++) {
    const two = Buffer.concat([message(`m${i}`, 5), message(`n${i}`, 5)]);
    await transport.send(block(two), never);
    assert.ok((await stat(target)).size <= 4096);
  }
  const kept = [...(await lines(`${target}.1`)), ...(await lines())];
  assert.ok((await stat(`${target}.1`)).size <= 4096);
  assert.ok(kept.length > 20);
  // The newest lines, without a gap and in order.
  const names = Array.from({ length: 60 }, (_, i) => (i % 2 ? 'n' : 'm') + Math.floor(i / 2)).slice(
    -kept.length,
  );
  assert.deepEqual(
    kept.map(({ metric }) => metric.__name__),
    names,
  );
});

test('parallel sends do not mix their lines', async (t) => {
  const { transport, lines } = await setUp(t, 'out.jsonl');
  await Promise.all(Array.from({ length: 20 }, (_, i) => transport.send(block(message(`m${i}`, 50)), never)));
  assert.equal((await lines()).length, 20);
});

test('an unwritable path rejects, and works as soon as it can be written', async (t) => {
  const { transport, directory, lines, target } = await setUp(t, path.join('sub', 'out.jsonl'));
  await assert.rejects(transport.send(block(message('up', 1)), never), /cannot write .*ENOENT/);
  await mkdir(path.join(directory, 'sub'));
  await transport.send(block(message('up', 1)), never);
  assert.equal((await lines(target)).length, 1);
});

test('a full disk rejects', async () => {
  const transport = file.open(
    { url: 'file:/dev/full', shownUrl: 'x', options: {} },
    { clock: systemClock, log: recordingLogger(), meter: new FakeMeter(), http: () => assert.fail() },
  );
  await assert.rejects(transport.send(block(message('up', 1)), never), /cannot write \/dev\/full: ENOSPC/);
  await transport.close();
});

test('a file of an earlier run is continued', async (t) => {
  const { transport, target, lines } = await setUp(t, 'out.jsonl', 4096);
  await writeFile(target, `${JSON.stringify({ metric: { pad: 'x'.repeat(4050) } })}\n`);
  await transport.send(block(message('up', 1)), never);
  assert.equal((await lines()).length, 1);
  assert.equal((await lines(`${target}.1`)).length, 1);
});

test('a damaged block is refused for good', async (t) => {
  const { transport } = await setUp(t, 'out.jsonl');
  const damaged: WireBlock = {
    codec: 'snappy',
    bytes: Buffer.from('\xff\xff\xff\xff', 'latin1'),
    rawLength: 1,
  };
  assert.equal((await transport.send(damaged, never)).status, 400);
});

test('the URL forms', () => {
  assert.equal(pathOf('file:a/b'), 'a/b');
  assert.equal(pathOf('file:/a/b'), '/a/b');
  assert.equal(pathOf('file:///a/b%20c'), '/a/b c');
});
