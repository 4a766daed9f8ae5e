import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Labels } from '../../../src/model/labels.ts';
import {
  limited,
  type RuleSpec,
  sourceOf,
  TEXT_LENGTH_MAX,
  TooLarge,
} from '../../../src/transform/relabel/action.ts';

const source = (sourceLabels: string[], separator = ';') =>
  sourceOf({ sourceLabels, separator } as unknown as RuleSpec)(
    Labels.of([
      ['a', '1'],
      ['b', '2'],
      ['c', 'x'.repeat(TEXT_LENGTH_MAX)],
    ]),
  );

test('source labels are joined, and what is missing is empty', () => {
  assert.equal(source([]), '');
  assert.equal(source(['a']), '1');
  assert.equal(source(['none']), '');
  assert.equal(source(['a', 'b']), '1;2');
  assert.equal(source(['a', 'none', 'b', 'a'], '--'), '1----2--1');
});

test('what is made of labels has an end, what came in has not', () => {
  assert.equal(source(['c']).length, TEXT_LENGTH_MAX);
  assert.throws(() => source(['c', 'a']), TooLarge);
  assert.throws(() => source(['a', 'a', 'c']), TooLarge);
  assert.equal(limited('a'), 'a');
});
