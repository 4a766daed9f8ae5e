/**
 * The cases of prometheus/compliance that apply to a relay of remote write 1.0, in stricter forms: its sender cases
 * (remote_write_sender, removed after a8c0647) with what is pushed instead of what is scraped, and its receiver's cases for 1.0.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { compress } from 'snappyjs';
import { assertLedgerBalances, metricSum } from '../support/metrics.ts';
import { temporaryDirectory } from '../support/process.ts';
import { bitsOf, encodeWriteRequest, post, push, type Series } from '../support/remote-write.ts';
import { type Sink, type SinkOptions, startSink } from '../support/sink.ts';
import { startSluice } from '../support/sluice.ts';
import { until } from '../support/wait.ts';

const BASE_MS = 1_790_000_000_000;
const STALE = 0x7ff0000000000002n;

const series = (name: string, bits: bigint, timestampMs = BASE_MS, labels = {}): Series => ({
  labels: { __name__: name, job: 'test', instance: 'localhost:9090', ...labels },
  points: [{ timestampMs, bits }],
});

async function relay(t: TestContext, sinkOptions: SinkOptions = {}, flags: readonly string[] = []) {
  const sink = await startSink(t, sinkOptions);
  const sluice = await startSluice(t, temporaryDirectory(t), [
    `-remoteWrite.url=${sink.url}`,
    '-remoteWrite.flushInterval=100ms',
    '-remoteWrite.retryMinInterval=100ms',
    ...flags,
  ]);
  const url = `${sluice.url}/api/v1/write`;
  const send = async (...all: Series[]) => assert.equal((await push(url, all)).status, 204);
  const finish = async (samples: number) => {
    await until('everything has arrived', 20_000, () => sink.samples.samples >= samples);
    await until('the ledger has it', 10_000, async () => {
      const page = await sluice.metrics();
      assertLedgerBalances(page);
      return metricSum(page, 'sluice_ledger_destination_samples', { column: 'pending' }) === 0;
    });
  };
  return { sink, sluice, url, send, finish };
}

const pointsOf = (sink: Sink, name: string) =>
  [...sink.samples]
    .filter(({ key }) => key.includes(name))
    .map(({ timestampMs, bits }) => ({ timestampMs, bits }));

test('Counter, Gauge, Histogram, Summary: what was pushed, in order, with its timestamps', async (t) => {
  const { sink, send, finish } = await relay(t);
  const names = ['counter_total', 'gauge', 'h_bucket', 'h_sum', 'h_count', 's', 's_sum', 's_count'];
  for (let nth = 0; nth < 10; nth++) {
    await send(...names.map((name) => series(name, bitsOf(nth), BASE_MS + nth)));
  }
  await finish(80);
  for (const name of names) {
    const key = [...sink.samples.series.keys()].find((candidate) => candidate.includes(`"${name}"`))!;
    const points = [...sink.samples.series.get(key)!];
    assert.deepEqual(
      points,
      Array.from({ length: 10 }, (_, nth) => [BASE_MS + nth, [bitsOf(nth)]]),
    );
  }
});

test('Staleness: the marker keeps its bits', async (t) => {
  const { sink, send, finish } = await relay(t);
  await send(
    series('stale', STALE),
    series('nan', 0x7ff8000000000001n),
    series('payload', 0xfff0dead0000beefn),
  );
  await finish(3);
  for (const [name, bits] of [
    ['stale', STALE],
    ['nan', 0x7ff8000000000001n],
    ['payload', 0xfff0dead0000beefn],
  ] as const) {
    assert.deepEqual(pointsOf(sink, name), [{ timestampMs: BASE_MS, bits }]);
  }
});

test('Labels: every label arrives as it was sent, none is added', async (t) => {
  const { sink, send, finish } = await relay(t);
  const labels = { a: '1', zone: 'Zürich', text: 'a"b\\c\nd', long: 'x'.repeat(10_000) };
  await send(series('labels', bitsOf(1), BASE_MS, labels));
  await finish(1);
  const [request] = sink.requests;
  assert.deepEqual({ ...request!.decoded.series[0]!.labels }, { ...series('labels', 0n, 0, labels).labels });
});

test('Headers of remote write 1.0', async (t) => {
  const { sink, send, finish } = await relay(t, {}, ['-remoteWrite.forcePromProto']);
  await send(series('m', bitsOf(1)));
  await finish(1);
  const { headers } = sink.requests[0]!;
  assert.equal(headers['content-encoding'], 'snappy');
  assert.equal(headers['content-type'], 'application/x-protobuf');
  assert.equal(headers['x-prometheus-remote-write-version'], '0.1.0');
  assert.match(headers['user-agent'] ?? '', /^sluice\//);
});

test('Ordering: a destination that answers after any time gets each series in order, over parallel senders', async (t) => {
  let nth = 0;
  const last = new Map<string, number>();
  const { send, finish } = await relay(
    t,
    {
      respond: async ({ decoded }) => {
        await delay((nth++ * 37) % 200);
        for (const { labels, points } of decoded.series) {
          const key = JSON.stringify(labels);
          for (const { timestampMs } of points) {
            assert.ok(timestampMs > (last.get(key) ?? 0), `${key} at ${timestampMs}`);
            last.set(key, timestampMs);
          }
        }
        return 204;
      },
    },
    ['-remoteWrite.queues=8', '-remoteWrite.maxRowsPerBlock=500'],
  );
  for (let round = 0; round < 20; round++) {
    await send(
      ...Array.from({ length: 1_000 }, (_, index) => series(`m${index}`, bitsOf(round), BASE_MS + round)),
    );
  }
  await finish(20_000);
});

test('Retries500: a batch that got 500 arrives later, once', async (t) => {
  let refused = 0;
  const { sink, send, finish } = await relay(t, { respond: () => (refused++ < 3 ? 500 : 204) });
  await send(series('m', bitsOf(1)));
  await finish(1);
  assert.ok(sink.requests.length >= 4);
  assert.equal(sink.samples.samples, 1);
});

test('Retries400: a batch that got 400 is not sent again, and later ones arrive', async (t) => {
  const { sink, send, finish } = await relay(
    t,
    {
      respond: ({ decoded }) => (decoded.series.some(({ labels }) => labels.__name__ === 'bad') ? 400 : 204),
    },
    ['-remoteWrite.forcePromProto'],
  );
  await send(series('bad', bitsOf(1)));
  await until('it was refused', 10_000, () => sink.requests.length === 1);
  await send(series('good', bitsOf(1)));
  await finish(1);
  assert.equal(sink.requests.filter(({ decoded }) => decoded.series[0]!.labels.__name__ === 'bad').length, 1);
});

test('Receiver: 1.0 bodies with and without the version header, and what is no 1.0 body', async (t) => {
  const { url, finish } = await relay(t);
  const body = compress(encodeWriteRequest([series('m', bitsOf(1))]));
  const plain = await fetch(url, {
    method: 'POST',
    body: new Uint8Array(body),
    headers: { 'Content-Encoding': 'snappy' },
  });
  assert.equal(plain.status, 204);
  const good = await post(url, body);
  assert.equal(good.status, 204);
  assert.deepEqual(
    [...good.headers.keys()].filter((name) => name.includes('written')),
    [],
  );
  const corrupt = Uint8Array.from(body);
  corrupt[0] = 0xff;
  assert.equal((await post(url, corrupt)).status, 400);
  const next = { 'Content-Type': 'application/x-protobuf;proto=io.prometheus.write.v3.Request' };
  assert.equal((await post(url, body, next)).status, 415);
  await finish(2);
});
