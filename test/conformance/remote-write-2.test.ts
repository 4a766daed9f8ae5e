/**
 * The cases of prometheus/compliance for remote write 2.0 that apply to a relay: those of its receiver, where "written" is
 * what the relay accepts, in one run of the real process.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { compress } from 'snappyjs';
import { assertLedgerBalances, metricSum } from '../support/metrics.ts';
import { temporaryDirectory } from '../support/process.ts';
import { encodeWriteRequest, post, STALE_MARKER_BITS } from '../support/remote-write.ts';
import { encodeRequest2, post2, push2, type TestSeries, writtenOf } from '../support/remote-write-2.ts';
import { startSink } from '../support/sink.ts';
import { startSluice } from '../support/sluice.ts';
import { until } from '../support/wait.ts';

const NOW_MS = 1_790_000_000_000;

const labelsOf = (name: string, more: Readonly<Record<string, string>> = {}): [string, string][] =>
  Object.entries({ __name__: name, instance: 'localhost:9090', job: 'test', ...more }).toSorted(([a], [b]) =>
    a < b ? -1 : 1,
  );
const sample = (value = 1, timestamp = NOW_MS) => ({ value, timestamp });
const counter = (name: string, more: Partial<TestSeries> = {}): TestSeries => ({
  labels: labelsOf(name),
  samples: [sample()],
  metadata: { type: 1, help: `help of ${name}` },
  ...more,
});
const histogram = (more: object = {}) => ({
  countInt: 5,
  sum: 12.5,
  schema: 1,
  zeroThreshold: 0.001,
  zeroCountInt: 1,
  positiveSpans: [{ offset: 0, length: 2 }],
  positiveDeltas: [1, 2],
  timestamp: NOW_MS,
  ...more,
});
const exemplar = (value: number, labels: Readonly<Record<string, string>> = { trace_id: 'abc' }) => ({
  labels,
  value,
  timestamp: NOW_MS - 60_000,
});

async function receiver(t: TestContext, flags: readonly string[] = []) {
  const sink = await startSink(t);
  const sluice = await startSluice(t, temporaryDirectory(t), [
    `-remoteWrite.url=${sink.url}`,
    '-remoteWrite.flushInterval=50ms',
    ...flags,
  ]);
  const url = `${sluice.url}/api/v1/write`;
  /** Sends, and checks status and headers. */
  const expects = async (what: string, series: readonly TestSeries[], status: number, written: string) => {
    const answer = await push2(url, series);
    const { samples, histograms, exemplars } = writtenOf(answer);
    assert.deepEqual([answer.status, `${samples},${histograms},${exemplars}`], [status, written], what);
    assert.equal(answer.text === '', status === 204, what);
    return answer.text;
  };
  const finish = async () => {
    const page = await until('everything is delivered', 20_000, async () => {
      const found = await sluice.metrics();
      const { destinations } = assertLedgerBalances(found);
      const [columns] = Object.values(destinations);
      return columns!.pending === 0 && columns!.in_engine === 0 && found;
    });
    assert.equal(
      metricSum(page, 'sluice_ledger_destination_samples', { column: 'delivered' }),
      metricSum(page, 'sluice_ledger_destination_samples', { column: 'received' }),
    );
    return page;
  };
  return { sink, sluice, url, expects, finish };
}

test('samples: whatever the value, with what was written in the answer', async (t) => {
  const { sink, expects, finish } = await receiver(t);
  for (const value of [1, 0, -15.5, 1e308, 1e-308, Number.NaN, Infinity, -Infinity]) {
    await expects(
      `a value of ${value}`,
      [counter(`v_${Math.abs(value)}`, { samples: [sample(value)] })],
      204,
      '1,0,0',
    );
  }
  const series = [
    counter('many_labels', {
      labels: labelsOf(
        'many_labels',
        Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`l${i}`, 'v'])),
      ),
    }),
    counter('newlines', { labels: labelsOf('newlines', { text: 'a\nb\n' }) }),
    counter('with.dots'),
    counter('with spaces'),
    counter('naïve_名前', { labels: labelsOf('naïve_名前', { ключ: '値' }) }),
    counter('long', { labels: labelsOf('long', { long: 'x'.repeat(10_000) }) }),
    counter('three', { samples: [sample(1, NOW_MS), sample(2, NOW_MS + 1), sample(3, NOW_MS + 2)] }),
    counter('created', { createdTimestamp: NOW_MS - 3_600_000 }),
    counter('at_zero', { samples: [sample(1, 0)] }),
  ];
  await expects('names and labels', series, 204, '11,0,0');
  const unsorted = counter('unsorted', {
    labels: [
      ['z', '1'],
      ['__name__', 'unsorted'],
      ['a', '2'],
    ],
  });
  await expects('labels that are not in order', [unsorted], 204, '1,0,0');
  await expects(
    'a label without a value',
    [counter('empty_value', { labels: labelsOf('empty_value', { none: '' }) })],
    204,
    '1,0,0',
  );
  const page = await finish();
  assert.equal(metricSum(page, 'sluice_start_timestamps_left_out_total'), 1);
  assert.equal(sink.samples.samples, 21);
  const keys = [...sink.samples.series.keys()];
  assert.ok(keys.includes('[["__name__","unsorted"],["a","2"],["z","1"]]'));
  assert.ok(keys.includes('[["__name__","empty_value"],["instance","localhost:9090"],["job","test"]]'));
});

test('a stale marker keeps its bits', async (t) => {
  const { sink, url, finish } = await receiver(t);
  const body = Buffer.from(encodeRequest2([counter('stale', { samples: [sample(1234.5)] })]));
  const bits = Buffer.alloc(8);
  bits.writeDoubleLE(1234.5);
  const at = body.indexOf(bits);
  body.writeBigUInt64LE(STALE_MARKER_BITS, at);
  assert.equal((await post2(url, compress(body))).status, 204);
  await finish();
  assert.deepEqual(
    [...sink.samples].map((point) => point.bits),
    [STALE_MARKER_BITS],
  );
});

test('what is invalid is refused alone, and the answer says how much was written', async (t) => {
  const { expects, finish } = await receiver(t);
  const nameless = { labels: [['job', 'test']] as const, samples: [sample()] };
  const partial = await expects(
    '1 of 4 without a name',
    [counter('a'), counter('b'), nameless, counter('c')],
    400,
    '3,0,0',
  );
  assert.match(partial, /1 of 4 series are left out, the first is series 2: a series has no metric name/);
  await expects('without a name', [nameless], 400, '0,0,0');
  await expects('with an empty name', [counter('')], 400, '0,0,0');
  await expects('none of 4 has a name', [nameless, nameless, nameless, nameless], 400, '0,0,0');
  await expects('a label twice', [counter('x', { labels: [...labelsOf('x'), ['job', 'y']] })], 400, '0,0,0');
  await expects('samples and histograms', [counter('x', { histograms: [histogram()] })], 400, '0,0,0');
  const badCount = { labels: labelsOf('h'), histograms: [histogram({ countInt: 6 })] };
  await expects('a count that is not that of the buckets', [badCount], 400, '0,0,0');
  const page = await finish();
  assert.equal(metricSum(page, 'vm_rows_invalid_total', { type: 'promremotewrite' }), 1);
  assert.equal(metricSum(page, 'vmagent_rows_inserted_total', { type: 'promremotewrite' }), 3);
});

test('histograms, exemplars and metadata', async (t) => {
  const { expects, finish } = await receiver(t);
  const native = (
    name: string,
    histograms: readonly object[],
    more: Partial<TestSeries> = {},
  ): TestSeries => ({
    labels: labelsOf(name),
    histograms,
    metadata: { type: 3, help: name, unit: 'seconds' },
    ...more,
  });
  await expects('a histogram', [native('h1', [histogram()])], 204, '0,1,0');
  const negative = {
    positiveSpans: [],
    positiveDeltas: [],
    negativeSpans: [{ offset: -3, length: 2 }],
    negativeDeltas: [1, 2],
  };
  await expects('negative buckets only', [native('h2', [histogram(negative)])], 204, '0,1,0');
  const custom = { schema: -53, zeroCountInt: 0, zeroThreshold: 0, countInt: 4, customValues: [0.1, 1] };
  await expects('custom buckets', [native('h3', [histogram(custom)])], 204, '0,1,0');
  const floats = {
    countInt: undefined,
    countFloat: 5.5,
    zeroCountInt: undefined,
    zeroCountFloat: 1.5,
    positiveDeltas: [],
    positiveCounts: [1.5, 2.5],
  };
  await expects('a float histogram', [native('h4', [histogram(floats)])], 204, '0,1,0');
  await expects('an empty histogram', [native('h5', [{ countInt: 0, timestamp: NOW_MS }])], 204, '0,1,0');
  await expects(
    'two of a series',
    [native('h6', [histogram(), histogram({ timestamp: NOW_MS + 1 })])],
    204,
    '0,2,0',
  );
  await expects(
    'with an exemplar',
    [native('h7', [histogram()], { exemplars: [exemplar(2)] })],
    204,
    '0,1,1',
  );

  const values = [0, -123.456, 1e10, 1e-10, Number.NaN, Infinity, -Infinity];
  const exemplars = values.map((value) => exemplar(value));
  await expects('exemplars', [counter('e1', { exemplars })], 204, '1,0,7');
  const strange = [
    exemplar(1, { trace_id: 'ü"\\\n', span_id: '1' }),
    exemplar(1, {}),
    exemplar(1, { other: 'x' }),
  ];
  await expects('labels of exemplars', [counter('e2', { exemplars: strange })], 204, '1,0,3');
  await expects('an exemplar alone', [{ labels: labelsOf('e3'), exemplars: [exemplar(1)] }], 204, '0,0,1');
  const nameless = { labels: [['job', 'x']] as const, samples: [sample()], exemplars: [exemplar(1)] };
  await expects('an exemplar without a name', [nameless], 400, '0,0,0');

  for (const type of [0, 1, 2, 3, 4, 5, 6, 7]) {
    const metadata = { type, help: `"quoted" \\ \n of type ${type}`, unit: 'bytes' };
    await expects(`metadata of type ${type}`, [counter(`m${type}`, { metadata })], 204, '1,0,0');
  }
  await expects(
    'metadata alone',
    [{ labels: labelsOf('m8'), metadata: { type: 1, help: 'x' } }],
    204,
    '0,0,0',
  );
  const fifty = Array.from({ length: 50 }, (_, nth) => counter(`all_${nth}`, { exemplars: [exemplar(nth)] }));
  const natives = Array.from({ length: 50 }, (_, nth) => native(`native_${nth}`, [histogram()]));
  await expects('fifty of each', [...fifty, ...natives], 204, '50,50,50');
  await finish();
});

test('what cannot be read is refused with the right status', async (t) => {
  const { url, finish } = await receiver(t);
  const body = compress(encodeRequest2([counter('up')]));
  for (const type of ['application/json', 'image/png', 'application/x-protobuf;proto=x.Y']) {
    assert.equal((await post2(url, body, { 'Content-Type': type })).status, 415, type);
  }
  for (const encoding of ['gzip', 'deflate', 'br']) {
    assert.equal((await post2(url, body, { 'Content-Encoding': encoding })).status, 415, encoding);
  }
  const corrupt = Uint8Array.from(body);
  corrupt[0] = 0x30;
  const refused = await post2(url, corrupt);
  assert.equal(refused.status, 400);
  assert.deepEqual(writtenOf(refused), { samples: '0', histograms: '0', exemplars: '0' });
  const damaged = compress(Uint8Array.of(0x22, 0x00, 0x2a, 0x05, 0x0a));
  const answer = await post2(url, damaged);
  assert.equal(answer.status, 400);
  assert.match(answer.text, /at byte 3: a length goes past the end/);
  // 1.0 at the same path goes on as ever, without the headers.
  const first = encodeWriteRequest([
    { labels: { __name__: 'up' }, points: [{ timestampMs: NOW_MS, bits: 1n }] },
  ]);
  const plain = await post(url, compress(first));
  assert.equal(plain.status, 204);
  assert.deepEqual(writtenOf(plain), { samples: null, histograms: null, exemplars: null });
  await finish();
});
