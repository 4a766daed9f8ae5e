/** Native histograms into the real daemon, converted, and into vmagent, which always converts them: the same series arrive. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compress } from 'snappyjs';
import { remoteWriteType } from '../../src/protocol/schema.ts';
import { assertLedgerBalances, metricSum } from '../support/metrics.ts';
import { freePort, startProgram, temporaryDirectory } from '../support/process.ts';
import { missingPrograms, program } from '../support/programs.ts';
import { post } from '../support/remote-write.ts';
import { push2, writtenOf } from '../support/remote-write-2.ts';
import { describe, missingFrom } from '../support/samples.ts';
import { startSink } from '../support/sink.ts';
import { startSluice } from '../support/sluice.ts';
import { until } from '../support/wait.ts';

const NOW_MS = 1_790_000_000_000;
const WriteRequest = remoteWriteType('WriteRequest');

/** Histograms of every exponential schema, integers and floats, with gaps on both sides. */
function request(): Uint8Array {
  const timeseries = Array.from({ length: 26 }, (_, nth) => {
    const schema = (nth % 13) - 4;
    const spans = [
      { offset: -3 + nth, length: 2 },
      { offset: 2, length: 3 },
    ];
    const isFloat = nth >= 13;
    const values = (side: string) =>
      isFloat ? { [`${side}Counts`]: [0.5, 0, 7.25, 1e-3, 4] } : { [`${side}Deltas`]: [3, -2, 5, -6, 1e6] };
    const histogram = {
      ...(isFloat
        ? { countFloat: 11.75, zeroCountFloat: 0.25 }
        : { countInt: '9007199254740993', zeroCountInt: 2 }),
      sum: -1.5e-3,
      schema,
      zeroThreshold: 2 ** -nth,
      positiveSpans: spans,
      negativeSpans: spans,
      ...values('positive'),
      ...values('negative'),
      timestamp: NOW_MS,
    };
    const labels = [
      { name: '__name__', value: `h${nth}` },
      { name: 'z', value: 'x' },
      { name: 'a', value: 'y' },
    ];
    return { labels, histograms: [histogram, { ...histogram, timestamp: NOW_MS + 15_000, sum: 4 }] };
  });
  return compress(WriteRequest.encode(WriteRequest.fromObject({ timeseries })).finish());
}

test('converted histograms are those of vmagent', { skip: missingPrograms('vmagent') }, async (t) => {
  const sinks = [await startSink(t), await startSink(t)] as const;
  const flush = '-remoteWrite.flushInterval=1s';
  const ours = await startSluice(t, temporaryDirectory(t), [
    `-remoteWrite.url=${sinks[0].url}`,
    '-promremotewrite.convertNativeHistograms',
    flush,
  ]);
  const port = await freePort();
  const theirUrl = `http://127.0.0.1:${port}`;
  const theirs = await startProgram(t, {
    name: 'vmagent',
    command: program('vmagent'),
    args: [
      `-remoteWrite.url=${sinks[1].url}`,
      `-httpListenAddr=127.0.0.1:${port}`,
      `-remoteWrite.tmpDataPath=${temporaryDirectory(t)}`,
      flush,
    ],
    readyUrl: `${theirUrl}/health`,
  });
  for (const url of [ours.url, theirUrl])
    assert.equal((await post(`${url}/api/v1/write`, request())).status, 204);
  const second = {
    labels: [['__name__', 'second']] as const,
    histograms: [{ countInt: 3, positiveSpans: [{ length: 1 }], positiveDeltas: [3], timestamp: NOW_MS }],
  };
  const answer = await push2(`${ours.url}/api/v1/write`, [second]);
  assert.equal(answer.status, 204);
  assert.deepEqual(writtenOf(answer), { samples: '0', histograms: '1', exemplars: '0' });
  const page = await until('everything is delivered', 20_000, async () => {
    const found = await ours.metrics();
    const [columns] = Object.values(assertLedgerBalances(found).destinations);
    return columns!.pending === 0 && columns!.in_engine === 0 && found;
  });
  assert.equal(metricSum(page, 'sluice_ledger_destination_histograms', { column: 'received' }), 0);
  await Promise.all([ours.program.kill(), theirs.kill()]);
  const differences = missingFrom(sinks[0].samples, sinks[1].samples);
  assert.equal(differences.length, 0, describe(differences));
  assert.equal(sinks[0].samples.samples, sinks[1].samples.samples + 3);
  assert.ok(sinks[1].samples.samples > 26 * 2 * 10);
});
