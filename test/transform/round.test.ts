import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createRounder } from '../../src/transform/round.ts';

const OFF = 100;
const figures = (value: number, significantFigures: number) =>
  createRounder({ significantFigures, roundDigits: OFF })!(value);
const digits = (value: number, roundDigits: number) =>
  createRounder({ significantFigures: 0, roundDigits })!(value);

test('significant figures', () => {
  const cases: [value: number, figures: number, rounded: number][] = [
    [1234567, 3, 1230000],
    [-1.234567, 4, -1.235],
    [25, 1, 30],
    [2.5, 1, 3],
    [12, 1, 10],
    [95, 1, 100],
    [0.30000000000000004, 5, 0.3],
    [-0.1, 1, -0.1],
    [1e300, 3, 1e300],
    [1.23456e-310, 3, 1.23e-310],
    [5e-324, 2, 5e-324],
    [123456789.123456, 12, 123456789.123],
    [2 ** 63 + 2 ** 20, 5, 9223400000000000000],
    // Above 2^55 vmagent cuts the last digits off before it rounds.
    [2 ** 60, 17, Number('1152921504606846900')],
    [10500416, 1, 11000000],
    [9007199254740994, 3, 9010000000000000],
    [12345678901234567e3, 2, 12e18],
  ];
  for (const [value, count, rounded] of cases)
    assert.equal(figures(value, count), rounded, `${value} to ${count}`);
});

test('digits behind the point, halves away from zero', () => {
  const cases: [value: number, digits: number, rounded: number][] = [
    [12.57, 0, 13],
    [-1.578, 2, -1.58],
    [1234, -2, 1200],
    [1235, -1, 1240],
    [2.5, 0, 3],
    [-2.5, 0, -3],
    [0.49999999999999994, 0, 0],
    [-0.4, 0, -0],
    [1e308, 5, Infinity],
    [-1e308, 5, -Infinity],
  ];
  for (const [value, count, rounded] of cases)
    assert.equal(digits(value, count), rounded, `${value} to ${count}`);
});

test('figures come before digits', () => {
  assert.equal(createRounder({ significantFigures: 2, roundDigits: 1 })!(0.0549), 0.1);
});

test('nothing to do is no rounder, and special values stay', () => {
  for (const significantFigures of [0, -1, 18]) {
    for (const roundDigits of [100, -100, 1000]) {
      assert.equal(createRounder({ significantFigures, roundDigits }), undefined);
    }
  }
  for (const value of [Number.NaN, Infinity, -Infinity, 0, -0]) {
    assert.ok(Object.is(figures(value, 3), value), String(value));
    assert.ok(Object.is(digits(value, 3), value), String(value));
  }
});

test('the printed decimal says the same where it is not half way', () => {
  const value = fc.tuple(
    fc.integer({ min: 1, max: 99_999_999 }),
    fc.integer({ min: -12, max: 12 }),
    fc.boolean(),
  );
  fc.assert(
    fc.property(value, fc.integer({ min: 1, max: 9 }), ([mantissa, exponent, isNegative], count) => {
      const text = `${isNegative ? '-' : ''}${mantissa}e${exponent}`;
      // vmagent takes 10 as one figure, 100 as two and so on, and rounds what follows.
      fc.pre(!/50*$/.test(String(mantissa)) && !String(mantissa).startsWith(String(10 ** count)));
      const rounded = figures(Number(text), count);
      // One unit in the last place: vmagent divides by or multiplies with a power of ten at the end.
      const printed = Number(Number(text).toPrecision(count));
      assert.ok(
        Math.abs(rounded - printed) <= Math.abs(printed) * 2 ** -51,
        `${text} to ${count}: ${rounded}`,
      );
      assert.equal(figures(rounded, count), rounded, 'again changes nothing');
    }),
    { numRuns: 5_000 },
  );
});
