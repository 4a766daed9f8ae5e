import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { convertHistograms } from '../../src/engine/native-histograms.ts';
import { remoteWriteType } from '../../src/protocol/schema.ts';

const WriteRequest = remoteWriteType('WriteRequest');
const NOW_MS = 1_790_000_000_000;
const label = (name: string, value: string) => ({ name, value });
const LABELS = [label('__name__', 'h'), label('job', 'x')];

interface Series {
  readonly labels: readonly { name: string; value: string }[];
  readonly samples: readonly { value: number; timestamp: number }[];
  readonly exemplars: readonly object[];
  readonly histograms: readonly object[];
}

const encode = (timeseries: readonly object[]) =>
  WriteRequest.encode(WriteRequest.fromObject({ timeseries })).finish();

function convert(timeseries: readonly object[], bytesMax = 1e9) {
  const converted = convertHistograms(encode(timeseries), bytesMax);
  assert.notEqual(converted, 'too_large');
  const { message, nameless } = converted as Exclude<typeof converted, 'too_large'>;
  const decoded = WriteRequest.toObject(WriteRequest.decode(message), {
    arrays: true,
    longs: Number,
    defaults: true,
  });
  return { message, nameless, series: decoded.timeseries as Series[] };
}

/** `h_bucket vmrange 1 2`: name, bucket and values. */
const shown = (series: readonly Series[]) =>
  series.map(({ labels, samples }) => {
    const of = (name: string) => labels.find((own) => own.name === name)?.value;
    return [of('__name__'), of('vmrange'), ...samples.map(({ value }) => value)]
      .filter((part) => part !== undefined)
      .join(' ');
  });

test('the example that vmagent was seen with', () => {
  const histogram = {
    countInt: 9,
    sum: 12.5,
    schema: 0,
    zeroThreshold: 0.001,
    zeroCountInt: 1,
    positiveSpans: [{ offset: 0, length: 2 }],
    positiveDeltas: [3, 2],
    timestamp: NOW_MS,
  };
  const { series } = convert([{ labels: LABELS, histograms: [histogram], exemplars: [{ value: 1 }] }]);
  assert.deepEqual(shown(series), [
    'h_count 9',
    'h_sum 12.5',
    'h_bucket -1.000e-03...1.000e-03 1',
    'h_bucket 5.000e-01...1.000e+00 3',
    'h_bucket 1.000e+00...2.000e+00 5',
  ]);
  assert.deepEqual(
    series.map(({ samples }) => samples[0]!.timestamp),
    series.map(() => NOW_MS),
  );
  assert.deepEqual(
    series[2]!.labels.map(({ name }) => name),
    ['__name__', 'job', 'vmrange'],
  );
  assert.deepEqual(
    series.map(({ exemplars }) => exemplars.length),
    [1, 0, 0, 0, 0],
  );
});

test('negative buckets, gaps, floats, and buckets of their own bounds', () => {
  const cases: readonly (readonly [object, readonly string[]])[] = [
    [
      {
        negativeSpans: [
          { offset: 1, length: 1 },
          { offset: 2, length: 1 },
        ],
        negativeDeltas: [2, -1],
      },
      ['h_bucket -2.000e+00...-1.000e+00 2', 'h_bucket -1.600e+01...-8.000e+00 1'],
    ],
    [
      { schema: 1, positiveSpans: [{ offset: -1, length: 2 }], positiveDeltas: [1, 1] },
      ['h_bucket 5.000e-01...7.071e-01 1', 'h_bucket 7.071e-01...1.000e+00 2'],
    ],
    [
      { positiveSpans: [{ length: 3 }], positiveCounts: [0.5, 0, 1.5] },
      ['h_bucket 5.000e-01...1.000e+00 0.5', 'h_bucket 2.000e+00...4.000e+00 1.5'],
    ],
    [{ zeroCountFloat: 0.5, zeroThreshold: 0 }, ['h_bucket -0.000e+00...0.000e+00 0.5']],
    [
      { schema: -53, customValues: [0.1, 5], positiveSpans: [{ length: 3 }], positiveDeltas: [1, 1, 1] },
      ['h_bucket -Inf...1.000e-01 1', 'h_bucket 1.000e-01...5.000e+00 2', 'h_bucket 5.000e+00...+Inf 3'],
    ],
    // Right between two of four digits: the even one.
    [{ zeroCountInt: 1, zeroThreshold: 2 ** -6 }, ['h_bucket -1.562e-02...1.562e-02 1']],
    [{ zeroCountInt: 1, zeroThreshold: 2 ** -7 }, ['h_bucket -7.812e-03...7.812e-03 1']],
    // Spans that promise more than there is.
    [
      { positiveSpans: [{ length: 4_000_000_000 }], positiveDeltas: [1] },
      ['h_bucket 5.000e-01...1.000e+00 1'],
    ],
  ];
  for (const [histogram, expected] of cases) {
    const { series } = convert([{ labels: LABELS, histograms: [histogram] }]);
    assert.deepEqual(
      shown(series).filter((text) => text.startsWith('h_bucket')),
      expected,
    );
  }
});

test('a marker of the end is one in count and sum', () => {
  const message = Buffer.from(encode([{ labels: LABELS, histograms: [{ sum: 1234.5, timestamp: NOW_MS }] }]));
  const bits = Buffer.alloc(8);
  bits.writeDoubleLE(1234.5);
  message.writeBigUInt64LE(0x7ff0000000000002n, message.indexOf(bits));
  const converted = convertHistograms(message, 1e9);
  assert.ok(converted !== 'too_large');
  const marker = Buffer.from([2, 0, 0, 0, 0, 0, 0xf0, 0x7f]);
  const bytes = Buffer.from(converted.message);
  const first = bytes.indexOf(marker);
  assert.ok(first > 0 && bytes.indexOf(marker, first + 1) > 0);
});

test('counts stay: whatever is in the buckets of several histograms is in the samples, other series as they were', () => {
  const histogram = fc.record({
    schema: fc.integer({ min: -4, max: 8 }),
    positiveSpans: fc.constant([{ offset: 0, length: 3 }]),
    positiveCounts: fc.array(fc.nat({ max: 1000 }), { minLength: 3, maxLength: 3 }),
    countFloat: fc.nat(),
    timestamp: fc.nat(),
  });
  fc.assert(
    fc.property(fc.array(histogram, { maxLength: 4 }), fc.boolean(), (histograms, hasName) => {
      const labels = hasName ? LABELS : LABELS.slice(1);
      const other = { labels: [label('__name__', 'o')], samples: [{ value: 1, timestamp: 2 }] };
      const { series, nameless, message } = convert([other, { labels, histograms }, other]);
      const first = encode([other]);
      assert.ok(Buffer.from(message).subarray(0, first.length).equals(first));
      assert.ok(Buffer.from(message).subarray(-first.length).equals(first));
      assert.equal(nameless, histograms.length > 0 && !hasName ? 1 : 0);
      const sum = (name: string) =>
        series
          .filter((one) => one.labels.some(({ value }) => value === name))
          .reduce((total, { samples }) => total + samples.reduce((all, { value }) => all + value, 0), 0);
      const buckets = histograms.flatMap(({ positiveCounts }) => positiveCounts).reduce((a, b) => a + b, 0);
      assert.equal(sum('h_bucket'), hasName ? buckets : 0);
      const counts = histograms.reduce((total, { countFloat }) => total + countFloat, 0);
      assert.equal(sum('h_count'), hasName ? counts : 0);
    }),
  );
});

test('there is an end to what a short histogram can become', () => {
  const long = [...LABELS, label('long', 'x'.repeat(1000))];
  const histogram = {
    positiveSpans: [{ length: 1000 }],
    positiveDeltas: [1, ...new Array<number>(999).fill(0)],
  };
  assert.equal(convertHistograms(encode([{ labels: long, histograms: [histogram] }]), 100_000), 'too_large');
});
