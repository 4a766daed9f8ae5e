/**
 * SIGTERM under load: nothing that was acknowledged is lost, and with a destination that answers within the five seconds
 * of a stop nothing comes twice. On a machine that has no time for anybody it may not; then only what was in flight does.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { assertLedgerBalances } from '../support/metrics.ts';
import { temporaryDirectory } from '../support/process.ts';
import { randomFrom } from '../support/random.ts';
import { describe, missingFrom } from '../support/samples.ts';
import { startSink } from '../support/sink.ts';
import { type RunningSluice, startSluice } from '../support/sluice.ts';
import { until } from '../support/wait.ts';
import { Load } from './load.ts';

const STOPS = Number(process.env.STOPS ?? 5);
const SEED = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
/** `-remoteWrite.maxRowsPerBlock`. */
const BLOCK_SAMPLES_MAX = 10_000;

test('a stop in good order loses nothing and repeats nothing', async (t) => {
  t.diagnostic(`SEED=${SEED} STOPS=${STOPS}`);
  const random = randomFrom(SEED);
  const sink = await startSink(t, {
    respond: () => {
      sink.requests.length = 0;
      return 204;
    },
  });
  const directory = temporaryDirectory(t);
  const start = () =>
    startSluice(t, directory, [`-remoteWrite.url=${sink.url}`, '-remoteWrite.flushInterval=200ms']);
  let sluice: RunningSluice = await start();
  const load = new Load(() => sluice.url);
  load.start(4);
  let unanswered = 0;
  for (let stop = 0; stop < STOPS; stop++) {
    await delay(random() * 800);
    assert.deepEqual(await sluice.program.kill('SIGTERM'), { code: 0, signal: null });
    const kept = /"blocks":(\d+),"msg":"wrote unsent blocks/.exec(sluice.program.output);
    if (kept !== null) unanswered += Number(kept[1]);
    sluice = await start();
  }
  await load.stop();
  await until(
    'everything has arrived',
    20_000,
    () => missingFrom(sink.samples, load.acknowledged).length === 0,
  );
  const invented = missingFrom(load.sent, sink.samples);
  assert.equal(invented.length, 0, describe(invented));
  const twice = [...sink.samples.series.values()]
    .flatMap((points) => [...points.values()])
    .filter((all) => all.length > 1);
  if (unanswered > 0) t.diagnostic(`${unanswered} blocks had no answer when the daemon had to go`);
  assert.ok(
    twice.length <= unanswered * BLOCK_SAMPLES_MAX,
    `${twice.length} samples came more than once, ${unanswered} blocks had no answer`,
  );
  assertLedgerBalances(await sluice.metrics());
});
