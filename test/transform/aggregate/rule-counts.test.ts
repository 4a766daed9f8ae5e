import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RuleCounts } from '../../../src/transform/aggregate/rule-counts.ts';
import { ByteReader, ByteWriter } from '../../../src/transform/state/bytes.ts';
import { assertAccount, Harness } from '../support/harness.ts';

/** Columns have other room after a restart. */
const SIZES = { bytes: 0, dedupBytes: 0 };

test('samples are held until the window of their colour ends; counts go on with the state', () => {
  const counts = new RuleCounts();
  counts.fold(5, 0);
  counts.fold(2, 1);
  counts.endWindow(0);
  assert.deepEqual([counts.open, counts.aggregated], [2, 5]);
  const to = new ByteWriter();
  counts.save(to);
  const next = new RuleCounts();
  next.load(new ByteReader(to.bytes()));
  assert.deepEqual(next, counts);
  next.startAnew(3);
  assert.deepEqual([next.open, next.aggregated, next.resumed], [2, 0, 5]);
  next.endWindow(1);
  assert.deepEqual([next.open, next.aggregated], [0, 2]);
});

test('a process that takes up the state of another one counts what that held', () => {
  for (const options of ['', ', dedup_interval: 20s', ', enable_windows: true']) {
    const harness = new Harness(`- {interval: 1m, outputs: [total], by: [g]${options}}`);
    for (let step = 0; step < 7; step++) {
      harness.pushNow({ 'a{g="1",i="1"}': step, 'a{g="1",i="2"}': Number.NaN });
      harness.advance(10_000);
    }
    const before = harness.aggregators.stats()[0]!;
    harness.restart();
    assert.deepEqual({ ...harness.aggregators.stats()[0], ...SIZES }, { ...before, ...SIZES });
    harness.aggregators.startAnew();
    const stats = harness.aggregators.stats()[0]!;
    assertAccount(stats);
    assert.ok(before.held > 0);
    assert.deepEqual(
      [stats.came, stats.resumed, stats.held, stats.aggregated, stats.dedupDropped],
      [0, before.held, before.held, 0, 0],
    );
    harness.advance(60_000);
    assert.equal(harness.aggregators.stats()[0]!.held, 0);
  }
});
