import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SeriesSink } from '../../src/protocol/series-sink.ts';
import { statsd } from '../../src/protocol/statsd.ts';
import { NOW_MS, parse, rowsOf } from './support.ts';

/** With the type where it stands in the line: `a{c} 1@now`. */
const rows = (text: string, options = {}) =>
  rowsOf(statsd, text, { options }).map((row) => row.replace(/__statsd_metric_type__="(\w+)"/, '$1'));

const expectRows = (cases: readonly (readonly [line: string, ...rows: string[]])[], options = {}) => {
  for (const [line, ...expected] of cases) assert.deepEqual(rows(line, options), expected, line);
};

test('every type is a label, and tags are labels behind it', () => {
  expectRows([
    ['a.b:1|c', 'a.b{c} 1@now'],
    ['a:1.5|g', 'a{g} 1.5@now'],
    ['a:320|ms', 'a{ms} 320@now'],
    ['a:1e3|h', 'a{h} 1000@now'],
    ['a:-1|d', 'a{d} -1@now'],
    ['a:1|m', 'a{m} 1@now'],
    ['a:7|s', 'a{s} 7@now'],
    ['a:1|c|#x:y,z:1', 'a{c,x="y",z="1"} 1@now'],
    ['a:1|c|#env:prod,url:http://h:80/,x=y:z', 'a{c,env="prod",url="http://h:80/",x=y="z"} 1@now'],
    ['a:1|c|#', 'a{c} 1@now'],
    ['a:1|c|#x,y:,:z,,t:1', 'a{c,t="1"} 1@now'],
    ['a:1|c|#x:1,x:2', 'a{c,x="1",x="2"} 1@now'],
    [' \ta b:1|c \t', 'a b{c} 1@now'],
    ['a:1|c\r', 'a{c} 1@now'],
    ['é:1|c|#ü:ö', 'é{c,ü="ö"} 1@now'],
    ['a:nan|g', 'a{g} NaN@now'],
    ['a:1|c\n\nb:2|g\n', 'a{c} 1@now', 'b{g} 2@now'],
  ]);
});

test('sections come in any order, and those that say nothing about values are ignored', () => {
  expectRows([
    ['a:1|c|@0.5|#x:y', 'a{c,x="y"} 2@now'],
    ['a:1|c|#x:y|@0.5', 'a{c,x="y"} 2@now'],
    ['a:1|c|c:83c0a99c0a54c0c187f461c7980e9b57f3f6a8b0c918c8d93df19a9de6f3fe1d', 'a{c} 1@now'],
    ['a:1|g|#x:y|c:in-5|e:it-false,cn-app|card:low|T1656581400', 'a{g,x="y"} 1@1656581400000'],
    ['a:1|c|T0', 'a{c} 1@now'],
    ['a:1|c|||', 'a{c} 1@now'],
    ['a:1|c|card:low', 'a{c} 1@now'],
    ['a:1|c|#x:1|#y:2', 'a{c,y="2"} 1@now'],
  ]);
});

test('values that are packed share the rest of the line', () => {
  expectRows([
    ['a:1:2.5:-3|ms|#x:y', 'a{ms,x="y"} 1@now 2.5@now -3@now'],
    ['a:1:2|c|@0.1', 'a{c} 10@now 20@now'],
  ]);
});

test('increments stand for those that were not sent', () => {
  expectRows([
    ['a:3|c|@0.1', 'a{c} 30@now'],
    ['a:-3|c|@0.25', 'a{c} -12@now'],
    ['a:3|m|@0.5', 'a{m} 6@now'],
    ['a:3|c|@1', 'a{c} 3@now'],
    ['a:3|g|@0.1', 'a{g} 3@now'],
    ['a:3|s|@0.1', 'a{s} 3@now'],
  ]);
});

test('measurements are there as often as they stand for, up to a limit', () => {
  expectRows([
    ['a:7|ms|@0.25', 'a{ms} 7@now 7@now 7@now 7@now'],
    ['a:7|h|@0.3', 'a{h} 7@now 7@now 7@now'],
    ['a:7:8|d|@0.5', 'a{d} 7@now 7@now 8@now 8@now'],
    ['a:7|d|@0.9', 'a{d} 7@now'],
  ]);
  expectRows([['a:7|ms|@0.001', 'a{ms} 7@now 7@now 7@now']], { 'statsd.maxSampleCopies': 3 });
  expectRows([['a:7|ms|@0.001', 'a{ms} 7@now']], { 'statsd.maxSampleCopies': 1 });
});

test('a sign makes a gauge a change, of a type of its own, unless it is to be taken as a value', () => {
  const cases = ['a:+4|g', 'a:-10|g', 'a:+nan|g', 'a:-0|g'];
  expectRows(cases.map((line, index) => [line, `a{gd} ${['4', '-10', 'NaN', '-0'][index]}@now`] as const));
  expectRows([
    ['a:10:-2:+3:0.5:1|g|#x:y', 'a{g,x="y"} 10@now', 'a{gd,x="y"} -2@now 3@now', 'a{g,x="y"} 0.5@now 1@now'],
    ['a:-1|c', 'a{c} -1@now'],
  ]);
  const options = { 'statsd.gaugeDeltas': false };
  expectRows(
    [
      ['a:-10|g', 'a{g} -10@now'],
      ['a:+4:5|g', 'a{g} 4@now 5@now'],
    ],
    options,
  );
});

test('a member of a set is its number, or a hash of its text', () => {
  const memberOf = (text: string) => parse(statsd, `a:${text}|s`).rows[0]!.samples.map(({ value }) => value);
  assert.deepEqual(memberOf('123456789012345'), [123_456_789_012_345]);
  assert.deepEqual(memberOf('1.0'), [1]);
  // Longer numbers are no longer told apart by a double, and infinity and NaN would be left out of rules.
  const texts = [
    'alice',
    'bob',
    '1234567890123456789',
    '1234567890123456788',
    'nan',
    'inf',
    '1e999',
    '::1',
    'a:b',
    'é',
  ];
  const members = texts.map((text) => memberOf(text));
  for (const [index, values] of members.entries()) {
    assert.equal(values.length, 1, texts[index]);
    assert.ok(Number.isSafeInteger(values[0]), texts[index]);
  }
  assert.equal(new Set(members.flat()).size, texts.length);
  assert.deepEqual(memberOf('alice'), members[0]);
});

test("InfluxDB's tags in the name are labels", () => {
  expectRows([
    ['cpu,host=a,core=1:5|g', 'cpu{g,host="a",core="1"} 5@now'],
    ['cpu,host=a:5|g|#x:y', 'cpu{g,host="a",x="y"} 5@now'],
    ['cpu,host=,=x,y,z=1:5|g', 'cpu{g,z="1"} 5@now'],
    ['cpu,host:5|g', 'cpu,host{g} 5@now'],
    [',a=b:5|g', ',a=b{g} 5@now'],
    ['a=b,c:5|g', 'a=b,c{g} 5@now'],
  ]);
});

test('lines that make no sense are left out and counted', () => {
  const bad: [line: string, why: string][] = [
    ['foo', 'there is no type'],
    ['foo:1', 'there is no type'],
    ['|c', 'there is no value'],
    ['foo|c', 'there is no value'],
    [':1|c', 'there is no metric name'],
    ['foo:|c', 'a value is not a number'],
    ['foo:x|c', 'a value is not a number'],
    ['foo:1:|c', 'a value is not a number'],
    ['foo:1::2|c', 'a value is not a number'],
    ['foo:+|g', 'a value is not a number'],
    ['foo:++1|g', 'a value is not a number'],
    ['foo:+1|c', 'a value is not a number'],
    ['foo:|s', 'there is no value'],
    ['foo:1|', 'the type is none of c, g, ms, h, d, s and m'],
    ['foo:1|x', 'the type is none of c, g, ms, h, d, s and m'],
    ['foo:1|gd', 'the type is none of c, g, ms, h, d, s and m'],
    ['foo:1|c:2|c', 'the type is none of c, g, ms, h, d, s and m'],
    ['foo:1|constructor', 'the type is none of c, g, ms, h, d, s and m'],
    ...['', '0', '-1', '1.1', 'x', 'nan', '1e-400'].map((rate): [string, string] => [
      `foo:1|c|@${rate}`,
      'the sample rate is not above 0 and up to 1',
    ]),
    ...['', '-1', '1.5', 'x', '9999999999999999999'].map((time): [string, string] => [
      `foo:1|c|T${time}`,
      'the timestamp is no number of seconds',
    ]),
  ];
  for (const [line, why] of bad) {
    const { rows: found, invalid, examples, rowsRead } = parse(statsd, `a:1|c\n${line}\nb:1|c`);
    assert.deepEqual([found.length, rowsRead, invalid], [2, 2, 1], line);
    assert.deepEqual(examples, [`line 2: ${why}: ${JSON.stringify(line)}`]);
  }
});

test('events and service checks are no samples, and counted apart', () => {
  const sink = new SeriesSink(1024 * 1024);
  const options = Object.fromEntries(
    Object.entries(statsd.options).map(([name, spec]) => [name, spec.default]),
  );
  const lines = [
    '_e{21,36}:An exception occurred|Cannot parse CSV file from 10.0.0.17|t:warning|#err_type:bad_file',
    '_sc|Redis connection|2|#env:dev|m:Redis connection timed out after 10s',
    '_events:1|c',
    '_e:1|c',
    '_s',
  ];
  const bytes = Buffer.from(lines.join('\n'));
  assert.equal(statsd.parse!(bytes, { parameters: {}, receivedMs: 1, options }, sink), undefined);
  assert.deepEqual([sink.rowsIgnored, sink.samples, sink.rowsInvalid, sink.rowsRead], [2, 2, 1, 2]);
});

test('a line of very many values is cut into series with the same labels', () => {
  const values = Array.from({ length: 25_000 }, (_, index) => index);
  const { rows: found } = parse(statsd, `a:${values.join(':')}|ms|#x:y`);
  assert.deepEqual(
    found.map(({ samples }) => samples.length),
    [10_000, 10_000, 5_000],
  );
  for (const { labels } of found) assert.deepEqual(labels, found[0]!.labels);
  assert.deepEqual(
    found.flatMap(({ samples }) => samples.map(({ value }) => value)),
    values,
  );
});

test('sampled lines cannot fill the memory, and take nothing from lines beside them', () => {
  const packed = `${Array.from({ length: 30_000 }, () => '1').join(':')}`;
  const bomb = `a:${packed}|h|@0.01`;
  const sink = new SeriesSink(16 * 1024 * 1024);
  const defaults = Object.entries(statsd.options).map(([name, spec]) => [name, spec.default]);
  const request = { parameters: {}, receivedMs: NOW_MS, options: Object.fromEntries(defaults) };
  const bytes = Buffer.from(`b:1|c\n${bomb}\nc:1|h|@0.01\nd:1|g\n`);
  assert.equal(statsd.parse!(bytes, request, sink), undefined);
  assert.deepEqual([sink.rowsRead, sink.rowsInvalid, sink.samples], [3, 1, 102]);
  assert.match(sink.examples[0]!, /^line 2: too much is sampled at once; .* lower -statsd\.maxSampleCopies/);
});

test('it is not for HTTP', () => {
  assert.equal(statsd.routes.length, 0);
});

test('whatever is written in the format is read back', () => {
  const word = fc
    .string({ unit: fc.constantFrom(...'ab.é_ @#/'), minLength: 1, maxLength: 6 })
    .filter((one) => one === one.trim() && !one.startsWith('_'));
  const number = fc.double({ noDefaultInfinity: true, noNaN: true }).filter((value) => !Object.is(value, -0));
  const types = ['c', 'g', 'ms', 'h', 'd', 'm'];
  const line = fc.record({
    name: word,
    type: fc.constantFrom(...types),
    values: fc.array(number, { minLength: 1, maxLength: 4 }),
    rate: fc.constantFrom(undefined, 1, 0.5, 0.1, 0.01),
    tags: fc.array(fc.tuple(word, word), { maxLength: 3 }),
    time: fc.option(fc.integer({ min: 1 }), { nil: undefined }),
    container: fc.boolean(),
    tagsFirst: fc.boolean(),
  });
  type Line = typeof line extends fc.Arbitrary<infer T> ? T : never;
  const textOf = ({ name, type, values, rate, tags, time, container, tagsFirst }: Line) => {
    const sections = [
      ...(rate === undefined ? [] : [`@${rate}`]),
      ...(tags.length === 0 ? [] : [`#${tags.map((tag) => tag.join(':')).join(',')}`]),
    ];
    if (tagsFirst) sections.reverse();
    if (time !== undefined) sections.push(`T${time}`);
    if (container) sections.push('c:abc');
    return [
      `${name}:${values.map((value) => String(value).replace('+', '')).join(':')}`,
      type,
      ...sections,
    ].join('|');
  };
  /** One sample after the other, with its labels. */
  const modelOf = ({ name, type, values, rate = 1, tags, time }: Line) =>
    values.flatMap((value) => {
      const isDelta = type === 'g' && String(value).startsWith('-');
      const labels = [
        { name: '__name__', value: name },
        { name: '__statsd_metric_type__', value: isDelta ? 'gd' : type },
        ...tags.map(([key, tag]) => ({ name: key, value: tag })),
      ];
      const isIncrement = type === 'c' || type === 'm';
      const sample = {
        labels,
        value: isIncrement ? value / rate : value,
        timestamp: (time ?? 0) * 1000 || NOW_MS,
      };
      const isRepeated = ['ms', 'h', 'd'].includes(type);
      return Array.from({ length: isRepeated ? Math.round(1 / rate) : 1 }, () => sample);
    });
  fc.assert(
    fc.property(fc.array(line, { maxLength: 4 }), (lines) => {
      const { rows: found, invalid, rowsRead } = parse(statsd, lines.map(textOf).join('\n'));
      assert.deepEqual([invalid, rowsRead], [0, lines.length]);
      assert.deepEqual(
        found.flatMap(({ labels, samples }) => samples.map((sample) => ({ labels, ...sample }))),
        lines.flatMap(modelOf),
      );
    }),
    { numRuns: 300 },
  );
});
