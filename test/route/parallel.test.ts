import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ParallelPolicy } from '../../src/route/parallel.ts';

test('a lasting backlog widens, a burst does not', () => {
  const policy = new ParallelPolicy(4);
  assert.equal(policy.update(20, 0), 1);
  assert.equal(policy.update(20, 1_900), 1);
  assert.equal(policy.update(3, 1_950), 1);
  assert.equal(policy.update(20, 2_100), 1, 'the count starts anew after a look without backlog');
  assert.equal(policy.update(20, 4_100), 4);
});

test('a queue that stays empty narrows again, one that merely shrinks does not', () => {
  const policy = new ParallelPolicy(4);
  policy.update(20, 0);
  assert.equal(policy.update(20, 2_000), 4);
  assert.equal(policy.update(1, 100_000), 4);
  assert.equal(policy.update(0, 110_000), 4);
  assert.equal(policy.update(1, 200_000), 4);
  assert.equal(policy.update(0, 210_000), 4);
  assert.equal(policy.update(0, 330_000), 1);
});

test('one sender never widens', () => {
  const policy = new ParallelPolicy(1);
  policy.update(50, 0);
  assert.equal(policy.update(50, 10_000), 1);
});

test('there are at most as many lanes as slots', () => {
  const policy = new ParallelPolicy(100);
  policy.update(50, 0);
  assert.equal(policy.update(50, 2_000), 32);
});
