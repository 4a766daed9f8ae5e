/** What the sink writes is what protobufjs would write, byte for byte. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { remoteWriteType } from '../../src/protocol/schema.ts';
import { SeriesSink, SinkFull } from '../../src/protocol/series-sink.ts';

const encoder = new TextEncoder();
const BYTES_MAX = 8 * 1024 * 1024;

const text = fc.oneof(
  fc.string({ maxLength: 20 }),
  fc.constantFrom('é', 'x'.repeat(33), 'y'.repeat(127), 'z'.repeat(200), 'w'.repeat(20_000)),
);
const series = fc.record(
  {
    labels: fc.array(fc.record({ name: text, value: text }, { noNullPrototype: true }), { maxLength: 6 }),
    samples: fc.array(
      fc.record(
        {
          value: fc.double({ noNaN: true }),
          timestamp: fc.oneof(
            fc.maxSafeInteger(),
            fc.constantFrom(0, -1, 127, 128, 2 ** 31, 2 ** 32, -(2 ** 32)),
          ),
        },
        { noNullPrototype: true },
      ),
      { maxLength: 4 },
    ),
  },
  { noNullPrototype: true },
);

function write(
  sink: SeriesSink,
  all: readonly {
    labels: readonly { name: string; value: string }[];
    samples: readonly { value: number; timestamp: number }[];
  }[],
): void {
  for (const { labels, samples } of all) {
    sink.begin();
    for (const label of labels) {
      const name = encoder.encode(`<${label.name}`);
      const value = encoder.encode(`${label.value}>`);
      sink.label(name, 1, name.byteLength, value, 0, value.byteLength - 1);
    }
    for (const { value, timestamp } of samples) sink.sample(value, timestamp);
    sink.end();
  }
}

test('series come out as protobufjs writes them', () => {
  const type = remoteWriteType('WriteRequest');
  const sink = new SeriesSink(BYTES_MAX);
  fc.assert(
    fc.property(fc.array(series, { maxLength: 8 }), (all) => {
      sink.reset(BYTES_MAX);
      write(sink, all);
      const object = type.toObject(type.decode(sink.bytes), { longs: Number, defaults: true, arrays: true });
      assert.deepEqual(
        object.timeseries.map(({ labels, samples }: (typeof all)[number]) => ({ labels, samples })),
        all,
      );
      assert.equal(sink.series, all.length);
      assert.equal(
        sink.samples,
        all.reduce((sum, { samples }) => sum + samples.length, 0),
      );
    }),
  );
});

test('exemplars and native histograms come out as protobufjs writes them, and their labels are none of the series', () => {
  const type = remoteWriteType('WriteRequest');
  const histogram = type.root.lookupType('prometheus.Histogram');
  const sink = new SeriesSink(BYTES_MAX);
  const label = fc.record({ name: text, value: text }, { noNullPrototype: true });
  const exemplar = fc.record(
    {
      labels: fc.array(label, { maxLength: 3 }),
      dropped: fc.array(label, { maxLength: 2 }),
      value: fc.double({ noNaN: true }),
      timestamp: fc.maxSafeInteger(),
    },
    { noNullPrototype: true },
  );
  const one = fc.record(
    {
      labels: fc.array(label, { maxLength: 2 }),
      exemplars: fc.array(exemplar, { maxLength: 3 }),
      sums: fc.array(fc.double({ noNaN: true }), { maxLength: 2 }),
      isCancelled: fc.boolean(),
    },
    { noNullPrototype: true },
  );
  const put = ({ name, value }: { name: string; value: string }) => {
    const [nameBytes, valueBytes] = [encoder.encode(name), encoder.encode(value)];
    sink.label(nameBytes, 0, nameBytes.byteLength, valueBytes, 0, valueBytes.byteLength);
  };
  fc.assert(
    fc.property(fc.array(one, { maxLength: 6 }), (all) => {
      sink.reset(BYTES_MAX);
      for (const { labels, exemplars, sums, isCancelled } of all) {
        sink.begin();
        for (const each of labels) put(each);
        for (const each of exemplars) {
          sink.beginExemplar();
          for (const own of each.labels) put(own);
          const position = sink.exemplarPosition;
          assert.equal(sink.exemplarBytes.byteLength, position);
          for (const own of each.dropped) put(own);
          sink.cutExemplar(position);
          const bytes = Buffer.alloc(9);
          bytes.writeDoubleLE(each.value, 1);
          sink.endExemplar(bytes, 1, each.timestamp);
        }
        for (const sum of sums) {
          const bytes = histogram.encode({ sum, countInt: 1 }).finish();
          sink.histogram(bytes, 0, bytes.byteLength);
        }
        if (isCancelled) sink.cancel();
        else sink.end();
      }
      const kept = all.filter(({ isCancelled }) => !isCancelled);
      const { timeseries } = type.toObject(type.decode(sink.bytes), {
        longs: Number,
        defaults: true,
        arrays: true,
      });
      assert.deepEqual(
        // biome-ignore lint/suspicious/noExplicitAny: the shape is that of the schema.
        timeseries.map(({ labels, exemplars, histograms }: any) => ({
          labels,
          exemplars,
          sums: histograms.map(({ sum }: { sum: number }) => sum),
        })),
        kept.map(({ labels, exemplars, sums }) => ({
          labels,
          exemplars: exemplars.map(({ dropped: _, ...each }) => each),
          sums,
        })),
      );
      const count = (key: 'labels' | 'exemplars' | 'sums') =>
        kept.reduce((sum, each) => sum + each[key].length, 0);
      const { counts, labels, everySeriesHasData } = sink.found;
      assert.deepEqual(
        [counts.series, counts.exemplars, counts.histograms, counts.samples, labels],
        [kept.length, count('exemplars'), count('sums'), 0, count('labels')],
      );
      assert.equal(
        everySeriesHasData,
        kept.every(({ exemplars, sums }) => exemplars.length + sums.length > 0),
      );
    }),
  );
});

test('labels of the last series are repeated, whatever the length of its head', () => {
  for (const length of [1, 100, 300, 17_000]) {
    const sink = new SeriesSink(BYTES_MAX);
    const value = encoder.encode('v'.repeat(length));
    sink.begin();
    sink.name(encoder.encode('first'), 0, 5);
    const from = sink.position;
    sink.label(encoder.encode('tag'), 0, 3, value, 0, length);
    const to = sink.position;
    sink.sample(1, 1);
    sink.end();
    for (const name of ['second', 'third']) {
      sink.begin();
      sink.name(encoder.encode(name), 0, name.length);
      const again = sink.position;
      sink.repeat(name === 'second' ? from : from + 1, name === 'second' ? to : to + 1, 1);
      assert.equal(sink.position - again, to - from);
      sink.sample(2, 2);
      sink.end();
    }
    const type = remoteWriteType('WriteRequest');
    const { timeseries } = type.toObject(type.decode(sink.bytes));
    for (const { labels } of timeseries) assert.equal(labels[1].value.length, length);
  }
});

test('a sink that is full stops the parser, and is as new after a reset', () => {
  const sink = new SeriesSink(100_000);
  const one = [{ labels: [{ name: 'a', value: 'x'.repeat(1_000) }], samples: [{ value: 1, timestamp: 1 }] }];
  assert.throws(() => {
    for (let count = 0; count < 1_000; count++) write(sink, one);
  }, SinkFull);
  sink.reset(100_000);
  write(sink, one);
  assert.deepEqual([sink.series, sink.samples, sink.rowsInvalid], [1, 1, 0]);
});

test('NaN has the bits that Go gives it, and huge timestamps end where int64 ends', () => {
  const sink = new SeriesSink(BYTES_MAX);
  sink.begin();
  sink.sample(Number.NaN, 1e300);
  sink.sample(0, -1e300);
  sink.end();
  const { bytes } = sink;
  assert.equal(Buffer.from(bytes).subarray(5, 13).toString('hex'), '010000000000f87f');
  const type = remoteWriteType('WriteRequest');
  const { timeseries } = type.toObject(type.decode(bytes), { longs: String });
  assert.match(timeseries[0].samples[0].timestamp, /^9223372036854774784$/);
  assert.match(timeseries[0].samples[1].timestamp, /^-9223372036854775808$/);
});

test('a few examples of invalid rows are kept, escaped and cut', () => {
  const sink = new SeriesSink(BYTES_MAX);
  const bytes = encoder.encode(`bad\u0000"${'x'.repeat(1_000)}`);
  for (let line = 1; line <= 20; line++) sink.skip(line, 'why', bytes, 0, bytes.byteLength);
  assert.equal(sink.rowsInvalid, 20);
  assert.equal(sink.examples.length, 5);
  assert.match(sink.examples[0]!, /^line 1: why: "bad\\u0000\\"x+"…$/);
});
