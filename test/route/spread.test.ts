import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Spread } from '../../src/route/spread.ts';
import { FakeClock } from '../support/fake-clock.ts';

const HOLD_MS = 10_000;

function spreadOver(count: number) {
  const clock = new FakeClock();
  const spread = new Spread(count, HOLD_MS, clock);
  return { clock, spread, take: (blocks: number) => Array.from({ length: blocks }, () => spread.next()) };
}

test('all destinations have their turns', () => {
  assert.deepEqual(spreadOver(3).take(7), [0, 1, 2, 0, 1, 2, 0]);
  assert.deepEqual(spreadOver(1).take(3), [0, 0, 0]);
});

test('one that fails is passed over, and the others share its turns evenly', () => {
  const { spread, take } = spreadOver(4);
  spread.failed(1);
  assert.deepEqual(take(7), [0, 2, 3, 0, 2, 3, 0]);
});

test('after the hold time it gets one block as a trial, and its turns again once it works', () => {
  const { clock, spread, take } = spreadOver(3);
  spread.failed(1);
  clock.advance(HOLD_MS - 1);
  assert.deepEqual(take(4), [0, 2, 0, 2]);
  clock.advance(1);
  assert.deepEqual(take(5), [0, 1, 2, 0, 2], 'a second block must wait for the outcome of the trial');
  spread.failed(1);
  clock.advance(HOLD_MS - 1);
  assert.equal(take(10).includes(1), false);
  spread.worked(1);
  assert.deepEqual([...new Set(take(3))].sort(), [0, 1, 2]);
});

test('when all fail, all have their turns', () => {
  const { spread, take } = spreadOver(3);
  for (const index of [0, 1, 2]) spread.failed(index);
  assert.deepEqual(take(6), [0, 1, 2, 0, 1, 2]);
  spread.worked(2);
  assert.deepEqual(take(3), [2, 2, 2]);
});

test('whatever fails, those that never did get the same number of blocks, and at least as many as the others', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('next' as const), count: fc.integer({ min: 1, max: 20 }) }),
    fc.record({ kind: fc.constant('failed' as const), index: fc.constantFrom(2, 3) }),
    fc.record({ kind: fc.constant('worked' as const), index: fc.constantFrom(2, 3) }),
    fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(2 * HOLD_MS) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const { clock, spread } = spreadOver(4);
      const taken = [0, 0, 0, 0];
      for (const one of steps) {
        if (one.kind === 'next') for (let block = 0; block < one.count; block++) taken[spread.next()]!++;
        else if (one.kind === 'failed') spread.failed(one.index);
        else if (one.kind === 'worked') spread.worked(one.index);
        else clock.advance(one.ms);
      }
      assert.ok(Math.abs(taken[0]! - taken[1]!) <= 1, String(taken));
      for (const index of [2, 3]) assert.ok(taken[index]! <= taken[0]! + 1, String(taken));
    }),
    { numRuns: 500 },
  );
});

test('destinations that stay keep what is known of them when others come and go', () => {
  const { clock, spread, take } = spreadOver(3);
  spread.failed(2);
  spread.replace([2, undefined]); // the one that fails is the first now, and a new one is the second
  assert.deepEqual(take(3), [1, 1, 1]);
  clock.advance(HOLD_MS);
  assert.deepEqual(take(2), [0, 1]);
  spread.replace([1]);
  assert.deepEqual(take(2), [0, 0]);
});

test('a block is for those only that can have it', () => {
  const { spread } = spreadOver(4);
  const odd = (index: number) => index % 2 === 1;
  assert.deepEqual([spread.next(odd), spread.next(odd), spread.next(odd)], [1, 3, 1]);
  spread.failed(1);
  assert.equal(spread.next(odd), 3);
  spread.failed(3);
  assert.ok(odd(spread.next(odd)), 'they have their turns when all of them fail');
});
