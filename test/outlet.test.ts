import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { compress } from 'snappyjs';
import { Destination } from '../src/config/config.ts';
import { ConnectionStats } from '../src/deliver/connection-stats.ts';
import type { Block } from '../src/model/block.ts';
import { noCounts } from '../src/model/body.ts';
import { Outlet } from '../src/outlet.ts';
import { nodeFs } from '../src/queue/file/fs.ts';
import { systemClock } from '../src/util/clock.ts';
import { FakeMeter, valuesWith } from './deliver/support.ts';
import { makeBlock } from './support/blocks.ts';
import { recordingLogger } from './support/quiet-logger.ts';
import { encodeWriteRequest } from './support/remote-write.ts';
import { startSink } from './support/sink.ts';
import { until } from './support/wait.ts';

async function outletTo(t: TestContext, url: string, queueBytesMax = 1_000_000, directory?: string) {
  const root = directory ?? (await mkdtemp(path.join(tmpdir(), 'sluice-outlet-')));
  t.after(() => rm(root, { recursive: true, force: true }));
  const meter = new FakeMeter();
  const log = recordingLogger();
  const values = valuesWith();
  const destination = new Destination({ name: 'one', url, shownUrl: '1:secret-url', where: 'flag' }, values);
  const outlet = new Outlet(
    destination,
    {
      queue: {
        directory: path.join(root, 'one'),
        onDisk: false,
        memoryBytesMax: queueBytesMax,
        brokenBytesMax: queueBytesMax,
        diskBytesMax: 0,
        whenFull: 'drop-oldest',
        ageMsMax: 0,
        freshFirst: false,
        synced: false,
      },
      deadLetters: { directory: path.join(root, 'letters'), bytesMax: 1_000_000 },
      withholds: ['metadata'],
      compressLevel: 3,
    },
    {
      clock: systemClock,
      log,
      meter,
      fs: nodeFs,
      stats: new ConnectionStats(meter),
      env: {},
      onNeeds: () => {},
      inEngine: () => noCounts,
    },
  );
  await outlet.open();
  return { outlet, meter, log, root };
}

/** A block that a sink can decode. */
function realBlock(): Block {
  const raw = encodeWriteRequest([{ labels: { __name__: 'm' }, points: [{ timestampMs: 1, bits: 1n }] }]);
  return makeBlock(1, { bytes: new Uint8Array(compress(raw)), rawLength: raw.byteLength });
}

const NOWHERE = 'http://127.0.0.1:9/api/v1/write';

test('it begins with one lane of the codec that its kind prefers', async (t) => {
  const { outlet } = await outletTo(t, NOWHERE);
  const share = { form: 0, shard: undefined };
  assert.deepEqual(outlet.needs, { codec: 'zstd', level: 3, metadata: false, parallel: 1, ...share });
  assert.equal(outlet.status().state, 'nothing sent yet');
});

test('a full queue drops where it may, and keeps where it must; both are counted', async (t) => {
  const { outlet, meter, log } = await outletTo(t, NOWHERE, 1);
  const at = { path: outlet.queue.config.directory, url: '1:secret-url' };
  outlet.accept({ ...noCounts, samples: 9 });
  outlet.push(makeBlock(2), true); // an empty queue takes a block of any size
  outlet.push(makeBlock(3), true);
  outlet.push(makeBlock(4), false);
  const columns = Object.fromEntries(outlet.columns().map(({ column, counts }) => [column, counts.samples]));
  assert.deepEqual([columns.received, columns.pending, columns.dropped_queue_full], [9, 6, 3]);
  assert.equal(meter.value('vmagent_remotewrite_samples_dropped_total', at), 3);
  assert.equal(meter.value('vmagent_remotewrite_queue_blocked', at), 1);
  assert.equal(log.lines.filter(({ level }) => level === 'error').length, 1);
});

test('what cannot be sent at the stop is on disk, and is there after the next start', async (t) => {
  const first = await outletTo(t, NOWHERE);
  first.outlet.start();
  first.outlet.push(makeBlock(5), true);
  assert.equal(await first.outlet.stop(100), 1);
  const next = await outletTo(t, NOWHERE, 1_000_000, first.root);
  assert.equal(next.outlet.queue.pendingBlocks, 1);
  assert.equal(next.outlet.queue.ledger.recovered.samples, 5);
});

test('what was acknowledged and is in quarantine is in one column, metadata that it takes none of in another', async (t) => {
  const { outlet } = await outletTo(t, NOWHERE);
  outlet.refuse({ ...noCounts, samples: 5, metadata: 2 });
  const { replayed, quarantined, withheld } = outlet.queue.ledger;
  assert.deepEqual([replayed.samples, quarantined.samples], [5, 5]);
  assert.deepEqual([replayed.metadata, quarantined.metadata, withheld.metadata], [2, 0, 2]);
});

test('one that leaves sends nothing more, and goes on when it comes back', async (t) => {
  const sink = await startSink(t);
  const { outlet } = await outletTo(t, sink.url);
  outlet.start();
  await outlet.leave();
  outlet.push(realBlock(), true);
  assert.equal(outlet.isLeaving, true);
  assert.match(outlet.status().state, /^gone/);
  assert.equal(outlet.status().isHealthy, false);
  const lease = await outlet.queue.lease('drain');
  lease!.putBack();
  outlet.rejoin();
  await until('it arrives', 20_000, () => sink.samples.samples === 1);
  await until('the queue knows', 20_000, () => outlet.queue.pendingBlocks === 0);
  assert.equal(outlet.status().state, 'ok');
  await outlet.stop(0);
});

test('what was under way to one that leaves is back in the queue within seconds', async (t) => {
  const sink = await startSink(t, { respond: () => new Promise<number>(() => {}) });
  const { outlet } = await outletTo(t, sink.url);
  outlet.start();
  outlet.push(realBlock(), true);
  await until('it is under way', 20_000, () => sink.requests.length === 1);
  await outlet.leave();
  const lease = await outlet.queue.lease('drain');
  assert.equal(lease!.block.seq, 1);
});

test('one that is gone for good leaves no files and no metrics, but its dead letters', async (t) => {
  const { outlet, meter, root } = await outletTo(t, NOWHERE);
  await outlet.queue.adopt(makeBlock(1));
  await outlet.queue.sync();
  const letter = { destination: 'one', status: 400, message: 'no', series: 'm', counts: noCounts };
  await outlet.deadLetters.park({ ...letter, codec: 'snappy', rawLength: 1, block: Buffer.from('x') });
  await outlet.leave();
  (await outlet.queue.lease('drain'))!.end({ kind: 'rerouted' });
  await outlet.discard();
  assert.deepEqual(await readdir(root), ['letters']);
  assert.deepEqual(
    meter.removed.map((labels) => Object.keys(labels)),
    [['url'], ['name']],
  );
});
