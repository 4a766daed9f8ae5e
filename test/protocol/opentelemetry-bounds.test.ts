import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { boundText, boundTextAt, power } from '../../src/protocol/opentelemetry-bounds.ts';

test('a bound has one text, wherever it is asked', () => {
  for (const value of [0.005, 0, -0, 1e21, Number.NaN, Infinity, 0.005]) {
    const text = Object.is(value, -0)
      ? '-0'
      : ({ 1e21: '1000000000000000000000', Infinity: '+Inf' }[value] ?? String(value));
    assert.equal(boundText(value).toString(), text);
    // At a place that is known, at one that is beyond all, and again.
    for (const place of [0, 5_000, 0]) assert.equal(boundTextAt(place, value).toString(), text);
  }
});

test('what is kept of bounds is bounded, and still right', () => {
  for (let value = 1; value <= 25_000; value++) boundText(value / 8);
  assert.equal(boundText(1 / 8).toString(), '0.125');
  assert.equal(boundTextAt(3, 2.5).toString(), '2.5');
  assert.equal(boundTextAt(3, 7.5).toString(), '7.5');
});

test('whole powers are close to those of JavaScript', () => {
  assert.deepEqual([power(2, 0), power(2, 10), power(1.5, 1), power(2, 2_000)], [1, 1024, 1.5, Infinity]);
  fc.assert(
    fc.property(fc.double({ min: 1, max: 2, noNaN: true }), fc.nat(500), (base, exponent) => {
      const expected = base ** exponent;
      assert.ok(Math.abs(power(base, exponent) - expected) <= expected * 1e-12);
    }),
  );
});
