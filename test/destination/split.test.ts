import assert from 'node:assert/strict';
import { test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { compress } from 'snappyjs';
import { blockOf, describeFirst, halve, type Message, messageOf } from '../../src/destination/split.ts';
import { addCounts, noCounts } from '../../src/model/body.ts';
import { remoteWriteType } from '../../src/protocol/schema.ts';
import {
  contentOf,
  decodeBlock,
  encodeRequest,
  request,
  type TestRequest,
} from '../engine/support/messages.ts';

const messageFrom = async (message: TestRequest): Promise<Message> => {
  const raw = encodeRequest(message);
  return messageOf(await blockOf({ raw, counts: noCounts }, 'snappy'));
};

/** All pieces that cannot be cut, in order. */
function piecesOf(message: Message): Message[] {
  const halves = halve(message);
  return halves === undefined ? [message] : halves.flatMap(piecesOf);
}

test('cut to the end, nothing is lost, changed or out of order, and the counts add up', async () => {
  await fc.assert(
    fc.asyncProperty(request, async (original) => {
      const message = await messageFrom(original);
      const content = new Map();
      const sum = { ...noCounts };
      for (const piece of piecesOf(message)) {
        addCounts(sum, piece.counts);
        if (piece.raw.byteLength === 0) continue;
        const { codec, bytes, rawLength } = await blockOf(piece, 'snappy');
        const decoded = decodeBlock({ codec, bytes, rawLength }, content);
        const { series: _, ...counts } = decoded.counts;
        const { series: __, ...known } = piece.counts;
        assert.deepEqual(counts, known);
        assert.ok(piece.counts.samples <= 1 && piece.counts.metadata <= 1);
      }
      assert.deepEqual(content, contentOf([original]));
      const { series: _, ...counts } = sum;
      const { series: __, ...expected } = message.counts;
      assert.deepEqual(counts, expected);
    }),
    { numRuns: 200 },
  );
});

test('the codec is the one that is asked for', async () => {
  const raw = encodeRequest({ series: [], metadata: ['a', 'b'] });
  for (const codec of ['snappy', 'zstd'] as const) {
    const block = await blockOf({ raw, counts: noCounts }, codec);
    assert.equal(block.codec, codec);
    assert.deepEqual(Buffer.from((await messageOf(block)).raw), Buffer.from(raw));
  }
});

test('one bad series among n is found in 2 log2 n requests', async () => {
  const n = 10_000;
  const series = Array.from({ length: n }, (_, index) => ({
    labels: [{ name: '__name__', value: index === 7_777 ? 'bad' : 'good' }],
    points: [{ bits: 1n, timestamp: 5 }],
    exemplars: 0,
  }));
  let requests = 0;
  const parked: string[] = [];
  const send = (message: Message) => {
    requests++;
    if (!Buffer.from(message.raw).includes('bad')) return;
    const halves = halve(message);
    if (halves === undefined) parked.push(describeFirst(message));
    else for (const half of halves) send(half);
  };
  send(await messageFrom({ series, metadata: [] }));
  assert.deepEqual(parked, ['bad{}']);
  assert.ok(requests <= 2 * Math.ceil(Math.log2(n)) + 1, `${requests} requests`);
});

test('series and metadata are described for people', async () => {
  const labels = [
    { name: '__name__', value: 'up' },
    { name: 'job', value: 'a"b\n' },
  ];
  const series = [{ labels, points: [], exemplars: 0 }];
  assert.equal(describeFirst(await messageFrom({ series, metadata: [] })), 'up{job="a\\"b\\n"}');
  assert.equal(
    describeFirst(await messageFrom({ series: [], metadata: ['go_info'] })),
    'metadata of go_info',
  );
  assert.equal(describeFirst(await messageFrom({ series: [], metadata: [] })), 'nothing');
});

/** Of a message that is hostile: many tiny items, with bytes between that need not fit. */
const hostile = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        [0x0a, 0],
        [0x1a, 0],
        [0, 0],
        [0x0a, 2, 0x12, 0],
        [0x0a, 4, 0x22, 0, 0x12, 0],
        [0x0a, 3],
      ),
      fc.uint8Array({ maxLength: 20 }).map((rest) => [0x0a, rest.length, ...rest]),
      fc.uint8Array({ maxLength: 6 }),
    ),
    { maxLength: 12 },
  )
  .map((parts) => Uint8Array.from(parts.flatMap((part) => [...part])));

/** What protobufjs finds in a message. */
function referenceCounts(raw: Uint8Array) {
  const { timeseries, metadata } = remoteWriteType('WriteRequest').decode(raw) as unknown as {
    timeseries: { samples: unknown[]; histograms: unknown[]; exemplars: unknown[] }[];
    metadata: unknown[];
  };
  const counts = { ...noCounts, metadata: metadata.length };
  for (const { samples, histograms, exemplars } of timeseries) {
    addCounts(counts, {
      ...noCounts,
      samples: samples.length,
      histograms: histograms.length,
      exemplars: exemplars.length,
    });
  }
  return counts;
}

test('hostile bytes are refused, or cut into what protobufjs finds in them', async () => {
  let cut = 0;
  await fc.assert(
    fc.asyncProperty(hostile, async (raw) => {
      const bytes = Buffer.from(compress(Buffer.from(raw)));
      const message = await messageOf({ codec: 'snappy', bytes, rawLength: raw.length }).catch((error) => {
        assert.equal(error.code, 'undecodable');
      });
      if (message === undefined) return;
      describeFirst(message);
      const sum = { ...noCounts };
      for (const piece of piecesOf(message)) addCounts(sum, piece.counts);
      let expected: ReturnType<typeof referenceCounts>;
      try {
        expected = referenceCounts(raw);
      } catch {
        return; // It also looks into labels and samples.
      }
      cut++;
      const { series: _, ...counts } = sum;
      const { series: __, ...known } = expected;
      assert.deepEqual(counts, known);
    }),
    { numRuns: 5_000 },
  );
  assert.ok(cut > 100, `${cut} messages were whole`);
});

test('however many items a block claims, cutting it takes no memory for them', async () => {
  // 24 MiB of series without anything, in 1 MiB.
  const raw = Buffer.alloc(24 * 1024 * 1024);
  for (let at = 0; at < raw.byteLength; at += 2) raw[at] = 0x0a;
  const heapBytes = process.memoryUsage().heapUsed;
  const message = await messageOf({ codec: 'zstd', bytes: zstdCompressSync(raw), rawLength: 0 });
  const halves = halve(message)!;
  assert.equal(message.counts.series, 12 * 1024 * 1024);
  assert.deepEqual(
    halves.map(({ counts }) => counts.series),
    [6 * 1024 * 1024, 6 * 1024 * 1024],
  );
  assert.ok(process.memoryUsage().heapUsed - heapBytes < 100 * 1024 * 1024);
});

test('the zeros of a block that ends early are no message', async () => {
  const zeros = zstdCompressSync(Buffer.alloc(1024 * 1024));
  await assert.rejects(messageOf({ codec: 'zstd', bytes: zeros, rawLength: 0 }), { code: 'undecodable' });
  const header = Buffer.from([0x80, 0x80, 0x80, 0x01]);
  await assert.rejects(messageOf({ codec: 'snappy', bytes: header, rawLength: 0 }), { code: 'undecodable' });
});
