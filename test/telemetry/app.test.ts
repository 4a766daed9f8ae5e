import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collect } from '../../src/config/collect.ts';
import { options } from '../../src/config/option.ts';
import { flagValues, registerAppMetrics } from '../../src/telemetry/app.ts';
import { Metrics } from '../../src/telemetry/metrics.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { metricSum, parseMetrics } from '../support/metrics.ts';

test('version, memory and uptime are there under the names of the dashboard', async () => {
  const metrics = new Metrics();
  const clock = new FakeClock(1_790_000_000_500);
  registerAppMetrics(
    metrics,
    {
      version: '0.1.0',
      versionLabel: 'vmagent-sluice-0.1.0',
      flags: [{ name: 'remoteWrite.url', value: '1:secret-url', isSet: true }],
      memory: { availableBytes: 1_000, allowedBytes: 600 },
    },
    clock,
  );
  clock.advance(61_900);
  const samples = parseMetrics(await metrics.text());
  const value = (name: string, labels = {}) => metricSum(samples, name, labels);
  assert.equal(value('vm_app_version', { version: 'vmagent-sluice-0.1.0', short_version: 'v0.1.0' }), 1);
  assert.equal(value('vm_app_start_timestamp'), 1_790_000_000);
  assert.equal(value('vm_app_uptime_seconds'), 61);
  assert.equal(value('vm_available_memory_bytes'), 1_000);
  assert.equal(value('vm_allowed_memory_bytes'), 600);
  assert.ok(value('vm_available_cpu_cores')! >= 1);
  assert.equal(value('flag', { name: 'remoteWrite.url', value: '1:secret-url', is_set: 'true' }), 1);
});

test('options show what was given, else their default', () => {
  const schema = collect([
    {
      title: 'x',
      options: options({
        a: { kind: 'int', default: 5, summary: '' },
        b: { kind: 'int', default: 8, defaultText: '2 × CPUs', summary: '' },
        key: { kind: 'secret', default: undefined, summary: '' },
        other: { kind: 'secret', default: undefined, summary: '' },
      }),
    },
  ]);
  assert.deepEqual(flagValues(schema, new Map([['key', 'secret']])), [
    { name: 'a', value: '5', isSet: false },
    { name: 'b', value: '2 × CPUs', isSet: false },
    { name: 'key', value: 'secret', isSet: true },
    { name: 'other', value: '', isSet: false },
  ]);
});
