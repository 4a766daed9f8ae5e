/**
 * SIGKILL at random moments, under load, with a destination that comes and goes: what was acknowledged arrives.
 * KILLS=n kills n times (5, with OpenTelemetry 2; 20 in .ci/run), SEED=n repeats a run's moments.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { assertLedgerBalances, metricSum, readLedger } from '../support/metrics.ts';
import { temporaryDirectory } from '../support/process.ts';
import { randomFrom } from '../support/random.ts';
import { bitsOf, push } from '../support/remote-write.ts';
import { describe, missingFrom } from '../support/samples.ts';
import { startSink } from '../support/sink.ts';
import { type RunningSluice, startSluice } from '../support/sluice.ts';
import { until } from '../support/wait.ts';
import { Load, openTelemetry, type Send } from './load.ts';

const killsOr = (usual: number) => Number(process.env.KILLS ?? usual);
const SEED = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
/** Millions of samples are kept until they are compared. */
const ROUND_KILLS_MAX = 100;
const CLIENTS = 4;
const LIFE_MS_MAX = 800;

/** Answers 503 for some hundred milliseconds now and then. */
function flapping(random: () => number): () => number {
  let untilMs = 0;
  let isUp = true;
  return () => {
    const nowMs = performance.now();
    if (nowMs >= untilMs) {
      isUp = !isUp;
      untilMs = nowMs + random() * 400;
    }
    return isUp ? 204 : 503;
  };
}

interface Given {
  readonly ack: 'written' | 'synced';
  readonly flags?: readonly string[];
  readonly total?: number;
  readonly send?: Send;
}

async function killAgainAndAgain(t: TestContext, { ack, flags = [], total = killsOr(5), send }: Given) {
  t.diagnostic(`SEED=${SEED} KILLS=${total}`);
  const random = randomFrom(SEED);
  const sum = { acknowledged: 0, unknown: 0, refused: 0, beyond: 0 };
  for (let killed = 0; killed < total; killed += ROUND_KILLS_MAX) {
    const kills = Math.min(ROUND_KILLS_MAX, total - killed);
    const round = await killRound(t, random, kills, [`-remoteWrite.ack=${ack}`, ...flags], send);
    sum.acknowledged += round.acknowledged;
    sum.unknown += round.unknown;
    sum.refused += round.refused;
    sum.beyond += round.beyond;
  }
  t.diagnostic(
    `${sum.acknowledged} samples acknowledged, ${sum.unknown} requests unknown, ${sum.refused} refused, ` +
      `${sum.beyond} arrived more than once or unacknowledged`,
  );
}

/** All samples of a round are compared at its end, so a round must not get too long. */
async function killRound(
  t: TestContext,
  random: () => number,
  kills: number,
  more: readonly string[],
  send?: Send,
) {
  let isFlapping = true;
  const flap = flapping(random);
  const sink = await startSink(t, {
    respond: () => {
      sink.requests.length = 0; // thousands of kills send a lot
      return isFlapping ? flap() : 204;
    },
  });
  const directory = temporaryDirectory(t);
  const flags = [
    `-remoteWrite.url=${sink.url}`,
    '-remoteWrite.retryMinInterval=50ms',
    '-remoteWrite.flushInterval=200ms',
    ...more,
  ];
  const start = () => startSluice(t, directory, flags);
  let sluice: RunningSluice = await start();
  const load = new Load(() => sluice.url, send);
  load.start(CLIENTS);
  for (let kill = 0; kill < kills; kill++) {
    await delay(random() * LIFE_MS_MAX);
    await sluice.program.kill('SIGKILL');
    sluice = await start();
  }
  await load.stop();
  isFlapping = false;
  // Comparing millions of samples keeps the sink from answering, so it is done once, when nothing waits any more.
  await until('nothing waits any more', 300_000, async () => {
    const { destinations } = readLedger(await sluice.metrics());
    return Object.values(destinations).every(({ pending, in_engine }) => pending === 0 && in_engine === 0);
  });
  const lost = missingFrom(sink.samples, load.acknowledged);
  assert.equal(lost.length, 0, `acknowledged and lost: ${describe(lost)}`);
  const invented = missingFrom(load.sent, sink.samples);
  assert.equal(invented.length, 0, `invented: ${describe(invented)}`);
  assertLedgerBalances(await sluice.metrics());
  assert.deepEqual(await sluice.program.kill('SIGTERM'), { code: 0, signal: null });
  await sink.close();
  const acknowledged = load.acknowledged.samples;
  const { unknown, refused } = load;
  return { acknowledged, unknown, refused, beyond: sink.samples.samples - acknowledged };
}

test('-remoteWrite.ack=written: a kill loses nothing that was acknowledged', (t) =>
  killAgainAndAgain(t, { ack: 'written' }));

test('-remoteWrite.ack=synced: a kill loses nothing that was acknowledged', (t) =>
  killAgainAndAgain(t, { ack: 'synced' }));

test('nor with fresh blocks first', (t) =>
  killAgainAndAgain(t, { ack: 'written', flags: ['-remoteWrite.inmemoryQueues=2'] }));

test('nor of what comes as data points of OpenTelemetry', (t) =>
  killAgainAndAgain(t, { ack: 'written', total: killsOr(2), send: openTelemetry }));

test('-remoteWrite.ack=memory: a kill loses what is not yet in the file, and not what is', async (t) => {
  let isUp = false;
  const sink = await startSink(t, { respond: () => (isUp ? 204 : 503) });
  const directory = temporaryDirectory(t);
  const flags = [`-remoteWrite.url=${sink.url}`, '-remoteWrite.flushInterval=1s'];
  const sluice = await startSluice(t, directory, flags);
  const series = (name: string) => [
    { labels: { __name__: name }, points: [{ timestampMs: 1, bits: bitsOf(1) }] },
  ];
  await push(`${sluice.url}/api/v1/write`, series('old'));
  await until('what waits for more than 5 s is in the file', 30_000, async () => {
    return (metricSum(await sluice.metrics(), 'vm_persistentqueue_blocks_written_total') ?? 0) > 0;
  });
  await push(`${sluice.url}/api/v1/write`, series('new'));
  await sluice.program.kill('SIGKILL');
  isUp = true;
  const next = await startSluice(t, directory, flags);
  await until('what was in the file arrives', 20_000, () => sink.samples.samples > 0);
  assert.deepEqual(
    [...sink.samples.series.keys()].filter((key) => key.includes('new')),
    [],
  );
  assert.ok([...sink.samples.series.keys()].some((key) => key.includes('old')));
  assertLedgerBalances(await next.metrics());
});
