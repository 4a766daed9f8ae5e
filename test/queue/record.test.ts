import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RecordHeader } from '../../src/queue/file/format.ts';
import { blockOf, recordOf, WallTime } from '../../src/queue/record.ts';
import { makeBlock } from '../support/blocks.ts';
import { FakeClock } from '../support/fake-clock.ts';

const HOUR_MS = 3_600_000;
const JUMPS = [HOUR_MS, -HOUR_MS, 24 * HOUR_MS, -24 * HOUR_MS, -1_790_000_000_000];

/** A block's record, as it is read later. */
function written(seq: number, bornMs: number, wallOffsetMs: number): RecordHeader {
  const { header, payload } = recordOf(makeBlock(seq, { bornMs }), wallOffsetMs);
  return { ...header, seq, payloadLength: payload[0]!.byteLength };
}

function ageOf(header: RecordHeader, clock: FakeClock, wallTime: WallTime): number {
  const nowMs = clock.monotonicMs();
  return nowMs - blockOf(header, Buffer.alloc(0), nowMs, wallTime.of(header.seq)).bornMs;
}

test('in one run, a wall clock that is set changes no age', () => {
  for (const jump of JUMPS) {
    const clock = new FakeClock();
    const wallTime = new WallTime(clock);
    clock.advance(10_000);
    const before = written(1, 9_000, wallTime.now);
    wallTime.note(1, wallTime.now);
    clock.setWall(clock.nowMs() + jump);
    clock.advance(1_000);
    const after = written(2, 10_500, wallTime.now);
    wallTime.note(2, wallTime.now);
    clock.setWall(clock.nowMs() - 2 * jump);
    clock.advance(1_000);
    assert.equal(ageOf(before, clock, wallTime), 3_000);
    // With 1970 on it, a record says nothing.
    if (after.bornAtMs > HOUR_MS) assert.equal(ageOf(after, clock, wallTime), 1_500);
    else assert.equal(ageOf(after, clock, wallTime), 0);
  }
});

test('across runs, ages go on by the wall clock as it was at the start', () => {
  const first = new FakeClock();
  const header = written(1, first.monotonicMs(), new WallTime(first).now);
  const second = new FakeClock(first.nowMs() + 5_000);
  const wallTime = new WallTime(second);
  second.setWall(second.nowMs() + 24 * HOUR_MS);
  second.advance(1_000);
  assert.equal(ageOf(header, second, wallTime), 6_000);
});

test('what was written, or is read, with a clock that was not set, is new', () => {
  const unset = new FakeClock(12_345);
  const set = new FakeClock();
  assert.equal(ageOf(written(1, 0, new WallTime(unset).now), set, new WallTime(set)), 0);
  assert.equal(ageOf(written(1, 0, new WallTime(set).now), unset, new WallTime(unset)), 0);
});

test('small corrections are not kept, and old ones are forgotten', () => {
  const clock = new FakeClock();
  const wallTime = new WallTime(clock);
  const start = wallTime.now;
  wallTime.note(1, start + 900);
  assert.equal(wallTime.of(1), start);
  for (let seq = 1; seq <= 3_000; seq++) wallTime.note(seq, start + seq * 2_000);
  assert.equal(wallTime.of(3_000), start + 6_000_000);
  assert.notEqual(wallTime.of(1), start);
});
