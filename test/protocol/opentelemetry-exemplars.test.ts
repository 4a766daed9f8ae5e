/** Where exemplars go; what is in them is in the property of opentelemetry-points.test.ts as well. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { opentelemetry } from '../../src/protocol/opentelemetry.ts';
import { encode, requestOf, TIME_MS, TIME_NS } from './otlp-support.ts';
import { type Given, type ParsedRow, parse } from './support.ts';

const TRACE = Buffer.from('000102030405060708090a0b0c0d0eff', 'hex').toString('base64');
const SPAN = Buffer.from('00000000000000ab', 'hex').toString('base64');
const tag = (key: string, stringValue: string) => ({ key, value: { stringValue } });

interface ShownExemplar {
  readonly labels: readonly { readonly name: string; readonly value: string }[];
  readonly value: number;
  readonly timestamp: number;
}

/** Name (and bucket) of each series that has exemplars, and those. */
function exemplarsOf(metric: object, given: Given = {}): [string, string[]][] {
  const { failure, rows } = parse(opentelemetry, encode(requestOf(metric)), given);
  assert.equal(failure, undefined);
  return (rows as (ParsedRow & { readonly exemplars: readonly ShownExemplar[] })[])
    .filter(({ exemplars }) => exemplars.length > 0)
    .map(({ labels, exemplars }) => [
      labels
        .filter(({ name }) => name === '__name__' || name === 'le')
        .map(({ value }) => value)
        .join(' '),
      exemplars.map(
        (one) =>
          `${one.labels.map(({ name, value }) => `${name}=${value}`).join()} ${one.value}@${one.timestamp}`,
      ),
    ]);
}
const numberWith = (...exemplars: object[]) => ({
  name: 'm',
  sum: { dataPoints: [{ asInt: 1, exemplars }] },
});

test('ids are in hex, attributes follow, times and values are those of the exemplar', () => {
  const full = {
    timeUnixNano: TIME_NS,
    asDouble: -0.5,
    traceId: TRACE,
    spanId: SPAN,
    filteredAttributes: [tag('user.id', 'é')],
  };
  assert.deepEqual(
    exemplarsOf(
      numberWith(full, { asInt: '-7' }, { asDouble: 1, traceId: Buffer.alloc(16).toString('base64') }),
    ),
    [
      [
        'm',
        [
          `trace_id=000102030405060708090a0b0c0d0eff,span_id=00000000000000ab,user.id=é -0.5@${TIME_MS}`,
          ' -7@0',
          ' 1@0',
        ],
      ],
    ],
  );
  const named = exemplarsOf(numberWith(full), { options: { 'opentelemetry.usePrometheusNaming': true } });
  assert.match(named[0]![1][0]!, /,user_id=é /);
});

test('attributes go when all together have more than 128 characters; ids stay', () => {
  // 8 + 32 and 1 are names and values of the ids; the rest is for the attribute `k`.
  const withText = (text: string) =>
    exemplarsOf(numberWith({ asInt: 1, traceId: TRACE, filteredAttributes: [tag('k', text)] }))[0]![1][0]!;
  const room = 128 - 'trace_id'.length - 32 - 1;
  assert.match(withText('é'.repeat(room)), /,k=é+ 1@0$/);
  assert.match(withText('é'.repeat(room + 1)), /^trace_id=[0-9a-f]{32} 1@0$/);
  assert.match(withText('😀'.repeat(room)), /,k=/);
  const many = Array.from({ length: 65 }, (_, nth) => tag(String.fromCharCode(0x4e00 + nth), 'x'));
  assert.deepEqual(exemplarsOf(numberWith({ asInt: 1, filteredAttributes: many.slice(1) }))[0]![1].length, 1);
  assert.match(
    exemplarsOf(numberWith({ asInt: 1, filteredAttributes: many.slice(1) }))[0]![1][0]!,
    /=x 1@0$/,
  );
  assert.deepEqual(exemplarsOf(numberWith({ asInt: 1, filteredAttributes: many })), [['m', [' 1@0']]]);
});

test('those of a histogram go with the first bucket that they fit into', () => {
  const histogram = {
    name: 'h',
    histogram: {
      dataPoints: [
        {
          count: 3,
          bucketCounts: [1, 1, 0, 1],
          explicitBounds: [1, 2, 5],
          exemplars: [9, 1, 2, 1.5, -3, 2.5].map((asDouble) => ({ asDouble })),
        },
        { count: 1, exemplars: [{ asInt: 4 }] },
      ],
    },
  };
  assert.deepEqual(exemplarsOf(histogram), [
    ['h_bucket 1', [' 1@0', ' -3@0']],
    ['h_bucket 2', [' 2@0', ' 1.5@0']],
    ['h_bucket 5', [' 2.5@0']],
    ['h_bucket +Inf', [' 9@0']],
    ['h_bucket +Inf', [' 4@0']],
  ]);
});

test('those of an exponential histogram go with its count, or with the native histogram', () => {
  const metric = {
    name: 'e',
    exponentialHistogram: {
      dataPoints: [
        { count: 1, scale: 1, positive: { offset: 2, bucketCounts: [1] }, exemplars: [{ asInt: 4 }] },
      ],
    },
  };
  assert.deepEqual(exemplarsOf(metric), [['e_count', [' 4@0']]]);
  assert.deepEqual(exemplarsOf(metric, { options: { 'opentelemetry.nativeHistograms': true } }), [
    ['e', [' 4@0']],
  ]);
});

test('what makes no sense is told, and neither the point nor the other exemplars are lost', () => {
  const short = Buffer.alloc(3, 1).toString('base64');
  const bad = [
    { traceId: TRACE },
    { asInt: 1, traceId: short, spanId: SPAN },
    { asInt: 2, spanId: TRACE },
    { asInt: 3 },
  ];
  const { rows, invalid, examples } = parse(opentelemetry, encode(requestOf(numberWith(...bad))));
  assert.equal(rows.length, 1);
  assert.equal(invalid, 0);
  assert.deepEqual(examples, [
    'an exemplar of "m" without a value',
    'an exemplar of "m" with a trace_id of 3 bytes, not 16',
    'an exemplar of "m" with a span_id of 16 bytes, not 8',
  ]);
  assert.deepEqual(exemplarsOf(numberWith(...bad)), [
    ['m', ['span_id=00000000000000ab 1@0', ' 2@0', ' 3@0']],
  ]);
  const wrong = Buffer.from(encode(requestOf(numberWith({ asInt: 1 }))));
  // The value of the exemplar as a varint.
  wrong[wrong.indexOf(0x31, wrong.indexOf(0x2a))] = 0x30;
  assert.match(String(parse(opentelemetry, wrong).failure), /cannot parse the body/);
});
