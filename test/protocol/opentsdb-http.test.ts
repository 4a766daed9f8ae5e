import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { opentsdbHttp } from '../../src/protocol/opentsdb-http.ts';
import { NOW_MS, parse, rowsOf } from './support.ts';

const NOW_S = `${NOW_MS - (NOW_MS % 1_000)}`;
const rows = (text: string) => rowsOf(opentsdbHttp, text).map((row) => row.replace(NOW_S, 'now'));

test('an object is a sample', () => {
  const cases: [string, string][] = [
    ['{"metric":"foo","timestamp":1,"value":2,"tags":{"a":"b"}}', 'foo{a="b"} 2@1000'],
    [
      '{"metric":"foo","timestamp":1700000000123,"value":"2.5","tags":{"a":"b","e":"","":"x"}}',
      'foo{a="b"} 2.5@1700000000123',
    ],
    ['{"metric":"m","value":"nan","timestamp":"1e3"}', 'm{} NaN@1000000'],
    ['{"metric":"m","value":NaN,"timestamp":1}', 'm{} NaN@1000'],
    ['{"metric":"m","value":1}', 'm{} 1@now'],
    ['{"metric":"m","value":1,"timestamp":0}', 'm{} 1@now'],
    ['{"metric":"m","value":1,"timestamp":1.9}', 'm{} 1@1000'],
    ['{"metric":"m","value":1,"timestamp":4294967295}', 'm{} 1@4294967295000'],
    ['{"metric":"m","value":1,"timestamp":4294967296}', 'm{} 1@4294967296'],
    ['{"metric":"m","value":1,"timestamp":-5}', 'm{} 1@-5'],
    ['{"metric":"m","value":1,"value":2,"timestamp":1,"tags":{"a":"1","a":"2"}}', 'm{a="1",a="2"} 1@1000'],
    ['{"metric":"m","value":1,"timestamp":1,"Tags":{"a":"b"}}', 'm{} 1@1000'],
  ];
  for (const [text, expected] of cases) assert.deepEqual(rows(text), [expected], text);
});

test('items that make no sense are left out and counted, the others are taken', () => {
  const bad = [
    '1',
    '"foo"',
    'null',
    '[1,2]',
    '{"metric":1,"value":1}',
    '{"metric":"","value":1}',
    '{"metric":"m"}',
    '{"metric":"m","value":"x"}',
    '{"metric":"m","value":""}',
    '{"metric":"m","value":true}',
    '{"metric":"m","value":null}',
    '{"metric":"m","value":1,"timestamp":"x"}',
    '{"metric":"m","value":1,"timestamp":null}',
    '{"metric":"m","value":1,"timestamp":""}',
    '{"metric":"m","value":1,"timestamp":"inf"}',
    '{"metric":"m","value":1,"tags":{"a":1}}',
    '{"metric":"m","value":1,"tags":[]}',
    '{"metric":"m","value":1,"tags":null}',
  ];
  const good = '{"metric":"good","value":1}';
  const { rows: taken, invalid, examples } = parse(opentsdbHttp, `[${[good, ...bad, good].join(',')}]`);
  assert.deepEqual([taken.length, invalid], [2, bad.length]);
  assert.match(examples[4]!, /^line 6: there is no "metric": "\{\\"metric\\":1,/);
  assert.equal(parse(opentsdbHttp, '5').invalid, 1);
  assert.equal(parse(opentsdbHttp, '[]').failure, undefined);
});

test('what is not JSON refuses the request', () => {
  for (const text of ['[1', '{} x', 'x'])
    assert.match(parse(opentsdbHttp, text).failure ?? '', /it is not JSON/);
});

test('whatever JSON.stringify writes is read back', () => {
  const text = fc.string({ minLength: 1, maxLength: 8 }).filter((one) => one !== '__proto__');
  const put = fc.record({
    metric: text,
    timestamp: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
    value: fc.double({ noNaN: true, noDefaultInfinity: true }),
    tags: fc.dictionary(text, text, { maxKeys: 3, noNullPrototype: true }),
  });
  fc.assert(
    fc.property(fc.array(put, { maxLength: 5 }), (puts) => {
      const { rows: found } = parse(opentsdbHttp, JSON.stringify(puts));
      assert.deepEqual(
        found.map(({ labels, samples }) => ({ labels, samples })),
        puts.map(({ metric, timestamp, value, tags }) => ({
          labels: [
            { name: '__name__', value: metric },
            ...Object.entries(tags).map(([name, tag]) => ({ name, value: tag })),
          ],
          samples: [{ value: value + 0, timestamp: timestamp * 1000 }],
        })),
      );
    }),
  );
});
