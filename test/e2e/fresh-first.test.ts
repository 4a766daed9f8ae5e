/** After an outage, with -remoteWrite.inmemoryQueues: what comes now arrives while the backlog is still on its way. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertLedgerBalances, metricSum } from '../support/metrics.ts';
import { freePort, temporaryDirectory } from '../support/process.ts';
import { bitsOf, push, type Series, type WriteRequest } from '../support/remote-write.ts';
import { describe, missingFrom, SampleStore } from '../support/samples.ts';
import { startSink } from '../support/sink.ts';
import { startSluice } from '../support/sluice.ts';
import { until } from '../support/wait.ts';

const BACKLOG = 60;
const ROWS = 10;
/** How much of the backlog the destination takes before it waits for something fresh. */
const TAKEN_BEFORE = 5;
const WITHIN_MS = 30_000;

const batch = (name: string, nth: number): Series[] =>
  Array.from({ length: ROWS }, (_, row) => ({
    labels: { __name__: name, row: String(row) },
    points: [{ timestampMs: 1_790_000_000_000 + nth * 1_000, bits: bitsOf(nth) }],
  }));

const isBacklog = ({ series }: WriteRequest) => series.some(({ labels }) => labels.__name__ === 'backlog');

test('fresh samples overtake a backlog, and all of it arrives', { timeout: 120_000 }, async (t) => {
  const port = await freePort();
  const sluice = await startSluice(t, temporaryDirectory(t), [
    `-remoteWrite.url=http://127.0.0.1:${port}/api/v1/write`,
    '-remoteWrite.queues=1',
    '-remoteWrite.inmemoryQueues=1',
    `-remoteWrite.maxRowsPerBlock=${ROWS}`,
    '-remoteWrite.retryMinInterval=100ms',
    '-remoteWrite.retryMaxInterval=1s',
  ]);
  const expected = new SampleStore();
  const write = async (series: Series[]) => {
    expected.addAll(series);
    assert.equal((await push(`${sluice.url}/api/v1/write`, series)).status, 204);
  };
  for (let nth = 0; nth < BACKLOG; nth++) await write(batch('backlog', nth));
  await until('the backlog is in the file', WITHIN_MS, async () => {
    return metricSum(await sluice.metrics(), 'vm_persistentqueue_blocks_written_total')! >= BACKLOG - 2;
  });

  const freshCame = Promise.withResolvers<void>();
  let taken = 0;
  const sink = await startSink(t, {
    port,
    respond: async ({ decoded }) => {
      if (!isBacklog(decoded)) freshCame.resolve();
      else if (++taken > TAKEN_BEFORE) await freshCame.promise;
      return 204;
    },
  });
  await until('the destination takes the backlog', WITHIN_MS, () => taken > TAKEN_BEFORE);
  await write(batch('fresh', BACKLOG));
  await freshCame.promise;
  assert.ok(taken < BACKLOG / 2, `${taken} requests of the backlog came first`);
  await until('everything has arrived', WITHIN_MS, () => missingFrom(sink.samples, expected).length === 0);
  const differences = missingFrom(sink.samples, expected);
  assert.equal(differences.length, 0, describe(differences));
  await until('the ledger is settled', WITHIN_MS, async () => {
    const [columns] = Object.values(assertLedgerBalances(await sluice.metrics()).destinations);
    return columns!.delivered === expected.samples && columns!.pending === 0;
  });
});
