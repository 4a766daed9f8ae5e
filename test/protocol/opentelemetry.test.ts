import assert from 'node:assert/strict';
import { test } from 'node:test';
import { opentelemetry } from '../../src/protocol/opentelemetry.ts';
import { decode, encode, requestOf } from './otlp-support.ts';
import { fuzz, NOW_MS, parse, receive } from './support.ts';

const bodyOf = (headers: Readonly<Record<string, string>>, path?: string) => {
  const reception = receive(opentelemetry, { headers, ...(path === undefined ? {} : { path }) });
  assert.equal(reception.kind, 'body');
  return reception as Extract<typeof reception, { kind: 'body' }>;
};

test('the encoding of a request is that of its answer', () => {
  const none = (headers: Readonly<Record<string, string>>) => bodyOf(headers).wording?.accepted(undefined);
  for (const type of ['', 'application/x-protobuf', 'text/plain']) {
    assert.equal(none({ 'content-type': type })?.contentType, 'application/x-protobuf', type);
    assert.deepEqual(bodyOf({ 'content-type': type }).parameters, {});
  }
  for (const type of ['application/json', 'Application/JSON; charset=utf-8']) {
    assert.deepEqual(none({ 'content-type': type }), {
      status: 200,
      body: '{}',
      contentType: 'application/json',
    });
    assert.deepEqual(bodyOf({ 'content-type': type }).parameters, { format: 'json' });
  }
  const firehose = {
    'content-type': 'application/json',
    'x-amz-firehose-protocol-version': '1.0',
    'x-amz-firehose-request-id': 'id',
  };
  assert.deepEqual(bodyOf(firehose).parameters, { format: 'firehose' });
  assert.equal(none(firehose)?.body, `{"requestId":"id","timestamp":${NOW_MS}}`);
});

test('every path is counted as one, and takes compressed bodies', () => {
  for (const { path, counterPath } of opentelemetry.routes) {
    assert.equal(counterPath, '/opentelemetry/v1/metrics');
    assert.equal(bodyOf({ 'content-encoding': 'zstd' }, path).encoding, 'zstd');
  }
  const refusal = receive(opentelemetry, { headers: { 'content-encoding': 'br' } });
  assert.equal(refusal.kind, 'refusal');
  const { body } =
    refusal.kind === 'refusal' ? refusal.wording!.refused(400, refusal.error) : { body: undefined };
  assert.match(String(decode(body as Uint8Array, 'Status').message), /Content-Encoding "br" is unknown/);
});

test('an empty body has nothing in every format', () => {
  for (const format of ['', 'json', 'firehose']) {
    const { failure, rows } = parse(opentelemetry, '', { parameters: { format } });
    assert.deepEqual([failure, rows], [undefined, []], format);
  }
});

test('bytes of another form refuse the request', () => {
  for (const body of ['garbage', '{"resourceMetrics":[]}', '\u0008']) {
    assert.match(
      parse(opentelemetry, body).failure ?? '',
      /^cannot parse the body: .*; send an ExportMetricsServiceRequest/,
      body,
    );
  }
});

const text = (key: string, value: string) => ({ key, value: { stringValue: value } });
const SEEDS = [
  {
    resourceMetrics: [
      {
        resource: {
          attributes: [
            text('service.name', 'x'),
            {
              key: 'l',
              value: {
                arrayValue: {
                  values: [
                    { intValue: -5 },
                    { doubleValue: 1.5 },
                    { kvlistValue: { values: [text('a', 'b')] } },
                  ],
                },
              },
            },
            {
              key: 'm',
              value: { kvlistValue: { values: [text('a', 'b'), { key: 'c', value: { boolValue: true } }] } },
            },
          ],
        },
        scopeMetrics: [
          {
            scope: { name: 'lib', version: '1', attributes: [text('x', 'y')] },
            metrics: [
              {
                name: 'g',
                unit: 's',
                description: 'd',
                gauge: {
                  dataPoints: [
                    { timeUnixNano: 5e9, asDouble: 1.5, attributes: [text('a', 'b')] },
                    { asInt: -1, flags: 1 },
                  ],
                },
              },
              {
                name: 'c',
                sum: { isMonotonic: true, dataPoints: [{ asInt: 1 }] },
                metadata: [text('prometheus.type', 'info')],
              },
            ],
          },
        ],
      },
    ],
  },
  requestOf(
    {
      name: 'h',
      histogram: {
        dataPoints: [
          {
            count: 5,
            sum: 2,
            bucketCounts: [1, 2, 2],
            explicitBounds: [1, 2.5],
            attributes: [text('a', 'b')],
          },
        ],
      },
    },
    {
      name: 's',
      summary: { dataPoints: [{ count: 5, sum: 2, quantileValues: [{ quantile: 0.5, value: 2 }] }] },
    },
  ),
  requestOf({
    name: 'e',
    exponentialHistogram: {
      dataPoints: [
        {
          count: 5,
          sum: 2,
          scale: 3,
          zeroCount: 1,
          zeroThreshold: 0.5,
          positive: { offset: -3, bucketCounts: [1, 0, 300] },
          negative: { offset: 2, bucketCounts: [1] },
        },
      ],
    },
  }),
];

test('mutated messages neither throw nor write nonsense', () => {
  fuzz(
    opentelemetry,
    SEEDS.map((seed) => encode(seed)),
    [{}, { options: { 'opentelemetry.usePrometheusNaming': true } }],
  );
});

test('mutated JSON neither throws nor writes nonsense', () => {
  fuzz(
    opentelemetry,
    SEEDS.map((seed) => JSON.stringify(seed)),
    [{ parameters: { format: 'json' } }],
  );
});
