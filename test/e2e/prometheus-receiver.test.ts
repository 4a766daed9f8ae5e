/** A Prometheus as destination: what it keeps of a request that it refuses, and that nothing good is lost with the preset. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { assertLedgerBalances } from '../support/metrics.ts';
import { temporaryDirectory } from '../support/process.ts';
import { missingPrograms } from '../support/programs.ts';
import { Prometheus } from '../support/prometheus.ts';
import { bitsOf, push, type Series } from '../support/remote-write.ts';
import { describe, missingFrom, SampleStore } from '../support/samples.ts';
import { startSluice } from '../support/sluice.ts';
import { until } from '../support/wait.ts';

const SERIES = 40;
const ARRIVES_WITHIN_MS = 30_000;
const skip = missingPrograms('prometheus');

const seriesAt = (name: string, timestampMs: number, value: number): Series => ({
  labels: { __name__: name },
  points: [{ timestampMs, bits: bitsOf(value) }],
});

/** One sample of each of the series, now. */
function batch(prefix: string, timestampMs: number): Series[] {
  return Array.from({ length: SERIES }, (_, index) => seriesAt(`${prefix}_${index}`, timestampMs, index));
}

function start(t: TestContext, directory: string): Promise<Prometheus> {
  return Prometheus.start(t, { directory, receives: true });
}

test('of a request that it answers with 400, Prometheus keeps nothing', { skip }, async (t) => {
  const prometheus = await start(t, temporaryDirectory(t));
  const nowMs = Date.now();
  assert.equal((await push(prometheus.writeUrl, [seriesAt('known', nowMs, 1)])).status, 204);
  const faults = {
    out_of_order: seriesAt('known', nowMs - 1_000, 1),
    duplicate: seriesAt('known', nowMs, 2),
    too_old: seriesAt('old', nowMs - 7 * 24 * 3_600_000, 1),
  };
  for (const [name, bad] of Object.entries(faults)) {
    const good = seriesAt(`good_${name}`, nowMs, 1);
    assert.equal((await push(prometheus.writeUrl, [good, bad])).status, 400, name);
    assert.deepEqual((await prometheus.samples()).bitsAt(`[["__name__","good_${name}"]]`, nowMs), [], name);
    assert.equal((await push(prometheus.writeUrl, [good])).status, 204, name);
  }
  // Labels that it does not take are passed over without a word.
  const nameless: Series = { labels: { job: 'x' }, points: [{ timestampMs: nowMs, bits: bitsOf(1) }] };
  assert.equal((await push(prometheus.writeUrl, [nameless])).status, 204);
});

test('with its preset, everything that Prometheus takes gets there, and the rest is a dead letter', {
  skip,
  timeout: 120_000,
}, async (t) => {
  const directory = temporaryDirectory(t);
  const prometheus = await start(t, directory);
  const sluice = await startSluice(t, `${directory}/sluice`, [
    `-remoteWrite.url=${prometheus.writeUrl}`,
    '-remoteWrite.responsePolicy=prometheus',
    '-remoteWrite.retryMinInterval=100ms',
  ]);
  const write = (series: readonly Series[]) => push(`${sluice.url}/api/v1/write`, series);
  const nowMs = Date.now();
  const expected = new SampleStore();
  const first = batch('a', nowMs);
  expected.addAll(first);
  assert.equal((await write(first)).status, 204);
  await until('the first request is stored', ARRIVES_WITHIN_MS, async () => {
    return missingFrom(await prometheus.samples(), expected).length === 0;
  });

  const second = [...batch('b', nowMs), seriesAt('a_3', nowMs - 5_000, 1), ...batch('c', nowMs)];
  for (const { labels, points } of second) {
    if (labels.__name__ !== 'a_3') expected.addAll([{ labels, points }]);
  }
  assert.equal((await write(second)).status, 204);
  const metrics = await until('the second request is dealt with', ARRIVES_WITHIN_MS, async () => {
    const found = await sluice.metrics();
    const [columns] = Object.values(assertLedgerBalances(found).destinations);
    return columns!.dead_lettered === 1 && columns!.pending === 0 && found;
  });
  const differences = missingFrom(await prometheus.samples(), expected);
  assert.equal(differences.length, 0, describe(differences));
  const [columns] = Object.values(assertLedgerBalances(metrics).destinations);
  assert.equal(columns!.delivered, expected.samples);
});
