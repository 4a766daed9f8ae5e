import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { blockOf, describeFirst, halve, type Message, messageOf } from '../../src/destination/split.ts';
import { addCounts, noCounts } from '../../src/model/body.ts';
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

test('bytes that are no message are refused and never read beyond', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (raw) => {
      try {
        piecesOf({ raw, counts: noCounts });
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'undecodable');
      }
    }),
  );
});
