import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { joinCommaList, splitCommaList } from '../../src/util/comma-list.ts';

test('commas separate, but not in quotes and brackets; quoted items are unquoted', () => {
  const cases: [string, string[]][] = [
    ['foo,bar', ['foo', 'bar']],
    ['', ['']],
    ['""', ['']],
    [',', ['', '']],
    ['a,', ['a', '']],
    ['5m,,1h', ['5m', '', '1h']],
    [',,-64,', ['', '', '-64', '']],
    ['{foo="b,ar"},baz{x="y",z="d"}', ['{foo="b,ar"}', 'baz{x="y",z="d"}']],
    ['"a,b",c', ['a,b', 'c']],
    ["'a,b',c", ['a,b', 'c']],
    ['"a\\"b"', ['a"b']],
    ["'it\\'s'", ["it's"]],
    ['"a\\\\"', ['a\\']],
    ['"\\x"', ['\\x']],
    ['a"b,c"d', ['a"b,c"d']],
    ['"a""b"', ['"a""b"']],
    ['(a,[b,{c,d}]),e', ['(a,[b,{c,d}])', 'e']],
    // An open quote or bracket goes to the end, as in vmagent.
    ['pa(ss,b', ['pa(ss,b']],
    ['"', ['"']],
    ["x'y,z", ["x'y,z"]],
    [' a , b ', [' a ', ' b ']],
  ];
  for (const [text, items] of cases) assert.deepEqual(splitCommaList(text), items, text);
});

test('joined items are split into the same items', () => {
  const char = fc.constantFrom(...'ab,"\'[](){}\\ =\n');
  const item = fc.string({ unit: char, maxLength: 8 });
  fc.assert(
    fc.property(fc.array(item, { minLength: 1 }), (items) => {
      assert.deepEqual(splitCommaList(joinCommaList(items)), items);
    }),
    { numRuns: 500 },
  );
});
