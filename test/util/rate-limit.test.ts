import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { RateLimiter } from '../../src/util/rate-limit.ts';
import { FakeClock } from '../support/fake-clock.ts';

function setUp(limit: number) {
  const clock = new FakeClock();
  const counted = { waits: 0 };
  const limiter = new RateLimiter(limit, clock, {
    inc: () => {
      counted.waits++;
    },
  });
  const stop = new AbortController();
  const passed: number[] = [];
  const take = (bytes: number) => limiter.take(bytes, stop.signal).then(() => passed.push(bytes));
  return { clock, counted, stop, passed, take };
}

test('a block larger than the limit passes and the next one pays for it', async () => {
  const { clock, passed, take, counted } = setUp(100);
  void take(250);
  void take(1);
  await turn();
  assert.deepEqual(passed, [250]);
  // The debt of 150 becomes 50 after one refill and a budget of 50 after the second.
  clock.advance(1000);
  await turn();
  assert.deepEqual(passed, [250]);
  clock.advance(1000);
  await turn();
  assert.deepEqual(passed, [250, 1]);
  assert.equal(counted.waits, 2);
});

test('idle seconds are not saved up', async () => {
  const { clock, passed, take } = setUp(100);
  void take(100);
  await turn();
  clock.advance(60_000);
  void take(100);
  void take(7);
  await turn();
  assert.deepEqual(passed, [100, 100]);
});

test('a stop lets everyone through at once', async () => {
  const { stop, passed, take } = setUp(10);
  void take(1000);
  void take(5);
  await turn();
  assert.deepEqual(passed, [1000]);
  stop.abort();
  await turn();
  assert.deepEqual(passed, [1000, 5]);
});

test('no limit means no wait', async () => {
  const { passed, take, counted } = setUp(0);
  void take(1e9);
  void take(1e9);
  await turn();
  assert.equal(passed.length, 2);
  assert.equal(counted.waits, 0);
});
