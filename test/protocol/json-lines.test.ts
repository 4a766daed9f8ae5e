import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { jsonLines } from '../../src/protocol/json-lines.ts';
import { parse, rowsOf } from './support.ts';

const rows = (text: string) => rowsOf(jsonLines, text);
const lineOf = (metric: string, values = '[1]', timestamps = '[1]') =>
  `{"metric":${metric},"values":${values},"timestamps":${timestamps}}`;

test('a line is a series with its samples', () => {
  assert.deepEqual(rows(lineOf('{"__name__":"a","x":"y"}', '[1,2.5]', '[1000,-2000]')), [
    'a{x="y"} 1@1000 2.5@-2000',
  ]);
  assert.deepEqual(rows(' \t{"timestamps":[ 1 , 2 ],"values":[1, 2 ],"metric":{"__name__":"n"}} \r'), [
    'n{} 1@1 2@2',
  ]);
});

test('values may be words', () => {
  const bare = 'null,NaN,nan,Inf,-Inf,inf,-inf,NAN,1e5,1E+5,.5,5.,01,1e400';
  const quoted = '"NaN","null","Null","nan","Inf","inf","Infinity","infinity","-Inf","-infinity","-NaN"';
  const values = `[${bare},${quoted}]`;
  const timestamps = `[${Array.from({ length: values.split(',').length }, (_, index) => index)}]`;
  const [row] = parse(jsonLines, lineOf('{"a":"b"}', values, timestamps)).rows;
  assert.deepEqual(
    row!.samples.map(({ value }) => value),
    [
      ...[NaN, NaN, NaN, Infinity, -Infinity, Infinity, -Infinity, NaN, 1e5, 1e5, 0.5, 5, 1, Infinity],
      ...[NaN, NaN, NaN, NaN, Infinity, Infinity, Infinity, Infinity, -Infinity, -Infinity, NaN],
    ],
  );
});

test('labels keep their order, and what is no text is empty', () => {
  assert.deepEqual(rows(lineOf('{"a":"b","__name__":"late"}')), ['{a="b",__name__="late"} 1@1']);
  assert.deepEqual(rows(lineOf('{"foo":1,"b":true,"c":null,"d":["x"],"e":{"f":"g"}}')), [
    '{foo="",b="",c="",d="",e=""} 1@1',
  ]);
  assert.deepEqual(rows(lineOf('{"":"x","a":"b"}')), ['{a="b"} 1@1']);
  assert.deepEqual(rows(lineOf('{"\\u0061b":"\\n\\"\\\\ \\ud83d\\ude00"}')), ['{ab="\\n\\"\\\\ 😀"} 1@1']);
});

test('unknown members do no harm, and the first of a name counts', () => {
  assert.deepEqual(
    rows('{"x":{"a":[1,{"b":null}]},"metric":{"a":"b"},"values":[1],"timestamps":[1],"values":"no"}'),
    ['{a="b"} 1@1'],
  );
  assert.deepEqual(rows('{"\\u006detric":{"a":"b"},"values":[1],"timestamps":[1]}'), ['{a="b"} 1@1']);
});

test('lines that make no sense are left out and counted, the others are taken', () => {
  const metric = '{"__name__":"n"}';
  const bad = [
    lineOf(metric, '[Infinity]'),
    lineOf(metric, '["+Inf"]'),
    lineOf(metric, '["INF"]'),
    lineOf(metric, '["1.5"]'),
    lineOf(metric, '[true]'),
    lineOf(metric, '[+5]'),
    lineOf(metric, '[0x10]'),
    lineOf(metric, '[nUll]'),
    lineOf(metric, '[""]'),
    lineOf(metric, '[[1]]'),
    lineOf(metric, '[-]'),
    lineOf(metric, '[1.5.2]'),
    lineOf(metric, '[1e]'),
    lineOf(metric, '[123abc]'),
    lineOf(metric, '[1,]'),
    lineOf(metric, '[1 2]', '[1,2]'),
    lineOf(metric, '[]', '[]'),
    lineOf(metric, '1'),
    lineOf(metric, '[1'),
    lineOf(metric, '[1]', '[7.5]'),
    lineOf(metric, '[1]', '["1"]'),
    lineOf(metric, '[1]', '[1e3]'),
    lineOf(metric, '[1]', '[1,2]'),
    lineOf(metric, '[1]', '[9223372036854775808]'),
    lineOf(metric, '[1]', '[null]'),
    lineOf('{}'),
    lineOf('{"":"x"}'),
    lineOf('"x"'),
    lineOf('null'),
    lineOf('{"a"}'),
    lineOf('{"a":"b",}'),
    lineOf('{"a":"b" "c":"d"}'),
    lineOf('{"a":"b}'),
    `${lineOf(metric)} x`,
    lineOf(metric).slice(0, -1),
    `{"metric":${metric},"values":[1]}`,
    `{"metric":${metric},"values":[1]"timestamps":[1]}`,
    `{"metric":${metric},"values":[1],"timestamps":[1],}`,
    '{"Metric":{"a":"b"},"values":[1],"timestamps":[1]}',
    '[]',
    '1',
    'null',
    '{}',
    '  ',
    '{',
    '{"',
    'bad',
  ];
  for (const line of bad) assert.equal(parse(jsonLines, line).invalid, 1, line);
  const {
    rows: taken,
    invalid,
    examples,
  } = parse(jsonLines, [lineOf(metric), ...bad, '', lineOf(metric)].join('\n'));
  assert.deepEqual([taken.length, invalid], [2, bad.length]);
  assert.match(examples[0]!, /^line 2: a value is not a number: ".*"$/);
});

test('a line above the limit refuses the request', () => {
  const options = { 'import.maxLineLen': 100 };
  const { failure } = parse(jsonLines, `${lineOf('{"a":"b"}')}\n${lineOf(`{"a":"${'x'.repeat(100)}"}`)}`, {
    options,
  });
  assert.match(failure ?? '', /^cannot read line 2: .* -import\.maxLineLen$/);
});

test('whatever JSON.stringify writes is read as JSON.parse reads it', () => {
  const name = fc.string({ minLength: 1, maxLength: 8 }).filter((one) => one !== '__proto__');
  const line = fc.record({
    metric: fc.dictionary(name, fc.string({ maxLength: 10 }), {
      minKeys: 1,
      maxKeys: 4,
      noNullPrototype: true,
    }),
    points: fc.array(fc.tuple(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.maxSafeInteger()), {
      minLength: 1,
      maxLength: 5,
    }),
  });
  fc.assert(
    fc.property(fc.array(line, { maxLength: 5 }), (lines) => {
      const text = lines.map(({ metric, points }) => {
        return JSON.stringify({
          metric,
          values: points.map(([value]) => value + 0),
          timestamps: points.map(([, at]) => at),
        });
      });
      const { rows: found, invalid } = parse(jsonLines, text.join('\n'));
      assert.equal(invalid, 0);
      assert.deepEqual(
        found.map(({ labels, samples }) => ({ labels, samples })),
        text.map((one) => {
          const { metric, values, timestamps } = JSON.parse(one);
          return {
            labels: Object.entries(metric).map(([name, value]) => ({ name, value })),
            samples: values.map((value: number, index: number) => ({ value, timestamp: timestamps[index] })),
          };
        }),
      );
    }),
  );
});

test('labels that lines have in common with those before', () => {
  const label = fc.constantFrom(
    ...[
      '"a":"1"',
      '"a":"12"',
      '"b":"1"',
      '"b":""',
      `"long":"${'x'.repeat(40)}"`,
      '"q":"\\""',
      '"n":1',
      '"n":"1"',
    ],
    ...[`"huge":"${'y'.repeat(600)}"`, '"a" : "1"'],
  );
  const line = fc
    .tuple(
      fc.array(label, { minLength: 1, maxLength: 6 }),
      fc.array(fc.nat(99), { minLength: 1, maxLength: 9 }),
    )
    .map(
      ([labels, numbers]) =>
        `{"metric":{${labels.join(',')}},"values":[${numbers}],"timestamps":[${numbers}]}`,
    );
  fc.assert(
    fc.property(fc.array(line, { maxLength: 30 }), (lines) => {
      assert.equal(parse(jsonLines, lines.join('\n')).rows.length, lines.length);
    }),
  );
});
