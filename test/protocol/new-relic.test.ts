import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { newRelic } from '../../src/protocol/new-relic.ts';
import { NOW_MS, parse, receive, rowsOf } from './support.ts';

const NOW_S = `${NOW_MS - (NOW_MS % 1_000)}`;
const rows = (events: string) =>
  rowsOf(newRelic, `[{"Events":[${events}]}]`).map((row) => row.replace(NOW_S, 'now'));

test('every number of an event is a series with its texts', () => {
  assert.deepEqual(
    rows(
      '{"eventType":"S","timestamp":1700000000,"k":"v","cpu":1.5,"mem":2,"e":"","b":true,"o":{"x":1},"a":[1],"n":null}',
    ),
    ['cpu{eventType="S",k="v"} 1.5@1700000000000', 'mem{eventType="S",k="v"} 2@1700000000000'],
  );
  assert.deepEqual(rows('{"x y":1,"__name__":"foo"}'), ['x y{__name__="foo"} 1@now']);
  assert.deepEqual(rows('{"x":NaN,"z":"v","z":"w","t":1e400}'), [
    'x{z="v",z="w"} NaN@now',
    't{z="v",z="w"} Infinity@now',
  ]);
  assert.deepEqual(rows('{"t":"only"},{}'), []);
});

test('timestamps', () => {
  const cases: [string, string][] = [
    ['1700000000.5', 'x{} 1@1700000000500'],
    ['1.9999', 'x{} 1@1999'],
    ['1700000000123', 'x{} 1@1700000000123'],
    ['0', 'x{} 1@now'],
    ['-1', 'x{} 1@-1000'],
    ['4294967295', 'x{} 1@4294967295000'],
    ['4294967296', 'x{} 1@4294967296'],
    ['NaN', 'x{} 1@now'],
    ['"text"', 'x{timestamp="text"} 1@now'],
    ['null', 'x{} 1@now'],
  ];
  for (const [timestamp, expected] of cases)
    assert.deepEqual(rows(`{"x":1,"timestamp":${timestamp}}`), [expected], timestamp);
});

test('what is not of the form refuses the request', () => {
  for (const text of [
    '{}',
    '5',
    'x',
    '[1]',
    '[{"Events":{}}]',
    '[{"Events":null}]',
    '[{"Events":[1]}]',
    '[{"Events":[{"x":1}]},2]',
  ]) {
    assert.match(parse(newRelic, text).failure ?? '', /^cannot parse the body: /, text);
  }
  for (const text of ['[]', '[{}]', '[{"events":[{"x":1}]}]'])
    assert.deepEqual(rowsOf(newRelic, text), [], text);
});

test('what the agent asks besides is answered', () => {
  const bodyOf = (path: string) => {
    const reception = receive(newRelic, { path });
    return reception.kind === 'answer' && [reception.answer.status, reception.answer.body];
  };
  assert.deepEqual(bodyOf('/newrelic'), [202, '{"status":"ok"}']);
  assert.deepEqual(bodyOf('/newrelic/inventory/deltas'), [
    202,
    '{"payload":{"version": 1, "state": {}, "reset": "false"}}',
  ]);
  assert.equal(receive(newRelic, { path: '/newrelic/infra/v2/metrics/events/bulk' }).kind, 'body');
});

test('whatever JSON.stringify writes is read back', () => {
  const name = fc
    .string({ minLength: 1, maxLength: 8 })
    .filter((one) => one !== 'timestamp' && one !== '__proto__');
  const value = fc.oneof(
    fc.string({ maxLength: 5 }),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.boolean(),
    fc.constant(null),
  );
  fc.assert(
    fc.property(
      fc.array(fc.dictionary(name, value, { maxKeys: 6, noNullPrototype: true }), { maxLength: 4 }),
      (events) => {
        const { rows: found } = parse(newRelic, JSON.stringify([{ Events: events }]));
        const expected = events.flatMap((event) => {
          const labels = Object.entries(event).filter(([, one]) => typeof one === 'string' && one !== '');
          return Object.entries(event).flatMap(([key, one]) =>
            typeof one === 'number' ? [{ value: one + 0, labels: [['__name__', key], ...labels] }] : [],
          );
        });
        assert.deepEqual(
          found.map(({ labels, samples }) => ({
            value: samples[0]!.value,
            labels: labels.map((label) => [label.name, label.value]),
          })),
          expected,
        );
      },
    ),
  );
});
