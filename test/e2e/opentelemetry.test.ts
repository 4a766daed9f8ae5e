/** OpenTelemetry's own exporters into the real daemon, and naming for Prometheus as vmagent does it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OTLPMetricExporter as GrpcExporter } from '@opentelemetry/exporter-metrics-otlp-grpc';
import { OTLPMetricExporter as JsonExporter } from '@opentelemetry/exporter-metrics-otlp-http';
import { OTLPMetricExporter as ProtobufExporter } from '@opentelemetry/exporter-metrics-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  AggregationTemporality,
  AggregationType,
  InstrumentType,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { encode } from '../protocol/otlp-support.ts';
import { assertLedgerBalances, metricSum } from '../support/metrics.ts';
import { freePort, startProgram, temporaryDirectory } from '../support/process.ts';
import { missingPrograms, program } from '../support/programs.ts';
import { rowsByCase } from '../support/push-bodies.ts';
import { startSink } from '../support/sink.ts';
import { startSluice } from '../support/sluice.ts';
import { until } from '../support/wait.ts';

const FLAGS = ['-remoteWrite.flushInterval=1s'];

/** Instruments of every kind, with values that every exporter has to bring over. */
function measure(provider: MeterProvider): void {
  const meter = provider.getMeter('shop', '1.2.3');
  const counter = meter.createCounter('http.requests', { unit: '{request}', description: 'Requests.' });
  counter.add(3, { 'http.method': 'GET', ok: true });
  counter.add(2.5, { 'http.method': 'POST', codes: [200, 204] });
  meter.createUpDownCounter('jobs').add(-7);
  meter.createObservableGauge('temperature', { unit: 'Cel' }).addCallback((result) => {
    result.observe(21.5, { room: 'é "1"' });
    result.observe(-0.25, { room: '2' });
  });
  const durations = meter.createHistogram('duration', {
    unit: 's',
    advice: { explicitBucketBoundaries: [0.01, 0.5, 2] },
  });
  for (const value of [0.005, 0.3, 0.4, 1, 99]) durations.record(value, { route: '/a' });
  const sizes = meter.createHistogram('sizes');
  for (const value of [0, 1, 1.5, 1000, 1e6]) sizes.record(value);
}

/** With metadata as programs are given it. */
function grpcExporter(settings: ConstructorParameters<typeof GrpcExporter>[0]): GrpcExporter {
  process.env.OTEL_EXPORTER_OTLP_METRICS_HEADERS = 'extra_label=case%3Dgrpc';
  try {
    return new GrpcExporter(settings);
  } finally {
    delete process.env.OTEL_EXPORTER_OTLP_METRICS_HEADERS;
  }
}

test("OpenTelemetry's exporters bring the same over protobuf, JSON and gRPC", async (t) => {
  const sink = await startSink(t);
  const grpcPort = await freePort();
  const { url, metrics } = await startSluice(t, temporaryDirectory(t), [
    `-remoteWrite.url=${sink.url}`,
    `-opentelemetryGRPCListenAddr=127.0.0.1:${grpcPort}`,
    ...FLAGS,
  ]);
  const temporalityPreference = AggregationTemporality.CUMULATIVE;
  const http = (name: string) => ({
    url: `${url}/opentelemetry/v1/metrics?extra_label=case=${name}`,
    temporalityPreference,
  });
  const exporters = [
    new ProtobufExporter(http('protobuf')),
    new JsonExporter(http('json')),
    grpcExporter({ url: `http://127.0.0.1:${grpcPort}`, temporalityPreference }),
  ];
  const provider = new MeterProvider({
    resource: resourceFromAttributes({ 'service.name': 'shop', 'host.cores': 8 }),
    views: [
      {
        instrumentName: 'sizes',
        instrumentType: InstrumentType.HISTOGRAM,
        aggregation: { type: AggregationType.EXPONENTIAL_HISTOGRAM },
      },
    ],
    // Only what is flushed is exported.
    readers: exporters.map(
      (exporter) => new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 }),
    ),
  });
  measure(provider);
  await provider.forceFlush();
  await provider.shutdown();
  const page = await until('everything is delivered', 20_000, async () => {
    const samples = await metrics();
    const delivered = metricSum(samples, 'sluice_ledger_destination_samples', { column: 'delivered' });
    const inserted = metricSum(samples, 'vmagent_rows_inserted_total', { type: 'opentelemetry' });
    return delivered !== undefined && delivered > 0 && delivered === inserted && samples;
  });
  assertLedgerBalances(page);
  assert.equal(metricSum(page, 'vmagent_http_request_errors_total', { protocol: 'opentelemetry' }), 0);
  const cases = rowsByCase(sink.requests, Date.now());
  const common = 'service.name="shop",host.cores="8",scope.name="shop",scope.version="1.2.3"';
  const row = (name: string, labels: string, value: number) => {
    return `{__name__="${name}",${common}${labels === '' ? '' : `,${labels}`}} ${value}@now`;
  };
  // Cumulative counts: both flushes say the same of every value.
  const expected = [
    row('http.requests', 'http.method="GET",ok="true"', 3),
    row('http.requests', 'http.method="POST",codes="[200,204]"', 2.5),
    row('jobs', '', -7),
    row('temperature', 'room="é \\"1\\""', 21.5),
    row('temperature', 'room="2"', -0.25),
    row('duration_count', 'route="/a"', 5),
    row('duration_sum', 'route="/a"', 100.705),
    row('duration_bucket', 'route="/a",le="0.01"', 1),
    row('duration_bucket', 'route="/a",le="0.5"', 3),
    row('duration_bucket', 'route="/a",le="2"', 4),
    row('duration_bucket', 'route="/a",le="+Inf"', 5),
  ];
  for (const name of ['protobuf', 'json', 'grpc']) {
    const rows = cases.get(name) ?? [];
    for (const one of expected) assert.ok(rows.includes(one), `${name}: ${one}`);
    const ranges = rows.filter((one) => one.includes('sizes_bucket'));
    assert.ok(ranges.length >= 5 && ranges.every((one) => one.includes('vmrange=')), name);
    assert.deepEqual(new Set(rows), new Set(cases.get('protobuf')), name);
  }
  const families = sink.requests.flatMap(({ decoded }) => decoded.families);
  assert.ok(families.includes('http.requests'), 'metadata arrives');
});

const NS = '1700000000123999999';
const tag = (key: string, value: string) => ({ key, value: { stringValue: value } });
const point = {
  timeUnixNano: NS,
  asDouble: 1.5,
  attributes: [tag('a.b', '1'), tag('_c', '2'), tag('__d', '3'), tag('1e', '4')],
};
const NAMED = [
  ['http.server:duration', 's', 'gauge'],
  ['foo_total', 's', 'counter'],
  ['foo', '1', 'gauge'],
  ['foo.ratio', '1', 'counter'],
  ['speed', 'm/s', 'gauge'],
  ['disk.bytes', 'By', 'gauge'],
  ['packets', '{packet}/s', 'counter'],
  ['load', '{load}', 'gauge'],
  ['used', '%', 'gauge'],
  ['odd', 'banana/fortnight', 'gauge'],
  ['1st', 'ms', 'gauge'],
  ['total', '', 'counter'],
] as const;
const PROMETHEUS_NAMES = encode({
  resourceMetrics: [
    {
      resource: { attributes: [tag('service.name', 's'), tag('host.name', 'h'), tag('zone', 'z')] },
      scopeMetrics: [
        {
          scope: { name: 'lib' },
          metrics: [
            ...NAMED.map(([name, unit, kind]) => {
              const data = { dataPoints: [point] };
              return kind === 'gauge'
                ? { name, unit, gauge: data }
                : { name, unit, sum: { ...data, isMonotonic: true } };
            }),
            {
              name: 'wait.time',
              unit: 'ms',
              histogram: {
                dataPoints: [
                  { timeUnixNano: NS, count: 3, sum: 2, bucketCounts: [1, 2], explicitBounds: [5] },
                ],
              },
            },
          ],
        },
      ],
    },
  ],
});

test('names for Prometheus and chosen attributes are those of vmagent', {
  skip: missingPrograms('vmagent'),
}, async (t) => {
  const choices = [
    [
      '-opentelemetry.usePrometheusNaming',
      '-opentelemetry.promoteAllResourceAttributes=false',
      '-opentelemetry.promoteResourceAttributes=service.name,zone',
    ],
    [
      '-opentelemetry.convertMetricNamesToPrometheus',
      '-opentelemetry.promoteScopeMetadata=false',
      '-opentelemetry.ignoreResourceAttributes=host.name',
    ],
  ];
  for (const flags of choices) {
    const sinks = [await startSink(t), await startSink(t)] as const;
    const ours = await startSluice(t, temporaryDirectory(t), [
      `-remoteWrite.url=${sinks[0].url}`,
      ...FLAGS,
      ...flags,
    ]);
    const theirUrl = `http://127.0.0.1:${await freePort()}`;
    const theirs = await startProgram(t, {
      name: 'vmagent',
      command: program('vmagent'),
      args: [
        `-remoteWrite.url=${sinks[1].url}`,
        `-httpListenAddr=${theirUrl.slice('http://'.length)}`,
        `-remoteWrite.tmpDataPath=${temporaryDirectory(t)}`,
        ...FLAGS,
        ...flags,
      ],
      readyUrl: `${theirUrl}/health`,
    });
    for (const url of [ours.url, theirUrl]) {
      const body = new Uint8Array(PROMETHEUS_NAMES);
      const response = await fetch(`${url}/opentelemetry/v1/metrics`, { method: 'POST', body });
      assert.equal(response.status, 200);
    }
    // Both deliver what they have before they end.
    await Promise.all([ours.program.kill(), theirs.kill()]);
    const [mine, other] = sinks.map(({ requests }) => rowsByCase(requests, Date.now()).get(''));
    assert.equal(mine?.length, NAMED.length + 4);
    assert.deepEqual(mine, other, flags.join(' '));
  }
});
