import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tidyHeap } from '../../src/util/tidy-heap.ts';
import { FakeClock } from '../support/fake-clock.ts';

test('the heap is tidied at once, after the start and every minute', () => {
  const clock = new FakeClock();
  let times = 0;
  let thorough = 0;
  tidyHeap(clock, (options) => {
    if (options === undefined) times++;
    else thorough++;
  });
  assert.deepEqual([times, thorough], [0, 1]);
  clock.advance(2_000);
  assert.equal(times, 1);
  clock.advance(180_000);
  assert.deepEqual([times, thorough], [4, 1]);
});

test('without the means nothing is done', () => {
  const clock = new FakeClock();
  tidyHeap(clock, undefined);
  assert.equal(clock.timers, 0);
});
