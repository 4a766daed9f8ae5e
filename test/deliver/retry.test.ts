import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Backoff, parseRetryAfter } from '../../src/deliver/retry.ts';

test('waits double from the minimum to the maximum', () => {
  const backoff = new Backoff({ minMs: 1000, maxMs: 10_000 }, () => 0);
  const waits = Array.from({ length: 6 }, () => backoff.nextMs());
  assert.deepEqual(waits, [1000, 2000, 4000, 8000, 10_000, 10_000]);
});

test('a minimum above the maximum counts as the maximum', () => {
  const backoff = new Backoff({ minMs: 5000, maxMs: 2000 }, () => 0);
  assert.deepEqual([backoff.nextMs(), backoff.nextMs()], [2000, 2000]);
});

test('jitter adds up to a tenth, and at most ten seconds', () => {
  assert.equal(new Backoff({ minMs: 1000, maxMs: 60_000 }, () => 0.5).nextMs(), 1050);
  assert.equal(new Backoff({ minMs: 1_000_000, maxMs: 1_000_000 }, () => 0.5).nextMs(), 1_005_000);
});

test('a Retry-After replaces the current step and doubling goes on from it', () => {
  const backoff = new Backoff({ minMs: 1000, maxMs: 60_000 }, () => 0);
  assert.deepEqual(
    [backoff.nextMs(2000), backoff.nextMs(), backoff.nextMs(100), backoff.nextMs(3_600_000)],
    [2000, 4000, 1000, 60_000],
  );
});

test('every wait lies between the minimum and 1.1 times the maximum', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 10_000 }),
      fc.integer({ min: 1, max: 100_000 }),
      fc.array(fc.option(fc.integer({ min: 1, max: 10_000_000 }), { nil: undefined }), { maxLength: 30 }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (minMs, maxMs, retryAfters, chance) => {
        const backoff = new Backoff({ minMs, maxMs }, () => chance);
        for (const after of retryAfters) {
          const wait = backoff.nextMs(after);
          assert.ok(wait >= Math.min(minMs, maxMs) && wait <= maxMs * 1.1);
        }
      },
    ),
  );
});

test('Retry-After is read in seconds and as a GMT date, and ignored otherwise', () => {
  const now = Date.UTC(2026, 0, 2, 3, 4, 5);
  const cases: [string | undefined, number | undefined][] = [
    ['10', 10_000],
    [' 3 ', 3000],
    ['3600', 3_600_000],
    ['0', undefined],
    ['-1', undefined],
    ['1.5', undefined],
    ['soon', undefined],
    ['', undefined],
    [undefined, undefined],
    ['Fri, 02 Jan 2026 03:04:35 GMT', 30_000],
    ['Fri, 02 Jan 2026 03:04:05 GMT', undefined],
    ['Fri, 02 Jan 2026 03:03:00 GMT', undefined],
    ['Fri, 02 Jan 2026 03:04:35 CET', undefined],
    ['Fri, 02 Jan 2026 03:04:35 +0000', undefined],
    ['2026-01-02T03:04:35Z', undefined],
  ];
  for (const [header, want] of cases) assert.equal(parseRetryAfter(header, now), want, String(header));
});
