import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { prometheusText } from '../../src/protocol/prometheus-text.ts';
import { parse, receive, rowsOf } from './support.ts';

const rows = (text: string) => rowsOf(prometheusText, text);

test('a line gives its series', () => {
  const cases: [string, string][] = [
    ['foo{bar="baz",aa="",x="y",="z"} 1 2', 'foo{bar="baz",aa="",x="y"} 1@2000'],
    ['foobar{} 123.456 789.4354', 'foobar{} 123.456@789435'],
    ['foo   344#bar', 'foo{} 344@now'],
    ['foo#qw{bar#2="#1 az"} 24 456 # c {b="x"}', 'foo#qw{bar#2="#1 az"} 24@456000'],
    ['x{a="1"}5 1700000000', 'x{a="1"} 5@1700000000000'],
    ['a{b="domain\\somelogin"} 1 1', 'a{b="domain\\\\somelogin"} 1@1000'],
    ['a{b="\\\\ \\" \\n \\t"} 1 1', 'a{b="\\\\ \\" \\n \\\\t"} 1@1000'],
    ['{"foo", "bar"="baz"} 1', 'foo{bar="baz"} 1@now'],
    ['{bar="baz","foo"} 1', 'foo{bar="baz"} 1@now'],
    ['{"温度{房间"} 1', '温度{房间{} 1@now'],
    ['{"f\\"oo"} 1', 'f"oo{} 1@now'],
    ['foo{bar="baz",} 1 2', 'foo{bar="baz"} 1@2000'],
    ['\t foo\t {  } 0.3\t 2', 'foo{} 0.3@2000'],
    ['vm\t{ a = "1" , b=\t"1" } 5', 'vm{a="1",b="1"} 5@now'],
    ['bbb -INF', 'bbb{} -Infinity@now'],
    ['baz -infinity', 'baz{} -Infinity@now'],
    ['aaa +inf', 'aaa{} Infinity@now'],
    ['aaa nan', 'aaa{} NaN@now'],
    ['fo bar{a="b"} 1 2', 'fo bar{a="b"} 1@2000'],
    ['a{a b="c"} 1 3', 'a{a b="c"} 1@3000'],
    ['a{__name__="zz"} 1 3', 'a{__name__="zz"} 1@3000'],
    ['a{b="}"} 1 3\r', 'a{b="}"} 1@3000'],
    ['a 1 0', 'a{} 1@now'],
    ['a 1 0.0001', 'a{} 1@now'],
    ['a 1 -1.5', 'a{} 1@-1500'],
    ['a 1 2147483647', 'a{} 1@2147483647000'],
    ['a 1 2147483648', 'a{} 1@2147483648'],
    ['a 1 -2147483648', 'a{} 1@-2147483648000'],
    ['a 1 -2147483649', 'a{} 1@-2147483649'],
    ['a 1 1700000000.1239', 'a{} 1@1700000000123'],
    ['foo_total 17 # {trace_id="x"} 9.8 1520879607.789', 'foo_total{} 17@now'],
    ['foo_total{a="b"} 17 5 # {trace_id="x"} 9.8 1520879607.789', 'foo_total{a="b"} 17@5000'],
  ];
  for (const [line, expected] of cases) assert.deepEqual(rows(line), [expected], line);
});

test('lines that make no sense are left out and counted, the others are taken', () => {
  const bad = [
    '{"foo","foo2"} 1',
    'foobar{"foo"} 1',
    '{"a"="ok"} 1',
    '{__name__="zz"} 3',
    'a{foo} 3',
    'a{foo:"b"} 1',
    "{foo='b'} 1",
    'foo 123 bar',
    'z 1 2 3',
    'aaa',
    'aaa ',
    'foo{,} 1 2',
    'foo{a="b",,} 1 2',
    'foo{a="b"}',
    'foo{a="b" c="d"} 1',
    'foo{a="b} 1',
    'foo{a="b\\',
    'foo{',
    'foo{a',
    'foo{"a',
    'foo{"a"',
    'foo{"a"=',
    '{} 1',
    '{""} 1',
    'a # 1',
    'a 1 nan',
    'a 1 1e999',
    'a 1 1e30',
    'a +5',
  ];
  const {
    rows: taken,
    invalid,
    examples,
  } = parse(prometheusText, ['good 1 1', ...bad, 'good 2 2'].join('\n'));
  assert.equal(invalid, bad.length);
  assert.equal(taken.length, 2);
  assert.deepEqual(examples[0], 'line 2: there are two metric names: "{\\"foo\\",\\"foo2\\"} 1"');
  for (const line of bad) assert.equal(parse(prometheusText, line).invalid, 1, line);
});

test('blank lines and comments are no rows', () => {
  const { rows: none, invalid } = parse(
    prometheusText,
    '\n\r\n \t\n# comment\n#TYPE a gauge\n##\n# EOF\n# UNIT a s',
  );
  assert.deepEqual([none, invalid], [[], 0]);
});

test('HELP and TYPE that follow each other are one entry', () => {
  const text = `# HELP a some  help\\\\ x\\ny
# TYPE a counter
a 1 1
# TYPE b histogram
# HELP c  two
#HELP d x
#  HELP e x
# HELP i
# HELP j only help
# HELP m help of m
# TYPE n unknown
  # TYPE p gaugehistogram
# HELP a again\r
# TYPE s stateset`;
  const { metadata, invalid } = parse(prometheusText, text);
  assert.deepEqual(
    metadata.map(({ type, metricFamilyName, help }) => [type, metricFamilyName, help]),
    [
      [1, 'a', 'some  help\\ x\ny'],
      [3, 'b', ''],
      [0, 'c', ' two'],
      [0, 'j', 'only help'],
      [0, 'm', 'help of m'],
      [0, 'n', ''],
      [4, 'p', ''],
      [0, 'a', 'again'],
      [7, 's', ''],
    ],
  );
  assert.equal(invalid, 0);
});

test('an unknown TYPE is counted and takes its HELP along', () => {
  const { metadata, invalid } = parse(
    prometheusText,
    '# HELP g x\n# TYPE g bogus\n# TYPE  u gauge\n# TYPE h\n# TYPE q stateset x',
  );
  assert.deepEqual([metadata, invalid], [[], 4]);
});

test('the query gives the timestamp of lines without one', () => {
  assert.deepEqual(rowsOf(prometheusText, 'a 1\nb 1 0\nc 1 5', { parameters: { timestamp: '1234' } }), [
    'a{} 1@1234',
    'b{} 1@1234',
    'c{} 1@5000',
  ]);
  const parametersOf = (query: string) => {
    const reception = receive(prometheusText, { query });
    return reception.kind === 'body' ? reception.parameters : reception;
  };
  assert.deepEqual(parametersOf('timestamp=1234'), { timestamp: '1234' });
  assert.deepEqual(parametersOf('timestamp=-5'), {});
  assert.deepEqual(parametersOf('timestamp='), {});
  const refused = receive(prometheusText, { query: 'timestamp=1.5' });
  assert.equal(refused.kind === 'refusal' && refused.status, 400);
});

test('the paths of a Pushgateway give labels, and 200', () => {
  const of = (path: string) => {
    const reception = receive(prometheusText, { path: `/api/v1/import/prometheus${path}` });
    return reception.kind === 'body' ? [reception.accepted?.status, reception.labels] : reception.kind;
  };
  assert.deepEqual(of(''), [204, []]);
  assert.deepEqual(of('/metrics/job/a'), [200, [{ name: 'job', value: 'a' }]]);
  assert.deepEqual(of('/metrics/job@base64/YQ'), [204, [{ name: 'job', value: 'a' }]]);
  assert.deepEqual(of('/metrics/job/a/b'), 'refusal');
});

const word = fc.string({ unit: fc.constantFrom(...'abcXYZ_:09é'), minLength: 1, maxLength: 8 });
const value = fc.string({ maxLength: 12 });

test('whatever is written in the format is read back', () => {
  const escaped = (text: string) =>
    text.replace(/[\\"\n]/g, (found) => (found === '\n' ? '\\n' : `\\${found}`));
  const line = fc.record({
    name: word,
    quoted: fc.boolean(),
    labels: fc.array(fc.tuple(word, value), { maxLength: 4 }),
    sample: fc.double(),
    timestamp: fc.option(fc.integer({ min: 1, max: 2 ** 31 - 1 }), { nil: undefined }),
  });
  fc.assert(
    fc.property(fc.array(line, { maxLength: 6 }), fc.constantFrom('', ' ', '\t'), (lines, blank) => {
      const text = lines.map(({ name, quoted, labels, sample, timestamp }) => {
        const inner = labels.map(
          ([key, text]) => `${blank}${key}${blank}=${blank}"${escaped(text)}"${blank}`,
        );
        const head = quoted ? `{${[`"${name}"`, ...inner].join(',')}}` : `${name}{${inner.join(',')}}`;
        const number = Object.is(sample, -0) ? '-0' : String(sample).replace('+', '');
        return `${blank}${head} ${number}${timestamp === undefined ? '' : ` ${timestamp}`}${blank}`;
      });
      const expected = lines.map(({ name, labels, sample, timestamp }) => ({
        labels: [
          { name: '__name__', value: name },
          ...labels.map(([key, text]) => ({ name: key, value: text })),
        ],
        samples: [
          { value: sample, timestamp: timestamp === undefined ? 1_790_000_000_123 : timestamp * 1000 },
        ],
      }));
      const { rows: found, invalid } = parse(prometheusText, text.join('\n'));
      assert.equal(invalid, 0, text.join('\n'));
      assert.deepEqual(
        found.map(({ labels, samples }) => ({ labels, samples })),
        expected,
      );
    }),
  );
});

test('labels that lines have in common with those before', () => {
  const label = fc.constantFrom(
    ...[
      'a="1"',
      'a="12"',
      'b="1"',
      'b=""',
      `long="${'x'.repeat(40)}"`,
      `long="${'x'.repeat(41)}"`,
      'q="\\""',
    ],
    ...[`huge="${'y'.repeat(600)}"`, 'a = "1"'],
  );
  const line = fc
    .tuple(fc.constantFrom('m', 'metric'), fc.array(label, { maxLength: 6 }), fc.nat(9))
    .map(([name, labels, value]) => `${name}{${labels.join(',')}} ${value}`);
  fc.assert(
    fc.property(fc.array(line, { maxLength: 30 }), (lines) => {
      assert.equal(parse(prometheusText, lines.join('\n')).rows.length, lines.length);
    }),
  );
});
