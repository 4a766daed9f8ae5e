import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Metrics } from '../../src/telemetry/metrics.ts';
import { registerProcessMetrics } from '../../src/telemetry/process.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { metricSum, parseMetrics } from '../support/metrics.ts';
import { temporaryDirectory } from '../support/process.ts';

test('the real process is described', { skip: process.platform !== 'linux' }, async () => {
  const metrics = new Metrics();
  const nowMs = 1_790_000_000_000;
  registerProcessMetrics(metrics, { clock: new FakeClock(nowMs) });
  const samples = parseMetrics(await metrics.text());
  const value = (name: string) => metricSum(samples, name) ?? Number.NaN;
  const atLeast = (name: string, low: number) => assert.ok(value(name) >= low, `${name} ${value(name)}`);
  atLeast('process_resident_memory_bytes', 20e6);
  atLeast('process_resident_memory_anon_bytes', 1e6);
  atLeast('process_open_fds', 3);
  atLeast('process_max_fds', 10);
  atLeast('process_num_threads', 2);
  atLeast('process_cpu_seconds_total', 0.01);
  atLeast('process_cpu_cores_available', 0.01);
  const started = nowMs / 1_000 - process.uptime();
  assert.ok(Math.abs(value('process_start_time_seconds') - started) <= 2);
});

test('what the system does not tell is absent', async (t) => {
  const metrics = new Metrics();
  registerProcessMetrics(metrics, { clock: new FakeClock(), root: temporaryDirectory(t) });
  const text = await metrics.text();
  assert.doesNotMatch(text, /process_(open_fds|io|pressure|resident)/);
  assert.match(text, /^process_cpu_seconds_total /m);
  assert.match(text, /^sluice_metrics_read_errors_total 0$/m);
});

test('pressure and CPU limits are those of the control group', async (t) => {
  const root = temporaryDirectory(t);
  const group = join(root, 'sys/fs/cgroup/system.slice/sluice.service');
  mkdirSync(group, { recursive: true });
  mkdirSync(join(root, 'proc/self'), { recursive: true });
  writeFileSync(join(root, 'sys/fs/cgroup/cgroup.controllers'), 'cpu io memory\n');
  writeFileSync(join(root, 'proc/self/cgroup'), '0::/system.slice/sluice.service\n');
  writeFileSync(join(group, 'cpu.max'), '50000 100000\n');
  for (const [index, name] of ['cpu', 'io', 'memory'].entries()) {
    const line = (kind: string, micros: number) =>
      `${kind} avg10=0.00 avg60=0.00 avg300=0.00 total=${micros}\n`;
    writeFileSync(join(group, `${name}.pressure`), line('some', (index + 1) * 1e6) + line('full', 5e5));
  }
  const metrics = new Metrics();
  registerProcessMetrics(metrics, { clock: new FakeClock(), root });
  const samples = parseMetrics(await metrics.text());
  const value = (name: string) => metricSum(samples, `process_${name}`);
  assert.equal(value('cpu_cores_available'), 0.5);
  assert.equal(value('pressure_cpu_waiting_seconds_total'), 1);
  assert.equal(value('pressure_io_waiting_seconds_total'), 2);
  assert.equal(value('pressure_memory_waiting_seconds_total'), 3);
  assert.equal(value('pressure_memory_stalled_seconds_total'), 0.5);
});

test('one scrape reads once, the next one again', async (t) => {
  const root = temporaryDirectory(t);
  const directory = join(root, 'proc/self');
  mkdirSync(join(directory, 'fd'), { recursive: true });
  const clock = new FakeClock();
  const metrics = new Metrics();
  registerProcessMetrics(metrics, { clock, root });
  const openFds = async () => metricSum(parseMetrics(await metrics.text()), 'process_open_fds');
  assert.equal(await openFds(), 0);
  writeFileSync(join(directory, 'fd/0'), '');
  assert.equal(await openFds(), 0);
  clock.advance(100);
  assert.equal(await openFds(), 1);
});
