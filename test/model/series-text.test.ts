import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Labels } from '../../src/model/labels.ts';
import { parseSeries } from '../../src/model/series-text.ts';

test('series as people write them', () => {
  const cases: [text: string, pairs: [string, string][]][] = [
    ['', []],
    ['{}', []],
    ['up', [['__name__', 'up']]],
    [' up { } ', [['__name__', 'up']]],
    [
      'up{job="a b",x = "y",}',
      [
        ['__name__', 'up'],
        ['job', 'a b'],
        ['x', 'y'],
      ],
    ],
    [
      '{__name__="up",a="\\"\\\\\\n"}',
      [
        ['__name__', 'up'],
        ['a', '"\\\n'],
      ],
    ],
    [
      '{"a metric","a label"="x"}',
      [
        ['__name__', 'a metric'],
        ['a label', 'x'],
      ],
    ],
    [
      'a.b-c{é="😀"}',
      [
        ['__name__', 'a.b-c'],
        ['é', '😀'],
      ],
    ],
    [
      '{a="1",a="2"}',
      [
        ['a', '1'],
        ['a', '2'],
      ],
    ],
  ];
  for (const [text, pairs] of cases) {
    const series = parseSeries(text);
    assert.ok(series instanceof Labels, text);
    assert.deepEqual(series.pairs(), pairs, text);
  }
});

test('what cannot be read is told with its place', () => {
  const cases: [text: string, message: string][] = [
    ['up{', 'at character 4 label="value" is expected'],
    ['up{a}', 'at character 4 label="value" is expected'],
    ['up{a="b}', 'at character 4 label="value" is expected'],
    ['up{a="b" c="d"}', 'at character 10 a comma or } is expected'],
    ['up{a="b"} 1', 'at character 11 the end is expected'],
    ['up down', 'at character 4 the end is expected'],
  ];
  for (const [text, message] of cases) assert.equal(parseSeries(text), message, text);
});

test('any text is a series or a message', () => {
  const piece = fc.constantFrom('up', '{', '}', 'a', '=', '"b"', '"', '\\', ',', ' ', '\n');
  fc.assert(
    fc.property(fc.array(piece), fc.string(), (pieces, other) => {
      for (const text of [pieces.join(''), other]) parseSeries(text);
    }),
    { numRuns: 2_000 },
  );
});
