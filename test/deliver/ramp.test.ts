import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import { Ramp } from '../../src/deliver/ramp.ts';

const never = new AbortController().signal;

/** Requests that were asked for, and those that have started. */
function requests(ramp: Ramp, signal = never) {
  const started: number[] = [];
  let asked = 0;
  return {
    started,
    ask: (count: number) => {
      for (let k = 0; k < count; k++) {
        const nth = asked++;
        void ramp.start(signal).then(() => started.push(nth));
      }
    },
  };
}

test('after a failure it is one, then twice as many with each success, up to all', async () => {
  const ramp = new Ramp(6);
  const { started, ask } = requests(ramp);
  ask(8);
  await nextTurn();
  assert.equal(started.length, 6, 'without a failure all go');
  for (let k = 0; k < 6; k++) ramp.end(true);
  await nextTurn();
  assert.equal(started.length, 7);
  const limits = [ramp.limit];
  for (let k = 0; k < 4; k++) {
    ramp.end(false);
    ask(1);
    await nextTurn();
    limits.push(ramp.limit);
  }
  assert.deepEqual(limits, [1, 2, 4, 6, 6]);
  ramp.end(true);
  assert.equal(ramp.limit, 1);
});

test('never more than allowed run, all get their turn, in order', () => {
  return fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 8 }),
      fc.array(fc.boolean(), { maxLength: 40 }),
      async (max, ends) => {
        const ramp = new Ramp(max);
        const { started, ask } = requests(ramp);
        ask(ends.length + max);
        await nextTurn();
        let running = started.length;
        assert.equal(running, Math.min(max, ends.length + max));
        for (const hasFailed of ends) {
          if (running === 0) break;
          const before = started.length;
          ramp.end(hasFailed);
          running--;
          await nextTurn();
          running += started.length - before;
          assert.ok(started.length === before || running <= ramp.limit);
          assert.ok(running >= 1, 'somebody always tries');
        }
        assert.deepEqual(started, [...started.keys()]);
      },
    ),
  );
});

test('who waits goes at once when everything stops', async () => {
  const stop = new AbortController();
  const ramp = new Ramp(2);
  const { started, ask } = requests(ramp, stop.signal);
  ask(1);
  await nextTurn();
  ramp.end(true);
  ask(3);
  await nextTurn();
  assert.equal(started.length, 2);
  stop.abort();
  await nextTurn();
  assert.equal(started.length, 4);
  ask(1);
  await nextTurn();
  assert.equal(started.length, 5);
});
