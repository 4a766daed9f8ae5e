import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Admission } from '../../src/ingest/admission.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { RecordingMeter } from './harness.ts';

function build(settings: { capacity?: number; maxQueueMs?: number; waitingMax?: number } = {}) {
  const clock = new FakeClock();
  const meter = new RecordingMeter();
  const admission = new Admission({ capacity: 1, maxQueueMs: 1_000, ...settings }, { clock, meter });
  const events: string[] = [];
  const wait = (name: string) =>
    admission.wait(
      () => events.push(`${name} granted`),
      () => events.push(`${name} refused`),
    );
  return { clock, meter, admission, events, wait };
}

test('tokens up to the capacity are there at once', () => {
  const { admission, meter } = build({ capacity: 2 });
  assert.deepEqual([admission.tryTake(), admission.tryTake(), admission.tryTake()], [true, true, false]);
  assert.equal(meter.value('vm_concurrent_insert_capacity'), 2);
  assert.equal(meter.value('vm_concurrent_insert_current'), 2);
  admission.give();
  assert.equal(admission.tryTake(), true);
});

test('waiters get tokens in the order in which they came', () => {
  const { admission, events, wait, meter } = build();
  admission.tryTake();
  for (const name of ['a', 'b', 'c']) wait(name);
  admission.give();
  admission.give();
  assert.deepEqual(events, ['a granted', 'b granted']);
  assert.equal(admission.current, 1);
  assert.equal(admission.waiting, 1);
  assert.equal(meter.value('vm_concurrent_insert_limit_reached_total'), 3);
});

test('a waiter is refused when its time is over, later ones wait on', () => {
  const { admission, clock, events, wait, meter } = build();
  admission.tryTake();
  wait('a');
  clock.advance(600);
  wait('b');
  clock.advance(399);
  assert.deepEqual(events, []);
  clock.advance(1);
  assert.deepEqual(events, ['a refused']);
  clock.advance(600);
  assert.deepEqual(events, ['a refused', 'b refused']);
  assert.equal(meter.value('vm_concurrent_insert_limit_timeout_total'), 2);
  assert.equal(clock.timers, 0);
});

test('who leaves the queue gets nothing and holds nobody up', () => {
  const { admission, clock, events, wait } = build();
  admission.tryTake();
  const first = wait('a');
  wait('b');
  first.leave();
  first.leave();
  admission.give();
  assert.deepEqual(events, ['b granted']);
  clock.advance(5_000);
  assert.deepEqual(events, ['b granted']);
});

test('too many waiters are refused without waiting', async () => {
  const { admission, events, wait, meter } = build({ waitingMax: 2 });
  admission.tryTake();
  for (const name of ['a', 'b', 'c']) wait(name);
  assert.deepEqual(events, [], 'never at once');
  await Promise.resolve();
  assert.deepEqual(events, ['c refused']);
  assert.equal(meter.value('vm_concurrent_insert_limit_timeout_total'), 1);
});

test('a token that nobody waits for goes back', () => {
  const { admission } = build();
  admission.tryTake();
  admission.give();
  assert.equal(admission.current, 0);
});
