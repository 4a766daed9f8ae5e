/** Starting and stopping the real daemon: what it refuses to start with, and that a stop loses nothing. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { assertLedgerBalances, metricSum } from '../support/metrics.ts';
import { freePort, temporaryDirectory } from '../support/process.ts';
import { bitsOf, push, type Series } from '../support/remote-write.ts';
import { describe, missingFrom, SampleStore } from '../support/samples.ts';
import { type Sink, startSink } from '../support/sink.ts';
import { runSluice, startSluice } from '../support/sluice.ts';
import { until } from '../support/wait.ts';

const NOWHERE = 'http://127.0.0.1:9/api/v1/write';

/** `count` series with one sample each; `nth` makes a request different from others. */
function requestOf(nth: number, count = 100): Series[] {
  return Array.from({ length: count }, (_, index) => ({
    labels: { __name__: 'led', request: String(nth), series: String(index) },
    points: [{ timestampMs: 1_790_000_000_000 + nth, bits: bitsOf(index + nth / 7) }],
  }));
}

/** Pushes `requests` requests; all must be acknowledged. Returns what the destination must get. */
async function pushAll(url: string, requests: number): Promise<SampleStore> {
  const acknowledged = new SampleStore();
  for (let nth = 0; nth < requests; nth++) {
    const series = requestOf(nth);
    const { status, text } = await push(`${url}/api/v1/write`, series);
    assert.equal(status, 204, text);
    acknowledged.addAll(series);
  }
  return acknowledged;
}

function assertArrived(sink: Sink, acknowledged: SampleStore): void {
  const lost = missingFrom(sink.samples, acknowledged);
  assert.equal(lost.length, 0, `lost: ${describe(lost)}`);
  const invented = missingFrom(acknowledged, sink.samples);
  assert.equal(invented.length, 0, `invented: ${describe(invented)}`);
}

test('without a destination it exits and says what to give', async (t) => {
  const { code, output } = await runSluice(t, ['-httpListenAddr=127.0.0.1:0']);
  assert.equal(code, 1);
  assert.match(output, /-remoteWrite\.url/);
});

test('bad flags are all told at once, with the nearest name', async (t) => {
  const { code, output } = await runSluice(t, [
    `-remoteWrite.url=${NOWHERE}`,
    '-remoteWrite.flushIntervall=2s',
    '-remoteWrite.maxBlockSize=many',
  ]);
  assert.equal(code, 1);
  assert.match(output, /remoteWrite\.flushIntervall/);
  assert.match(output, /remoteWrite\.flushInterval\b/, 'suggests the flag that exists');
  assert.match(output, /remoteWrite\.maxBlockSize/);
});

test('-version tells the version', async (t) => {
  const { code, output } = await runSluice(t, ['-version']);
  assert.equal(code, 0);
  assert.match(output, /\d+\.\d+\.\d+/);
});

test('-help lists the flags', async (t) => {
  const { code, output } = await runSluice(t, ['-help']);
  assert.equal(code, 0);
  for (const flag of ['-remoteWrite.url', '-httpListenAddr', '-remoteWrite.sendTimeout']) {
    assert.ok(output.includes(flag), flag);
  }
});

test('-dryRun checks the configuration and does not start', async (t) => {
  assert.equal((await runSluice(t, ['-dryRun', `-remoteWrite.url=${NOWHERE}`])).code, 0);
  const bad = await runSluice(t, ['-dryRun', '-remoteWrite.url=gopher://127.0.0.1/']);
  assert.equal(bad.code, 1);
  assert.match(bad.output, /gopher/);
});

test('a data directory that cannot be written stops the start', async (t) => {
  const directory = temporaryDirectory(t);
  const file = join(directory, 'file');
  writeFileSync(file, '');
  const path = join(file, 'data'); // below a file: not even root can write there
  const { code, output } = await runSluice(t, [
    '-httpListenAddr=127.0.0.1:0',
    `-remoteWrite.url=${NOWHERE}`,
    `-remoteWrite.tmpDataPath=${path}`,
  ]);
  assert.equal(code, 1);
  assert.ok(output.includes(path), output);
});

test('a port in use stops the start', async (t) => {
  const other = createServer().listen(0, '127.0.0.1');
  t.after(() => other.close());
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  const { code, output } = await runSluice(t, [
    `-httpListenAddr=127.0.0.1:${port}`,
    `-remoteWrite.url=${NOWHERE}`,
    `-remoteWrite.tmpDataPath=${temporaryDirectory(t)}`,
  ]);
  assert.equal(code, 1);
  assert.match(output, new RegExp(`cannot listen .*127\\.0\\.0\\.1:${port}`));
});

test('a destination that cannot be resolved is retried, and what came for it is kept', async (t) => {
  const { program, url, metrics } = await startSluice(t, temporaryDirectory(t), [
    '-remoteWrite.url=http://no-such-host.invalid/api/v1/write',
  ]);
  const acknowledged = await pushAll(url, 3);
  const page = await until('an error is counted', 10_000, async () => {
    const samples = await metrics();
    return (metricSum(samples, 'vmagent_remotewrite_errors_total') ?? 0) > 0 && samples;
  });
  assert.ok(metricSum(page, 'vmagent_remotewrite_pending_data_bytes')! > 0);
  const { destinations } = assertLedgerBalances(page);
  const [columns] = Object.values(destinations);
  assert.equal(columns!.received, acknowledged.samples);
  assert.equal(columns!.delivered, 0);
  assert.equal((await program.kill('SIGTERM')).code, 0);
});

test('SIGTERM sends what is waiting before it exits', async (t) => {
  const sink = await startSink(t);
  const { program, url } = await startSluice(t, temporaryDirectory(t), [
    `-remoteWrite.url=${sink.url}`,
    '-remoteWrite.flushInterval=1h', // so that only the stop can flush
  ]);
  const acknowledged = await pushAll(url, 20);
  assert.deepEqual(await program.kill('SIGTERM'), { code: 0, signal: null });
  assertArrived(sink, acknowledged);
});

test('what could not be sent before SIGTERM is sent after the next start', async (t) => {
  const directory = temporaryDirectory(t);
  mkdirSync(directory, { recursive: true });
  const port = await freePort();
  const refusing = await startSink(t, { port, respond: () => 503 });
  const flags = [`-remoteWrite.url=${refusing.url}`];
  const first = await startSluice(t, directory, flags);
  const acknowledged = await pushAll(first.url, 20);
  await until('the destination has refused something', 10_000, () => refusing.requests.length > 0);
  assert.deepEqual(await first.program.kill('SIGTERM'), { code: 0, signal: null });
  assert.equal(refusing.samples.samples, 0);
  await refusing.close();

  const accepting = await startSink(t, { port });
  const second = await startSluice(t, directory, flags);
  await until('everything has arrived', 20_000, () => accepting.samples.samples >= acknowledged.samples);
  assertArrived(accepting, acknowledged);
  assert.deepEqual(await second.program.kill('SIGTERM'), { code: 0, signal: null });
});

test('an error that nobody expected stops the daemon, but what waits is saved', async (t) => {
  const directory = temporaryDirectory(t);
  const port = await freePort();
  const trap = join(directory, 'trap.cjs');
  // A fault that the test can set off: the daemon has no such signal handler.
  writeFileSync(
    trap,
    `if (require('node:worker_threads').isMainThread) process.on('SIGUSR2', () => { throw new Error('unexpected'); });`,
  );
  const flags = [`-remoteWrite.url=http://127.0.0.1:${port}/api/v1/write`];
  const first = await startSluice(t, directory, flags, { NODE_OPTIONS: `--require ${trap}` });
  const acknowledged = await pushAll(first.url, 5);
  assert.deepEqual(await first.program.kill('SIGUSR2'), { code: 1, signal: null });
  assert.match(first.program.output, /Error: unexpected.*BUG: /);

  const sink = await startSink(t, { port });
  const second = await startSluice(t, directory, flags);
  await until('everything has arrived', 20_000, () => sink.samples.samples >= acknowledged.samples);
  assertArrived(sink, acknowledged);
  assert.deepEqual(await second.program.kill('SIGTERM'), { code: 0, signal: null });
});

test('a destination that is down does not keep another one waiting', async (t) => {
  const sink = await startSink(t);
  const { url, metrics } = await startSluice(t, temporaryDirectory(t), [
    `-remoteWrite.url=${NOWHERE}`,
    `-remoteWrite.url=${sink.url}`,
  ]);
  const acknowledged = await pushAll(url, 10);
  await until('the healthy one has it all', 10_000, () => sink.samples.samples >= acknowledged.samples);
  assertArrived(sink, acknowledged);
  const page = await until('the ledger says so', 10_000, async () => {
    const samples = await metrics();
    const { destinations } = assertLedgerBalances(samples);
    return (
      Object.values(destinations).some((columns) => columns.delivered === acknowledged.samples) && samples
    );
  });
  assertLedgerBalances(page);
});

test('no secret shows in log, flags or metrics', async (t) => {
  const { program, url } = await startSluice(t, temporaryDirectory(t), [
    '-remoteWrite.url=http://user:canary-in-url@127.0.0.1:9/canary-in-path',
    '-remoteWrite.bearerToken=canary-token',
  ]);
  await pushAll(url, 1);
  const pages = await Promise.all(
    ['/metrics', '/flags', '/'].map(async (path) => (await fetch(url + path)).text()),
  );
  await until('a failed send is logged', 10_000, () => /:secret-url/.test(program.output));
  await program.kill('SIGTERM');
  for (const text of [...pages, program.output]) assert.doesNotMatch(text, /canary/);
});
