/** What a client can send that is wrong, each with the response it gets from the real daemon. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { compress } from 'snappyjs';
import { assertLedgerBalances, metricSum } from '../support/metrics.ts';
import { temporaryDirectory } from '../support/process.ts';
import {
  bitsOf,
  encodeWriteRequest,
  type PushResponse,
  post,
  push,
  type Series,
} from '../support/remote-write.ts';
import { startSink } from '../support/sink.ts';
import { type RunningSluice, startSluice } from '../support/sluice.ts';
import { until } from '../support/wait.ts';

const MEBIBYTE = 1024 * 1024;

const good: Series[] = [
  {
    labels: { __name__: 'good', job: 'test' },
    points: [{ timestampMs: 1_790_000_000_000, bits: bitsOf(42) }],
  },
];
const goodBody = compress(encodeWriteRequest(good));
const goodZstd = zstdCompressSync(encodeWriteRequest(good));

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return [...bytes, rest];
}

/** A WriteRequest whose only series says that it is longer than what follows. */
const lengthPastTheEnd = Buffer.from([0x0a, ...varint(100), 0x0a, 0x02, 0x0a, 0x00]);

/** 47 bytes whose snappy preamble declares 2.5 GB, the rest is what a literal could be. */
const snappyBomb = Buffer.concat([Buffer.from(varint(2_500_000_000)), Buffer.alloc(42, 0x41)]);

/** 33 MiB of zeros in a frame of a few kilobytes. */
const zstdBomb = zstdCompressSync(Buffer.alloc(33 * MEBIBYTE));

interface Case {
  readonly what: string;
  readonly body: Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
  readonly path?: string;
  readonly status: number;
  /** What the text must say; a 2xx has no text. */
  readonly says?: RegExp;
}

const cases: Case[] = [
  { what: 'a good body', body: goodBody, status: 204 },
  { what: 'an empty body', body: new Uint8Array(), status: 204 },
  {
    what: 'a zstd body',
    body: goodZstd,
    headers: { 'Content-Encoding': 'zstd' },
    status: 204,
  },
  {
    what: 'a snappy body that is called zstd',
    body: goodBody,
    headers: { 'Content-Encoding': 'zstd' },
    status: 204,
  },
  {
    what: 'a snappy body that is called gzip',
    body: goodBody,
    headers: { 'Content-Encoding': 'gzip' },
    status: 204,
  },
  {
    what: 'a gzip body',
    body: gzipSync(encodeWriteRequest(good)),
    headers: { 'Content-Encoding': 'gzip' },
    status: 400,
    says: /snappy/i,
  },
  { what: 'a body that is not compressed', body: encodeWriteRequest(good), status: 400, says: /snappy/i },
  {
    what: 'a truncated snappy body',
    body: goodBody.subarray(0, goodBody.length - 5),
    status: 400,
    says: /snappy/i,
  },
  {
    what: 'a truncated zstd body',
    body: goodZstd.subarray(0, goodZstd.length - 5),
    headers: { 'Content-Encoding': 'zstd' },
    status: 400,
    says: /zstd|snappy/i,
  },
  {
    what: 'a protobuf field with a length past the end',
    body: compress(lengthPastTheEnd),
    status: 400,
    says: /\d/,
  },
  {
    what: 'a snappy body of 47 bytes that declares 2.5 GB',
    body: snappyBomb,
    status: 413,
    says: /maxInsertRequestSize/,
  },
  {
    what: 'a zstd body that decodes to 33 MiB',
    body: zstdBomb,
    headers: { 'Content-Encoding': 'zstd' },
    status: 413,
    says: /maxInsertRequestSize/,
  },
  { what: 'a body of 33 MiB', body: Buffer.alloc(33 * MEBIBYTE), status: 413, says: /maxInsertRequestSize/ },
  {
    what: 'remote write 1.0 that is sent as 2.0',
    body: goodBody,
    headers: { 'Content-Type': 'application/x-protobuf;proto=io.prometheus.write.v2.Request' },
    status: 400,
    says: /the first symbol is not the empty string/,
  },
  {
    what: 'a message that is not known',
    body: goodBody,
    headers: { 'Content-Type': 'application/x-protobuf;proto=io.prometheus.write.v3.Request' },
    status: 415,
    says: /prometheus\.WriteRequest or io\.prometheus\.write\.v2\.Request/,
  },
  {
    what: 'an extra_label without a value',
    body: goodBody,
    path: '/api/v1/write?extra_label=job',
    status: 400,
    says: /extra_label/,
  },
  {
    what: 'a path that does not exist',
    body: goodBody,
    path: '/api/v1/wrote',
    status: 404,
    says: /\/api\/v1\/wrote/,
  },
];

function assertResponse({ status, says }: Case, response: PushResponse): void {
  assert.equal(response.status, status, response.text);
  if (says === undefined) {
    assert.equal(response.text, '');
    return;
  }
  assert.match(response.text, says);
  assert.ok(response.text.endsWith('\n') && !response.text.slice(0, -1).includes('\n'), 'one line of text');
  assert.match(response.headers.get('content-type') ?? '', /^text\/plain; *charset=utf-8$/i);
  assert.equal(response.headers.get('x-content-type-options'), 'nosniff');
}

function peakRssBytes(pid: number): number {
  return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))![1]) * 1024;
}

async function startWithSink(t: TestContext) {
  const sink = await startSink(t);
  const sluice = await startSluice(t, temporaryDirectory(t), [`-remoteWrite.url=${sink.url}`]);
  return { sink, sluice };
}

test('every bad body is answered with its status and reason, and good ones pass', async (t) => {
  const { sink, sluice } = await startWithSink(t);
  for (const one of cases) {
    await t.test(`${one.what}: ${one.status}`, async () => {
      assertResponse(one, await post(sluice.url + (one.path ?? '/api/v1/write'), one.body, one.headers));
    });
  }
  const accepted = cases.filter(({ status, body }) => status === 204 && body.length > 0).length;
  await until('the good samples arrive', 10_000, () => sink.samples.samples === accepted);
  const ledger = assertLedgerBalances(await sluice.metrics());
  assert.equal(ledger.global.received, accepted);
});

test('the protocol handshake of vmagent is answered', async (t) => {
  const { sluice } = await startWithSink(t);
  const response = await fetch(`${sluice.url}/api/v1/write?get_vm_proto_version=1`);
  assert.deepEqual([response.status, await response.text()], [200, '1']);
});

test('decompression bombs are refused before memory is taken for them', async (t) => {
  const { sluice } = await startWithSink(t);
  await push(`${sluice.url}/api/v1/write`, good);
  const before = peakRssBytes(sluice.program.pid);
  for (let round = 0; round < 16; round++) {
    const statuses = await Promise.all(
      [snappyBomb, snappyBomb, snappyBomb, snappyBomb].map(
        async (body) => (await post(`${sluice.url}/api/v1/write`, body)).status,
      ),
    );
    assert.deepEqual(statuses, [413, 413, 413, 413]);
  }
  const grown = (peakRssBytes(sluice.program.pid) - before) / MEBIBYTE;
  assert.ok(grown < 32, `64 bombs of 2.5 GB made the daemon grow by ${grown.toFixed(0)} MiB`);
});

/** A client that begins a request and then sends nothing more. */
async function openSlowly({ port }: RunningSluice): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined); // the server may cut it with a reset
  await once(socket, 'connect');
  socket.write('POST /api/v1/write HTTP/1.1\r\nHost: relay\r\nX-Slow: ');
  return socket;
}

test('2,000 slow connections do not keep others from writing, and are cut', async (t) => {
  const { sink, sluice } = await startWithSink(t);
  const slow: Socket[] = [];
  t.after(() => {
    for (const socket of slow) socket.destroy();
  });
  while (slow.length < 2_000) {
    slow.push(...(await Promise.all(Array.from({ length: 100 }, () => openSlowly(sluice)))));
  }
  assert.equal((await push(`${sluice.url}/api/v1/write`, good)).status, 204);
  await until('the sample arrives', 10_000, () => sink.samples.samples === 1);
  for (const socket of slow) socket.resume(); // to see the end of the connection
  await until('all slow connections are cut', 60_000, () =>
    slow.every((socket) => socket.closed || socket.readableEnded),
  );
  assert.equal(
    metricSum(await sluice.metrics(), 'vmagent_rows_inserted_total', { type: 'promremotewrite' }),
    1,
  );
});
