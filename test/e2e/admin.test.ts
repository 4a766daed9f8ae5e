/** What an administrator does to queues and dead letters, with the real daemon and the real commands. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { vmagentQueueName } from '../../src/queue/file/vmagent-queue.ts';
import { assertLedgerBalances, metricSum } from '../support/metrics.ts';
import { freePort, startProgram, temporaryDirectory } from '../support/process.ts';
import { missingPrograms, program } from '../support/programs.ts';
import { bitsOf, encodeWriteRequest, push } from '../support/remote-write.ts';
import { startSink } from '../support/sink.ts';
import { runSluice, startSluice } from '../support/sluice.ts';
import { until } from '../support/wait.ts';

const NOWHERE = 'http://127.0.0.1:9/api/v1/write';
const FAST = [
  '-remoteWrite.flushInterval=100ms',
  '-remoteWrite.retryMinInterval=100ms',
  '-remoteWrite.drainTimeout=200ms',
];

async function pushNamed(url: string, ...names: string[]): Promise<void> {
  const series = names.map((name) => ({
    labels: { __name__: name },
    points: [{ timestampMs: 1_790_000_000_000, bits: bitsOf(1) }],
  }));
  const { status, text } = await push(`${url}/api/v1/write`, series);
  assert.equal(status, 204, text);
}

const command = (t: TestContext, directory: string, ...args: string[]) =>
  runSluice(t, [...args, `-dir=${directory}`]);
const namesIn = (sink: { samples: { series: Map<string, unknown> } }) =>
  [...sink.samples.series.keys()].join(' ');

test('a second relay on a data directory refuses to start, and the first one goes on', async (t) => {
  const directory = temporaryDirectory(t);
  const first = await startSluice(t, directory, [`-remoteWrite.url=${NOWHERE}`]);
  const socket = join(directory, 'admin.sock');
  assert.equal(statSync(socket).mode & 0o777, 0o600);
  const second = await runSluice(t, [
    '-httpListenAddr=127.0.0.1:0',
    `-remoteWrite.url=${NOWHERE}`,
    `-remoteWrite.tmpDataPath=${directory}`,
  ]);
  assert.equal(second.code, 1);
  assert.match(second.output, /another Sluice is running on it/);
  assert.equal((await fetch(`${first.url}/health`)).status, 200);
  await first.program.kill('SIGKILL');
  const third = await startSluice(t, directory, [`-remoteWrite.url=${NOWHERE}`]);
  assert.equal((await third.program.kill('SIGTERM')).code, 0);
  assert.equal(existsSync(socket), false);
});

test('a named destination keeps its backlog when its URL, its place and its credentials change', async (t) => {
  const directory = temporaryDirectory(t);
  const first = await startSluice(t, directory, [
    `-remoteWrite.url=${NOWHERE}`,
    '-remoteWrite.name=main',
    ...FAST,
  ]);
  await pushNamed(first.url, 'before');
  assert.equal((await first.program.kill('SIGTERM')).code, 0);
  const other = await startSink(t);
  const sink = await startSink(t);
  const second = await startSluice(t, directory, [
    `-remoteWrite.url=${other.url}`,
    `-remoteWrite.url=${sink.url}?x=y`,
    '-remoteWrite.name=other,main',
    '-remoteWrite.bearerToken=new',
    ...FAST,
  ]);
  await until('the backlog arrives', 20_000, () => namesIn(sink).includes('before'));
  assert.equal(other.samples.samples, 0);
  assertLedgerBalances(await second.metrics());
});

test('a queue without a destination is kept, told, and sent or deleted by command only', async (t) => {
  const directory = temporaryDirectory(t);
  for (const name of ['old', 'useless']) {
    const before = await startSluice(t, directory, [
      `-remoteWrite.url=${NOWHERE}`,
      `-remoteWrite.name=${name}`,
      ...FAST,
    ]);
    await pushNamed(before.url, `of_${name}`);
    await before.program.kill('SIGTERM');
  }
  const sink = await startSink(t);
  const now = await startSluice(t, directory, [
    `-remoteWrite.url=${sink.url}`,
    '-remoteWrite.name=new',
    ...FAST,
  ]);
  assert.ok(metricSum(await now.metrics(), 'sluice_orphaned_queue_bytes')! > 0);
  assert.match(now.program.output, /belongs to no destination/);
  const listed = await command(t, directory, 'queue', 'ls');
  assert.match(listed.output, /old: belongs to no destination/);
  const wrong = await command(t, directory, 'queue', 'adopt', 'old', 'nwe');
  assert.equal(wrong.code, 1);
  assert.match(wrong.output, /did you mean new\?/);
  const adopted = await command(t, directory, 'queue', 'adopt', 'old', 'new');
  assert.match(adopted.output, /1 blocks were taken over/);
  await until('it arrives', 10_000, () => namesIn(sink).includes('of_old'));
  assert.match((await command(t, directory, 'queue', 'purge', 'useless')).output, /deleted/);
  assert.deepEqual(readdirSync(join(directory, 'queue')), ['new']);
  assertLedgerBalances(await now.metrics());
});

test('a paused destination gets nothing until it is resumed', async (t) => {
  const directory = temporaryDirectory(t);
  const sink = await startSink(t);
  const { url, metrics } = await startSluice(t, directory, [
    `-remoteWrite.url=${sink.url}`,
    '-remoteWrite.name=a',
    ...FAST,
  ]);
  assert.match((await command(t, directory, 'queue', 'pause', 'a')).output, /paused/);
  await pushNamed(url, 'while_paused');
  const shown = await until('it waits', 10_000, async () => {
    const { output } = await command(t, directory, 'queue', 'ls');
    return /a +paused +1 +1 /.test(output) && output;
  });
  assert.ok(shown);
  assert.equal(sink.requests.length, 0);
  await command(t, directory, 'queue', 'resume', 'a');
  await until('it arrives', 10_000, () => namesIn(sink).includes('while_paused'));
  assertLedgerBalances(await metrics());
});

test('a backlog is copied or moved to another destination', async (t) => {
  const directory = temporaryDirectory(t);
  const sink = await startSink(t);
  const { url, metrics } = await startSluice(t, directory, [
    `-remoteWrite.url=${NOWHERE}`,
    `-remoteWrite.url=${sink.url}`,
    '-remoteWrite.name=dead,alive',
    ...FAST,
  ]);
  await command(t, directory, 'queue', 'pause', 'dead');
  await pushNamed(url, 'led');
  await until('one copy has arrived', 10_000, () => sink.samples.samples === 1);
  assert.match(
    (await command(t, directory, 'queue', 'copy', 'dead', 'alive')).output,
    /1 blocks were copied/,
  );
  await until('the copy too', 10_000, () => sink.samples.samples === 2);
  assert.match((await command(t, directory, 'queue', 'move', 'dead', 'alive')).output, /1 blocks were moved/);
  await until('and again', 10_000, () => sink.samples.samples === 3);
  assert.match((await command(t, directory, 'queue', 'ls')).output, /dead +paused +0 /);
  assertLedgerBalances(await metrics());
});

test('one bad series is parked with the words of the store, and is sent again when the store takes it', async (t) => {
  const directory = temporaryDirectory(t);
  let isFixed = false;
  const sink = await startSink(t, {
    respond: ({ decoded }) =>
      !isFixed && decoded.series.some(({ labels }) => labels.__name__ === 'bad') ? 400 : 204,
  });
  const { url, metrics } = await startSluice(t, directory, [
    `-remoteWrite.url=${sink.url}`,
    '-remoteWrite.name=a',
    '-remoteWrite.responsePolicy=victoriametrics',
    ...FAST,
  ]);
  await pushNamed(url, 'good_1', 'bad', 'good_2');
  await until('the good ones arrive', 10_000, () => sink.samples.samples === 2);
  const listed = await until('the bad one is parked', 10_000, async () => {
    const { output } = await command(t, directory, 'dlq', 'ls');
    return output.includes('bad{}') && output;
  });
  const id = /^(\d{13}-\d{4}) +a +400 +1 /m.exec(listed)?.[1];
  assert.ok(id !== undefined, listed);
  assert.match((await command(t, directory, 'dlq', 'show', id)).output, /"status": 400/);
  assert.match((await command(t, directory, 'dlq', 'export')).output, /"__name__":"bad"/);
  const page = await metrics();
  assert.equal(metricSum(page, 'sluice_ledger_destination_samples', { column: 'dead_lettered' }), 1);
  assertLedgerBalances(page);
  isFixed = true;
  assert.match((await command(t, directory, 'dlq', 'replay', 'a')).output, /1 dead letters go again/);
  await until('it arrives', 10_000, () => namesIn(sink).includes('bad'));
  assert.match((await command(t, directory, 'dlq', 'ls')).output, /no dead letters/);
  assertLedgerBalances(await metrics());
});

test('a queue file is looked into, verified and mended while nothing runs', async (t) => {
  const directory = temporaryDirectory(t);
  const {
    program: daemon,
    url,
    metrics,
  } = await startSluice(t, directory, [`-remoteWrite.url=${NOWHERE}`, '-remoteWrite.name=a', ...FAST]);
  for (const [index, name] of ['one', 'two', 'three'].entries()) {
    await pushNamed(url, name);
    await until('it is a block of its own', 10_000, async () => {
      return metricSum(await metrics(), 'vmagent_remotewrite_pending_inmemory_blocks') === index + 1;
    });
  }
  await daemon.kill('SIGTERM');
  assert.match((await command(t, directory, 'queue', 'ls')).output, /^a +1 /m);
  assert.match((await command(t, directory, 'queue', 'peek', 'a')).output, /two\{\}/);
  assert.match((await command(t, directory, 'queue', 'export', 'a')).output, /"__name__":"three"/);
  const good = await command(t, directory, 'queue', 'verify', 'a');
  assert.deepEqual([good.code, /3 whole blocks with 3 samples/.test(good.output)], [0, true]);
  const folder = join(directory, 'queue', 'a');
  const file = join(folder, readdirSync(folder).find((name) => name.endsWith('.seg'))!);
  const bytes = readFileSync(file);
  bytes[bytes.lastIndexOf('SLBR') + 70]! ^= 1;
  writeFileSync(file, bytes);
  const damaged = await command(t, directory, 'queue', 'verify', 'a');
  assert.equal(damaged.code, 1);
  assert.match(damaged.output, /damaged: .*record 3, 1 samples/);
  assert.match(
    (await command(t, directory, 'queue', 'repair', 'a')).output,
    /2 blocks are whole; 1 records were damaged/,
  );
  const mended = await command(t, directory, 'queue', 'verify', 'a');
  assert.deepEqual([mended.code, /2 whole blocks/.test(mended.output)], [0, true]);
});

test('what a real vmagent could not send is taken over and arrives', {
  skip: missingPrograms('vmagent'),
}, async (t) => {
  const directory = temporaryDirectory(t);
  const sinkPort = await freePort();
  const url = `http://127.0.0.1:${sinkPort}/api/v1/write`;
  const port = await freePort();
  const vmagent = await startProgram(t, {
    name: 'vmagent',
    command: program('vmagent'),
    args: [
      `-remoteWrite.url=${url}`,
      `-remoteWrite.tmpDataPath=${directory}`,
      `-httpListenAddr=127.0.0.1:${port}`,
    ],
    readyUrl: `http://127.0.0.1:${port}/health`,
  });
  await pushNamed(`http://127.0.0.1:${port}`, 'from_vmagent');
  const early = await runSluice(t, [`-remoteWrite.url=${url}`, `-remoteWrite.tmpDataPath=${directory}`]);
  assert.equal(early.code, 1);
  assert.match(
    early.output,
    new RegExp(`cannot take over .*: process ${vmagent.pid}, probably a vmagent, is running`),
  );
  assert.ok(!existsSync(join(directory, 'admin.sock')), 'a start that failed leaves no lock');
  await vmagent.kill('SIGTERM');
  const sink = await startSink(t, { port: sinkPort });
  const { metrics, program: daemon } = await startSluice(t, directory, [
    `-remoteWrite.url=${url}?token=new`,
    ...FAST,
  ]);
  await until('the backlog arrives', 20_000, () => namesIn(sink).includes('from_vmagent'));
  assert.equal(metricSum(await metrics(), 'sluice_ledger_destination_samples', { column: 'recovered' }), 1);
  assertLedgerBalances(await metrics());
  await daemon.kill('SIGTERM');
  assert.ok(readdirSync(join(directory, 'persistent-queue'))[0]!.endsWith('.taken-over'));
});

test('the backlog of a vmagent goes first while requests are taken; what nobody can decode is counted', async (t) => {
  const directory = temporaryDirectory(t);
  let isUp = false;
  const sink = await startSink(t, { respond: () => (isUp ? 204 : 503) });
  const queue = join(directory, 'persistent-queue', `1_${await vmagentQueueName(sink.url)}`);
  mkdirSync(queue, { recursive: true });
  const series = [{ labels: { __name__: 'whole' }, points: [{ timestampMs: 1, bits: bitsOf(1) }] }];
  const blocks = [Buffer.from('no message'), encodeWriteRequest(series)].map((raw) => zstdCompressSync(raw));
  const chunk = Buffer.concat(
    blocks.flatMap((block) => {
      const length = Buffer.alloc(8);
      length.writeBigUInt64BE(BigInt(block.byteLength));
      return [length, block];
    }),
  );
  writeFileSync(join(queue, '0'.repeat(16)), chunk);
  const metainfo = { Name: '1:secret-url', ReaderOffset: 0, WriterOffset: chunk.byteLength };
  writeFileSync(join(queue, 'metainfo.json'), JSON.stringify(metainfo));
  const { metrics, url } = await startSluice(t, directory, [`-remoteWrite.url=${sink.url}`, ...FAST]);
  await pushNamed(url, 'new');
  isUp = true;
  await until('both arrive', 20_000, () => /whole.*new/.test(namesIn(sink)));
  assert.equal(metricSum(await metrics(), 'sluice_vmagent_queue_unreadable_blocks_total'), 1);
  const lost = metricSum(await metrics(), 'sluice_vmagent_queue_lost_bytes_total');
  assert.equal(lost, blocks[0]!.byteLength);
  assertLedgerBalances(await metrics());
});
