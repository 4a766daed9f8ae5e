/** Imports that are much larger than the limits, into the real daemon. */
import assert from 'node:assert/strict';
import { pipeline, Readable } from 'node:stream';
import { test } from 'node:test';
import { createGzip } from 'node:zlib';
import { assertLedgerBalances, metricSum, type Sample } from '../support/metrics.ts';
import { temporaryDirectory } from '../support/process.ts';
import { bitsOf } from '../support/remote-write.ts';
import { SampleStore } from '../support/samples.ts';
import { startSink } from '../support/sink.ts';
import { type RunningSluice, startSluice } from '../support/sluice.ts';
import { until } from '../support/wait.ts';

const FLAGS = ['-remoteWrite.flushInterval=1s', '-maxInsertRequestSize=1MiB'];
const SAMPLES_PER_LINE = 10;
const FIRST_MS = 1_790_000_000_000;

/** Lines of JSON, one a series, each with samples of its own. */
function* linesOf(count: number, sent: SampleStore): Generator<string> {
  for (let index = 0; index < count; index++) {
    const labels = { __name__: 'imported', series: String(index), pad: 'x'.repeat(100) };
    const values = Array.from({ length: SAMPLES_PER_LINE }, (_, nth) => index + nth / 8);
    const timestamps = values.map((_, nth) => FIRST_MS + nth * 1_000);
    for (const [nth, value] of values.entries()) sent.add(labels, timestamps[nth]!, bitsOf(value));
    yield `${JSON.stringify({ metric: labels, values, timestamps })}\n`;
  }
}

/** Many lines a chunk, as a client would send them. */
function* chunked(lines: Iterable<string>): Generator<Buffer> {
  let text = '';
  for (const line of lines) {
    text += line;
    if (text.length < 60_000) continue;
    yield Buffer.from(text);
    text = '';
  }
  yield Buffer.from(text);
}

function post(url: string, body: Readable, headers: Record<string, string> = {}): Promise<Response> {
  const init = { method: 'POST', body: Readable.toWeb(body), headers, duplex: 'half' };
  return fetch(`${url}/api/v1/import`, init as unknown as RequestInit);
}

const columnOf = (page: readonly Sample[], column: string) =>
  metricSum(page, 'sluice_ledger_destination_samples', { column }) ?? 0;

function delivered({ metrics }: RunningSluice, samples: number): Promise<Sample[]> {
  return until('everything is delivered', 30_000, async () => {
    const page = await metrics();
    const incoming = columnOf(page, 'received') + columnOf(page, 'replayed') + columnOf(page, 'recovered');
    return columnOf(page, 'delivered') === incoming && incoming >= samples && page;
  });
}

test('an import of several times the limit, plain and compressed, arrives once and is in the ledger', async (t) => {
  const sink = await startSink(t);
  const sluice = await startSluice(t, temporaryDirectory(t), [`-remoteWrite.url=${sink.url}`, ...FLAGS]);
  const sent = new SampleStore();
  const plain = await post(sluice.url, Readable.from(chunked(linesOf(10_000, sent))));
  assert.deepEqual([plain.status, await plain.text()], [204, '']);
  const gzip = createGzip();
  pipeline(Readable.from(chunked(linesOf(10_000, new SampleStore()))), gzip, () => {});
  const compressed = await post(`${sluice.url}`, gzip, { 'Content-Encoding': 'gzip' });
  assert.deepEqual([compressed.status, await compressed.text()], [204, '']);
  const page = await delivered(sluice, 2 * sent.samples);
  assertLedgerBalances(page);
  assert.equal(columnOf(page, 'received'), 2 * sent.samples);
  assert.equal(sink.samples.samples, 2 * sent.samples);
  for (const { key, timestampMs, bits } of sent) {
    assert.deepEqual(sink.samples.bitsAt(key, timestampMs), [bits, bits], `${key} @${timestampMs}`);
  }
  assert.equal(metricSum(page, 'vm_concurrent_insert_current'), 0);
});

test('what an answer says was taken of a broken import is there, also after a kill', async (t) => {
  const sink = await startSink(t);
  const directory = temporaryDirectory(t);
  const flags = [`-remoteWrite.url=${sink.url}`, ...FLAGS, '-remoteWrite.ack=written'];
  const first = await startSluice(t, directory, flags);
  const sent = new SampleStore();
  const lines = [...linesOf(12_000, sent)];
  lines.push(`{"metric":{"pad":"${'x'.repeat(11 * 1024 * 1024)}"}}\n`);
  const answer = await post(first.url, Readable.from(chunked(lines)));
  assert.equal(answer.status, 400);
  const text = await answer.text();
  const [, taken, samples] =
    /^the first (\d+) lines of the body, with (\d+) samples, were taken, what follows was not: cannot read line 12001: it has more than 10485760 bytes; send shorter lines or raise -import\.maxLineLen\n$/.exec(
      text,
    ) ?? assert.fail(text);
  assert.equal(Number(taken), 12_000);
  assert.equal(Number(samples), sent.samples);
  first.program.kill('SIGKILL');
  await first.program.exit();
  const second = await startSluice(t, directory, flags);
  const page = await until('everything has arrived', 30_000, async () => {
    const now = await second.metrics();
    const isQuiet = columnOf(now, 'delivered') === columnOf(now, 'replayed') + columnOf(now, 'recovered');
    return isQuiet && sink.samples.series.size === 12_000 && now;
  });
  assertLedgerBalances(page);
  for (const { key, timestampMs, bits } of sent) {
    const found = sink.samples.bitsAt(key, timestampMs);
    assert.ok(found.length > 0 && found.every((one) => one === bits), `${key} @${timestampMs}`);
  }
});

test('a client that goes in the middle leaves whole lines, each once', async (t) => {
  const sink = await startSink(t);
  const sluice = await startSluice(t, temporaryDirectory(t), [`-remoteWrite.url=${sink.url}`, ...FLAGS]);
  const sent = new SampleStore();
  async function* unfinished(): AsyncGenerator<Buffer> {
    yield* chunked(linesOf(8_000, sent));
    await new Promise(() => {});
  }
  const body = Readable.from(unfinished());
  const abort = new AbortController();
  const answered = fetch(`${sluice.url}/api/v1/import`, {
    method: 'POST',
    body: Readable.toWeb(body),
    duplex: 'half',
    signal: abort.signal,
  } as unknown as RequestInit).then(
    () => true,
    () => false,
  );
  await until('something is taken', 10_000, async () => columnOf(await sluice.metrics(), 'received') > 0);
  abort.abort();
  assert.equal(await answered, false);
  const page = await until('everything is delivered', 30_000, async () => {
    const now = await sluice.metrics();
    const received = columnOf(now, 'received');
    const isIdle = metricSum(now, 'vm_concurrent_insert_current') === 0;
    return isIdle && received > 0 && columnOf(now, 'delivered') === received && now;
  });
  assertLedgerBalances(page);
  assert.equal(columnOf(page, 'received') % SAMPLES_PER_LINE, 0);
  for (const { key, timestampMs, bits } of sink.samples) {
    assert.deepEqual(sent.bitsAt(key, timestampMs), [bits]);
    assert.deepEqual(sink.samples.bitsAt(key, timestampMs), [bits]);
  }
});
