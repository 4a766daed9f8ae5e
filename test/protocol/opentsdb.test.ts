import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { opentsdb } from '../../src/protocol/opentsdb.ts';
import { NOW_MS, parse, rowsOf } from './support.ts';

const NOW_S = `${NOW_MS - (NOW_MS % 1_000)}`;
const rows = (text: string, options = {}) =>
  rowsOf(opentsdb, text, { options }).map((row) => row.replace(NOW_S, 'now'));

test('a put is a sample', () => {
  const cases: [string, string][] = [
    ['put aaa 123 43 ', 'aaa{} 43@123000'],
    ['put foobar 789.4 -1 a= b=c =d', 'foobar{b="c"} -1@789000'],
    ['put foo 2 1 bar=baz=aaa', 'foo{bar="baz=aaa"} 1@2000'],
    ['put  foo   2   1   a=b   c=d', 'foo{a="b",c="d"} 1@2000'],
    ['put foo 0 1 a=b', 'foo{a="b"} 1@now'],
    ['put foo 4294967295 1', 'foo{} 1@4294967295000'],
    ['put foo 4294967296 1', 'foo{} 1@4294967296'],
    ['put foo -5 1', 'foo{} 1@-5'],
    ['put foo 1700000000123 1', 'foo{} 1@1700000000123'],
    ['put foo 2 nan a=b\r', 'foo{a="b"} NaN@2000'],
    ['put f 1 2 a=\tb', 'f{a="\\tb"} 2@1000'],
    ['put f 1 2 a=b a=c', 'f{a="b",a="c"} 2@1000'],
  ];
  for (const [line, expected] of cases) assert.deepEqual(rows(line), [expected], line);
});

test('lines that make no sense are left out and counted', () => {
  const bad = [
    'xx',
    'put',
    'put ',
    'put  111 34',
    'put foo 2',
    'put aaa 123 4.5 foo',
    'put f 3df4 1 a=b',
    'put foo 2 1\ta=b',
    ' put foo 2 1',
    'PUT foo 2 1',
    'put\tfoo 2 1',
    'version',
    'put foo 1 +5',
    'put foo nan 1',
    'put f 1 2 a= b',
    '  ',
  ];
  const { rows: taken, invalid } = parse(opentsdb, ['put a 1 1', ...bad, '', 'put b 2 2'].join('\n'));
  assert.deepEqual([taken.length, invalid], [2, bad.length]);
  for (const line of bad) assert.equal(parse(opentsdb, line).invalid, 1, line);
});

test('timestamps are rounded down above a second only', () => {
  assert.deepEqual(rows('put foo 1700000000123 1', { opentsdbTrimTimestamp: 1_000 }), [
    'foo{} 1@1700000000123',
  ]);
  assert.deepEqual(rows('put foo 119 1', { opentsdbTrimTimestamp: 60_000 }), ['foo{} 1@60000']);
});

test('whatever is written in the format is read back', () => {
  const word = fc.string({ unit: fc.constantFrom(...'ab.é_\t"'), minLength: 1, maxLength: 6 });
  const line = fc.record({
    name: word,
    tags: fc.array(fc.tuple(word, word), { maxLength: 3 }),
    value: fc.double(),
    time: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
  });
  fc.assert(
    fc.property(fc.array(line, { maxLength: 5 }), fc.constantFrom(' ', '   '), (lines, blank) => {
      const text = lines.map(({ name, tags, value, time }) => {
        const number = Object.is(value, -0) ? '-0' : String(value).replace('+', '');
        return `put ${[name, time, number, ...tags.map((tag) => tag.join('='))].join(blank)}`;
      });
      const { rows: found, invalid } = parse(opentsdb, text.join('\n'));
      assert.equal(invalid, 0);
      assert.deepEqual(
        found.map(({ labels, samples }) => ({ labels, samples })),
        lines.map(({ name, tags, value, time }) => ({
          labels: [
            { name: '__name__', value: name },
            ...tags.map(([key, tag]) => ({ name: key, value: tag })),
          ],
          samples: [{ value, timestamp: time * 1000 }],
        })),
      );
    }),
  );
});
