import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Labels } from '../../../src/model/labels.ts';
import { LABELS_MAX, TooLarge } from '../../../src/transform/relabel/action.ts';
import { searchTransform, setLimited, wholeTransform } from '../../../src/transform/relabel/transform.ts';

test('a whole text becomes the replacement, or nothing when it does not match', () => {
  const cases: [regex: string | undefined, replacement: string, text: string, result: string | null][] = [
    [undefined, '$1', 'a', 'a'],
    [undefined, '<$1>', 'a', '<a>'],
    [undefined, 'x', 'a', 'x'],
    ['(a+)(b)?', '$1-$2', 'aa', 'aa-'],
    ['(a+)(b)?', '$1-$2', 'c', null],
    ['a+', 'x', 'aa', 'x'],
    ['a+', 'x', 'b', null],
    ['(?P<n>a+)', '$n$n', 'a', 'aa'],
    ['a(.*)', '$1', 'abc', 'bc'],
    ['b(.*)', '', 'bc', ''],
  ];
  for (const [regex, replacement, text, result] of cases) {
    const transform = wholeTransform(regex, replacement);
    // The second answer is remembered.
    assert.deepEqual([transform(text), transform(text)], [result, result], `${regex} to ${replacement}`);
  }
});

test('every match in a text becomes the replacement', () => {
  const transform = searchTransform('(?P<n>[ab])c?', '<$n>');
  assert.deepEqual([transform('xacbx'), transform('x'), transform('xacbx')], ['x<a><b>x', 'x', 'x<a><b>x']);
});

test('labels have an end', () => {
  const labels = new Labels();
  for (let index = 0; index < LABELS_MAX; index++) labels.push(`l${index}`, 'x');
  setLimited(labels, 'l0', 'y');
  assert.throws(() => setLimited(labels, 'more', 'y'), TooLarge);
});
