import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { TopK } from '../../src/util/top-k.ts';

test('what fits is exact', () => {
  const top = new TopK(3);
  for (const key of ['a', 'b', 'a', 'c', 'a', 'b']) top.add(key, 2);
  assert.deepEqual(top.top(2), [
    { key: 'a', weight: 6, error: 0 },
    { key: 'b', weight: 4, error: 0 },
  ]);
  assert.equal(top.total, 12);
});

test('weights are never too low, too high by the error at most, and the heavy ones are there', () => {
  const item = fc.tuple(fc.nat(20), fc.integer({ min: 1, max: 50 }));
  fc.assert(
    fc.property(fc.array(item, { maxLength: 200 }), fc.integer({ min: 1, max: 10 }), (items, places) => {
      const top = new TopK(places);
      const exact = new Map<string, number>();
      for (const [key, weight] of items) {
        top.add(`${key}`, weight);
        exact.set(`${key}`, (exact.get(`${key}`) ?? 0) + weight);
      }
      const held = top.top(places);
      assert.ok(held.length <= places);
      for (const { key, weight, error } of held) {
        const real = exact.get(key) ?? 0;
        assert.ok(weight >= real && weight - error <= real, `${key}: ${weight} - ${error} of ${real}`);
      }
      for (const [key, weight] of exact) {
        if (weight > top.total / places) assert.ok(held.some((one) => one.key === key));
      }
      assert.deepEqual(
        held.map(({ weight }) => weight),
        held.map(({ weight }) => weight).sort((a, b) => b - a),
      );
    }),
  );
});
