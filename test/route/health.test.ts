import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type HealthPolicy, ShardHealth, type Signs, whenDownChoices } from '../../src/route/health.ts';
import { FakeClock } from '../support/fake-clock.ts';

const DOWN_MS = 10_000;
const HOLD_MS = 60_000;
const policyOf = (whenDown: HealthPolicy['whenDown']): HealthPolicy => ({
  whenDown,
  rerouteAtPercent: 80,
  downAfterMs: DOWN_MS,
  holdMs: HOLD_MS,
});
const well: Signs = { failingSinceMs: undefined, lastSuccessMs: undefined, queueFill: 0 };

function watch(whenDown: HealthPolicy['whenDown'], count = 2) {
  const clock = new FakeClock();
  const changes: boolean[][] = [];
  const health = new ShardHealth(count, policyOf(whenDown), {
    clock,
    onChange: (available) => changes.push(available),
  });
  const after = (ms: number, ...signs: Signs[]) => {
    clock.advance(ms);
    health.observe(signs);
    return changes.splice(0);
  };
  return { clock, health, after };
}

test('buffer: nothing ever changes', () => {
  const { after, health } = watch('buffer');
  const dead = { failingSinceMs: 0, lastSuccessMs: undefined, queueFill: 1 };
  assert.deepEqual(after(1e9, dead, dead), []);
  assert.deepEqual(health.available, [true, true]);
});

test('reroute: a shard leaves when nothing has worked for a while, and comes back when it has been well for longer', () => {
  const { after, health } = watch('reroute');
  const failing = { ...well, failingSinceMs: 1_000 };
  assert.deepEqual(after(10_999, failing, well), []);
  assert.deepEqual(after(1, failing, well), [[false, true]]);
  assert.deepEqual(after(1_000, failing, well), []);
  assert.deepEqual(after(1_000, well, well), [], 'the count begins when it is seen to be well');
  assert.deepEqual(after(HOLD_MS - 1, well, well), []);
  assert.deepEqual(after(1, well, well), [[true, true]]);
  assert.deepEqual(health.available, [true, true]);
});

test('reroute: a break of the recovery starts the count anew', () => {
  const { after, clock } = watch('reroute', 1);
  after(DOWN_MS, { ...well, failingSinceMs: 0 });
  after(1_000, well);
  assert.deepEqual(after(HOLD_MS - 1, { ...well, failingSinceMs: clock.monotonicMs() }), []);
  assert.deepEqual(after(1_000, well), []);
  assert.deepEqual(after(HOLD_MS - 1, well), []);
  assert.deepEqual(after(1, well), [[true]]);
});

test('reroute: a block that fails again and again while others work is no illness', () => {
  const { after, clock } = watch('reroute', 1);
  for (let round = 0; round < 20; round++) {
    const lastSuccessMs = clock.monotonicMs() + 2_000;
    assert.deepEqual(after(5_000, { ...well, failingSinceMs: 0, lastSuccessMs }), []);
  }
  const lastSuccessMs = clock.monotonicMs();
  assert.deepEqual(after(DOWN_MS, { ...well, failingSinceMs: 0, lastSuccessMs }), [[false]]);
});

test('reroute-at: a shard keeps its series until its queue is as full as told, down or slow', () => {
  const { after } = watch('reroute-at');
  const down = { failingSinceMs: 0, lastSuccessMs: undefined, queueFill: 0.79 };
  const slow = { ...well, queueFill: 0.8 };
  assert.deepEqual(after(1e6, down, well), []);
  assert.deepEqual(after(1_000, down, slow), [[true, false]]);
  assert.deepEqual(after(1_000, { ...down, queueFill: 0.81 }, slow), [[false, false]]);
  const half = { ...well, queueFill: 0.4 };
  assert.deepEqual(after(1_000, { ...down, queueFill: 0.4 }, { ...well, queueFill: 0.41 }), []);
  assert.deepEqual(after(1_000, half, half), []);
  assert.deepEqual(after(HOLD_MS, half, { ...well, queueFill: 0.41 }), [[true, false]]);
});

test('the list of a change is its own', () => {
  const { after, health } = watch('reroute-at', 1);
  const [list] = after(0, { ...well, queueFill: 1 });
  list![0] = true;
  assert.deepEqual(health.available, [false]);
});

interface Seen {
  readonly atMs: number;
  readonly sign: Signs;
}

const isWell = ({ atMs, sign }: Seen) =>
  sign.failingSinceMs === undefined ||
  (sign.lastSuccessMs !== undefined &&
    sign.lastSuccessMs >= sign.failingSinceMs &&
    sign.lastSuccessMs > atMs - DOWN_MS);
const isDown = ({ atMs, sign }: Seen) =>
  sign.failingSinceMs !== undefined &&
  sign.failingSinceMs <= atMs - DOWN_MS &&
  (sign.lastSuccessMs === undefined || sign.lastSuccessMs <= atMs - DOWN_MS);

/** By definition, over everything that was seen since the last change. */
function expected(whenDown: HealthPolicy['whenDown'], wasAvailable: boolean, seen: readonly Seen[]): boolean {
  const last = seen.at(-1)!;
  if (whenDown === 'buffer') return true;
  if (wasAvailable) return whenDown === 'reroute' ? !isDown(last) : last.sign.queueFill < 0.8;
  const isBad = (one: Seen) => !isWell(one) || (whenDown === 'reroute-at' && one.sign.queueFill > 0.4);
  const sinceBad = seen.slice(seen.findLastIndex(isBad) + 1);
  return sinceBad.length > 0 && last.atMs - sinceBad[0]!.atMs >= HOLD_MS;
}

test('no behaviour of a destination makes a shard flap', () => {
  const look = fc.record({
    afterMs: fc.oneof(fc.nat(5_000), fc.nat(HOLD_MS)),
    failedAgoMs: fc.option(fc.nat(3 * DOWN_MS), { nil: undefined, freq: 2 }),
    workedAgoMs: fc.option(fc.nat(3 * DOWN_MS), { nil: undefined }),
    queueFill: fc.constantFrom(0, 0.3, 0.4, 0.41, 0.79, 0.8, 1),
  });
  fc.assert(
    fc.property(
      fc.constantFrom(...whenDownChoices),
      fc.array(look, { maxLength: 120 }),
      (whenDown, looks) => {
        const { after, health, clock } = watch(whenDown, 1);
        let seen: Seen[] = [];
        let leftAtMs: number | undefined;
        for (const { afterMs, failedAgoMs, workedAgoMs, queueFill } of looks) {
          const atMs = clock.monotonicMs() + afterMs;
          const ago = (ms: number | undefined) => (ms === undefined ? undefined : atMs - ms);
          const sign = { failingSinceMs: ago(failedAgoMs), lastSuccessMs: ago(workedAgoMs), queueFill };
          const wasAvailable = health.available[0]!;
          seen.push({ atMs, sign });
          const want = expected(whenDown, wasAvailable, seen);
          assert.deepEqual(after(afterMs, sign), want === wasAvailable ? [] : [[want]]);
          if (want === wasAvailable) continue;
          seen = [];
          if (!want) leftAtMs = atMs;
          else assert.ok(atMs - leftAtMs! >= HOLD_MS, 'it stays away for the hold time');
        }
      },
    ),
    { numRuns: 2_000 },
  );
});

test('destinations that stay keep what is known of them when others come and go', () => {
  const { after, health } = watch('reroute', 3);
  const failing = { ...well, failingSinceMs: 0 };
  after(DOWN_MS, well, well, failing);
  assert.deepEqual(health.available, [true, true, false]);
  after(1_000, well, well, well);
  health.replace([2, undefined]);
  assert.deepEqual(health.available, [false, true]);
  assert.deepEqual(after(HOLD_MS - 1, well, well), []);
  assert.deepEqual(after(1, well, well), [[true, true]], 'its recovery goes on');
});
