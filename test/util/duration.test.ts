import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatDurationMs, parseDurationMs } from '../../src/util/duration.ts';

const HOUR = 3_600_000;

test('durations of Go and VictoriaMetrics are milliseconds', () => {
  const cases: [string, number][] = [
    ['0', 0],
    ['0s', 0],
    ['5s', 5000],
    ['1.5h', 1.5 * HOUR],
    ['1h30m', 1.5 * HOUR],
    ['.5s', 500],
    ['1.s', 1000],
    ['250ms', 250],
    ['1m2ms', 60_002],
    ['3us', 0.003],
    ['3µs', 0.003],
    ['3μs', 0.003],
    ['1000000ns', 1],
    ['1d', 24 * HOUR],
    ['2w', 14 * 24 * HOUR],
    ['1y', 365 * 24 * HOUR],
    ['-1m', -60_000],
    ['+1m', 60_000],
  ];
  for (const [text, ms] of cases) assert.equal(parseDurationMs(text), ms, text);
});

test('what is no duration is none', () => {
  for (const text of [
    '',
    '-',
    '5',
    '1.5',
    'm',
    '1 m',
    '1m ',
    '1x',
    '1M',
    '1h30',
    '1e3s',
    '--1s',
    '1,5s',
    '∞',
  ]) {
    assert.equal(parseDurationMs(text), undefined, text);
  }
});

test('durations are shown short', () => {
  const cases: [number, string][] = [
    [0, '0s'],
    [250, '250ms'],
    [1500, '1.5s'],
    [60_000, '1m'],
    [1.5 * HOUR, '1h30m'],
    [26 * HOUR, '1d2h'],
    [61_000, '1m1s'],
    [0.001, '0.001ms'],
    [-60_000, '-1m'],
  ];
  for (const [ms, text] of cases) assert.equal(formatDurationMs(ms), text);
});

test('what is shown is read back as the same duration', () => {
  fc.assert(
    fc.property(fc.integer({ min: -(2 ** 50), max: 2 ** 50 }), (ms) => {
      assert.equal(parseDurationMs(formatDurationMs(ms)), ms === 0 ? 0 : ms);
    }),
  );
});

test('any text is a duration or none, never a wrong number', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const ms = parseDurationMs(text);
      assert.ok(ms === undefined || Number.isFinite(ms));
    }),
  );
});
