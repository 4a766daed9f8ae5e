/** Which metrics there are for which rules, and what they read. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AggregationMetrics } from '../src/aggregation-metrics.ts';
import type { StageConfig, StageStats } from '../src/engine/aggregation-stage.ts';
import type { ShapeConfig } from '../src/engine/shape.ts';
import { parseAggregationRules } from '../src/transform/aggregate/rule.ts';
import { RecordingMeter } from './ingest/harness.ts';

const stageOf = (scope: string, rules: string, dedupIntervalMs = 0): StageConfig => ({
  scope,
  rules: parseAggregationRules(rules, 'file.yaml').rules,
  keepInput: false,
  dropInput: false,
  dedupIntervalMs,
  dropInputLabels: [],
  enableWindows: false,
});

const shapeOf = (stage: StageConfig | undefined, own: StageConfig | undefined) =>
  ({ stage, forms: [{}, { stage: own }] }) as unknown as ShapeConfig;

const rule = {
  matched: 1,
  ignoredNan: 2,
  ignoredTooOld: 3,
  relabelDropped: 4,
  refused: 5,
  output: 6,
  flushTimeouts: 7,
  dedupFlushTimeouts: 8,
  counterResets: 9,
  dedupDropped: 10,
  dedupItems: 11,
  dedupBytes: 12,
  groups: 13,
  series: 14,
  bytes: 15,
  came: 16,
  resumed: 17,
  held: 18,
  aggregated: 19,
};
const account = { received: 20, resumed: 27, deduplicated: 1, tooOld: 20, emitted: 22, items: 23 };
const dedup = { ...account, series: 24, bytes: 25, flushTimeouts: 26 };

test('every rule and deduplicator has its metrics, under the labels of vmagent', () => {
  const removed: unknown[] = [];
  const meter = new RecordingMeter();
  meter.remove = (...labels: unknown[]) => void removed.push(...labels);
  const stages: StageStats[] = [
    { scope: 'global', rules: [rule, rule], dedup, lastFlushMs: 0, nextFlushMs: 0 },
    { scope: 'destination two', rules: [], dedup, lastFlushMs: 0, nextFlushMs: 0 },
  ];
  const destinations = [
    { name: 'one', shownUrl: '1:secret-url' },
    { name: 'two', shownUrl: '2:secret-url' },
  ];
  const metrics = new AggregationMetrics({ meter, stages: () => stages, losses: () => 0, destinations });
  const rules = `
- interval: 1m
  outputs: [max]
- interval: 1m
  name: requests
  dedup_interval: 30s
  outputs: [total, 'quantiles(0.5, 1)']
`;
  metrics.follow(shapeOf(stageOf('global', rules, 1000), stageOf('destination two', '', 1000)));
  const second = {
    outputs: 'total,quantiles(0.5,1)',
    name: 'requests',
    path: 'file.yaml',
    url: 'global',
    position: '2',
  };
  const first = { outputs: 'max', name: 'none', path: 'file.yaml', url: 'global', position: '1' };
  const value = (name: string, labels: Record<string, string>) =>
    meter.value(`vm_streamaggr_${name}`, labels);
  assert.equal(value('matched_samples_total', first), 1);
  assert.equal(value('ignored_samples_total', { reason: 'nan', ...first }), 2);
  assert.equal(value('ignored_samples_total', { reason: 'too_old', ...first }), 3);
  assert.equal(value('output_samples_total', second), 6);
  assert.equal(value('flush_timeouts_total', second), 7);
  assert.equal(value('counter_resets_total', { output: 'total', ...second }), 9);
  assert.equal(value('counter_resets_total', { output: 'max', ...first }), undefined);
  assert.equal(value('dedup_dropped_samples_total', second), 10);
  assert.equal(value('dedup_state_items_count', second), 11);
  assert.equal(value('dedup_state_items_count', first), undefined);
  assert.equal(value('dedup_state_size_bytes', { name: 'dedup', url: 'dedup-global' }), 25);
  assert.equal(value('dedup_dropped_samples_total', { name: 'dedup', url: 'dedup-2' }), 21);
  assert.equal(meter.value('sluice_streamaggr_refused_samples_total', first), 5);
  assert.equal(value('labels_compressor_items_count', {}), 54);
  const account = (labels: Record<string, string>, ...columns: string[]) =>
    columns.map((column) => meter.value('sluice_ledger_aggregation_samples', { ...labels, column }));
  assert.deepEqual(account(first, 'came', 'resumed', 'held', 'aggregated'), [16, 17, 18, 19]);
  assert.deepEqual(account(first, 'nan', 'too_old', 'relabel', 'refused', 'deduplicated'), [2, 3, 4, 5, 10]);
  const dedupAt = { name: 'dedup', url: 'dedup-2' };
  const columns = ['came', 'resumed', 'too_old', 'deduplicated', 'held', 'went_on'];
  assert.deepEqual(account(dedupAt, ...columns), [20, 27, 20, 1, 23, 22]);
  metrics.observe([
    { scope: 'global', rule: 1, kind: 'lag', seconds: 2 },
    { scope: 'global', rule: 1, kind: 'flush', seconds: 0.5 },
    { scope: 'destination two', rule: -1, kind: 'flush', seconds: 3 },
    { scope: 'gone', rule: 0, kind: 'flush', seconds: 0.5 },
  ]);
  assert.equal(value('samples_lag_seconds_sum', second), 2);
  assert.equal(value('flush_duration_seconds_count', second), 1);
  assert.equal(value('dedup_flush_duration_seconds_sum', { name: 'dedup', url: 'dedup-2' }), 3);
  assert.deepEqual(removed, []);
  metrics.follow(
    shapeOf(stageOf('global', rules.slice(0, rules.indexOf('- interval: 1m\n  name'))), undefined),
  );
  assert.deepEqual(removed, [
    second,
    { name: 'dedup', url: 'dedup-global' },
    { name: 'dedup', url: 'dedup-2' },
  ]);
});
