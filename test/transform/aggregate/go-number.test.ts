import assert from 'node:assert/strict';
import { test } from 'node:test';
import { goNumber } from '../../../src/transform/aggregate/go-number.ts';

test('numbers as Go writes them', () => {
  const cases: [value: number, text: string][] = [
    [0, '0'],
    [-0, '-0'],
    [0.5, '0.5'],
    [1, '1'],
    [0.0001, '0.0001'],
    [0.00001, '1e-05'],
    [1.25e-7, '1.25e-07'],
    [1e-100, '1e-100'],
    [1e20, '100000000000000000000'],
    [1e21, '1e+21'],
    [-2.5e22, '-2.5e+22'],
  ];
  for (const [value, text] of cases) assert.equal(goNumber(value), text);
});
