/**
 * Data points of OpenTelemetry through the daemon to a Prometheus: the buckets that it shows of native histograms are where the
 * definition of exponential histograms has them, and exemplars are where they belong.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { opentelemetry } from '../../src/protocol/opentelemetry.ts';
import { encode } from '../protocol/otlp-support.ts';
import { grpcCall } from '../support/grpc.ts';
import { assertLedgerBalances, metricSum } from '../support/metrics.ts';
import { freePort, temporaryDirectory } from '../support/process.ts';
import { missingPrograms } from '../support/programs.ts';
import { Prometheus } from '../support/prometheus.ts';
import { startSink } from '../support/sink.ts';
import { startSluice } from '../support/sluice.ts';
import { until } from '../support/wait.ts';

const WITHIN_MS = 30_000;
const MS = 1_000_000n;

const tag = (key: string, stringValue: string) => ({ key, value: { stringValue } });
const base64 = (hex: string) => Buffer.from(hex, 'hex').toString('base64');

/** Points of every kind, which say by what way they go. `ids` writes those of traces and spans. */
function request(via: string, startMs: number, ids: (hex: string) => string = base64) {
  const at = (offsetMs: number) => String(BigInt(startMs + offsetMs) * MS);
  const exemplar = (offsetMs: number, value: object, ...filteredAttributes: object[]) => ({
    timeUnixNano: at(offsetMs),
    traceId: ids(`${'0'.repeat(28)}${String(1000 + offsetMs)}`),
    spanId: ids('00000000000000ab'),
    filteredAttributes,
    ...value,
  });
  const point = (offsetMs: number, more: object) => ({
    timeUnixNano: at(offsetMs),
    attributes: [tag('via', via)],
    ...more,
  });
  const exponential = (name: string, aggregationTemporality: number, ...dataPoints: object[]) => ({
    name,
    exponentialHistogram: { aggregationTemporality, dataPoints },
  });
  const buckets = (offset: number, ...bucketCounts: number[]) => ({
    offset,
    bucketCounts: bucketCounts.map(String),
  });
  const metrics = [
    {
      name: 'jobs',
      sum: {
        aggregationTemporality: 2,
        isMonotonic: true,
        dataPoints: [
          point(0, {
            asInt: '5',
            exemplars: [
              exemplar(1, { asInt: '3' }, tag('user', 'é')),
              exemplar(2, { asDouble: 0.5 }, tag('long', 'x'.repeat(100))),
              { timeUnixNano: at(3), asDouble: -1 },
            ],
          }),
        ],
      },
    },
    {
      name: 'heat',
      gauge: { dataPoints: [point(0, { asDouble: 1, exemplars: [exemplar(4, { asInt: '1' })] })] },
    },
    {
      name: 'waits',
      histogram: {
        aggregationTemporality: 2,
        dataPoints: [
          point(0, {
            count: '6',
            sum: 20.5,
            bucketCounts: ['2', '1', '0', '3'],
            explicitBounds: [0.5, 1, 5],
            exemplars: [
              exemplar(5, { asDouble: 0.5 }),
              exemplar(6, { asDouble: 0.75 }),
              exemplar(7, { asDouble: 9 }),
            ],
          }),
        ],
      },
    },
    exponential(
      'sizes',
      2,
      point(0, {
        count: '15',
        sum: 3.25,
        scale: 3,
        zeroCount: '4',
        positive: buckets(-2, 1, 0, 2),
        negative: buckets(5, 1, 7),
      }),
      point(1_000, {
        count: '25',
        sum: 9,
        scale: 3,
        zeroCount: '4',
        positive: buckets(-9, 1, 0, 2, 0, 0, 0, 0, 0, 6, 4),
        negative: buckets(5, 1, 7),
        // Not with the first one: Prometheus looks for the series of an exemplar before it takes the histogram.
        exemplars: [exemplar(8, { asDouble: 1.5 }, tag('user', 'ann'))],
      }),
    ),
    exponential(
      'fine',
      2,
      point(0, { count: '21', scale: 11, positive: buckets(-7, 1, 2, 3), negative: buckets(1_000, 4, 5, 6) }),
    ),
    exponential('coarse', 2, point(0, { count: '3', sum: -1, scale: -4, positive: buckets(-1, 1, 2) })),
    exponential('change', 1, point(0, { count: '2', sum: 5, scale: 0, positive: buckets(0, 1, 1) })),
    exponential('over', 2, point(0, { count: '1', scale: 0, zeroCount: '1' }), point(1_000, { flags: 1 })),
  ];
  return {
    resourceMetrics: [
      { resource: { attributes: [tag('service.name', 'shop')] }, scopeMetrics: [{ metrics }] },
    ],
  };
}

interface Bucket {
  readonly from: number;
  readonly to: number;
  readonly count: number;
}
interface Shown {
  readonly count: number;
  readonly sum: number;
  readonly buckets: readonly Bucket[];
}

type Result = readonly {
  readonly metric: Record<string, string>;
  readonly histograms?: readonly [
    number,
    {
      readonly count: string;
      readonly sum: string;
      readonly buckets?: readonly [number, string, string, string][];
    },
  ][];
}[];

/** By name: every native histogram that came this way. */
async function histogramsOf(prometheus: Prometheus, via: string): Promise<Map<string, Shown[]>> {
  const { result } = (await prometheus.api('query', { query: `{via="${via}"}[1h]` })) as { result: Result };
  return new Map(
    result
      .filter(({ histograms }) => histograms !== undefined)
      .map(({ metric, histograms = [] }) => [
        metric.__name__!,
        histograms.map(([, { count, sum, buckets = [] }]) => ({
          count: Number(count),
          sum: Number(sum),
          buckets: buckets.map(([, from, to, each]) => ({
            from: Number(from),
            to: Number(to),
            count: Number(each),
          })),
        })),
      ]),
  );
}

interface Exponential {
  readonly count: string;
  readonly sum?: number;
  readonly scale: number;
  readonly zeroCount?: string;
  readonly positive?: { readonly offset: number; readonly bucketCounts: readonly string[] };
  readonly negative?: { readonly offset: number; readonly bucketCounts: readonly string[] };
}

/** What the definition says: bucket i of scale s goes from 2^(i/2^s) to 2^((i+1)/2^s), and 8 is the finest scale. */
function definition({ count, sum = 0, scale, zeroCount = '0', positive, negative }: Exponential): Shown {
  const joined = 2 ** Math.max(0, scale - 8);
  const width = joined / 2 ** scale;
  const side = (sign: number, one: typeof positive): Bucket[] => {
    const counts = new Map<number, number>();
    for (const [nth, each] of (one?.bucketCounts ?? []).entries()) {
      const index = Math.floor((one!.offset + nth) / joined);
      counts.set(index, (counts.get(index) ?? 0) + Number(each));
    }
    return [...counts]
      .filter(([, each]) => each > 0)
      .map(([index, each]) => {
        const [near, far] = [2 ** (index * width), 2 ** ((index + 1) * width)];
        return sign > 0 ? { from: near, to: far, count: each } : { from: -far, to: -near, count: each };
      });
  };
  const zero = Number(zeroCount) > 0 ? [{ from: -1e-128, to: 1e-128, count: Number(zeroCount) }] : [];
  const buckets = [...side(-1, negative), ...zero, ...side(1, positive)];
  return { count: Number(count), sum, buckets: buckets.toSorted((a, b) => a.from - b.from) };
}

/** Bounds are told to the last bits. */
const rounded = ({ count, sum, buckets }: Shown) => ({
  count,
  sum,
  buckets: buckets.map(({ from, to, count: each }) => [from.toPrecision(12), to.toPrecision(12), each]),
});

/** By name and bucket: every exemplar that came this way, as `labels value@ms after the start`. */
async function exemplarsOf(
  prometheus: Prometheus,
  via: string,
  nowMs: number,
): Promise<Record<string, string[]>> {
  const range = { start: String(nowMs / 1_000 - 3_600), end: String(nowMs / 1_000 + 60) };
  const found = (await prometheus.api('query_exemplars', { query: `{via="${via}"}`, ...range })) as {
    readonly seriesLabels: Record<string, string>;
    readonly exemplars: readonly { labels: Record<string, string>; value: string; timestamp: number }[];
  }[];
  return Object.fromEntries(
    found.map(({ seriesLabels: { __name__, le = '' }, exemplars }) => [
      `${__name__} ${le}`.trim(),
      exemplars.map(({ labels: { trace_id = '', ...labels }, value, timestamp }) => {
        const all = { ...labels, ...(trace_id !== '' && { trace: trace_id.replace(/^0{28}/, '') }) };
        const shown = Object.entries(all).toSorted();
        const after = Math.round(timestamp * 1_000) - nowMs;
        return `${shown.map((pair) => pair.join('=')).join()} ${value}@${after}`;
      }),
    ]),
  );
}

const EXEMPLARS = {
  jobs_total: [
    'span_id=00000000000000ab,trace=1001,user=é 3@1',
    'span_id=00000000000000ab,trace=1002 0.5@2',
    ' -1@3',
  ],
  heat: ['span_id=00000000000000ab,trace=1004 1@4'],
  'waits_bucket 0.5': ['span_id=00000000000000ab,trace=1005 0.5@5'],
  'waits_bucket 1': ['span_id=00000000000000ab,trace=1006 0.75@6'],
  'waits_bucket +Inf': ['span_id=00000000000000ab,trace=1007 9@7'],
  sizes: ['span_id=00000000000000ab,trace=1008,user=ann 1.5@8'],
};

test('native histograms and exemplars arrive at a Prometheus, by protobuf, JSON and gRPC', {
  skip: missingPrograms('prometheus'),
  timeout: 120_000,
}, async (t) => {
  const prometheus = await Prometheus.start(t, {
    directory: temporaryDirectory(t),
    receives: true,
    features: ['native-histograms', 'exemplar-storage'],
  });
  const sink = await startSink(t);
  const grpcPort = await freePort();
  const sluice = await startSluice(t, temporaryDirectory(t), [
    `-remoteWrite.url=${prometheus.writeUrl}`,
    `-remoteWrite.url=${sink.url}`,
    '-remoteWrite.disableNativeHistograms=false,true',
    '-remoteWrite.disableExemplars=false,true',
    '-opentelemetry.nativeHistograms',
    '-opentelemetry.usePrometheusNaming',
    `-opentelemetryGRPCListenAddr=127.0.0.1:${grpcPort}`,
    '-remoteWrite.flushInterval=100ms',
  ]);
  const nowMs = Date.now() - 5_000;
  const send = async (body: Uint8Array<ArrayBuffer> | string, type: string) => {
    const url = `${sluice.url}/opentelemetry/v1/metrics`;
    const response = await fetch(url, { method: 'POST', headers: { 'Content-Type': type }, body });
    assert.deepEqual([response.status, (await response.text()).replace('{}', '')], [200, '']);
  };
  await send(new Uint8Array(encode(request('protobuf', nowMs))), 'application/x-protobuf');
  await send(JSON.stringify(request('json', nowMs, (hex) => hex)), 'application/json');
  assert.equal(await grpcCall(grpcPort, opentelemetry.grpc!.path, encode(request('grpc', nowMs))), 0);

  const page = await until('everything is delivered', WITHIN_MS, async () => {
    const found = await sluice.metrics();
    const columns = Object.values(assertLedgerBalances(found).destinations);
    return (
      columns.every(({ delivered, pending, in_engine }) => delivered! > 0 && pending! + in_engine! === 0) &&
      found
    );
  });
  const [{ metrics }] = request('', nowMs).resourceMetrics[0]!.scopeMetrics as unknown as [
    {
      metrics: {
        name: string;
        exponentialHistogram?: { dataPoints: (Exponential & { flags?: number })[] };
      }[];
    },
  ];
  const expected = new Map(
    metrics.flatMap(({ name, exponentialHistogram }) =>
      exponentialHistogram === undefined
        ? []
        : [
            [
              name,
              exponentialHistogram.dataPoints
                .filter(({ flags }) => flags !== 1)
                .map(definition)
                .map(rounded),
            ] as const,
          ],
    ),
  );
  assert.equal(expected.size, 5);
  for (const via of ['protobuf', 'json', 'grpc']) {
    const found = await histogramsOf(prometheus, via);
    assert.deepEqual(new Map([...found].map(([name, all]) => [name, all.map(rounded)])), expected, via);
    assert.deepEqual(await exemplarsOf(prometheus, via, nowMs), EXEMPLARS, via);
  }
  const of = (kind: string, column: string) =>
    metricSum(page, `sluice_ledger_destination_${kind}`, { column });
  // One of the two destinations takes none.
  assert.deepEqual([of('histograms', 'withheld'), of('exemplars', 'withheld')], [3 * 7, 3 * 8]);
  assert.deepEqual([of('histograms', 'delivered'), of('exemplars', 'delivered')], [3 * 7, 3 * 8]);
  assert.equal(metricSum(page, 'vm_rows_invalid_total', { type: 'opentelemetry' }), 0);
  assert.equal(metricSum(page, 'vmagent_rows_inserted_total', { type: 'opentelemetry' }), 3 * (2 + 6 + 7));
});
