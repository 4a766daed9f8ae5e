import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tidyHeap } from '../../src/util/tidy-heap.ts';
import { FakeClock } from '../support/fake-clock.ts';

test('the heap is tidied after the start and every minute', () => {
  const clock = new FakeClock();
  let times = 0;
  tidyHeap(clock, () => times++);
  assert.equal(times, 0);
  clock.advance(2_000);
  assert.equal(times, 1);
  clock.advance(180_000);
  assert.equal(times, 4);
});

test('without the means nothing is done', () => {
  const clock = new FakeClock();
  tidyHeap(clock, undefined);
  assert.equal(clock.timers, 0);
});
