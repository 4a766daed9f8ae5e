import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Trend } from '../../src/queue/trend.ts';

test('a growing backlog is full when its rate says so', () => {
  const trend = new Trend();
  for (let second = 0; second <= 120; second++) trend.note(second * 100, second * 1000);
  assert.equal(trend.bytesPerSecond, 100);
  assert.equal(trend.secondsToFull(5_000), 50);
  assert.equal(trend.secondsToDrain, Number.POSITIVE_INFINITY);
});

test('a shrinking one is gone when its rate says so, and never full', () => {
  const trend = new Trend();
  for (let second = 0; second <= 30; second++) trend.note(4_000 - second * 100, second * 1000);
  assert.equal(trend.secondsToDrain, 10);
  assert.equal(trend.secondsToFull(1), Number.POSITIVE_INFINITY);
});

test('an old rate is forgotten within a minute', () => {
  const trend = new Trend();
  for (let second = 0; second < 60; second++) trend.note(second * 1_000, second * 1000);
  for (let second = 60; second <= 130; second++) trend.note(60_000, second * 1000);
  assert.equal(trend.bytesPerSecond, 0);
});

test('nothing is said of a moment', () => {
  const trend = new Trend();
  assert.equal(trend.secondsToDrain, 0);
  trend.note(0, 0);
  trend.note(1_000_000, 1_000);
  assert.equal(trend.bytesPerSecond, 0);
});
