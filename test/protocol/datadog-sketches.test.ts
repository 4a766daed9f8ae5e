import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import { type Dogsketch, datadogSketches, quantileOf } from '../../src/protocol/datadog-sketches.ts';
import { parse, rowsOf } from './support.ts';

/** The published schema, for protobufjs to write by. */
const { root } = protobuf.parse(
  `syntax = "proto3";
message SketchPayload { repeated Sketch sketches = 1; }
message Sketch { string metric = 1; string host = 2; repeated string tags = 4; repeated Dogsketch dogsketches = 7; }
message Dogsketch { int64 ts = 1; int64 cnt = 2; double min = 3; double max = 4; double avg = 5; double sum = 6;
  repeated sint32 k = 7; repeated uint32 n = 8; }`,
  { keepCase: true },
);
const SketchPayload = root.lookupType('SketchPayload');
const encode = (sketches: readonly object[]) =>
  SketchPayload.encode(SketchPayload.fromObject({ sketches })).finish();
const point = { ts: 1_700_000_000, cnt: 10, min: 1, max: 9, sum: 50, k: [1338, 1400, 1450], n: [3, 4, 3] };

test('a sketch is five quantiles and four numbers', () => {
  const body = encode([{ metric: 'a!b', host: 'h', tags: ['a:b', 'host:x', 'z'], dogsketches: [point] }]);
  const tags = 'a="b",host="x",z="no_label_value"';
  const at = '@1700000000000';
  assert.deepEqual(rowsOf(datadogSketches, body), [
    `a_b{host="h",quantile="0.5",${tags}} 2.6252029455497485${at}`,
    `a_b{host="h",quantile="0.75",${tags}} 5.677260965422917${at}`,
    `a_b{host="h",quantile="0.9",${tags}} 5.706830032951162${at}`,
    `a_b{host="h",quantile="0.95",${tags}} 5.736399100479407${at}`,
    `a_b{host="h",quantile="0.99",${tags}} 5.736399100479407${at}`,
    `a_b.sum{host="h",${tags}} 50${at}`,
    `a_b.count{host="h",${tags}} 10${at}`,
    `a_b.min{host="h",${tags}} 1${at}`,
    `a_b.max{host="h",${tags}} 9${at}`,
  ]);
  assert.equal(parse(datadogSketches, body).rowsRead, 7);
});

test('quantiles of odd sketches', () => {
  const of = (over: Partial<Dogsketch>) =>
    quantileOf(
      { timestampS: 0, count: 10, min: 1, max: 9, sum: 0, keys: [1338], counts: [10], ...over },
      0.5,
    );
  assert.equal(of({ count: 0, keys: [], counts: [] }), 0);
  assert.equal(of({ keys: [1], counts: [1, 2] }), 0);
  assert.equal(of({ count: 100 }), 9, 'more are counted than there are');
  assert.equal(of({ count: 1, counts: [1] }), 1);
  assert.equal(of({ keys: [-1400, -1338, 0, 1338], counts: [2, 2, 2, 4] }), 0);
});

test('the median of any values is near their median', () => {
  const bias = 1338;
  const gamma = 1 + 1 / 64;
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 1, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 50 }),
      (values) => {
        const sorted = values.toSorted((a, b) => a - b);
        const bins = new Map<number, number>();
        for (const value of sorted) {
          const key = Math.floor(Math.log(value) / Math.log(gamma)) + bias;
          bins.set(key, (bins.get(key) ?? 0) + 1);
        }
        const sketch = {
          timestampS: 0,
          count: sorted.length,
          min: sorted[0]!,
          max: sorted.at(-1)!,
          sum: 0,
          keys: [...bins.keys()],
          counts: [...bins.values()],
        };
        const low = sorted[Math.floor((sorted.length - 1) / 2)]!;
        const high = sorted[Math.ceil((sorted.length - 1) / 2)]!;
        const median = quantileOf(sketch, 0.5);
        assert.ok(
          median >= low / gamma / gamma && median <= high * gamma * gamma,
          `${low} ${median} ${high}`,
        );
      },
    ),
  );
});

test('what is not of the form refuses the request, and nothing is made of nothing', () => {
  assert.match(parse(datadogSketches, 'garbage').failure ?? '', /^cannot parse the body: /);
  assert.match(
    parse(datadogSketches, encode([{ metric: 'a', dogsketches: [point] }]).subarray(0, 20)).failure ?? '',
    /cannot parse/,
  );
  assert.deepEqual(rowsOf(datadogSketches, encode([{ metric: 'a' }])), []);
});
