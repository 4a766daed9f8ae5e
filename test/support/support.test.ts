/** The judges of the end-to-end tests must be able to say no. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compress } from 'snappyjs';
import { assertLedgerBalances, metricSum, parseMetrics } from './metrics.ts';
import {
  bitsOf,
  decodeWriteRequest,
  decompressBody,
  encodeWriteRequest,
  type Series,
  STALE_MARKER_BITS,
} from './remote-write.ts';
import { missingFrom, SampleStore } from './samples.ts';

const balanced = `# HELP sluice_ledger_samples_total where samples went
sluice_ledger_samples_total{column="received"} 10
sluice_ledger_samples_total{column="replayed"} 0
sluice_ledger_samples_total{column="taken_over"} 0
sluice_ledger_samples_total{column="aggregated_out"} 0
sluice_ledger_samples_total{column="deduplicated_out"} 0
sluice_ledger_samples_total{column="dropped"} 1
sluice_ledger_samples_total{column="routed"} 9
sluice_ledger_destination_samples{destination="1",column="received"} 8
sluice_ledger_destination_samples{destination="1",column="replayed"} 0
sluice_ledger_destination_samples{destination="1",column="taken_over"} 0
sluice_ledger_destination_samples{destination="1",column="aggregated_out"} 0
sluice_ledger_destination_samples{destination="1",column="deduplicated_out"} 0
sluice_ledger_destination_samples{destination="1",column="recovered"} 1
sluice_ledger_destination_samples{destination="1",column="delivered"} 6
sluice_ledger_destination_samples{destination="1",column="pending"} 3
`;

test('a ledger that balances passes', () => {
  const none = { replayed: 0, taken_over: 0, aggregated_out: 0, deduplicated_out: 0 };
  const ledger = assertLedgerBalances(parseMetrics(balanced));
  assert.deepEqual(ledger.destinations, {
    1: { ...none, received: 8, recovered: 1, delivered: 6, pending: 3 },
  });
});

for (const [what, page] of [
  ['a sample that vanished before a destination', balanced.replace('"routed"} 9', '"routed"} 8')],
  [
    'a sample that vanished on the way to a destination',
    balanced.replace('"delivered"} 6', '"delivered"} 5'),
  ],
  ['a page without a ledger', 'up 1\n'],
  ['a page without destinations', balanced.replaceAll(/^sluice_ledger_dest.*\n/gm, '')],
] as const) {
  test(`${what} fails`, () => {
    assert.throws(() => assertLedgerBalances(parseMetrics(page)), assert.AssertionError);
  });
}

test('a metrics page is read with its escapes and summed by labels', () => {
  const page = parseMetrics('a{x="1",path="C:\\\\n\\"\\n"} 2\na{x="2"} +Inf 1790000000000\na{x="1"} 3\n');
  assert.equal(page[0]!.labels.path, 'C:\\n"\n');
  assert.equal(page[1]!.value, Number.POSITIVE_INFINITY);
  assert.equal(metricSum(page, 'a', { x: '1' }), 5);
  assert.equal(metricSum(page, 'b'), undefined);
  assert.throws(() => parseMetrics('not a sample'), /not a sample/);
});

const series: Series[] = [
  {
    labels: { __name__: 'a', b: 'ü' },
    points: [{ timestampMs: 1_790_000_000_001, bits: STALE_MARKER_BITS }],
  },
  {
    labels: { __name__: 'c' },
    points: [
      { timestampMs: -5, bits: bitsOf(-0) },
      { timestampMs: 0, bits: bitsOf(1e308) },
    ],
  },
];

test('a write request keeps its bit patterns', () => {
  const body = compress(encodeWriteRequest(series));
  assert.deepEqual(decodeWriteRequest(decompressBody(body, 'snappy')).series, series);
  assert.throws(() => decompressBody(body, 'gzip'), /gzip/);
});

test('a missing sample and a changed value are found', () => {
  const expected = new SampleStore();
  expected.addAll(series);
  const actual = new SampleStore();
  actual.addAll([series[1]!]);
  actual.add({ b: 'ü', __name__: 'a' }, 1_790_000_000_001, bitsOf(Number.NaN));
  assert.deepEqual(
    missingFrom(actual, expected).map(({ found }) => found),
    [[bitsOf(Number.NaN)]],
  );
  actual.add({ b: 'ü', __name__: 'a' }, 1_790_000_000_001, STALE_MARKER_BITS);
  assert.deepEqual(missingFrom(actual, expected), []);
});
