/** Data points against a plain reading of what protobufjs decodes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { opentelemetry } from '../../src/protocol/opentelemetry.ts';
import { remoteWriteType } from '../../src/protocol/schema.ts';
import { SeriesSink } from '../../src/protocol/series-sink.ts';
import { encode, plainRows, requestOf, TIME_MS, TIME_NS } from './otlp-support.ts';
import { defaultsOf, parse, rowsOf, show } from './support.ts';

const pair = (key: string, value: object) => ({ key, value });
const text = (key: string, value: string) => pair(key, { stringValue: value });
const rows = (...metrics: object[]) => rowsOf(opentelemetry, encode(requestOf(...metrics)));
const gauge = (...dataPoints: object[]) => ({ name: 'g', gauge: { dataPoints } });
const at = (point: object) => ({ timeUnixNano: TIME_NS, ...point });

test('numbers are doubles or integers', () => {
  assert.deepEqual(rows(gauge(at({ asDouble: 1.5 }), at({ asInt: '-9007199254740993' }), { asDouble: 2 })), [
    `g{} 1.5@${TIME_MS}`,
    `g{} -9007199254740992@${TIME_MS}`,
    'g{} 2@0',
  ]);
  assert.deepEqual(rows({ name: 'd', sum: { dataPoints: [{ asInt: 3 }], aggregationTemporality: 1 } }), [
    'd{} 3@0',
  ]);
});

test('times are cut to milliseconds, up to the last one', () => {
  const times: [string, number][] = [
    ['0', 0],
    ['999999', 0],
    ['1000000', 1],
    ['4294967295', 4294],
    ['4294967296', 4294],
    ['18446744073709551615', 18446744073709],
  ];
  for (const [timeUnixNano, expected] of times) {
    assert.deepEqual(rows(gauge({ timeUnixNano, asInt: 1 })), [`g{} 1@${expected}`]);
  }
});

test('values keep their bits, and an end of recording has that of a series', () => {
  const bits = (bytes: Uint8Array) => {
    const sink = new SeriesSink(1 << 20);
    const options = defaultsOf(opentelemetry.options);
    assert.equal(opentelemetry.parse!(bytes, { parameters: {}, receivedMs: 0, options }, sink), undefined);
    const at = Buffer.from(sink.bytes).indexOf(Buffer.from([0x12, 0x0b, 0x09])) + 3;
    return Buffer.from(sink.bytes.subarray(at, at + 8))
      .readBigUInt64LE()
      .toString(16);
  };
  const raw = Buffer.from(encode(requestOf(gauge({ asDouble: 12345.678 }))));
  const place = raw.indexOf(Buffer.from(new Float64Array([12345.678]).buffer));
  for (const pattern of [
    0x7ff0000000000002n,
    0x7ff8000000000001n,
    0x8000000000000000n,
    0x7ff0000000000000n,
    1n,
  ]) {
    raw.writeBigUInt64LE(pattern, place);
    assert.equal(bits(raw), pattern.toString(16));
  }
  for (const point of [{ flags: 1 }, { flags: 3, asDouble: 5 }, { flags: 1, asInt: 5 }]) {
    assert.equal(bits(encode(requestOf(gauge(point)))), '7ff0000000000002');
  }
});

test('a number without a value, and a histogram that does not add up, are left out; the others are taken', () => {
  const request = requestOf(gauge({ timeUnixNano: TIME_NS }, at({ asInt: 1 })), {
    name: 'h\n',
    histogram: {
      dataPoints: [
        { count: 1, bucketCounts: [1, 2], explicitBounds: [1, 2] },
        { count: 1, explicitBounds: [1] },
        { count: 1, bucketCounts: [1, 2] },
      ],
    },
  });
  const { failure, rows: taken, invalid, examples } = parse(opentelemetry, encode(request));
  assert.equal(failure, undefined);
  assert.deepEqual(taken.map(show), [`g{} 1@${TIME_MS}`]);
  assert.equal(invalid, 4);
  assert.deepEqual(examples, [
    'a data point of "g" without a value',
    'a histogram "h\\n" with 2 bucket counts for 2 bounds, not one more',
    'a histogram "h\\n" with 0 bucket counts for 1 bounds, not one more',
    'a histogram "h\\n" with 2 bucket counts for 0 bounds, not one more',
  ]);
});

test('a histogram has a count, a sum if it is there, and buckets that add up', () => {
  const histogram = (point: object) => rows({ name: 'h', histogram: { dataPoints: [point] } });
  assert.deepEqual(
    histogram({
      count: 7,
      sum: -0.5,
      bucketCounts: [1, 0, 6],
      explicitBounds: [0.005, 1e21],
      attributes: [text('a', 'b')],
    }),
    [
      'h_count{a="b"} 7@0',
      'h_sum{a="b"} -0.5@0',
      'h_bucket{a="b",le="0.005"} 1@0',
      'h_bucket{a="b",le="1000000000000000000000"} 1@0',
      'h_bucket{a="b",le="+Inf"} 7@0',
    ],
  );
  assert.deepEqual(histogram({ count: 3, bucketCounts: [3], min: 1, max: 2 }), [
    'h_count{} 3@0',
    'h_bucket{le="+Inf"} 3@0',
  ]);
  assert.deepEqual(histogram({ count: 3, sum: 1 }), [
    'h_count{} 3@0',
    'h_sum{} 1@0',
    'h_bucket{le="+Inf"} 3@0',
  ]);
  const big = '18446744073709551615';
  assert.deepEqual(histogram({ count: big, bucketCounts: [big, 2], explicitBounds: [-0] }), [
    'h_count{} 18446744073709552000@0',
    'h_bucket{le="-0"} 18446744073709552000@0',
    'h_bucket{le="+Inf"} 1@0',
  ]);
  assert.equal(histogram({ flags: 1, bucketCounts: [3] }).length, 2);
});

test('an exponential histogram has ranges of VictoriaMetrics', () => {
  const exponential = (point: object) => rows({ name: 'e', exponentialHistogram: { dataPoints: [point] } });
  assert.deepEqual(
    exponential({
      count: 15,
      sum: 3.25,
      scale: 1,
      zeroCount: 4,
      zeroThreshold: 0.001,
      positive: { offset: -2, bucketCounts: [1, 0, 2] },
      negative: { offset: 1, bucketCounts: [5] },
    }),
    [
      'e_count{} 15@0',
      'e_sum{} 3.25@0',
      'e_bucket{vmrange="-1.000e-03...1.000e-03"} 4@0',
      'e_bucket{vmrange="5.000e-01...7.071e-01"} 1@0',
      'e_bucket{vmrange="1.000e+00...1.414e+00"} 2@0',
      'e_bucket{vmrange="-2.000e+00...-1.414e+00"} 5@0',
    ],
  );
  assert.deepEqual(exponential({ count: 0 }), ['e_count{} 0@0', 'e_sum{} 0@0']);
  assert.deepEqual(
    exponential({ positive: { offset: 2 ** 31 - 1, bucketCounts: [1] }, scale: -(2 ** 31) }).at(-1),
    'e_bucket{vmrange="+Inf...+Inf"} 1@0',
  );
});

test('a summary has a count, a sum and quantiles', () => {
  const point = at({
    count: 5,
    sum: 1.25,
    quantileValues: [{ quantile: 0.5, value: 1 }, { value: 3 }, { quantile: 0.99 }],
  });
  assert.deepEqual(rows({ name: 's', summary: { dataPoints: [point, { flags: 1 }] } }), [
    `s_count{} 5@${TIME_MS}`,
    `s_sum{} 1.25@${TIME_MS}`,
    `s{quantile="0.5"} 1@${TIME_MS}`,
    `s{quantile="0"} 3@${TIME_MS}`,
    `s{quantile="0.99"} 0@${TIME_MS}`,
    's_count{} NaN@0',
    's_sum{} NaN@0',
  ]);
});

// Against the plain reading.

const count = fc.oneof(fc.nat(1_000), fc.bigInt({ min: 0n, max: 2n ** 60n }).map(String));
const number = fc.oneof(
  fc.integer({ min: -1_000_000, max: 1_000_000 }).map((one) => one / 8),
  fc.constantFrom(0, 0.005, 123456.75),
);
const key = fc.constantFrom('a', 'b', 'service.name', 'é', '');
const scalar = fc.oneof(
  { weight: 4, arbitrary: fc.record({ stringValue: fc.string({ maxLength: 6, unit: 'grapheme' }) }) },
  fc.record({ boolValue: fc.boolean() }),
  fc.record({ intValue: fc.integer() }),
  fc.record({ doubleValue: number.filter((one) => Math.abs(one) < 1e6) }),
  fc.record({ bytesValue: fc.uint8Array({ maxLength: 5 }) }),
);
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    scalar,
    fc.record({ arrayValue: fc.record({ values: fc.array(scalar, { maxLength: 3 }) }) }),
    fc.record({
      kvlistValue: fc.record({ values: fc.array(fc.record({ key, value: tie('value') }), { maxLength: 3 }) }),
    }),
    fc.constant({}),
  ),
}));
const attributes = fc.array(fc.record({ key, value }), { maxLength: 4 });
const id = (length: number) =>
  fc.option(
    fc.oneof(fc.uint8Array({ minLength: length, maxLength: length }), fc.constant(new Uint8Array(length))),
    { nil: undefined },
  );
const exemplar = fc
  .record({
    timeUnixNano: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String),
    traceId: id(16),
    spanId: id(8),
    filteredAttributes: fc.array(
      fc.record({
        key,
        value: fc.oneof(value, fc.record({ stringValue: fc.constantFrom('é'.repeat(60), 'x'.repeat(122)) })),
      }),
      { maxLength: 3 },
    ),
  })
  .chain((one) =>
    fc.oneof(
      number.map((asDouble) => ({ ...one, asDouble })),
      fc.integer().map((asInt) => ({ ...one, asInt })),
      fc.constant(one),
    ),
  );
const common = {
  exemplars: fc.oneof(fc.constant([]), fc.array(exemplar, { maxLength: 4 })),
  attributes,
  timeUnixNano: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String),
  flags: fc.constantFrom(0, 0, 0, 1, 2),
};
const numberPoint = fc.oneof(
  fc.record({ ...common, asDouble: number }),
  fc.record({ ...common, asInt: fc.integer() }),
);
const histogramPoint = fc
  .record({
    ...common,
    count,
    sum: fc.option(number, { nil: undefined }),
    bounds: fc.array(number, { maxLength: 5 }).map((all) => all.toSorted((a, b) => a - b)),
    hasBuckets: fc.boolean(),
  })
  .chain(({ bounds, hasBuckets, ...point }) => {
    if (!hasBuckets) return fc.constant(point);
    const counts = fc.array(count, { minLength: bounds.length + 1, maxLength: bounds.length + 1 });
    return counts.map((bucketCounts) => ({ ...point, explicitBounds: bounds, bucketCounts }));
  });
const { exemplars: _, ...plainCommon } = common;
const summaryPoint = fc.record({
  ...plainCommon,
  count,
  sum: number,
  quantileValues: fc.array(fc.record({ quantile: number, value: number }), { maxLength: 3 }),
});
const data = (point: fc.Arbitrary<object>) => fc.record({ dataPoints: fc.array(point, { maxLength: 3 }) });
const name = fc.constantFrom('m', 'http.server.duration', 'x'.repeat(200));
const metric = fc.oneof(
  fc.record({ name, gauge: data(numberPoint) }),
  fc.record({ name, sum: data(numberPoint) }),
  fc.record({ name, histogram: data(histogramPoint) }),
  fc.record({ name, summary: data(summaryPoint) }),
);
const scope = fc.record({
  name: fc.constantFrom(undefined, 'lib'),
  version: fc.constantFrom(undefined, '1'),
  attributes: fc.array(fc.record({ key, value: scalar }), { maxLength: 2 }),
});
const request = fc.record({
  resourceMetrics: fc.array(
    fc.record({
      resource: fc.option(fc.record({ attributes }), { nil: undefined }),
      scopeMetrics: fc.array(
        fc.record({
          scope: fc.option(scope, { nil: undefined }),
          metrics: fc.array(metric, { maxLength: 3 }),
        }),
        { maxLength: 3 },
      ),
    }),
    { maxLength: 3 },
  ),
});

type LabelMessages = readonly { readonly name: string; readonly value: string }[];

interface SeriesMessage {
  readonly labels: LabelMessages;
  readonly samples: readonly { readonly value: number; readonly timestamp: number }[];
  readonly exemplars?: readonly { readonly labels?: LabelMessages }[];
}

const pairsOf = (labels: LabelMessages = []) => labels.map((label) => [label.name, label.value]);

/** Labels, bits of the value, and time, as protobufjs finds them. */
function found(bytes: Uint8Array): unknown[] {
  const type = remoteWriteType('WriteRequest');
  const { timeseries = [] } = type.toObject(type.decode(bytes), { longs: Number, defaults: true });
  return (timeseries as SeriesMessage[]).map(({ labels, samples: [sample], exemplars = [] }) => ({
    labels: pairsOf(labels),
    value: Number.isNaN(sample!.value) ? 'stale' : sample!.value,
    timestamp: sample!.timestamp,
    exemplars: exemplars.map((one) => ({ ...one, labels: pairsOf(one.labels) })),
  }));
}

test('whatever protobufjs writes becomes the rows of a plain reading', () => {
  const sink = new SeriesSink(1 << 26);
  const options = defaultsOf(opentelemetry.options);
  fc.assert(
    fc.property(request, (message) => {
      const bytes = encode(
        JSON.parse(
          JSON.stringify(message, (_, one) =>
            one instanceof Uint8Array ? Buffer.from(one).toString('base64') : one,
          ),
        ),
      );
      sink.reset(1 << 26);
      assert.equal(opentelemetry.parse!(bytes, { parameters: {}, receivedMs: 0, options }, sink), undefined);
      assert.deepEqual(found(sink.bytes), plainRows(bytes));
    }),
    { numRuns: 300 },
  );
});
