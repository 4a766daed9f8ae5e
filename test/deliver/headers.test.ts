import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mergeHeaders, parseHeaders } from '../../src/deliver/headers.ts';

test('items are separated by ^^ and split at the first colon', () => {
  const { headers, problems } = parseHeaders('A: b:c ^^ ^^X-Y:^^ Z :\t1');
  assert.deepEqual(headers, [
    ['A', 'b:c'],
    ['X-Y', ''],
    ['Z', '1'],
  ]);
  assert.deepEqual(problems, []);
});

test('a later header replaces an earlier one of the same name in any case', () => {
  const merged = mergeHeaders(
    [
      ['A', '1'],
      ['B', '2'],
    ],
    [['a', '3']],
    [['C', '4']],
  );
  assert.deepEqual(merged, [
    ['a', '3'],
    ['B', '2'],
    ['C', '4'],
  ]);
});
