import assert from 'node:assert/strict';
import { test } from 'node:test';
import { opentelemetry } from '../../src/protocol/opentelemetry.ts';
import { encode, requestOf } from './otlp-support.ts';
import { type Given, parse, rowsOf } from './support.ts';

const text = (key: string, value: string) => ({ key, value: { stringValue: value } });
const one = (name: string, more: object = {}) => ({ name, gauge: { dataPoints: [{ asInt: 1 }] }, ...more });
const rows = (request: object, options: Given['options'] = {}) =>
  rowsOf(opentelemetry, encode(request), { options });

const SCOPED = {
  resourceMetrics: [
    {
      resource: { attributes: [text('service.name', 's'), text('host', 'h'), text('zone', 'z')] },
      scopeMetrics: [
        { metrics: [one('a')] },
        { scope: { name: 'lib', version: '2', attributes: [text('x', 'y')] }, metrics: [one('b'), one('c')] },
        { scope: { attributes: [text('x', 'y')] }, metrics: [one('d')] },
      ],
    },
    { scopeMetrics: [{ scope: { name: 'lib' }, metrics: [one('e')] }] },
  ],
};

test('labels are those of resource, scope and point, in this order', () => {
  const resource = 'service.name="s",host="h",zone="z"';
  const lib = 'scope.name="lib",scope.version="2",scope.attributes.x="y"';
  assert.deepEqual(rows(SCOPED), [
    `a{${resource}} 1@0`,
    `b{${resource},${lib}} 1@0`,
    `c{${resource},${lib}} 1@0`,
    `d{${resource},scope.name="unknown",scope.version="unknown",scope.attributes.x="y"} 1@0`,
    'e{scope.name="lib",scope.version="unknown"} 1@0',
  ]);
});

test('which of them become labels is an option', () => {
  const noScope = { 'opentelemetry.promoteScopeMetadata': false };
  const labels = (options: Given['options']) => rows(SCOPED, { ...noScope, ...options })[0];
  assert.equal(labels({}), 'a{service.name="s",host="h",zone="z"} 1@0');
  assert.equal(
    labels({ 'opentelemetry.ignoreResourceAttributes': ['host', 'none'] }),
    'a{service.name="s",zone="z"} 1@0',
  );
  const none = { 'opentelemetry.promoteAllResourceAttributes': false };
  assert.equal(labels(none), 'a{} 1@0');
  assert.equal(
    labels({ ...none, 'opentelemetry.promoteResourceAttributes': ['zone', 'service.name'] }),
    'a{service.name="s",zone="z"} 1@0',
  );
  const prometheus = {
    'opentelemetry.usePrometheusNaming': true,
    'opentelemetry.ignoreResourceAttributes': ['service.name'],
  };
  assert.equal(
    rows(SCOPED, prometheus)[1],
    'b{host="h",zone="z",scope_name="lib",scope_version="2",scope_attributes_x="y"} 1@0',
  );
});

test('metadata: type, unit and help of every metric, once', () => {
  const request = requestOf(
    one('gauge', { unit: 's', description: 'é' }),
    { name: 'sum', sum: { dataPoints: [{ asInt: 1 }] } },
    { name: 'counter', sum: { isMonotonic: true } },
    { name: 'histogram', histogram: {} },
    { name: 'exponential', exponentialHistogram: {} },
    { name: 'summary', summary: {} },
    one('info', { metadata: [text('prometheus.type', 'info')] }),
    one('stateset', { metadata: [text('x', 'y'), text('prometheus.type', 'stateset')] }),
    one('unknown', { metadata: [text('prometheus.type', 'unknown')] }),
    one('other', { metadata: [text('prometheus.type', 'constructor')] }),
    one('gauge', { description: 'again' }),
    { name: 'nothing' },
  );
  const { metadata } = parse(opentelemetry, encode(request));
  const shown = metadata.map(({ type, metricFamilyName, help }) => `${metricFamilyName} ${type} ${help}`);
  assert.deepEqual(shown, [
    'gauge 2 é',
    'sum 2 ',
    'counter 1 ',
    'histogram 3 ',
    'exponential 3 ',
    'summary 5 ',
    'info 6 ',
    'stateset 7 ',
    'unknown 0 ',
    'other 2 ',
    'nothing 0 ',
  ]);
  assert.deepEqual((metadata as readonly { unit?: string }[]).map(({ unit }) => unit).slice(0, 2), ['s', '']);
});

test('converted names are those of the series and of the metadata', () => {
  const request = requestOf(
    { name: 'http.duration', unit: 'ms', histogram: { dataPoints: [{ count: 1, sum: 2 }] } },
    { name: 'hits', unit: '{hits}', sum: { isMonotonic: true, dataPoints: [{ asInt: 1 }] } },
  );
  for (const flag of ['usePrometheusNaming', 'convertMetricNamesToPrometheus']) {
    const { rows: found, metadata } = parse(opentelemetry, encode(request), {
      options: { [`opentelemetry.${flag}`]: true },
    });
    assert.deepEqual(
      found.map(({ labels }) => labels[0]!.value),
      [
        'http_duration_milliseconds_count',
        'http_duration_milliseconds_sum',
        'http_duration_milliseconds_bucket',
        'hits_total',
      ],
    );
    assert.deepEqual(
      metadata.map(({ metricFamilyName }) => metricFamilyName),
      ['http_duration_milliseconds', 'hits_total'],
    );
  }
});

test('the data points of a metric without a name are left out and counted; the others are taken', () => {
  const request = requestOf({ gauge: { dataPoints: [{ asInt: 1 }, { asInt: 2 }] } }, one('a'), {
    description: 'x',
  });
  const { rows: found, invalid, examples, metadata } = parse(opentelemetry, encode(request));
  assert.equal(found.length, 1);
  assert.equal(invalid, 2);
  assert.deepEqual(examples, ['2 data points of a metric without a name']);
  assert.equal(metadata.length, 1);
  const dots = requestOf(one('..'));
  assert.equal(
    parse(opentelemetry, encode(dots), { options: { 'opentelemetry.usePrometheusNaming': true } }).invalid,
    1,
  );
});

test('what comes late in a message counts as well, and unknown fields do not matter', () => {
  const metric = encode(one('m', { unit: 's' }), 'Metric');
  const scope = encode({ name: 'lib' }, 'InstrumentationScope');
  const resource = encode({ attributes: [text('a', 'b')] }, 'Resource');
  const unknown = Buffer.from([
    0xf8, 0x07, 5, 0xfa, 0x07, 1, 0, 0xf9, 0x07, 1, 2, 3, 4, 5, 6, 7, 8, 0xfd, 0x07, 1, 2, 3, 4,
  ]);
  const field = (tag: number, ...bytes: Uint8Array[]) => {
    const inner = Buffer.concat(bytes);
    const length = [(inner.byteLength & 0x7f) | 0x80, inner.byteLength >>> 7];
    return Buffer.concat([Buffer.from([tag, ...length]), inner]);
  };
  // Metrics before their scope, the scope before the resource.
  const scoped = field(0x12, unknown, field(0x12, metric, unknown), field(0x0a, scope, unknown));
  const request = field(0x0a, scoped, field(0x0a, resource), unknown);
  assert.deepEqual(rowsOf(opentelemetry, request), ['m{a="b",scope.name="lib",scope.version="unknown"} 1@0']);
});
