import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { graphite } from '../../src/protocol/graphite.ts';
import { NOW_MS, parse, receive, rowsOf } from './support.ts';

const NOW_S = `${NOW_MS - (NOW_MS % 1_000)}`;
const rows = (text: string, options = {}) =>
  rowsOf(graphite, text, { options }).map((row) => row.replace(NOW_S, 'now'));

test('a line is read from its end', () => {
  const cases: [string, string][] = [
    ['foo;bar=baz;aa=;x=y;=z 1 2', 'foo{bar="baz",x="y"} 1@2000'],
    ['foo;bar 1 2', 'foo{} 1@2000'],
    ['foo; 1 2', 'foo{} 1@2000'],
    ['foo;;a=b 1 2', 'foo{a="b"} 1@2000'],
    ['foo;bar=123;baz=aa=bb 1', 'foo{bar="123",baz="aa=bb"} 1@now'],
    ['s a;ta g1=aaa1;tag2=bb b2;tag3 1 23', 's a{ta g1="aaa1",tag2="bb b2"} 1@23000'],
    ['foo; a =b 1 2', 'foo{ a ="b"} 1@2000'],
    ['aaa 1123 4294.943', 'aaa{} 1123@4294000'],
    ['aaa 1 429496729600', 'aaa{} 1@429496729600000'],
    ['aaa 1 1700000000123', 'aaa{} 1@1700000000123000'],
    ['aaa 1 1e3', 'aaa{} 1@1000000'],
    [' foo\t1  2 \t', 'foo{} 1@2000'],
    ['foo 1 2\r', 'foo{} 1@2000'],
    ['foo 1', 'foo{} 1@now'],
    ['foo 1 0', 'foo{} 1@now'],
    ['foo 1 -1', 'foo{} 1@now'],
    ['foo 1 -2', 'foo{} 1@-2000'],
    ['foo nan 1', 'foo{} NaN@1000'],
    ['# c 1 2', '# c{} 1@2000'],
    ['foo bar 1 2', 'foo bar{} 1@2000'],
  ];
  for (const [line, expected] of cases) assert.deepEqual(rows(line), [expected], line);
});

test('lines that make no sense are left out and counted', () => {
  const bad = [
    'aaa',
    'aa bb',
    'aa 123 bar',
    ';a=b 1',
    'foo bar;a=b 1',
    'foo +5 1',
    'foo 1 2 ;',
    'foo 1 nan',
    'foo 1 inf',
    '  ',
    '1 2',
  ];
  const good = bad.pop()!;
  const { rows: taken, invalid } = parse(graphite, [good, ...bad, '', good].join('\n'));
  assert.deepEqual([taken.length, invalid], [2, bad.length]);
});

test('names are cleaned when asked for', () => {
  const options = { 'graphite.sanitizeMetricName': true };
  assert.deepEqual(rows('foo...b..a.r\\a--baz 1 2', options), ['foo.b.a.r_a__baz{} 1@2000']);
  assert.deepEqual(rows('é:_9;t é=v é 1 2', options), ['_:_9{t__="v é"} 1@2000']);
  assert.deepEqual(rows('foo..bar 1 2'), ['foo..bar{} 1@2000']);
});

test('timestamps are rounded down when asked for', () => {
  assert.deepEqual(rows('foo 1 119', { graphiteTrimTimestamp: 60_000 }), ['foo{} 1@60000']);
});

test('it is not for HTTP', () => {
  assert.equal(graphite.routes.length, 0);
  const head = {
    route: { path: '/', counterPath: '/' },
    path: '/',
    query: new URLSearchParams(),
    header: () => '',
  };
  assert.equal(graphite.receive(head, {}).kind, 'refusal');
  assert.throws(() => receive(graphite));
});

test('whatever is written in the format is read back', () => {
  const word = fc
    .string({ unit: fc.constantFrom(...'ab.é_ '), minLength: 1, maxLength: 6 })
    .filter((one) => one === one.trim());
  const line = fc.record({
    name: word,
    tags: fc.array(fc.tuple(word, word), { maxLength: 3 }),
    value: fc.double(),
    time: fc.integer({ min: 1 }),
  });
  fc.assert(
    fc.property(fc.array(line, { maxLength: 5 }), fc.constantFrom(' ', '\t', '  \t '), (lines, blank) => {
      const text = lines.map(({ name, tags, value, time }) => {
        const number = Object.is(value, -0) ? '-0' : String(value).replace('+', '');
        return [[name, ...tags.map((tag) => tag.join('='))].join(';'), number, time].join(blank);
      });
      const { rows: found, invalid } = parse(graphite, text.join('\n'));
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
