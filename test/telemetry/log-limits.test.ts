import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LineLimits } from '../../src/telemetry/log-limits.ts';
import { FakeClock } from '../support/fake-clock.ts';

test('one line of a key in its time; the next one says how many were left out', () => {
  const clock = new FakeClock();
  const limits = new LineLimits(clock, {});
  assert.deepEqual(limits.admitKey('a', 1_000), { suppressed: 0 });
  assert.equal(limits.admitKey('a', 1_000), undefined);
  clock.advance(999);
  assert.equal(limits.admitKey('a', 1_000), undefined);
  assert.deepEqual(limits.admitKey('b', 1_000), { suppressed: 0 }, 'another key has its own time');
  clock.advance(1);
  assert.deepEqual(limits.admitKey('a', 1_000), { suppressed: 2 });
  clock.advance(1_000);
  assert.deepEqual(limits.admitKey('a', 1_000), { suppressed: 0 });
});

test('so many lines a second from one place', () => {
  const clock = new FakeClock();
  const limits = new LineLimits(clock, { error: 2 });
  const admitted = () => limits.admitPerSecond('error', 'deliver/sender.ts:1');
  assert.deepEqual([admitted(), admitted(), admitted()], [{ suppressed: 0 }, { suppressed: 0 }, undefined]);
  assert.deepEqual(limits.admitPerSecond('error', 'elsewhere.ts:1'), { suppressed: 0 });
  assert.deepEqual(limits.admitPerSecond('warn', 'deliver/sender.ts:1'), { suppressed: 0 });
  clock.advance(1_000);
  assert.deepEqual([admitted(), admitted(), admitted()], [{ suppressed: 1 }, { suppressed: 0 }, undefined]);
});

test('keys that are made of data do not pile up', () => {
  const limits = new LineLimits(new FakeClock(), {});
  for (let key = 0; key <= 1_000; key++) limits.admitKey(String(key), 1_000);
  assert.deepEqual(limits.admitKey('0', 1_000), { suppressed: 0 }, 'the oldest one is forgotten');
  assert.equal(limits.admitKey('1000', 1_000), undefined, 'the newest one is not');
});
