import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Scores } from '../../src/route/scores.ts';
import { rankedBy } from './support.ts';

const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
/** Numbers with long runs of zeros and ones, where carries go wrong. */
const edgy = fc
  .tuple(fc.nat(64), fc.nat(64), fc.boolean())
  .map(([a, b, flip]) => ((2n ** BigInt(a) - 2n ** BigInt(b)) ^ (flip ? -1n : 0n)) & (2n ** 64n - 1n));
const hash = fc.oneof(u64, edgy);

test('the best nodes are those with the highest scores, in exact arithmetic', () => {
  fc.assert(
    fc.property(fc.array(hash, { minLength: 1, maxLength: 9 }), hash, fc.nat(9), (nodes, key, count) => {
      const out = [77];
      new Scores(nodes).best(key, count, out);
      assert.deepEqual(out, rankedBy(nodes, key).slice(0, count));
    }),
    { numRuns: 3_000 },
  );
});

test('among nodes of the same hash the first one wins', () => {
  const out: number[] = [];
  new Scores([5n, 5n, 5n]).best(1n, 2, out);
  assert.deepEqual(out, [0, 1]);
});
