import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BlockFile } from '../../src/queue/block-file.ts';
import { makeBlock } from '../support/blocks.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { MemoryFs } from '../support/memory-fs.ts';
import { recordingLogger } from '../support/quiet-logger.ts';

test('a block comes back as it was, as old as it is', async () => {
  const fs = new MemoryFs();
  const clock = new FakeClock();
  const open = () => BlockFile.open('/q', { fs, clock, log: recordingLogger() });
  const first = await open();
  clock.advance(10_000);
  const blocks = [1, 2, 3].map((nth) => makeBlock(nth, { slots: nth, bornMs: nth * 1_000 }));
  assert.equal(await first.append(blocks, true), 1);
  clock.advance(5_000);
  const second = await open();
  assert.equal(second.contents.records, 3);
  const record = await second.log.next();
  const found = second.blockOf(record!.header, record!.payload!);
  assert.deepEqual({ ...found, bytes: Buffer.from(found.bytes) }, { ...blocks[0], firstBody: 0 });
});

test('copies are of what is not done with before a record, and nothing is taken', async () => {
  const fs = new MemoryFs();
  const file = await BlockFile.open('/q', { fs, clock: new FakeClock(), log: recordingLogger() });
  await file.append(
    [1, 2, 3, 4, 5].map((nth) => makeBlock(nth)),
    false,
  );
  file.log.done(2);
  const copied: number[] = [];
  for await (const { seq } of file.copies(5)) copied.push(seq);
  assert.deepEqual(copied, [1, 3, 4]);
  assert.equal((await file.log.next())?.header.seq, 1);
});
