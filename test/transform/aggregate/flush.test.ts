import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FlushSchedule, type ScheduleOptions } from '../../../src/transform/aggregate/flush.ts';
import { ByteReader, ByteWriter, DamagedState } from '../../../src/transform/state/bytes.ts';

const START = 1_800_000_000_000;

const schedule = (startMs: number, options: Partial<ScheduleOptions> = {}) =>
  new FlushSchedule(
    { intervalMs: 5000, dedupIntervalMs: 0, aligned: true, windows: false, ...options },
    startMs,
  );

test('the first window is longer by what was left of the grid step', () => {
  const one = schedule(START + 3100);
  assert.equal(one.minDeadlineMs, START + 5000);
  assert.equal(one.dueMs, START + 10_000);
  assert.equal(one.take(START + 9999), undefined);
  assert.deepEqual(one.take(START + 10_000), { deadlineMs: START + 10_000, flushMs: START + 10_000 });
  assert.equal(one.take(START + 10_000), undefined);
  assert.equal(one.minDeadlineMs, START + 10_000);
  assert.deepEqual(one.take(START + 15_003), { deadlineMs: START + 15_000, flushMs: START + 15_000 });
});

test('the grid begins in the year 1', () => {
  const steps = (intervalMs: number) => schedule(START + 1, { intervalMs }).minDeadlineMs;
  // Seconds from 0001-01-01 to START are 63,935,596,800.
  for (const seconds of [7, 60, 420, 3600, 604_800]) {
    const sinceYearOne = 63_935_596_800;
    const beyond = (seconds - (sinceYearOne % seconds)) % seconds;
    assert.equal(steps(seconds * 1000), START + (beyond === 0 ? seconds : beyond) * 1000, `${seconds}s`);
  }
});

test('without alignment windows count from the start', () => {
  const one = schedule(START + 3100, { aligned: false });
  assert.equal(one.minDeadlineMs, START + 3100);
  assert.deepEqual(one.take(START + 8200), { deadlineMs: START + 8100, flushMs: START + 8100 });
  assert.equal(one.lastFlushMs(START + 9000), START + 9000);
  assert.equal(schedule(START + 3100).lastFlushMs(START + 9000), START + 10_000);
});

test('deduplicated samples move on in between', () => {
  const one = schedule(START, { intervalMs: 6000, dedupIntervalMs: 2000 });
  const ticks = [2000, 4000, 6000, 8000].map((ms) => one.take(START + ms)?.flushMs);
  assert.deepEqual(ticks, [undefined, undefined, START + 6000, undefined]);
});

test('missed windows are skipped; the one that is told keeps its end', () => {
  const one = schedule(START);
  assert.equal(one.take(START + 23_000)?.flushMs, START + 5000);
  assert.equal(one.dueMs, START + 25_000);
  assert.equal(one.take(START + 25_000)?.flushMs, START + 25_000);
});

test('with windows a tick waits for the largest delay, at most for a tick, and none is skipped for it', () => {
  const one = schedule(START, { windows: true });
  one.observeLag(1200);
  one.observeLag(300);
  assert.equal(one.dueMs, START + 6200);
  assert.equal(one.take(START + 6100), undefined);
  assert.equal(one.take(START + 6200)?.flushMs, START + 5000);
  one.observeLag(1e9);
  assert.equal(one.dueMs, START + 15_000);
  assert.equal(one.take(START + 15_000)?.flushMs, START + 10_000);
  assert.equal(one.take(START + 15_000)?.flushMs, START + 15_000);
  one.observeLag(4000);
  one.stopWaiting();
  assert.equal(one.take(START + 20_000)?.flushMs, START + 20_000);
  const still = schedule(START);
  still.observeLag(1000);
  assert.equal(still.dueMs, START + 5000);
});

test('a clock that was set back begins anew', () => {
  const one = schedule(START);
  assert.equal(one.take(START - 86_400_000), undefined);
  assert.equal(one.dueMs, START - 86_400_000 + 5000);
});

test('at any pace ends of windows are on the grid, rise, and are not told before their time', () => {
  const options = fc.record({
    intervalMs: fc.constantFrom(4000, 6000, 7000),
    dedupIntervalMs: fc.constantFrom(0, 1000),
    aligned: fc.boolean(),
    windows: fc.boolean(),
  });
  const waits = fc.array(fc.tuple(fc.integer({ min: 1, max: 20_000 }), fc.nat(9000)), { maxLength: 30 });
  fc.assert(
    fc.property(options, fc.nat(10_000), waits, fc.nat(30), (chosen, offset, all, restartAt) => {
      let one = schedule(START + offset, chosen);
      const firstMs = one.minDeadlineMs + chosen.intervalMs;
      let nowMs = START + offset;
      let lastMs = 0;
      for (const [index, [waitMs, lagMs]] of all.entries()) {
        if (index === restartAt) one = restarted(one, chosen, nowMs);
        one.observeLag(lagMs);
        nowMs += waitMs;
        for (let tick = one.take(nowMs); tick !== undefined; tick = one.take(nowMs)) {
          assert.ok(tick.deadlineMs <= nowMs && tick.deadlineMs > nowMs - 60_000);
          if (tick.flushMs === undefined) continue;
          assert.ok(tick.flushMs > lastMs && tick.flushMs <= tick.deadlineMs);
          assert.equal((tick.flushMs - firstMs) % chosen.intervalMs, 0);
          lastMs = tick.flushMs;
        }
        assert.ok(one.dueMs > nowMs);
        assert.ok(one.deadlineMs > nowMs - (chosen.windows ? 10_000 : 0));
      }
    }),
    { numRuns: 2000 },
  );
});

function restarted(one: FlushSchedule, options: ScheduleOptions, nowMs: number): FlushSchedule {
  const to = new ByteWriter();
  one.save(to);
  const next = schedule(nowMs + 1, options);
  next.load(new ByteReader(to.bytes()));
  return next;
}

test('times that are none are not taken up', () => {
  const to = new ByteWriter();
  for (let index = 0; index < 4; index++) to.f64(Number.NaN);
  assert.throws(() => schedule(START).load(new ByteReader(to.bytes())), DamagedState);
});
