/**
 * Remote write 2.0 on both sides: a Prometheus scrapes itself (native histograms) and a target with exemplars, writes 2.0 to the
 * daemon, and the daemon writes 2.0 to another Prometheus. Whatever the first has must be in the second.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { atEnd } from '../support/cleanup.ts';
import { assertLedgerBalances, metricSum } from '../support/metrics.ts';
import { temporaryDirectory } from '../support/process.ts';
import { missingPrograms } from '../support/programs.ts';
import { Prometheus } from '../support/prometheus.ts';
import { bitsOf, push } from '../support/remote-write.ts';
import { describe, missingFrom, SampleStore } from '../support/samples.ts';
import { startSluice } from '../support/sluice.ts';
import { VictoriaMetrics } from '../support/victoria-metrics.ts';
import { until } from '../support/wait.ts';

const SCRAPES = 4;
const WITHIN_MS = 30_000;
const MESSAGE = 'io.prometheus.write.v2.Request';
const skip = missingPrograms('prometheus');

/** A target that counts its scrapes, each with an exemplar; tells how often it was scraped. */
async function startTarget(t: TestContext) {
  let scrapes = 0;
  const server = createServer((_request, response) => {
    scrapes++;
    response.setHeader('Content-Type', 'application/openmetrics-text; version=1.0.0; charset=utf-8');
    response.end(
      '# HELP jobs Jobs that were "done"\n# TYPE jobs counter\n# UNIT jobs \n' +
        `jobs_total{kind="ä b"} ${scrapes} # {trace_id="trace${scrapes}"} ${scrapes}.5\n# EOF\n`,
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  atEnd(t, async () => {
    server.closeAllConnections();
    server.close();
  });
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, scrapes: () => scrapes };
}

interface Histograms {
  readonly result: readonly { readonly metric: object; readonly histograms?: readonly unknown[] }[];
}

/** Native histograms by series. */
async function histogramsOf(prometheus: Prometheus, endS: number): Promise<Map<string, readonly unknown[]>> {
  const query = '{__name__="prometheus_http_request_duration_seconds"}[1h]';
  const { result } = (await prometheus.api('query', { query, time: String(endS) })) as Histograms;
  return new Map(
    result.flatMap(({ metric, histograms }) =>
      histograms === undefined ? [] : [[JSON.stringify(Object.entries(metric).toSorted()), histograms]],
    ),
  );
}

async function exemplarsOf(prometheus: Prometheus): Promise<unknown> {
  const now = Date.now() / 1000;
  const range = { start: String(now - 3600), end: String(now + 60) };
  return prometheus.api('query_exemplars', { query: 'jobs_total', ...range });
}

test('Prometheus, 2.0, Sluice, 2.0, Prometheus: samples, native histograms, exemplars and metadata', {
  skip,
  timeout: 120_000,
}, async (t) => {
  const directory = temporaryDirectory(t);
  const features = ['native-histograms', 'exemplar-storage', 'metadata-wal-records'];
  const [sourceDirectory, sinkDirectory] = [temporaryDirectory(t), temporaryDirectory(t)];
  const sink = await Prometheus.start(t, { directory: sinkDirectory, receives: true, features });
  const sluice = await startSluice(t, directory, [
    `-remoteWrite.url=${sink.writeUrl}`,
    `-remoteWrite.protobufMessage=${MESSAGE}`,
    '-remoteWrite.responsePolicy=prometheus',
    '-remoteWrite.flushInterval=200ms',
  ]);
  const target = await startTarget(t);
  const source = await Prometheus.start(t, {
    directory: sourceDirectory,
    remoteWriteUrl: `${sluice.url}/api/v1/write`,
    remoteWrite: { protobuf_message: MESSAGE, send_native_histograms: true, send_exemplars: true },
    targets: { jobs: target.address },
    scrapesItself: true,
    features,
  });
  await until('some scrapes', WITHIN_MS, () => target.scrapes() >= SCRAPES);
  await source.stopScraping();
  await until('the source has sent everything', WITHIN_MS, async () => (await source.pendingSamples()) === 0);
  const endS = Date.now() / 1000;
  // Exemplars, histograms and metadata come a little after the samples.
  const page = await until('everything of every kind is delivered', WITHIN_MS, async () => {
    const found = await sluice.metrics();
    assertLedgerBalances(found);
    const of = (kind: string, column: string) =>
      metricSum(found, `sluice_ledger_destination_${kind}`, { column }) ?? 0;
    const isDone = (kind: string) =>
      of(kind, 'received') > 0 && of(kind, 'delivered') === of(kind, 'received');
    return ['samples', 'histograms', 'exemplars', 'metadata'].every(isDone) && found;
  });
  assert.equal(metricSum(page, 'sluice_remote_write_2'), 1, 'it was 2.0 to the end');
  assert.equal(metricSum(page, 'vm_rows_invalid_total', { type: 'promremotewrite' }), 0);

  const isComplete = async () => missingFrom(await sink.samples(), await source.samples()).length === 0;
  await until('all samples are there', WITHIN_MS, isComplete).catch(async () => {
    assert.fail(describe(missingFrom(await sink.samples(), await source.samples())));
  });
  const histograms = await histogramsOf(source, endS);
  assert.ok(histograms.size > 0, 'it has native histograms');
  const isSame = async () => isDeepStrictEqual(await histogramsOf(sink, endS), histograms);
  await until('all histograms are there', WITHIN_MS, isSame);
  const exemplars = await exemplarsOf(source);
  assert.ok(JSON.stringify(exemplars).includes('"trace_id":"trace1"'));
  await until('all exemplars are there', WITHIN_MS, async () => {
    return isDeepStrictEqual(await exemplarsOf(sink), exemplars);
  });
});

test('a VictoriaMetrics, which takes 2.0 for an empty 1.0, gets 1.0 and loses nothing', {
  skip: missingPrograms('victoria-metrics'),
}, async (t) => {
  const directory = temporaryDirectory(t);
  const storage = await VictoriaMetrics.start(t, directory);
  const sluice = await startSluice(t, `${directory}/sluice`, [
    `-remoteWrite.url=${storage.writeUrl}`,
    `-remoteWrite.protobufMessage=${MESSAGE}`,
    '-remoteWrite.flushInterval=50ms',
  ]);
  const expected = new SampleStore();
  for (let nth = 0; nth < 3; nth++) {
    const series = {
      labels: { __name__: `n${nth}` },
      points: [{ timestampMs: Date.now(), bits: bitsOf(nth) }],
    };
    expected.addAll([series]);
    assert.equal((await push(`${sluice.url}/api/v1/write`, [series])).status, 204);
  }
  await until(
    'everything is there',
    WITHIN_MS,
    async () => missingFrom(await storage.export(), expected).length === 0,
  );
  const page = await until('the ledger has it', WITHIN_MS, async () => {
    const found = await sluice.metrics();
    const [columns] = Object.values(assertLedgerBalances(found).destinations);
    return columns!.delivered === 3 && columns!.pending === 0 && found;
  });
  assert.equal(metricSum(page, 'sluice_remote_write_2'), 0);
});

test('of a 2.0 request that it answers with 400, Prometheus keeps what is good, and only the rest is rejected', {
  skip,
}, async (t) => {
  const prometheus = await Prometheus.start(t, { directory: temporaryDirectory(t), receives: true });
  const sluice = await startSluice(t, temporaryDirectory(t), [
    `-remoteWrite.url=${prometheus.writeUrl}`,
    `-remoteWrite.protobufMessage=${MESSAGE}`,
    '-remoteWrite.responsePolicy=prometheus',
    '-remoteWrite.flushInterval=50ms',
  ]);
  const nowMs = Date.now();
  const at = (name: string, timestampMs: number) => ({
    labels: { __name__: name },
    points: [{ timestampMs, bits: bitsOf(1) }],
  });
  const delivered = (count: number) =>
    until(`${count} samples are dealt with`, WITHIN_MS, async () => {
      const [columns] = Object.values(assertLedgerBalances(await sluice.metrics()).destinations);
      return columns!.received === count && columns!.pending === 0 && columns!.in_engine === 0 && columns!;
    });
  const first = [at('known', nowMs)];
  assert.equal((await push(`${sluice.url}/api/v1/write`, first)).status, 204);
  await delivered(1);
  const good = [at('a', nowMs), at('b', nowMs)];
  assert.equal(
    (await push(`${sluice.url}/api/v1/write`, [good[0]!, at('known', nowMs - 5_000), good[1]!])).status,
    204,
  );
  const columns = await delivered(4);
  assert.deepEqual([columns.delivered, columns.rejected, columns.dead_lettered], [3, 1, 0]);
  const expected = new SampleStore();
  expected.addAll([...first, ...good]);
  assert.deepEqual(missingFrom(await prometheus.samples(), expected), []);
  assert.equal(
    metricSum(await sluice.metrics(), 'vmagent_remotewrite_requests_total', { status_code: '400' }),
    1,
  );
});
