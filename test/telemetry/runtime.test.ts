import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Metrics } from '../../src/telemetry/metrics.ts';
import { watchRuntime } from '../../src/telemetry/runtime.ts';
import type { Clock } from '../../src/util/clock.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { metricSum, parseMetrics } from '../support/metrics.ts';
import { until } from '../support/wait.ts';

test('event loop, garbage collections and memory are watched', async (t) => {
  const metrics = new Metrics();
  t.after(watchRuntime(metrics, new FakeClock()));
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  collectGarbage();
  const value = async (name: string, labels = {}) =>
    metricSum(parseMetrics(await metrics.text()), name, labels) ?? Number.NaN;
  await until(
    'a collection is counted',
    5_000,
    async () => (await value('sluice_gc_runs_total', { kind: 'major' })) > 0,
  );
  assert.ok((await value('sluice_gc_seconds_total', { kind: 'major' })) > 0);
  assert.ok((await value('sluice_event_loop_active_seconds_total')) > 0);
  assert.ok((await value('sluice_memory_bytes', { kind: 'heap_used' })) > 1e6);
});

test('a stalled event loop shows in the histogram of delays', async (t) => {
  let lateMs = 0;
  const clock = new FakeClock();
  const slow: Clock = {
    nowMs: () => clock.nowMs(),
    monotonicMs: () => clock.monotonicMs() + lateMs,
    after: (delayMs, callback) => clock.after(delayMs, callback),
  };
  const metrics = new Metrics();
  t.after(watchRuntime(metrics, slow));
  clock.advance(500);
  lateMs = 300;
  clock.advance(50);
  clock.advance(50);
  const samples = parseMetrics(await metrics.text());
  const value = (suffix: string, labels = {}) =>
    metricSum(samples, `sluice_event_loop_delay_seconds${suffix}`, labels);
  assert.equal(value('_count'), 12);
  assert.equal(value('_le_bucket', { le: '0.1' }), 11);
  assert.ok(Math.abs(value('_sum')! - 0.3) < 1e-6);
});

test('after a stop nothing is left running', () => {
  const clock = new FakeClock();
  const stop = watchRuntime(new Metrics(), clock);
  clock.advance(100);
  assert.equal(clock.timers, 1);
  stop();
  assert.equal(clock.timers, 0);
});
