import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ShardingMetrics } from '../../src/route/sharding-metrics.ts';
import { Metrics } from '../../src/telemetry/metrics.ts';
import { metricSum, parseMetrics } from '../support/metrics.ts';

test('counters and gauges are there from the start, and those of a destination go with it', async () => {
  const metrics = new Metrics();
  const sharding = new ShardingMetrics(metrics);
  const { datapoints, exportErrors, exportLatencySeconds } = sharding.endpoint('a');
  sharding.endpoint('b');
  datapoints.inc(7);
  exportErrors.inc();
  exportLatencySeconds.observe(0.5);
  const page = async () => parseMetrics(await metrics.text());
  const of = async (name: string, endpoint?: string) =>
    metricSum(await page(), `sluice_sharding_${name}`, endpoint === undefined ? {} : { endpoint });
  for (const name of ['endpoints_total', 'rehash_total', 'dns_refresh_total', 'dns_errors_total']) {
    assert.equal(await of(name), 0, name);
  }
  sharding.dnsLatencySeconds.observe(0.01);
  assert.equal(await of('dns_latency_seconds_count'), 1);
  assert.deepEqual([await of('datapoints_total', 'a'), await of('datapoints_total', 'b')], [7, 0]);
  assert.equal(await of('export_errors_total', 'a'), 1);
  assert.equal(await of('export_latency_seconds_sum', 'a'), 0.5);
  sharding.forget('a');
  assert.deepEqual([await of('datapoints_total', 'a'), await of('datapoints_total', 'b')], [undefined, 0]);
});
