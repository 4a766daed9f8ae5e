/**
 * The way the daemon is used: a Prometheus scrapes a node-exporter and the daemon, writes to the daemon with its
 * defaults, and the daemon replicates to two VictoriaMetrics. One of them gets its data through a tee, which keeps
 * the bit patterns; the other one is down for 20 seconds. Whatever Prometheus has must be in both.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { assertLedgerBalances, type Ledger, metricSum, type Sample } from '../support/metrics.ts';
import { freePort, startProgram, temporaryDirectory } from '../support/process.ts';
import { missingPrograms, program } from '../support/programs.ts';
import { Prometheus } from '../support/prometheus.ts';
import { STALE_MARKER_BITS, valueOfBits } from '../support/remote-write.ts';
import { describe, missingFrom, type SampleStore } from '../support/samples.ts';
import { type Sink, startSink } from '../support/sink.ts';
import { type RunningSluice, startSluice } from '../support/sluice.ts';
import { VictoriaMetrics } from '../support/victoria-metrics.ts';
import { until } from '../support/wait.ts';

const SCRAPES = 8;
const OUTAGE_MS = 20_000;
const ARRIVES_WITHIN_MS = 30_000;

/**
 * VictoriaMetrics stores decimal mantissas and exponents, so a value with more than about 12 significant digits comes
 * back a little changed: what is exact at the tee may differ here by this share.
 */
const DECIMAL_PRECISION = 1e-11;

function isSameStoredValue(expected: bigint, found: bigint): boolean {
  const [a, b] = [valueOfBits(expected), valueOfBits(found)];
  return Object.is(a, b) || (a === 0 && b === 0) || Math.abs(a - b) <= Math.abs(a) * DECIMAL_PRECISION;
}

/** Any NaN is equal to any other: Prometheus' query API does not tell their payload. */
function isSameQueriedValue(expected: bigint, found: bigint): boolean {
  return expected === found || (Number.isNaN(valueOfBits(expected)) && Number.isNaN(valueOfBits(found)));
}

interface Topology {
  readonly sluice: RunningSluice;
  readonly prometheus: Prometheus;
  readonly tee: Sink;
  readonly steady: VictoriaMetrics;
  readonly flaky: VictoriaMetrics;
}

async function startTopology(t: TestContext): Promise<Topology> {
  const directory = temporaryDirectory(t);
  const steady = await VictoriaMetrics.start(t, directory);
  const flaky = await VictoriaMetrics.start(t, directory);
  const tee = await startSink(t, { forwardTo: steady.writeUrl });
  const sluice = await startSluice(t, `${directory}/sluice`, [
    `-remoteWrite.url=${tee.url}`,
    `-remoteWrite.url=${flaky.writeUrl}`,
    '-remoteWrite.retryMaxInterval=4s', // the default of a minute would keep the test waiting after the outage
  ]);
  const exporterPort = await freePort();
  await startProgram(t, {
    name: 'prometheus-node-exporter',
    command: program('prometheus-node-exporter'),
    args: [
      `--web.listen-address=127.0.0.1:${exporterPort}`,
      '--no-collector.systemd',
      '--no-collector.textfile',
      '--log.level=warn',
    ],
    readyUrl: `http://127.0.0.1:${exporterPort}/metrics`,
  });
  const prometheus = await Prometheus.start(t, {
    directory,
    remoteWriteUrl: `${sluice.url}/api/v1/write`,
    targets: { node: `127.0.0.1:${exporterPort}`, sluice: `127.0.0.1:${sluice.port}` },
  });
  return { sluice, prometheus, tee, steady, flaky };
}

/** The scrapes of one target that Prometheus has stored. */
async function scrapesOf(prometheus: Prometheus, job: string): Promise<number> {
  for (const [key, points] of (await prometheus.samples()).series) {
    const labels = Object.fromEntries(JSON.parse(key));
    if (labels.__name__ === 'up' && labels.job === job) return points.size;
  }
  return 0;
}

async function assertAllIn(
  where: string,
  expected: SampleStore,
  read: () => Promise<SampleStore>,
  isSame: typeof isSameStoredValue,
) {
  let differences = missingFrom(await read(), expected, isSame);
  const isComplete = async () => {
    differences = missingFrom(await read(), expected, isSame);
    return differences.length === 0;
  };
  await until(`all samples are in ${where}`, ARRIVES_WITHIN_MS, isComplete).catch(() => {
    assert.fail(`${where}: of ${expected.samples} samples ${describe(differences)}`);
  });
}

async function assertEverywhere(expected: SampleStore, { tee, steady, flaky }: Topology): Promise<void> {
  await assertAllIn('the tee', expected, async () => tee.samples, isSameQueriedValue);
  await assertAllIn('the steady VictoriaMetrics', expected, () => steady.export(), isSameStoredValue);
  await assertAllIn('the VictoriaMetrics that was down', expected, () => flaky.export(), isSameStoredValue);
}

/** Every series ends with a stale marker, bit for bit; Prometheus writes them two intervals after the last scrape. */
async function assertStaleMarkers(tee: Sink, expected: SampleStore): Promise<void> {
  let missing: string[] = [];
  const isComplete = () => {
    missing = [...expected.series.keys()].filter((key) => {
      const points = tee.samples.series.get(key) ?? new Map<number, bigint[]>();
      return ![...points.values()].flat().includes(STALE_MARKER_BITS);
    });
    return missing.length === 0;
  };
  await until('every series ends with a stale marker', ARRIVES_WITHIN_MS, isComplete).catch(() => {
    assert.fail(`${missing.length} series without a stale marker at the tee, ${missing[0]} for one`);
  });
}

/** Prometheus writes nothing more, and the daemon has nothing left to send. */
async function untilDrained({ prometheus, sluice }: Topology): Promise<Sample[]> {
  await until(
    'Prometheus has nothing pending',
    ARRIVES_WITHIN_MS,
    async () => (await prometheus.pendingSamples()) === 0,
  );
  return until('the daemon has nothing pending', ARRIVES_WITHIN_MS, async () => {
    const metrics = await sluice.metrics();
    const columns = Object.values(assertLedgerBalances(metrics).destinations);
    return columns.every(({ in_engine, pending }) => in_engine === 0 && pending === 0) && metrics;
  });
}

function assertNothingLost(ledger: Ledger, expected: SampleStore): void {
  assert.ok(
    ledger.global.received! >= expected.samples,
    'the daemon received at least what Prometheus has stored',
  );
  for (const [name, columns] of Object.entries(ledger.destinations)) {
    const { received, delivered } = columns;
    assert.equal(
      delivered,
      received,
      `${name}: all that was received is delivered: ${JSON.stringify(columns)}`,
    );
  }
}

test('every sample that Prometheus has is in both VictoriaMetrics, through an outage of one', {
  skip: missingPrograms('prometheus', 'prometheus-node-exporter', 'victoria-metrics'),
  timeout: 170_000,
}, async (t) => {
  const topology = await startTopology(t);
  const { sluice, prometheus, tee, flaky } = topology;

  await until(`${SCRAPES} scrapes`, ARRIVES_WITHIN_MS, async () => {
    return (
      (await scrapesOf(prometheus, 'node')) >= SCRAPES && (await scrapesOf(prometheus, 'sluice')) >= SCRAPES
    );
  });
  await assertEverywhere(await prometheus.samples(), topology);
  t.diagnostic(`${tee.samples.samples} samples of ${tee.samples.series.size} series before the outage`);

  await flaky.stop();
  await delay(OUTAGE_MS);
  await flaky.start();

  await prometheus.stopScraping();
  await assertStaleMarkers(tee, await prometheus.samples());
  const metrics = await untilDrained(topology);
  const expected = await prometheus.samples();
  await assertEverywhere(expected, topology);
  t.diagnostic(`${tee.samples.samples} samples of ${tee.samples.series.size} series in the end`);
  assertNothingLost(assertLedgerBalances(metrics), expected);
  assert.equal(metricSum(await sluice.metrics(), 'vmagent_remotewrite_packets_dropped_total'), 0);
});
