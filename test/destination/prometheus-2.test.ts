import assert from 'node:assert/strict';
import { test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { compress, uncompress } from 'snappyjs';
import type { Header, HttpResponse, WireBlock } from '../../src/destination/destination.ts';
import { Families } from '../../src/destination/families.ts';
import { prometheus } from '../../src/destination/prometheus.ts';
import { toRequest2 } from '../../src/destination/request-2.ts';
import { remoteWriteType } from '../../src/protocol/schema.ts';
import { systemClock } from '../../src/util/clock.ts';
import { FakeMeter } from '../deliver/support.ts';
import { recordingLogger } from '../support/quiet-logger.ts';
import { Request2 } from '../support/remote-write-2.ts';

const never = new AbortController().signal;
const WriteRequest = remoteWriteType('WriteRequest');

function message(names: readonly string[], metadata: readonly object[] = []): Uint8Array {
  const timeseries = names.map((name) => ({
    labels: [
      { name: '__name__', value: name },
      { name: 'job', value: 'x' },
    ],
    samples: [{ value: 1.5, timestamp: 1_790_000_000_000 }],
  }));
  return WriteRequest.encode(WriteRequest.fromObject({ timeseries, metadata })).finish();
}

const snappyBlock = (raw: Uint8Array): WireBlock => ({
  codec: 'snappy',
  bytes: compress(raw),
  rawLength: raw.length,
});

const decode = (bytes: Uint8Array) =>
  Request2.toObject(Request2.decode(uncompress(bytes)), { longs: Number }) as {
    symbols: string[];
    timeseries: { labelsRefs: number[]; samples: object[]; metadata?: { type: number; helpRef: number } }[];
  };

const WRITTEN = {
  'x-prometheus-remote-write-samples-written': '2',
  'x-prometheus-remote-write-histograms-written': '0',
};

function setUp(answers: readonly Partial<HttpResponse>[]) {
  const posts: { headers: Readonly<Record<string, string>>; body: Uint8Array }[] = [];
  const meter = new FakeMeter();
  const log = recordingLogger();
  const http = {
    post: async (headers: readonly Header[], body: Uint8Array) => {
      posts.push({ headers: Object.fromEntries(headers), body });
      const answer = answers[Math.min(posts.length, answers.length) - 1]!;
      return { status: 204, text: '', headers: {}, ...answer };
    },
    isDoneWith: () => true,
    close: async () => {},
  };
  const options = { 'remoteWrite.protobufMessage': 'io.prometheus.write.v2.Request' };
  const config = { url: 'http://a/', shownUrl: '1:secret-url', options };
  const transport = prometheus.open(config, { clock: systemClock, log, meter, http: () => http });
  const isSecond = () => meter.value('sluice_remote_write_2', { url: '1:secret-url' });
  return { posts, transport, log, isSecond, meter };
}

test('a block goes out as a Request of 2.0 with its headers', async () => {
  const { posts, transport, isSecond } = setUp([{ headers: WRITTEN }]);
  const block = snappyBlock(message(['a', 'b']));
  const { written, sentBytes, status } = await transport.send(block, never);
  assert.equal(status, 204);
  assert.deepEqual(written, { samples: 2, histograms: 0, exemplars: 0 });
  const [{ headers, body } = assert.fail()] = posts;
  assert.equal(sentBytes, body.byteLength);
  assert.match(headers['User-Agent']!, /^sluice\//);
  assert.equal(headers['Content-Type'], 'application/x-protobuf;proto=io.prometheus.write.v2.Request');
  assert.equal(headers['Content-Encoding'], 'snappy');
  assert.equal(headers['X-Prometheus-Remote-Write-Version'], '2.0.0');
  const { symbols, timeseries } = decode(body);
  assert.deepEqual(symbols, ['', '__name__', 'a', 'job', 'x', 'b']);
  assert.deepEqual(
    timeseries.map(({ labelsRefs }) => labelsRefs),
    [
      [1, 2, 3, 4],
      [1, 5, 3, 4],
    ],
  );
  assert.equal(isSecond(), 1);
  await transport.send(block, never);
  assert.equal(posts[1]!.body, body, 'what is tried again is not written anew');
});

test('metadata is remembered, and goes with every series of its family', async () => {
  const { posts, transport } = setUp([{ headers: WRITTEN }]);
  await transport.send(
    snappyBlock(message([], [{ type: 3, metricFamilyName: 'a', help: 'about a' }])),
    never,
  );
  await transport.send(snappyBlock(message(['a_bucket', 'b'])), never);
  assert.equal(posts.length, 1, 'metadata alone is not sent');
  const { symbols, timeseries } = decode(posts[0]!.body);
  assert.equal(symbols[timeseries[0]!.metadata!.helpRef], 'about a');
  assert.equal(timeseries[0]!.metadata!.type, 3);
  assert.equal(timeseries[1]!.metadata, undefined);
});

test('who does not know 2.0 gets 1.0, with the same data at once, and from then on', async () => {
  const answers: readonly (readonly [string, Partial<HttpResponse>])[] = [
    ['415', { status: 415, text: 'what is this' }],
    ['a success that names nothing written', { status: 200 }],
    ['400', { status: 400, text: 'what is this' }],
  ];
  for (const [what, answer] of answers) {
    const { posts, transport, log, isSecond } = setUp([answer, { status: 204 }]);
    const block = snappyBlock(message(['a', 'b']));
    const { status, written } = await transport.send(block, never);
    assert.deepEqual([status, written], [204, undefined], what);
    await transport.send(block, never);
    assert.deepEqual(
      posts.map(({ headers }) => [headers['X-Prometheus-Remote-Write-Version'], headers['Content-Type']]),
      [
        ['2.0.0', 'application/x-protobuf;proto=io.prometheus.write.v2.Request'],
        ['0.1.0', 'application/x-protobuf'],
        ['0.1.0', 'application/x-protobuf'],
      ],
      what,
    );
    assert.equal(posts[1]!.body, block.bytes, what);
    assert.equal(isSecond(), 0, what);
    assert.deepEqual(
      log.lines.map(({ level }) => level),
      ['warn'],
      what,
    );
  }
});

test('other refusals are no reason to fall back, and say what was written', async () => {
  const { transport, isSecond } = setUp([
    {
      status: 400,
      text: 'bad',
      headers: { ...WRITTEN, 'x-prometheus-remote-write-exemplars-written': ['1', '2'] },
    },
    { status: 400, text: 'bad' },
    { status: 503, text: 'later', retryAfter: '3' },
    { status: 400, text: 'bad', headers: { 'x-prometheus-remote-write-samples-written': '-1' } },
  ]);
  const block = snappyBlock(message(['a', 'b']));
  assert.deepEqual((await transport.send(block, never)).written, { samples: 2, histograms: 0, exemplars: 1 });
  assert.deepEqual((await transport.send(block, never)).written, { samples: 0, histograms: 0, exemplars: 0 });
  assert.equal((await transport.send(block, never)).retryAfter, '3');
  assert.equal((await transport.send(block, never)).written!.samples, 0);
  assert.equal(isSecond(), 1);
});

test('a 400 that has other reasons is none, and is not asked again of who knows 2.0', async () => {
  const unknown = setUp([{ status: 400, text: 'bad' }]);
  const block = snappyBlock(message(['a', 'b']));
  assert.equal((await unknown.transport.send(block, never)).status, 400);
  assert.deepEqual([unknown.posts.length, unknown.isSecond()], [2, 1]);
  const known = setUp([{ headers: WRITTEN }, { status: 400, text: 'bad' }]);
  await known.transport.send(block, never);
  assert.equal((await known.transport.send(block, never)).status, 400);
  assert.deepEqual([known.posts.length, known.isSecond()], [2, 1]);
});

test('blocks of both codecs become the same; damaged ones are told as such', async () => {
  const raw = message(['a']);
  const snappy = await toRequest2(snappyBlock(raw), new Families());
  const zstd = await toRequest2(
    { codec: 'zstd', bytes: zstdCompressSync(raw), rawLength: raw.length },
    new Families(),
  );
  assert.deepEqual(zstd, snappy);
  const damaged: readonly WireBlock[] = [
    { codec: 'snappy', bytes: Uint8Array.of(), rawLength: 0 },
    { codec: 'snappy', bytes: Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f), rawLength: 0 },
    { codec: 'snappy', bytes: Uint8Array.of(5, 0, 1), rawLength: 5 },
    { codec: 'zstd', bytes: Uint8Array.of(1, 2), rawLength: 5 },
    snappyBlock(Uint8Array.of(0x0a, 0x05)),
  ];
  const { transport, posts } = setUp([{}]);
  for (const block of damaged) {
    await assert.rejects(toRequest2(block, new Families()), { code: 'undecodable' });
    const { status, text } = await transport.send(block, never);
    assert.equal(status, 400);
    assert.match(text, /cannot decode/);
  }
  assert.equal(posts.length, 0);
});
