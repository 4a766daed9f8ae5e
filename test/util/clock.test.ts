import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sleep, systemClock } from '../../src/util/clock.ts';
import { FakeClock } from '../support/fake-clock.ts';

test('a sleep ends after its whole time, and says so', async () => {
  const clock = new FakeClock();
  let whole: boolean | undefined;
  const done = sleep(clock, 1_000).then((result) => {
    whole = result;
  });
  clock.advance(999);
  await Promise.resolve();
  assert.equal(whole, undefined);
  clock.advance(1);
  await done;
  assert.equal(whole, true);
});

test('an abort ends a sleep at once, before or while it lasts', async () => {
  const clock = new FakeClock();
  assert.equal(await sleep(clock, 1_000, AbortSignal.abort()), false);
  const controller = new AbortController();
  const sleeping = sleep(clock, 1_000, controller.signal);
  controller.abort();
  assert.equal(await sleeping, false);
});

test('a timer of the system clock runs, a cancelled one does not', async () => {
  const ran: string[] = [];
  // The clock's timers keep no process alive, so something else has to.
  const alive = setInterval(() => {}, 1_000);
  await new Promise<void>((resolve) => {
    const cancel = systemClock.after(0, () => ran.push('cancelled'));
    cancel();
    systemClock.after(2, () => {
      ran.push('kept');
      resolve();
    });
  });
  clearInterval(alive);
  assert.deepEqual(ran, ['kept']);
});
