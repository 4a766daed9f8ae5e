import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RE2JS } from 're2js';
import { FindAll } from '../../../src/transform/relabel/find-all.ts';

const marked = (regex: string, text: string) =>
  new FindAll(RE2JS.compile(regex)).replace(
    text,
    (groups) => `<${groups.map((at) => (at < 0 ? '' : at)).join(',')}>`,
  );

test('every match is replaced, and an empty one only where none ended', () => {
  const cases: [regex: string, text: string, replaced: string][] = [
    ['a', 'banana', 'b<1,2>n<3,4>n<5,6>'],
    ['a*', 'baac', '<0,0>b<1,3>c<4,4>'],
    ['', 'ab', '<0,0>a<1,1>b<2,2>'],
    ['', '', '<0,0>'],
    ['x', '', ''],
    ['(a)|(b)', 'ab', '<0,1,0,1,,><1,2,,,1,2>'],
    ['^a', 'aa', '<0,1>a'],
    ['a$', 'aa', 'a<1,2>'],
    ['\\b', 'a b', '<0,0>a<1,1> <2,2>b<3,3>'],
    ['\\B', 'ab', 'a<1,1>b'],
    ['(?m)^.', 'a\nb', '<0,1>\n<2,3>'],
    ['.', 'a\nb', '<0,1>\n<2,3>'],
    ['(?s).', '\n', '<0,1>'],
    ['.', '😀\ud83d', '<0,2><2,3>'],
    ['(a*)*', 'aa', '<0,2,0,2>'],
    ['(a|ab)(c|bcd)(d*)', 'abcd', '<0,4,0,1,1,4,4,4>'],
    ['a.*b|a', 'aaa', '<0,1><1,2><2,3>'],
    ['a.*?b|a', 'aabab', '<0,3><3,5>'],
    ['(?i)é', 'É', '<0,1>'],
  ];
  for (const [regex, text, replaced] of cases)
    assert.equal(marked(regex, text), replaced, `${regex} on ${text}`);
});

/** With re2js searching again after each match, as Go does it. */
function searched(regex: string, text: string): string {
  const matcher = RE2JS.compile(regex).matcher(text);
  let replaced = '';
  let copied = 0;
  for (let from = 0; from <= text.length && matcher.find(from); ) {
    const groups = Array.from({ length: matcher.groupCount() + 1 }, (_, group) => [
      matcher.start(group),
      matcher.end(group),
    ]).flat();
    const [start, end] = groups as [number, number];
    replaced += text.slice(copied, start);
    if (end > copied || start === 0) replaced += `<${groups.map((at) => (at < 0 ? '' : at)).join(',')}>`;
    copied = end;
    from = end > from ? end : from + ((text.codePointAt(from) ?? 0) > 0xffff ? 2 : 1);
  }
  return replaced + text.slice(copied);
}

const piece = fc.constantFrom(
  'a',
  'b',
  '(',
  ')',
  '(?:',
  '|',
  '*',
  '+',
  '?',
  '*?',
  '.',
  '\\b',
  '\\B',
  '^',
  '$',
  '[ab]',
  '{2}',
  '(?m)',
  '(?s)',
  '\n',
  '😀',
  '(?i)',
  'A',
);
const regexes = fc
  .array(piece, { maxLength: 10 })
  .map((pieces) => pieces.join(''))
  .filter(isRegex);
const texts = fc
  .array(fc.constantFrom('a', 'b', 'A', ' ', '\n', '😀', '\ud83d', '\ude00'), { maxLength: 12 })
  .map((all) => all.join(''));

function isRegex(text: string): boolean {
  try {
    RE2JS.compile(text);
    return true;
  } catch {
    return false;
  }
}

test('the matches are those of one search after another', () => {
  fc.assert(
    fc.property(regexes, texts, (regex, text) => {
      assert.equal(marked(regex, text), searched(regex, text), `${regex} on ${JSON.stringify(text)}`);
    }),
    { numRuns: 10_000 },
  );
});

test('over the borders of blocks too', () => {
  fc.assert(
    fc.property(regexes, texts, fc.integer({ min: 500, max: 520 }), (regex, text, length) => {
      const long = `${'b'.repeat(length)}${text}${'ab😀'.repeat(200)}${text}`;
      assert.equal(marked(regex, long), searched(regex, long), regex);
    }),
    { numRuns: 300 },
  );
});

test('a program whose steps do not fit is read all the same', () => {
  const regex = '(a|b)*a(a|b){12}c|[ab]';
  const text = Array.from({ length: 5_000 }, (_, index) => 'ab'[((index * index) >> 3) & 1]).join('');
  const all = new FindAll(RE2JS.compile(regex));
  assert.equal(
    all.replace(text, () => 'x'),
    'x'.repeat(5_000),
  );
  assert.equal(
    all.replace(`${text}a${'b'.repeat(12)}cb`, () => 'x'),
    'xx',
  );
});
