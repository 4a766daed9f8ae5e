import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Labels } from '../../../src/model/labels.ts';
import { compileCondition, SelectorError } from '../../../src/transform/relabel/condition.ts';
import { labelsOf } from './support.ts';

const matches = (selector: string, series: string) => compileCondition([selector])(labelsOf(series));

function expectMatches(selector: string, yes: readonly string[], no: readonly string[]): void {
  for (const series of yes) assert.ok(matches(selector, series), `${selector} should match ${series}`);
  for (const series of no) assert.ok(!matches(selector, series), `${selector} should not match ${series}`);
}

test('names and filters', () => {
  expectMatches('foo', ['foo', 'foo{a="b"}'], ['bar', '{foo="bar"}', 'foo1']);
  expectMatches(
    'foo{a="b",c=~"d|e"}',
    ['foo{a="b",c="d"}', 'foo{c="e",a="b"}'],
    ['foo{a="b"}', 'foo{a="b",c="de"}', '{a="b",c="d"}'],
  );
  expectMatches('{a!="b"}', ['foo', '{a="c"}'], ['{a="b"}']);
  expectMatches('{a!~"b.*"}', ['foo', '{a="cb"}'], ['{a="b"}', '{a="bc"}', '{a="b\nc"}']);
  expectMatches('{__name__=~"foo|bar"}', ['foo', 'bar'], ['foobar', '{a="b"}']);
  expectMatches(' foo { a = "b" , } ', ['foo{a="b"}'], ['foo']);
  expectMatches('{}', ['foo', '{a="b"}'], []);
  expectMatches('foo{}', ['foo'], ['bar']);
});

test('or separates groups whose filters must all hold', () => {
  expectMatches('{a="b" or c="d",e="x"}', ['{a="b"}', '{c="d",e="x"}'], ['{c="d"}', '{e="x"}']);
  expectMatches('m{a="b", or c="d"}', ['m{a="b"}', 'm{c="d"}'], ['{a="b"}', 'n{c="d"}', 'm']);
  expectMatches('{or="1" or or!="2"}', ['{or="1"}', '{or="3"}', 'x'], ['{or="2"}']);
  expectMatches('{order="1" OR x="2"}', ['{order="1"}', '{x="2"}'], ['x']);
});

test('a label that is missing is empty, but a metric name is not', () => {
  expectMatches('{x=""}', ['foo', '{x=""}'], ['{x="1"}']);
  expectMatches('{x=~".*"}', ['foo', '{x="1"}'], []);
  expectMatches('{x!~".+"}', ['foo'], ['{x="1"}']);
  expectMatches('{x!=""}', ['{x="1"}'], ['foo']);
  expectMatches('{x=~""}', ['foo'], ['{x="1"}']);
  expectMatches('{x=~"a|"}', ['foo', '{x="a"}'], ['{x="b"}']);
  expectMatches('{__name__=""}', ['{__name__=""}'], ['foo', '{x="1"}']);
});

test('quotes and escapes', () => {
  expectMatches(`{a='b"'}`, [], ['{a="b"}']);
  const one = (selector: string, value: string) =>
    assert.ok(compileCondition([selector])(Labels.of([['a b', value]])), selector);
  one(`{"a b"='x"y'}`, 'x"y');
  one('{"a b"=`x\\n`}', 'x\\n');
  one('{a\\ b="\\x41\\u00e9\\U0001F600\\101\\t\\\\\\"\'"}', 'Aé😀A\t\\"\'');
  one(`{a\\x20b='it\\'s'}`, "it's");
  expectMatches('{"foo"}', ['foo'], ['bar']);
  expectMatches('{"foo", a="b"}', ['foo{a="b"}'], ['foo']);
  expectMatches('foo.bar:é', ['foo.bar:é'], ['foo']);
  expectMatches('foo\\-bar', ['foo-bar'], ['foo\\-bar']);
});

test('errors have a place', () => {
  const error = (selector: string) => {
    try {
      compileCondition([selector]);
    } catch (error) {
      if (error instanceof SelectorError) return error.message;
      throw error;
    }
    return 'fine';
  };
  const cases: [selector: string, message: string][] = [
    ['', 'at character 1 a metric name or { is expected, and it ends here'],
    ['1a', 'at character 1 a metric name or { is expected, and this is something else'],
    ['foo{', 'at character 5 a label is expected, and it ends here'],
    ['foo{a', 'at character 6 =, !=, =~ or !~ is expected, and it ends here'],
    ['{a==b}', 'at character 4 a quoted text is expected, and this is something else'],
    ['{a=b}', 'at character 4 a quoted text is expected, and this is something else'],
    [
      '{a="b}',
      'at character 4 a " that ends the text that begins here is expected, and this is something else',
    ],
    ['{a="b" c="d"}', 'at character 8 a comma, or or } is expected, and this is something else'],
    ['{a="b" or}', 'at character 10 a filter after or is expected, and this is something else'],
    ['{or a="b"}', 'at character 4 a filter before or is expected, and this is something else'],
    ['{a="b"}[5m]', 'at character 8 the end is expected, and this is something else'],
    ['rate(foo)', 'at character 5 the end is expected, and this is something else'],
    ['foo offset 5m', 'at character 5 the end is expected, and this is something else'],
    ['{a="\\."}', 'at character 5 an escape of Go is expected, and this is something else'],
    ['{a=~"(b"}', 'its regex at character 5 cannot be used: missing closing )'],
    ['{a=~"(?=b)"}', 'its regex at character 5 cannot be used: invalid or unsupported Perl syntax in (?='],
  ];
  for (const [selector, message] of cases) assert.equal(error(selector), message, selector);
});

test('any text is a selector or an error, at once', () => {
  const piece = fc.constantFrom(
    'foo',
    '{',
    '}',
    'a',
    '=',
    '!=',
    '=~',
    '"b"',
    "'",
    '"',
    '`',
    ',',
    ' or ',
    '\\',
    '\\x',
    '(',
    '{2}',
    '\n',
    'é',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), fc.string({ unit: 'binary' }), (pieces, other) => {
      for (const text of [pieces.join(''), other, `{a="b"${other}`]) {
        try {
          compileCondition([text])(Labels.of([['a', 'b']]));
        } catch (error) {
          assert.ok(error instanceof SelectorError, String(error));
        }
      }
    }),
    { numRuns: 3_000 },
  );
});
