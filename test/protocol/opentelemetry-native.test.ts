/** Exponential histograms as native ones, read back by protobufjs and taken apart by a plain model. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { opentelemetry } from '../../src/protocol/opentelemetry.ts';
import { remoteWriteType } from '../../src/protocol/schema.ts';
import { SeriesSink } from '../../src/protocol/series-sink.ts';
import { encode, requestOf, TIME_MS, TIME_NS } from './otlp-support.ts';
import { defaultsOf } from './support.ts';

interface NativeMessage {
  readonly countInt: string;
  readonly sum: number;
  readonly schema: number;
  readonly zeroThreshold: number;
  readonly zeroCountInt: string;
  readonly negativeSpans: readonly Span[];
  readonly negativeDeltas: readonly string[];
  readonly positiveSpans: readonly Span[];
  readonly positiveDeltas: readonly string[];
  readonly resetHint: number;
  readonly timestamp: string;
}
interface Span {
  readonly offset: number;
  readonly length: number;
}

interface SeriesMessage {
  readonly labels: readonly unknown[];
  readonly samples: readonly unknown[];
  readonly histograms: readonly NativeMessage[];
}

/** With integers of 64 bits as texts. */
function read(body: Uint8Array) {
  const sink = new SeriesSink(1 << 20);
  const options = { ...defaultsOf(opentelemetry.options), 'opentelemetry.nativeHistograms': true };
  assert.equal(opentelemetry.parse!(body, { parameters: {}, receivedMs: 0, options }, sink), undefined);
  const type = remoteWriteType('WriteRequest');
  const { timeseries } = type.toObject(type.decode(sink.bytes), { longs: String, defaults: true });
  const histograms = (timeseries as SeriesMessage[]).map(({ labels, samples, histograms: found }) => {
    assert.deepEqual([labels[0], samples, found.length], [{ name: '__name__', value: 'e' }, [], 1]);
    return found[0]!;
  });
  assert.equal(sink.found.counts.histograms, histograms.length);
  return { histograms, invalid: sink.rowsInvalid, examples: sink.examples };
}

function parsed(dataPoints: readonly object[], aggregationTemporality = 2) {
  const metric = { name: 'e', exponentialHistogram: { dataPoints, aggregationTemporality } };
  return read(encode(requestOf(metric)));
}

function one(point: object, temporality?: number): NativeMessage {
  const { histograms, examples } = parsed([point], temporality);
  assert.deepEqual(examples, []);
  return histograms[0]!;
}

/** Index → count, of the buckets that are not empty. */
function bucketsOf(spans: readonly Span[], deltas: readonly string[]): [number, bigint][] {
  const buckets: [number, bigint][] = [];
  let index = 0;
  let nth = 0;
  let count = 0n;
  for (const { offset, length } of spans) {
    index += offset;
    for (let more = 0; more < length; more++, index++) {
      count += BigInt(deltas[nth++]!);
      if (count !== 0n) buckets.push([index, count]);
    }
  }
  assert.equal(nth, deltas.length);
  return buckets;
}

const UINT64 = 2n ** 64n;
const count = fc.oneof(
  { weight: 3, arbitrary: fc.constant(0n) },
  { weight: 3, arbitrary: fc.bigInt({ min: 1n, max: 300n }) },
  fc.bigInt({ min: 1n, max: 2n ** 57n }),
);
const side = fc.record({
  offset: fc.oneof(fc.integer({ min: -20, max: 20 }), fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 100 })),
  bucketCounts: fc.array(count, { maxLength: 40 }),
});

test('every bucket is where it belongs, whatever the scale', () => {
  const point = fc.record({
    scale: fc.oneof(fc.integer({ min: -4, max: 14 }), fc.constantFrom(20, 40, 60, 2 ** 31 - 1)),
    zeroCount: count,
    sum: fc.option(fc.double({ noNaN: true }), { nil: undefined }),
    positive: side,
    negative: side,
  });
  fc.assert(
    fc.property(point, ({ scale, zeroCount, sum, positive, negative }) => {
      const all = [zeroCount, ...positive.bucketCounts, ...negative.bucketCounts];
      const total = all.reduce((added, each) => added + each, 0n);
      const plain = ({ offset, bucketCounts }: typeof positive) => ({
        offset,
        bucketCounts: bucketCounts.map(String),
      });
      const found = one({
        timeUnixNano: TIME_NS,
        count: String(total % UINT64),
        sum,
        scale,
        zeroCount: String(zeroCount),
        positive: plain(positive),
        negative: plain(negative),
      });
      assert.equal(found.countInt, String(total % UINT64));
      assert.equal(found.schema, Math.min(8, scale));
      assert.equal(found.sum, sum ?? 0);
      assert.equal(found.timestamp, String(TIME_MS));
      for (const name of ['positive', 'negative'] as const) {
        const { offset, bucketCounts } = name === 'positive' ? positive : negative;
        // Halving the scale step by step puts buckets 2i and 2i+1 into i.
        let expected = new Map<bigint, bigint>();
        for (const [nth, each] of bucketCounts.entries()) {
          if (each > 0n) expected.set(BigInt(offset + nth), each);
        }
        for (let left = Math.min(scale - 8, 40); left > 0; left--) {
          const halved = new Map<bigint, bigint>();
          for (const [index, each] of expected)
            halved.set(index >> 1n, (halved.get(index >> 1n) ?? 0n) + each);
          expected = halved;
        }
        assert.deepEqual(
          bucketsOf(found[`${name}Spans`], found[`${name}Deltas`]),
          [...expected].map(([index, each]) => [Number(index) + 1, each]),
        );
      }
    }),
    { numRuns: 500 },
  );
});

test('empty buckets between others are few deltas or a new span, at the ends they are nothing', () => {
  const found = one({
    count: 10,
    positive: { offset: -3, bucketCounts: [0, 1, 0, 0, 2, 0, 0, 0, 3, 4, 0, 0, 0] },
  });
  assert.deepEqual(found.positiveSpans, [
    { offset: -1, length: 4 },
    { offset: 3, length: 2 },
  ]);
  assert.deepEqual(found.positiveDeltas, ['1', '-1', '0', '2', '1', '1']);
  assert.deepEqual([found.negativeSpans, found.negativeDeltas], [[], []]);
});

test('a zero that is not said to go further goes as far as that of Prometheus', () => {
  assert.equal(one({ zeroCount: 1, count: 1 }).zeroThreshold, 1e-128);
  assert.equal(one({ zeroCount: 1, count: 1, zeroThreshold: 0.25 }).zeroThreshold, 0.25);
  assert.equal(one({ zeroCount: 1, count: 1, zeroThreshold: Number.NaN }).zeroThreshold, 1e-128);
});

test('deltas have the hint of a gauge, others none', () => {
  assert.deepEqual(
    [0, 1, 2, 7].map((temporality) => one({ count: 0 }, temporality).resetHint),
    [0, 3, 0, 0],
  );
});

test('the end of a series is the marker of one, and nothing else', () => {
  const metric = {
    name: 'e',
    exponentialHistogram: {
      dataPoints: [{ timeUnixNano: TIME_NS, flags: 1, scale: -9, positive: { bucketCounts: [1] } }],
    },
  };
  const { histograms } = parsed(metric.exponentialHistogram.dataPoints);
  assert.deepEqual(
    [histograms[0]!.countInt, histograms[0]!.sum, histograms[0]!.timestamp],
    [String(0x7ff0000000000002n), Number.NaN, String(TIME_MS)],
  );
  assert.deepEqual([histograms[0]!.positiveSpans, histograms[0]!.positiveDeltas], [[], []]);
});

test('what can be no native histogram is left out, and the others are taken', () => {
  const buckets = (offset: number, ...bucketCounts: (number | string)[]) => ({ offset, bucketCounts });
  const { histograms, invalid, examples } = parsed([
    { count: 1, scale: -5, zeroCount: 1 },
    { count: 2, positive: buckets(0, 1) },
    { count: 1, positive: buckets(2 ** 31 - 1, 1) },
    { count: '9223372036854775808', positive: buckets(0, '9223372036854775808') },
    { count: 3, sum: Number.NaN, negative: buckets(0, 1, 1) },
    { count: 1, sum: Number.NaN, negative: buckets(0, 1, 1) },
    { count: 1, positive: buckets(2 ** 31 - 2, 1) },
  ]);
  assert.equal(invalid, 5);
  assert.deepEqual(examples, [
    'an exponential histogram "e" has the scale -5: none below -4 can be a native histogram',
    'an exponential histogram "e" has a count that is not that of its buckets',
    'an exponential histogram "e" has buckets or counts beyond the largest numbers',
    'an exponential histogram "e" has buckets or counts beyond the largest numbers',
    'an exponential histogram "e" has a count that is not that of its buckets',
  ]);
  assert.deepEqual(
    histograms.map(({ countInt }) => countInt),
    ['3', '1'],
  );
  assert.deepEqual(histograms[1]!.positiveSpans, [{ offset: 2 ** 31 - 1, length: 1 }]);
});

test('buckets may come in several pieces, as protobuf has it', () => {
  const type = (offset: number, bucketCounts: number[]) =>
    encode({ count: 3, positive: { offset, bucketCounts } }, 'ExponentialHistogramDataPoint');
  const point = Buffer.concat([type(9, [1]), type(2, [0, 2])]);
  const wrap = (field: number, content: Uint8Array) =>
    Buffer.concat([Uint8Array.of((field << 3) | 2, content.byteLength), content]);
  const metric = Buffer.concat([wrap(1, Buffer.from('e')), wrap(10, wrap(1, point))]);
  const body = wrap(1, wrap(2, wrap(2, metric)));
  const { histograms, examples } = read(body);
  assert.deepEqual(examples, []);
  const [found] = histograms;
  assert.deepEqual(bucketsOf(found!.positiveSpans, found!.positiveDeltas), [
    [3, 1n],
    [5, 2n],
  ]);
});
