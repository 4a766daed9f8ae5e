import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { opentelemetry } from '../../src/protocol/opentelemetry.ts';
import { encode, requestOf } from './otlp-support.ts';
import { type Given, parse } from './support.ts';

const pair = (key: string, value: object) => ({ key, value });

/** The labels that a data point with these attributes has, without its name. */
function labelsOf(attributes: readonly object[], options: Given['options'] = {}): string[] {
  const bytes = encode(requestOf({ name: 'm', gauge: { dataPoints: [{ asInt: 1, attributes }] } }));
  const { failure, rows } = parse(opentelemetry, bytes, { options });
  assert.equal(failure, undefined);
  return rows[0]!.labels.slice(1).map(({ name, value }) => `${name}=${value}`);
}

test('values of every kind are texts', () => {
  const cases: [object, string[]][] = [
    [{ stringValue: 'é "x"' }, ['k=é "x"']],
    [{ stringValue: '' }, ['k=']],
    [{ boolValue: true }, ['k=true']],
    [{ boolValue: false }, ['k=false']],
    [{ intValue: '-9223372036854775808' }, ['k=-9223372036854775808']],
    [{ intValue: '9223372036854775807' }, ['k=9223372036854775807']],
    [{ intValue: '4294967295' }, ['k=4294967295']],
    [{ intValue: -1 }, ['k=-1']],
    [{ doubleValue: 1.5e-7 }, ['k=0.00000015']],
    [{ doubleValue: 1e21 }, ['k=1000000000000000000000']],
    [{ doubleValue: Number.NaN }, ['k=NaN']],
    [{ bytesValue: Buffer.from([0, 255, 7]) }, ['k=AP8H']],
    [{ arrayValue: {} }, ['k=[]']],
    [{ kvlistValue: {} }, []],
    [{}, []],
  ];
  for (const [value, expected] of cases) {
    assert.deepEqual(labelsOf([pair('k', value)]), expected, JSON.stringify(value));
  }
});

test('a list is JSON', () => {
  const values = [
    { stringValue: 'a"\n\u0001' },
    { intValue: 5 },
    { doubleValue: 2.5e6 },
    { boolValue: true },
    { bytesValue: Buffer.from('x') },
    {},
    { arrayValue: { values: [{ doubleValue: 1e-9 }] } },
    {
      kvlistValue: {
        values: [pair('b', { intValue: 1 }), pair('a', { stringValue: 's' }), pair('b', { intValue: 2 })],
      },
    },
  ];
  const [label = ''] = labelsOf([pair('k', { arrayValue: { values } })]);
  assert.equal(label, 'k=["a\\"\\n\\u0001",5,2.5e+06,true,"eA==",null,[1e-09],{"b":2,"a":"s"}]');
  assert.doesNotThrow(() => JSON.parse(label.slice(2)));
});

test('the members of a list of pairs are labels of their own', () => {
  const inner = {
    kvlistValue: { values: [pair('c', { stringValue: 'd' }), pair('', { intValue: 1 }), { key: 'none' }] },
  };
  const value = { kvlistValue: { values: [pair('a', { intValue: 1 }), pair('b', inner)] } };
  assert.deepEqual(labelsOf([pair('k', value), pair('z', { intValue: 2 })]), ['k.a=1', 'k.b.c=d', 'z=2']);
});

test('what has no key or no value is left out; doubled keys stay', () => {
  const attributes = [
    { value: { intValue: 1 } },
    pair('', { intValue: 2 }),
    { key: 'none' },
    pair('a', { intValue: 3 }),
    pair('a', { intValue: 4 }),
  ];
  assert.deepEqual(labelsOf(attributes), ['a=3', 'a=4']);
});

test('names are those that Prometheus likes, if that is wanted', () => {
  const attributes = [
    pair('service.name', { stringValue: 'x' }),
    pair('_a', { intValue: 1 }),
    pair('m', { kvlistValue: { values: [pair('n-o', { intValue: 1 })] } }),
  ];
  const usePrometheusNaming = { 'opentelemetry.usePrometheusNaming': true };
  assert.deepEqual(labelsOf(attributes, usePrometheusNaming), ['service_name=x', 'key_a=1', 'm_n_o=1']);
  const bare = { ...usePrometheusNaming, 'opentelemetry.labelNameUnderscoreSanitization': false };
  assert.deepEqual(labelsOf(attributes, bare), ['service_name=x', '_a=1', 'm_n_o=1']);
  const namesOnly = { 'opentelemetry.convertMetricNamesToPrometheus': true };
  assert.deepEqual(labelsOf(attributes, namesOnly), ['service.name=x', '_a=1', 'm.n-o=1']);
});

test('deep nesting is refused, whatever it is made of', () => {
  const nested = (depth: number, wrap: (value: object) => object) => {
    let value: object = { intValue: 1 };
    for (let level = 0; level < depth; level++) value = wrap(value);
    return encode(
      requestOf({ name: 'm', gauge: { dataPoints: [{ asInt: 1, attributes: [pair('k', value)] }] } }),
    );
  };
  const wraps = [
    (value: object) => ({ arrayValue: { values: [value] } }),
    (value: object) => ({ kvlistValue: { values: [pair('x', value)] } }),
  ];
  for (const wrap of wraps) {
    // protobufjs nests no deeper than 100 messages itself.
    assert.equal(parse(opentelemetry, nested(30, wrap)).rows.length, 1);
  }
  // An AnyValue in an ArrayValue, and so on, made by hand: from inside out.
  let bytes = Buffer.from([0x18, 1]);
  const around = (tag: number, inner: Uint8Array) => {
    const length: number[] = [];
    for (let rest = inner.byteLength; ; rest >>>= 7) {
      length.push(rest < 0x80 ? rest : (rest & 0x7f) | 0x80);
      if (rest < 0x80) break;
    }
    return Buffer.concat([Buffer.from([tag, ...length]), inner]);
  };
  for (let depth = 0; depth < 5_000; depth++) bytes = around(0x2a, around(0x0a, bytes));
  const keyed = Buffer.concat([Buffer.from([0x0a, 1, 0x6b]), around(0x12, bytes)]);
  const point = Buffer.concat([around(0x3a, keyed), Buffer.from([0x31, 1, 0, 0, 0, 0, 0, 0, 0])]);
  const metric = Buffer.concat([Buffer.from([0x0a, 1, 0x6d]), around(0x2a, around(0x0a, point))]);
  const request = around(0x0a, around(0x12, around(0x12, metric)));
  assert.match(parse(opentelemetry, request).failure ?? '', /an attribute is nested more than 100 deep/);
});

test('texts are copied byte for byte', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (value) => {
      assert.deepEqual(labelsOf([pair('k', { stringValue: value })]), [`k=${value}`]);
    }),
  );
});
