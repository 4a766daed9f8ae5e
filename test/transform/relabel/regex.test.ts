import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  compilePattern,
  compileSearch,
  countAtoms,
  RegexError,
} from '../../../src/transform/relabel/regex.ts';

test('the whole text must match, ^ and $ at the ends or not, and . is a line feed too', () => {
  const cases: [regex: string | undefined, yes: string[], no: string[]][] = [
    [undefined, ['', 'a', 'a\nb'], []],
    ['', [''], ['a']],
    ['^$', [''], ['a']],
    ['.*', ['', 'a\nb'], []],
    ['^(.*)$', ['', 'a\nb'], []],
    ['.+', ['a', '\n'], ['']],
    ['foo', ['foo'], ['foo1', '1foo', 'FOO']],
    ['^^foo$$', ['foo'], ['foo1']],
    ['^foo|bar$', ['foo', 'bar'], ['foobar', 'foo|bar']],
    ['foo\\$$', ['foo$'], ['foo']],
    ['foo\\$', ['foo$'], ['foo']],
    ['a|', ['', 'a'], ['b']],
    ['a.*|b|.+c', ['a', 'ab', 'b', 'xc'], ['bb', 'c']],
    ['(foo|bar)_(a|b)', ['foo_a', 'bar_b'], ['foo_', 'foo_ab']],
    ['foo.*', ['foo', 'foo\nx'], ['fo', 'xfoo']],
    ['.+foo', ['xfoo'], ['foo', 'foox']],
    ['.*foo.+', ['foox', 'xfoox'], ['foo', 'fo']],
    ['.+foo.+', ['xfoox', 'foofoox'], ['foofoo', 'foox']],
    ['a.*a', ['aa', 'axa'], ['a']],
    ['a.b', ['axb', 'a\nb'], ['ab']],
    ['fo{2}', ['foo'], ['fo', 'fo{2}']],
    ['[[:alpha:]]+', ['abc'], ['a1']],
    ['(?i)foo', ['FoO'], ['fo']],
    ['\\pL+', ['é'], ['1']],
    ['a😀?', ['a', 'a😀'], ['a\ud83d']],
    ['\\d+', ['12'], ['']],
  ];
  for (const [regex, yes, no] of cases) {
    const pattern = compilePattern(regex);
    for (const text of yes) assert.ok(pattern.matches(text), `${regex} on ${text}`);
    for (const text of no) assert.ok(!pattern.matches(text), `${regex} on ${text}`);
    for (const text of [...yes, ...no])
      assert.equal(pattern.groups(text) !== undefined, pattern.matches(text));
  }
});

test('groups are where the parts are', () => {
  const cases: [regex: string | undefined, text: string, groups: number[]][] = [
    [undefined, 'ab', [0, 2, 0, 2]],
    ['(foo|bar)_(a|b)', 'bar_a', [0, 5, 0, 3, 4, 5]],
    ['(|a)(a|)', 'a', [0, 1, 0, 0, 0, 1]],
    ['foo(.+)', 'foobar', [0, 6, 3, 6]],
    ['(.*)foo(.*)', 'foofoox', [0, 7, 0, 3, 6, 7]],
    ['.*foo(.+)', 'foofoo', [0, 6, 3, 6]],
    ['(.+)foo.*', 'xfoo', [0, 4, 0, 1]],
    ['(a)|(b)', 'b', [0, 1, -1, -1, 0, 1]],
    ['(?P<x>a+)(a*?)', 'aa', [0, 2, 0, 2, 2, 2]],
  ];
  for (const [regex, text, groups] of cases)
    assert.deepEqual([...compilePattern(regex).groups(text)!], groups, regex);
  assert.deepEqual([...compilePattern('(?P<x>a.)').names], [['x', 1]]);
});

test('what needs no engine is cheap', () => {
  for (const regex of [
    undefined,
    '.*',
    'a',
    'a|b',
    '(a|b)',
    'a\\.b.*',
    '.+a',
    '(.*)a(.*)',
    'a(.*)b',
    '(?:a|b)c',
    '^a.+$',
  ]) {
    assert.ok(compilePattern(regex).isCheap, regex);
  }
  for (const regex of [
    'a+',
    'a.b',
    '(?i)a',
    'a.*b.*',
    '[ab]',
    'a.*?',
    '((a|b))',
    'a\\d',
    '(?P<x>a)',
    'a{2}',
    '(a|b).*',
  ]) {
    assert.ok(!compilePattern(regex).isCheap, regex);
  }
});

/** Regexes that JavaScript understands in the same way. */
const atom = fc.constantFrom(
  'a',
  'b',
  'ab',
  '.',
  '\\.',
  '[ab]',
  '[^a]',
  '(a)',
  '(a|b)',
  '(?:ab|a)',
  '(.*)',
  '(.+)',
  '.*',
  '.+',
  '(a*)',
  '\\$',
  'é',
  '😀',
  '(|b)',
);
const quantifier = fc.constantFrom('', '', '', '', '*', '+', '?', '{2}', '*?', '+?');
const part = fc
  .tuple(atom, quantifier)
  .map(([one, many]) =>
    /[*+]$/.test(one) ? one : /^(ab|\\.)$/.test(one) && many !== '' ? `(?:${one})${many}` : one + many,
  );
const sequence = fc.array(part, { maxLength: 4 }).map((parts) => parts.join(''));
const regexes = fc
  .tuple(
    fc.array(sequence, { minLength: 1, maxLength: 3 }),
    fc.constantFrom('', '^'),
    fc.constantFrom('', '$'),
  )
  .map(([choices, start, end]) => start + choices.join('|') + end);
const texts = fc
  .array(fc.constantFrom('a', 'b', '.', '$', '\n', 'é', '😀'), { maxLength: 8 })
  .map((all) => all.join(''));

test('answers are those of JavaScript', () => {
  fc.assert(
    fc.property(regexes, fc.array(texts, { minLength: 1, maxLength: 5 }), (regex, some) => {
      const pattern = compilePattern(regex);
      const bare = regex.replace(/^\^/, '').replace(/(?<!\\)\$$/, '');
      const native = new RegExp(`^(?:${bare})$`, 'dsu');
      for (const text of some) {
        const found = native.exec(text);
        assert.equal(pattern.matches(text), found !== null, `${regex} on ${JSON.stringify(text)}`);
        const groups = pattern.groups(text);
        assert.equal(groups !== undefined, found !== null);
        // Groups inside repeats keep their last text in RE2, and lose it in JavaScript.
        if (found === null || /\)[*+?{]/.test(regex)) continue;
        const expected = [...found.indices!].flatMap((pair) => pair ?? [-1, -1]);
        assert.deepEqual(
          [...groups!].slice(0, expected.length),
          expected,
          `${regex} on ${JSON.stringify(text)}`,
        );
      }
    }),
    { numRuns: 10_000 },
  );
});

test('a regex that cannot be used is refused with its cause', () => {
  const cases: [regex: string, message: RegExp][] = [
    ['(', /^missing closing \)$/],
    ['foo)', /^unexpected \)$/],
    ['foo)|(bar', /^unexpected \)$/],
    ['a**', /^invalid nested repetition operator in \*\*$/],
    ['(?=a)', /^invalid or unsupported Perl syntax in \(\?=$/],
    ['(a)\\1', /^invalid escape sequence in \\1$/],
    [
      '((a{1,100}){1,100}){1,100}',
      /^it has 1010100 parts when its repeats are written out, more than 20000$/,
    ],
    [`(?:${'[a-z]'.repeat(100)}){200}`, /^it has 20400 parts/],
  ];
  for (const [regex, message] of cases) {
    for (const compile of [compilePattern, compileSearch]) {
      assert.throws(
        () => compile(regex),
        (error) => error instanceof RegexError && message.test(error.message) && error.hint !== '',
        regex,
      );
    }
  }
  const long = `${'ab.'.repeat(3_000)}`;
  compilePattern(long);
  assert.throws(() => compileSearch(long), /it compiles to \d+ instructions, more than 5000/);
});

test('long lists of alternatives are no problem', () => {
  const hosts = Array.from({ length: 5_000 }, (_, index) => `host${index}.example.com`);
  const pattern = compilePattern(hosts.join('|'));
  assert.ok(
    pattern.matches('host4999.example.com') &&
      pattern.matches('host1-example.com') &&
      !pattern.matches('host5000.example.com'),
  );
  const texts = compilePattern(Array.from({ length: 50_000 }, (_, index) => `job${index}`).join('|'));
  assert.ok(texts.isCheap && texts.matches('job49999') && !texts.matches('job50000'));
});

test('parts are counted with their repeats', () => {
  const cases: [regex: string, atoms: number][] = [
    ['', 0],
    ['abc', 3],
    ['a{3}', 3],
    ['a{2,5}b', 6],
    ['a{3,}', 3],
    ['(ab){3}', 9],
    ['[a{9}]{2}', 2],
    ['[]a]{2}[^]]', 3],
    ['[[:alpha:]]{4}', 4],
    ['\\{{2}', 2],
    ['a{,3}', 5],
    ['((a{10}){10}){10}', 1110],
    [')))', 3],
    ['(((', 0],
  ];
  for (const [regex, atoms] of cases) assert.equal(countAtoms(regex), atoms, regex);
  fc.assert(fc.property(fc.string(), (regex) => countAtoms(regex) >= 0));
});
