import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import { datadogV2 } from '../../src/protocol/datadog-v2.ts';
import { NOW_MS, parse, receive, rowsOf, show } from './support.ts';

const NOW_S = `${NOW_MS - (NOW_MS % 1_000)}`;
const PROTOBUF = { parameters: { format: 'protobuf' } };
const rows = (text: string) => rowsOf(datadogV2, text).map((row) => row.replaceAll(NOW_S, 'now'));

/** The published schema, for protobufjs to write by. */
const { root } = protobuf.parse(
  `syntax = "proto3";
message Payload { repeated MetricSeries series = 1; }
message MetricSeries { repeated Resource resources = 1; string metric = 2; repeated string tags = 3; repeated Point points = 4;
  int32 type = 5; string unit = 6; string source_type_name = 7; int64 interval = 8; }
message Resource { string type = 1; string name = 2; }
message Point { double value = 1; int64 timestamp = 2; }`,
  { keepCase: true },
);
const Payload = root.lookupType('Payload');
const encode = (body: object) => Payload.encode(Payload.fromObject(body)).finish();

const BODY = {
  series: [
    {
      metric: 'a!b',
      type: 3,
      points: [{ timestamp: 1_700_000_000, value: 1.5 }, { timestamp: 5 }],
      resources: [{ type: 'host', name: 'h' }, { type: 'r', name: '' }, { name: 'x' }],
      tags: ['host:x', 'a:b', 'z'],
      source_type_name: 'src',
      unit: 'u',
      interval: 5,
    },
  ],
};
const EXPECTED = [
  'a_b{host="h",r="",source_type_name="src",exported_host="x",a="b",z="no_label_value"} 1.5@1700000000000 0@5000',
];

test('JSON and protobuf say the same', () => {
  assert.deepEqual(rows(JSON.stringify(BODY)), EXPECTED);
  assert.deepEqual(parse(datadogV2, encode(BODY), PROTOBUF).rows.map(show), EXPECTED);
  assert.deepEqual(rows('{"Series":[{"Metric":"m","Points":[{"Timestamp":1,"Value":1}]}]}'), ['m{} 1@1000']);
});

test('a timestamp of 0 means now in JSON only', () => {
  const body = {
    series: [
      { metric: 'm', points: [{ timestamp: 0, value: 1 }, { timestamp: -1, value: 2 }, { value: 3 }] },
    ],
  };
  assert.deepEqual(rows(JSON.stringify(body)), ['m{} 1@now 2@now 3@now']);
  assert.deepEqual(parse(datadogV2, encode(body), PROTOBUF).rows.map(show), ['m{} 1@0 2@-1000 3@0']);
});

test('what is not of the form refuses the request', () => {
  for (const points of [
    '[{"timestamp":1.5,"value":1}]',
    '[{"timestamp":"1"}]',
    '[{"timestamp":1,"value":"1"}]',
    '[1]',
    '{}',
  ]) {
    assert.match(
      parse(datadogV2, `{"series":[{"metric":"m","points":${points}}]}`).failure ?? '',
      /^cannot parse the body: /,
      points,
    );
  }
  assert.match(
    parse(datadogV2, encode(BODY).subarray(0, 30), PROTOBUF).failure ?? '',
    /^cannot parse the body: /,
  );
  assert.match(parse(datadogV2, '[]').failure ?? '', /^cannot parse the body: /);
});

test('the type of the content decides', () => {
  const formatOf = (type: string) => {
    const reception = receive(datadogV2, { headers: { 'content-type': type } });
    return reception.kind === 'body' && reception.parameters?.format;
  };
  assert.equal(formatOf('application/x-protobuf'), 'protobuf');
  assert.equal(formatOf('application/json'), 'json');
  assert.equal(formatOf(''), 'json');
});

test('whatever protobufjs writes is read back', () => {
  const text = fc.string({ unit: fc.constantFrom(...'ab.é'), minLength: 1, maxLength: 6 });
  const series = fc.record({
    metric: fc.constantFrom('a.b', 'c9'),
    resources: fc.array(fc.record({ type: text, name: text }), { maxLength: 3 }),
    points: fc.array(fc.record({ timestamp: fc.integer(), value: fc.double() }), {
      minLength: 1,
      maxLength: 3,
    }),
  });
  fc.assert(
    fc.property(fc.array(series, { maxLength: 4 }), (all) => {
      const { rows: found } = parse(datadogV2, encode({ series: all }), PROTOBUF);
      assert.deepEqual(
        found.map(({ labels, samples }) => [
          labels.map(({ name, value }) => [name, value]),
          samples.map(({ value, timestamp }) => [value, timestamp]),
        ]),
        all.map(({ metric, resources, points }) => [
          [['__name__', metric], ...resources.map(({ type, name }) => [type, name])],
          points.map(({ timestamp, value }) => [value, timestamp * 1000]),
        ]),
      );
    }),
  );
});
