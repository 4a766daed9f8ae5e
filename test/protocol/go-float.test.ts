import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { exponentText, fixedText, shortestText } from '../../src/protocol/go-float.ts';

const NUMBERS = [
  0,
  -0,
  1,
  -1.5,
  0.005,
  1e6,
  999_999,
  1e20,
  1e21,
  123e25,
  1e-4,
  1.5e-7,
  5e-324,
  1.7976931348623157e308,
  1.0005,
  2.5,
  0.00012345,
  Number.NaN,
  Infinity,
  -Infinity,
];

/** What Go 1.22 prints for them with strconv.FormatFloat. */
test('numbers look as Go prints them', () => {
  const shown = (text: (value: number) => string) => NUMBERS.slice(0, 14).map(text);
  assert.deepEqual(shown(fixedText).slice(0, 12), [
    '0',
    '-0',
    '1',
    '-1.5',
    '0.005',
    '1000000',
    '999999',
    '100000000000000000000',
    '1000000000000000000000',
    '1230000000000000000000000000',
    '0.0001',
    '0.00000015',
  ]);
  assert.deepEqual(shown(shortestText), [
    '0',
    '-0',
    '1',
    '-1.5',
    '0.005',
    '1e+06',
    '999999',
    '1e+20',
    '1e+21',
    '1.23e+27',
    '0.0001',
    '1.5e-07',
    '5e-324',
    '1.7976931348623157e+308',
  ]);
  assert.deepEqual(shown(exponentText), [
    '0.000e+00',
    '-0.000e+00',
    '1.000e+00',
    '-1.500e+00',
    '5.000e-03',
    '1.000e+06',
    '1.000e+06',
    '1.000e+20',
    '1.000e+21',
    '1.230e+27',
    '1.000e-04',
    '1.500e-07',
    '4.941e-324',
    '1.798e+308',
  ]);
});

test('what is no finite number has a word', () => {
  for (const text of [fixedText, shortestText, exponentText]) {
    assert.deepEqual([Number.NaN, Infinity, -Infinity].map(text), ['NaN', '+Inf', '-Inf']);
  }
});

test('an exact half goes to the even digit', () => {
  // 1.0625 × 2^n and its like are exact in binary.
  assert.equal(exponentText(1.0625), '1.062e+00');
  assert.equal(exponentText(1.1875), '1.188e+00');
  assert.equal(exponentText(-1.0625), '-1.062e+00');
  assert.equal(exponentText(0.5 + 2 ** -4), '5.625e-01');
  assert.equal(exponentText(10.625), '1.062e+01');
});

test('every number is read back from its shortest texts, and its rounded one is close', () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
      assert.ok(Object.is(Number(fixedText(value)), value));
      assert.ok(Object.is(Number(shortestText(value)), value));
      assert.ok(!fixedText(value).includes('e'));
      assert.match(exponentText(value), /^-?\d\.\d{3}e[+-]\d{2,3}$/);
      const rounded = Number(exponentText(value));
      const error = Math.abs(rounded - value);
      assert.ok(error <= Math.abs(value) * 0.000501 + 1e-323 || !Number.isFinite(rounded), String(value));
    }),
  );
});
