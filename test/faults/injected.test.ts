/**
 * Faults at single system calls of the real daemon, set by strace: it is killed at the n-th write, sync, rename or unlink, or one of them
 * fails. What was acknowledged with -remoteWrite.ack=synced arrives. CALLS=n tries more of them.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { type TestContext, test } from 'node:test';
import { assertLedgerBalances } from '../support/metrics.ts';
import { freePort, startProgram, temporaryDirectory } from '../support/process.ts';
import { bitsOf, push, type Series } from '../support/remote-write.ts';
import { describe, missingFrom, SampleStore } from '../support/samples.ts';
import { startSink } from '../support/sink.ts';
import { sluiceCommand, startSluice } from '../support/sluice.ts';
import { until } from '../support/wait.ts';

const CALLS = Number(process.env.CALLS ?? 1);
const REQUESTS = 25;

const works = spawnSync('strace', ['-qq', '-e', 'inject=fdatasync:error=EIO', 'true']).status === 0;
const skip = works ? false : 'NOT RUN: strace is missing or may not trace here';

const requestOf = (nth: number): Series[] =>
  Array.from({ length: 20 }, (_, index) => ({
    labels: { __name__: 'led', series: String(index) },
    points: [{ timestampMs: 1_790_000_000_000 + nth, bits: bitsOf(nth + index / 64) }],
  }));

/** Pushes under the fault, starts again without it, and demands what was acknowledged. */
async function survive(t: TestContext, inject: string, mayDie: boolean): Promise<void> {
  const directory = temporaryDirectory(t);
  let isUp = false;
  const sink = await startSink(t, { respond: () => (isUp ? 204 : 503) });
  const flags = [
    `-remoteWrite.url=${sink.url}`,
    '-remoteWrite.ack=synced',
    '-remoteWrite.flushInterval=100ms',
    '-remoteWrite.retryMinInterval=50ms',
    '-remoteWrite.retryMaxInterval=200ms',
    '-remoteWrite.drainTimeout=100ms',
  ];
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const traced = await startProgram(t, {
    name: 'sluice under strace',
    command: 'strace',
    args: [
      '-f',
      '-qq',
      '-o',
      '/dev/null',
      '-e',
      'signal=none',
      '-e',
      `inject=${inject}`,
      sluiceCommand,
      `-httpListenAddr=127.0.0.1:${port}`,
      `-remoteWrite.tmpDataPath=${directory}`,
      ...flags,
    ],
    // The count of calls is kept for each thread: with one thread of the pool it is the count of all.
    env: { UV_THREADPOOL_SIZE: '1' },
  });
  // A fault may meet it at its start.
  await until(
    'it is ready, or dead',
    30_000,
    async () => !traced.isRunning || (await fetch(`${url}/health`)).ok,
  );
  const acknowledged = new SampleStore();
  const sent = new SampleStore();
  for (let nth = 0; nth < REQUESTS && traced.isRunning; nth++) {
    const series = requestOf(nth);
    sent.addAll(series);
    const answer = await push(`${url}/api/v1/write`, series).catch(() => undefined);
    if (answer?.status === 204) acknowledged.addAll(series);
    else if (answer !== undefined) assert.equal(answer.status, 503, answer.text);
  }
  if (!mayDie) assert.ok(traced.isRunning, 'it lives on');
  // strace ends with the one that it traces.
  spawnSync('pkill', ['-KILL', '-f', `src/main.ts.*tmpDataPath=${directory}`]);
  await traced.exit();
  isUp = true;
  const next = await startSluice(t, directory, flags);
  await until('what was acknowledged arrives', 20_000, () => {
    return missingFrom(sink.samples, acknowledged).length === 0;
  }).catch(() => {});
  const lost = missingFrom(sink.samples, acknowledged);
  assert.equal(lost.length, 0, describe(lost));
  const invented = missingFrom(sent, sink.samples);
  assert.equal(invented.length, 0, describe(invented));
  assertLedgerBalances(await next.metrics());
}

for (const call of ['pwritev', 'fdatasync', 'rename', 'unlink']) {
  for (let nth = 1; nth <= CALLS; nth++) {
    test(`killed at ${call} number ${nth}`, { skip }, (t) =>
      survive(t, `${call}:signal=KILL:when=${nth}`, true),
    );
  }
}

for (const call of ['pwritev', 'fdatasync']) {
  for (const error of ['EIO', 'ENOSPC']) {
    test(`${call} fails with ${error} from the second time on, three times`, { skip }, (t) => {
      return survive(t, `${call}:error=${error}:when=2..4`, false);
    });
  }
}
