/** Somebody sets the wall clock: nothing that waits in a queue or the journal expires, stalls or is lost for it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { noCounts } from '../../src/model/body.ts';
import { Journal } from '../../src/queue/journal.ts';
import { DestinationQueue } from '../../src/queue/queue.ts';
import { makeBlock } from '../support/blocks.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { MemoryFs } from '../support/memory-fs.ts';
import { recordingLogger } from '../support/quiet-logger.ts';

const HOUR_MS = 3_600_000;
const WALLS = {
  'an hour ahead': (now: number) => now + HOUR_MS,
  'an hour back': (now: number) => now - HOUR_MS,
  'a day ahead': (now: number) => now + 24 * HOUR_MS,
  'a day back': (now: number) => now - 24 * HOUR_MS,
  'to 1970': () => 0,
};
const AGE_MAX_MS = 60_000;
const BLOCKS = 40;

async function settled(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await nextTurn();
}

async function openQueue(fs: MemoryFs, clock: FakeClock) {
  const config = {
    directory: '/q',
    onDisk: true,
    memoryBytesMax: 1_000,
    brokenBytesMax: 100_000,
    diskBytesMax: 0,
    whenFull: 'drop-oldest' as const,
    ageMsMax: AGE_MAX_MS,
    freshFirst: false,
    synced: false,
  };
  const queue = new DestinationQueue(config, { fs, clock, log: recordingLogger() });
  await queue.open();
  return queue;
}

for (const [name, wallOf] of Object.entries(WALLS)) {
  test(`a backlog while the wall clock is set ${name}`, async () => {
    const clock = new FakeClock();
    const queue = await openQueue(new MemoryFs(), clock);
    const tick = async (ms: number) => {
      clock.advance(ms);
      queue.maintain();
      await settled();
    };
    for (let seq = 1; seq <= BLOCKS; seq++) {
      queue.push(makeBlock(seq, { bytes: Buffer.alloc(100), bornMs: clock.monotonicMs() }));
    }
    await tick(6_000);
    clock.setWall(wallOf(clock.nowMs()));
    await tick(1_000);
    const taken: number[] = [];
    while (taken.length < BLOCKS / 2) {
      const lease = await queue.lease();
      taken.push(lease!.block.seq);
      lease!.end({ kind: 'delivered' });
      await settled();
    }
    await tick(AGE_MAX_MS - 10_000);
    assert.equal(queue.ledger.ended.too_old.samples, 0, 'nothing expires early');
    for (let k = 0; k < BLOCKS; k++) await tick(1_000);
    assert.equal(queue.pendingBlocks, 0, 'and nothing late');
    assert.ok(queue.ledger.ended.too_old.samples > 0);
  });

  test(`a journal while the wall clock is set ${name}`, async () => {
    const clock = new FakeClock();
    const fs = new MemoryFs();
    const config = { directory: '/j', bytesMax: 1_000_000, synced: false };
    const open = () => Journal.open(config, { fs, clock, log: recordingLogger() });
    const format = { encoding: 'snappy-or-zstd', protocol: 'promremotewrite', extraLabels: [] } as const;
    const entry = (id: number) => ({
      id,
      format,
      bytes: Buffer.from([id]),
      counts: { ...noCounts, samples: 1 },
    });
    const journal = await open();
    await journal.append(entry(1));
    clock.setWall(wallOf(clock.nowMs()));
    await journal.append(entry(2));
    await journal.append(entry(3));
    journal.release(2);
    await settled();
    fs.kill();
    const again = await open();
    const found: number[] = [];
    for (let next = await again.nextReplay(); next !== undefined; next = await again.nextReplay()) {
      found.push(next.bytes[0]!);
    }
    assert.deepEqual(found, [2, 3]);
  });
}
