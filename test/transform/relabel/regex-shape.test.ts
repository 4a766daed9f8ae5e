import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { shapeOf } from '../../../src/transform/relabel/regex-shape.ts';

const textsOf = (regex: string) => {
  const shape = shapeOf(regex);
  return shape?.kind === 'texts' ? [...shape.texts.keys()] : shape?.kind;
};

test('texts, and choices written out', () => {
  const cases: [regex: string, texts: string[]][] = [
    ['', ['']],
    ['foo', ['foo']],
    ['a\\.b\\-\\|', ['a.b-|']],
    ['foo|bar|', ['foo', 'bar', '']],
    ['(foo|bar)', ['foo', 'bar']],
    ['(?:a|b)-(c|d)', ['a-c', 'a-d', 'b-c', 'b-d']],
    ['(a|ab)(bc|c)', ['abc', 'ac', 'abbc']],
    ['()', ['']],
    ['é😀', ['é😀']],
  ];
  for (const [regex, texts] of cases) assert.deepEqual(textsOf(regex), texts, regex);
});

test('texts around one wild part, or one between two', () => {
  assert.deepEqual(shapeOf('a(.+)b'), {
    kind: 'affix',
    prefix: 'a',
    wild: { min: 1, isCaptured: true },
    suffix: 'b',
  });
  assert.deepEqual(shapeOf('.*b'), {
    kind: 'affix',
    prefix: '',
    wild: { min: 0, isCaptured: false },
    suffix: 'b',
  });
  assert.deepEqual(shapeOf('(?:.+)'), {
    kind: 'affix',
    prefix: '',
    wild: { min: 1, isCaptured: false },
    suffix: '',
  });
  assert.deepEqual(shapeOf('(.*)a\\.b.+'), {
    kind: 'contains',
    before: { min: 0, isCaptured: true },
    text: 'a.b',
    after: { min: 1, isCaptured: false },
  });
});

test('a choice of those, when nothing is captured', () => {
  const wild = { min: 0, isCaptured: false };
  assert.deepEqual(shapeOf('a.*|b|.*(?:c)'), undefined);
  assert.deepEqual(shapeOf('a.*|b|.*c'), {
    kind: 'any',
    shapes: [
      { kind: 'affix', prefix: 'a', wild, suffix: '' },
      { kind: 'texts', texts: new Map([['b', [0, 1]]]), groupCount: 0 },
      { kind: 'affix', prefix: '', wild, suffix: 'c' },
    ],
  });
  const many = (count: number) => Array.from({ length: count }, (_, index) => `a${index}.*`).join('|');
  assert.equal(shapeOf(many(16))?.kind, 'any');
  assert.equal(shapeOf(many(17)), undefined);
});

test('everything else is for the engine', () => {
  for (const regex of [
    'a+',
    'ab*',
    'a{2}',
    '😀?',
    '(a)+',
    '(.*)?',
    '.*?',
    'a.b',
    '[a]',
    '\\d',
    '\\',
    '\\pL',
    '(?i)a',
    '(?P<n>a)',
    '(a',
    'a)',
    '((a))',
    '(a|b+)',
    'a|b+',
    'a|(b)',
    'a.*b.*',
    '.*.*',
    '(a|b).*',
    '^a',
    'a$b',
    'a|b)',
    '(.*',
  ]) {
    assert.equal(shapeOf(regex), undefined, regex);
  }
  const product = '(a|b|c|d|e|f|g|h|i|j)'.repeat(5);
  assert.equal(shapeOf(product), undefined);
});

test('any text has a shape or none', () => {
  const piece = fc.constantFrom('a', '(', ')', '?:', '|', '.', '*', '+', '\\', '\\.', '{', '^', '😀');
  fc.assert(
    fc.property(fc.array(piece), fc.string(), (pieces, other) => {
      shapeOf(pieces.join(''));
      shapeOf(other);
    }),
    { numRuns: 2_000 },
  );
});
