import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseSeriesLine } from '../../src/model/series-line.ts';

const pairsOf = (line: string) => parseSeriesLine(line)?.pairs();

test('series are read as people and programs write them, with their labels in order', () => {
  const m = ['__name__', 'm'];
  const a = ['a', 'b'];
  const cases: [string, string[][]][] = [
    ['m', [m]],
    ['m 1', [m]],
    ['m{}', [m]],
    ['m{a="b"}', [m, a]],
    ['m{a="b"}1', [m, a]],
    ['m{a="b",} 1.5e-7 1700000000000', [m, a]],
    ['m { a="b" }', [m, a]],
    ['m{a="b"} +Inf # {trace_id="x"} 1', [m, a]],
    ['m { a = "b" , z="" } NaN', [m, a, ['z', '']]],
    ['{a="b"}', [a]],
    ['{__name__="m",a="b"}', [m, a]],
    ['{"m",a="b"}', [m, a]],
    [
      '{"m.with.dots","a label"="b"}',
      [
        ['__name__', 'm.with.dots'],
        ['a label', 'b'],
      ],
    ],
    ['m{a="say \\"hi\\"\\n\\\\}"}', [m, ['a', 'say "hi"\n\\}']]],
    [
      'job:m:sum{a="ü,="}',
      [
        ['__name__', 'job:m:sum'],
        ['a', 'ü,='],
      ],
    ],
    ['{"metric":{"__name__":"m","a":"b"},"values":[1],"timestamps":[2]}', [m, a]],
    ['{"__name__":"m","a":"b"}', [m, a]],
  ];
  for (const [line, expected] of cases) assert.deepEqual(pairsOf(line), expected, line);
});

test('what is no series is told from one', () => {
  const lines = [
    '',
    '  ',
    '{}',
    'hello world',
    'm{a}',
    'm{a=b}',
    'm{a="b"',
    'm{a="b" c="d"}',
    'm{a="b"} 1 2 3',
  ];
  const more = [
    'foo-5',
    '1m',
    '{"metric":[]}',
    '{"metric":{"a":1}}',
    '{"a":1}',
    'm{a="b"}}',
    'm{,a="b"}',
    '"m"',
  ];
  for (const line of [...lines, ...more]) assert.equal(parseSeriesLine(line), undefined, line);
});

test('whatever the labels are, they come back', () => {
  const escaped = (text: string) => text.replace(/["\\\n]/g, (char) => (char === '\n' ? '\\n' : `\\${char}`));
  const pairs = fc.array(fc.tuple(fc.string(), fc.string()), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(pairs, (list) => {
      const line = `{${list.map(([name, value]) => `"${escaped(name)}"="${escaped(value)}"`).join(',')}} 1`;
      assert.deepEqual(pairsOf(line), list);
    }),
  );
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (line) => void parseSeriesLine(line)));
});
