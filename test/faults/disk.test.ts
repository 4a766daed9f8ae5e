/** A disk that is full, or gone: the daemon lives on, says so, loses nothing it need not, and goes on by itself. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { atEnd } from '../support/cleanup.ts';
import { assertLedgerBalances, metricSum } from '../support/metrics.ts';
import { temporaryDirectory } from '../support/process.ts';
import { bitsOf, push, type Series } from '../support/remote-write.ts';
import { describe, missingFrom, SampleStore } from '../support/samples.ts';
import { startSink } from '../support/sink.ts';
import { startSluice } from '../support/sluice.ts';
import { until } from '../support/wait.ts';

/** A file system of its own, in memory; undefined where that is not allowed. */
function smallDisk(t: TestContext, bytes: number): string | undefined {
  const directory = join(temporaryDirectory(t), 'disk');
  mkdirSync(directory);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', directory], { stdio: 'ignore' });
  } catch {
    return undefined;
  }
  atEnd(t, () => {
    execFileSync('umount', ['-l', directory]);
  });
  return directory;
}

/** Values without pattern, so that they do not shrink. */
const requestOf = (nth: number): Series[] =>
  Array.from({ length: 200 }, (_, index) => ({
    labels: { __name__: 'led', series: String(index), filler: String(Math.sin(nth * 200 + index)) },
    points: [{ timestampMs: 1_790_000_000_000 + nth, bits: bitsOf(Math.cos(nth * 200 + index)) }],
  }));

for (const ack of ['memory', 'written']) {
  test(`a full disk with -remoteWrite.ack=${ack}`, async (t) => {
    const disk = smallDisk(t, 64 * 1024 * 1024);
    if (disk === undefined) return t.skip('NOT RUN: mounting a tmpfs needs root');
    let isUp = false;
    const sink = await startSink(t, {
      respond: () => {
        sink.requests.length = 0; // the same block comes again and again
        return isUp ? 204 : 503;
      },
    });
    const filler = join(disk, 'filler');
    writeFileSync(filler, Buffer.alloc(64 * 1024 * 1024 - 400_000));
    const { url, metrics, program } = await startSluice(t, disk, [
      `-remoteWrite.url=${sink.url}`,
      `-remoteWrite.ack=${ack}`,
      '-remoteWrite.retryMinInterval=100ms',
      '-remoteWrite.retryMaxInterval=300ms',
      '-remoteWrite.flushInterval=100ms',
    ]);
    const acknowledged = new SampleStore();
    let nth = 0;
    const pushOne = async () => {
      const series = requestOf(nth++);
      const { status, headers } = await push(`${url}/api/v1/write`, series);
      if (status === 204) acknowledged.addAll(series);
      else assert.deepEqual([status, headers.has('retry-after')], [503, true]);
      return status;
    };
    const broken = ack === 'memory' ? 'sluice_queue_broken' : 'sluice_journal_broken';
    const isBroken = async () => metricSum(await metrics(), broken) === 1;
    for (let count = 0; count < 150; count++) await pushOne(); // more than fits
    await until('it says that it cannot write', 30_000, async () => {
      if (ack === 'written') await pushOne();
      return isBroken();
    });
    assertLedgerBalances(await metrics());
    assert.equal(await pushOne(), ack === 'memory' ? 204 : 503);
    assert.ok(program.isRunning);
    rmSync(filler);
    await until('it writes again by itself', 30_000, async () => {
      if (ack === 'written') await pushOne();
      return !(await isBroken());
    });
    isUp = true;
    await until('everything that was acknowledged arrives', 30_000, () => {
      return missingFrom(sink.samples, acknowledged).length === 0;
    }).catch(() => {});
    const lost = missingFrom(sink.samples, acknowledged);
    assert.equal(lost.length, 0, describe(lost));
    assertLedgerBalances(await metrics());
    assert.deepEqual(await program.kill('SIGTERM'), { code: 0, signal: null });
  });
}

test('on a full disk, dead letters and the stop get the room that is kept for them', async (t) => {
  const disk = smallDisk(t, 64 * 1024 * 1024);
  if (disk === undefined) return t.skip('NOT RUN: mounting a tmpfs needs root');
  let status = 422;
  const sink = await startSink(t, { respond: () => status });
  const flags = [
    `-remoteWrite.url=${sink.url}`,
    '-remoteWrite.responsePolicy=422=park;default',
    '-remoteWrite.retryMinInterval=100ms',
    '-remoteWrite.retryMaxInterval=300ms',
    '-remoteWrite.flushInterval=100ms',
    '-remoteWrite.drainTimeout=100ms',
  ];
  const first = await startSluice(t, disk, flags);
  const reserve = join(disk, 'reserve');
  assert.ok(existsSync(reserve));
  const filler = join(disk, 'filler');
  assert.throws(() => writeFileSync(filler, Buffer.alloc(64 * 1024 * 1024)), { code: 'ENOSPC' });

  const series = requestOf(1);
  assert.equal((await push(`${first.url}/api/v1/write`, series)).status, 204);
  await until('the letter is written', 30_000, async () => {
    return metricSum(await first.metrics(), 'sluice_dead_letters') === 1;
  });
  assert.ok(!existsSync(reserve));
  rmSync(filler);
  await until('the room is kept again', 30_000, async () => {
    return metricSum(await first.metrics(), 'sluice_disk_reserve') === 1;
  });

  status = 503;
  assert.throws(() => writeFileSync(filler, Buffer.alloc(64 * 1024 * 1024)), { code: 'ENOSPC' });
  assert.equal((await push(`${first.url}/api/v1/write`, series)).status, 204);
  assert.deepEqual(await first.program.kill('SIGTERM'), { code: 0, signal: null });
  rmSync(filler);
  status = 204;
  const acknowledged = new SampleStore();
  acknowledged.addAll(series);
  await startSluice(t, disk, flags);
  await until('what waited at the stop arrives', 30_000, () => {
    return missingFrom(sink.samples, acknowledged).length === 0;
  });
});

test('a data directory that is deleted under it does not stop the daemon', async (t) => {
  const directory = temporaryDirectory(t);
  let isUp = false;
  const sink = await startSink(t, { respond: () => (isUp ? 204 : 503) });
  const { url, metrics, program } = await startSluice(t, directory, [
    `-remoteWrite.url=${sink.url}`,
    '-remoteWrite.retryMaxInterval=300ms',
    '-remoteWrite.retryMinInterval=100ms',
    '-remoteWrite.flushInterval=100ms',
  ]);
  rmSync(directory, { recursive: true });
  const acknowledged = new SampleStore();
  const series = requestOf(1);
  assert.equal((await push(`${url}/api/v1/write`, series)).status, 204);
  acknowledged.addAll(series);
  await until('the queue says that it cannot write', 30_000, async () => {
    return metricSum(await metrics(), 'sluice_queue_broken') === 1;
  });
  assert.equal((await push(`${url}/api/v1/write`, series)).status, 204);
  isUp = true;
  await until(
    'what is in memory arrives',
    20_000,
    () => missingFrom(sink.samples, acknowledged).length === 0,
  );
  assert.ok(program.isRunning);
  assertLedgerBalances(await metrics());
});
