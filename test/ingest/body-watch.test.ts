import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BodyWatch, type Watched } from '../../src/ingest/body-watch.ts';
import { FakeClock } from '../support/fake-clock.ts';

const WINDOW_MS = 10_000;

function build() {
  const clock = new FakeClock();
  const watch = new BodyWatch(WINDOW_MS, clock);
  const body = {
    length: 0,
    isPaused: false,
    windowFromMs: 0,
    windowLength: 0,
    failures: 0,
    fail() {
      body.failures++;
      watch.delete(body as Watched);
    },
  };
  watch.add(body as Watched);
  return { clock, watch, body };
}

test('a body that sends nothing is cut off when the grace is over', () => {
  const { clock, body } = build();
  clock.advance(WINDOW_MS - 1);
  assert.equal(body.failures, 0);
  clock.advance(1_000);
  assert.equal(body.failures, 1);
  clock.advance(60_000);
  assert.equal(clock.timers, 0, 'nothing to watch, nothing to do');
});

test('1 KiB a second is enough, for ever', () => {
  const { clock, body } = build();
  for (let second = 0; second < 300; second++) {
    body.length += 1024;
    clock.advance(1_000);
  }
  assert.equal(body.failures, 0);
});

test('a fast start buys no time for a trickle', () => {
  const { clock, body } = build();
  body.length = 1_000_000;
  clock.advance(WINDOW_MS);
  body.length += 100;
  clock.advance(WINDOW_MS + 1_000);
  assert.equal(body.failures, 1);
});

test('while we do not read, the client is not to blame', () => {
  const { clock, watch, body } = build();
  body.isPaused = true;
  clock.advance(10 * WINDOW_MS);
  assert.equal(body.failures, 0);
  body.isPaused = false;
  watch.renew(body as Watched);
  clock.advance(WINDOW_MS - 1_000);
  assert.equal(body.failures, 0);
  clock.advance(2_000);
  assert.equal(body.failures, 1);
});
