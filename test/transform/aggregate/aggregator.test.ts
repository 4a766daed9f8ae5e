import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Sample } from '../support/batch.ts';
import { Harness, START_MS } from '../support/harness.ts';

const MINUTE = 60_000;

test('the first flushes are computed and not told', () => {
  const harness = new Harness(
    '- {interval: 1m, outputs: [total], ignore_first_intervals: 2, ignore_first_sample_interval: 0s}',
  );
  assert.deepEqual(harness.values([[1], [3], [6], [6]], MINUTE, 'a'), [undefined, undefined, 6, 6]);
  assert.equal(harness.aggregators.stats()[0]!.output, 2);
});

test('what came before the first window on the grid is told with it, unless old samples are ignored', () => {
  for (const [option, value] of [
    ['', 3],
    [', ignore_old_samples: true', 2],
    [', enable_windows: true', 2],
  ] as const) {
    const harness = new Harness(`- {interval: 1m, outputs: [sum_samples]${option}}`, {
      startMs: START_MS - 20_000,
    });
    harness.pushNow({ a: 1 });
    harness.advance(25_000);
    harness.pushNow({ a: 2 });
    harness.advance(MINUTE);
    assert.deepEqual(
      harness.told,
      [{ series: 'a:1m_sum_samples', timestampMs: START_MS + MINUTE, value }],
      option,
    );
  }
});

test('a group that has samples only at the beginning of the longer first window is told', () => {
  const outputs = 'outputs: [sum_samples, last, total], ignore_first_sample_interval: 0s';
  for (const option of ['', ', by: [job]', ', dedup_interval: 1m', ', no_align_flush_to_interval: true']) {
    const startMs = START_MS - 50_000;
    const harness = new Harness(`- {interval: 1m, ${outputs}${option}}`, { startMs });
    harness.pushNow({ a: 7 });
    harness.advance(3 * MINUTE);
    const told = harness.told.filter(({ value }) => value !== 0);
    const values = new Set(told.map(({ series, value }) => `${series.replace(/.*_/, '')} ${value}`));
    assert.deepEqual([...values].toSorted(), ['last 7', 'samples 7', 'total 7'], option);
  }
});

test('the end of a rule: told on the grid, or now, or not at all', () => {
  const run = (options: string): [number, number][] => {
    const harness = new Harness(`- {interval: 1m, outputs: [sum_samples]${options}}`);
    harness.pushNow({ a: 5 });
    harness.advance(40_000);
    harness.finish();
    return harness.told.map(({ timestampMs, value }) => [timestampMs - START_MS, value]);
  };
  assert.deepEqual(run(''), []);
  assert.deepEqual(run(', flush_on_shutdown: true'), [[MINUTE, 5]]);
  assert.deepEqual(run(', flush_on_shutdown: true, dedup_interval: 30s'), [[MINUTE, 5]]);
  assert.deepEqual(run(', flush_on_shutdown: true, no_align_flush_to_interval: true'), [[40_000, 5]]);
  assert.deepEqual(run(', flush_on_shutdown: true, ignore_first_intervals: 1'), []);
});

test('a window that has ended and waits for late samples is told at the end', () => {
  const harness = new Harness('- {interval: 1m, outputs: [sum_samples], enable_windows: true}');
  harness.advance(30_000);
  harness.push({ a: [[START_MS + 10_000, 5]] });
  harness.advance(35_000);
  assert.deepEqual(harness.told, []);
  harness.push({ a: [[START_MS + 61_000, 7]] });
  harness.finish();
  assert.deepEqual(harness.told, [{ series: 'a:1m_sum_samples', timestampMs: START_MS + MINUTE, value: 5 }]);
});

test('series beyond the limit are refused and counted, and the others are not disturbed', () => {
  const harness = new Harness('- {interval: 1m, by: [g], outputs: [total]}', { slotsMax: 3 });
  harness.pushNow({ 'a{g="1",i="1"}': 1, 'a{g="1",i="2"}': 1, 'a{g="2",i="3"}': 1, 'a{g="1",i="4"}': 1 });
  harness.pushUnknown('a{g="7"}', [
    [START_MS, 1],
    [START_MS, 2],
  ]);
  const { refused, matched, groups, series } = harness.aggregators.stats()[0]!;
  assert.deepEqual({ refused, matched, groups, series }, { refused: 3, matched: 3, groups: 3, series: 3 });
  // The group that has no series has no samples either, and makes room.
  harness.advance(2 * MINUTE);
  assert.equal(harness.aggregators.stats()[0]!.groups, 2);
});

test('slots of series that are forgotten and stale are used again', () => {
  for (const options of [
    'outputs: [total]',
    'by: [g], outputs: [total]',
    'outputs: [last]',
    'outputs: [total], dedup_interval: 30s',
  ]) {
    const harness = new Harness(`- {interval: 1m, ${options}}`, { slotsMax: 10 });
    for (let round = 0; round < 20; round++) {
      const name = `a{g="${round}"}`;
      harness.pushNow({ [name]: round });
      harness.forget(name);
      harness.advance(MINUTE);
    }
    const { groups, refused, matched } = harness.aggregators.stats()[0]!;
    assert.ok(groups <= 3, `${groups} groups with ${options}`);
    assert.deepEqual({ refused, matched }, { refused: 0, matched: 20 });
  }
});

test('a series that comes back in time goes on where it was', () => {
  const harness = new Harness('- {interval: 1m, by: [__name__], outputs: [total], staleness_interval: 5m}');
  harness.pushNow({ 'a{i="1"}': 10 });
  harness.advance(MINUTE);
  harness.forget('a{i="1"}');
  harness.pushNow({ 'a{i="2"}': 100 });
  harness.advance(MINUTE);
  harness.pushNow({ 'a{i="1"}': 13 });
  harness.advance(MINUTE);
  assert.deepEqual(
    harness.told.map(({ value }) => value),
    [0, 0, 3],
  );
});

test('relabeling of inputs and outputs', () => {
  const harness = new Harness(
    `
- interval: 1m
  outputs: [last]
  input_relabel_configs: [{drop: secret}]
  output_relabel_configs: [{set: cluster}, {clear: b}, {refuse: c}]
`,
    {
      compileRelabel: (rules) => ({
        apply(labels) {
          for (const rule of rules as { drop?: string; set?: string; clear?: string; refuse?: string }[]) {
            if (rule.drop !== undefined) labels.filter((name) => name !== rule.drop);
            if (rule.set !== undefined) labels.set(rule.set, 'x');
            if (rule.clear !== undefined && labels.indexOf(rule.clear) >= 0) labels.set(rule.clear, '');
            if (rule.refuse !== undefined && labels.indexOf(rule.refuse) >= 0) return false;
          }
          return true;
        },
      }),
    },
  );
  harness.pushNow({ 'a{secret="1"}': 1, 'a{secret="2",b="3"}': 2, 'a{c="1"}': 3 });
  harness.advance(MINUTE);
  assert.deepEqual(harness.take(), ['a:1m_last{cluster="x"} 1', 'a:1m_last{cluster="x"} 2']);
  assert.equal(harness.aggregators.stats()[0]!.output, 2);
});

test('more samples than a buffer holds in one request', () => {
  const harness = new Harness('- {interval: 1m, outputs: [count_samples, sum_samples, total]}');
  const samples = Array.from({ length: 10_000 }, (_, index) => [START_MS + index, index] as Sample);
  harness.push({ a: samples, b: [[START_MS, 1]], c: samples });
  harness.advance(MINUTE);
  assert.deepEqual(harness.take(), [
    'a:1m_count_samples 10000',
    'a:1m_sum_samples 49995000',
    'a:1m_total 9999',
    'b:1m_count_samples 1',
    'b:1m_sum_samples 1',
    'b:1m_total 0',
    'c:1m_count_samples 10000',
    'c:1m_sum_samples 49995000',
    'c:1m_total 9999',
  ]);
});

interface Push {
  readonly series: number;
  readonly ageMs: number;
  readonly value: number;
  readonly waitMs: number;
  readonly isRestart: boolean;
}

const anyPush: fc.Arbitrary<Push> = fc.record({
  series: fc.nat(3),
  ageMs: fc.oneof(fc.integer({ min: 0, max: 2000 }), fc.integer({ min: -5000, max: 15_000 })),
  value: fc.integer({ min: 0, max: 50 }),
  waitMs: fc.oneof(fc.nat(3000), fc.nat(15_000)),
  isRestart: fc.boolean(),
});

/** Groups by g with 20s windows, deduplicated in 5s ones. */
function expectedSums(pushes: readonly Push[], windows: boolean): Map<string, number> {
  const kept = new Map<string, { timestampMs: number; value: number; tick: number; series: number }>();
  let nowMs = 0;
  let tick = 0;
  let lagMs = 0;
  const endOf = (one: number) => (one + 1) * 5000;
  for (const { series, ageMs, value, waitMs } of [...pushes, { series: -1, ageMs: 0, value: 0, waitMs: 0 }]) {
    while (endOf(tick) + lagMs <= nowMs) {
      tick++;
      lagMs = 0;
    }
    if (series < 0) break;
    const timestampMs = nowMs - ageMs;
    if (!windows || timestampMs >= endOf(tick - 1)) {
      if (windows) lagMs = Math.min(5000, Math.max(lagMs, ageMs));
      const own = windows && timestampMs > endOf(tick) ? tick + 1 : tick;
      const key = `${own} ${series}`;
      const before = kept.get(key);
      const isBetter =
        before === undefined ||
        timestampMs > before.timestampMs ||
        (timestampMs === before.timestampMs && value > before.value);
      if (isBetter) kept.set(key, { timestampMs, value, tick: own, series });
    }
    nowMs += waitMs;
  }
  const sums = new Map<string, number>();
  for (const one of kept.values()) {
    const key = `${Math.floor(one.tick / 4) * 20_000 + 20_000} ${one.series % 2}`;
    sums.set(key, (sums.get(key) ?? 0) + one.value);
  }
  return sums;
}

test('deduplication inside of aggregation keeps one sample a series and tick', () => {
  fc.assert(
    fc.property(fc.array(anyPush, { maxLength: 60 }), fc.boolean(), (pushes, windows) => {
      const harness = new Harness(
        `- {interval: 20s, dedup_interval: 5s, by: [g], outputs: [sum_samples, count_samples], enable_windows: ${windows}}`,
      );
      for (const { series, ageMs, value, waitMs, isRestart } of pushes) {
        if (isRestart) harness.restart();
        harness.push({ [`a{g="${series % 2}",i="${series}"}`]: [[harness.clock.nowMs() - ageMs, value]] });
        harness.advance(waitMs);
      }
      harness.advance(80_000);
      const counted = new Set(
        harness.told
          .filter(({ series }) => series.includes('count_samples'))
          .map(({ series, timestampMs }) => `${timestampMs - START_MS} ${series.at(-3)}`),
      );
      const sums = harness.told
        .filter(({ series }) => series.includes('sum_samples'))
        .map(
          ({ series, timestampMs, value }) => [`${timestampMs - START_MS} ${series.at(-3)}`, value] as const,
        )
        // A group that still lives tells 0 without samples.
        .filter(([key]) => counted.has(key));
      assert.deepEqual(new Map(sums), expectedSums(pushes, windows));
    }),
    { numRuns: 1000 },
  );
});
