import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspectLog } from '../../../src/queue/file/inspect.ts';
import { MemoryFs } from '../../support/memory-fs.ts';
import { openLog, record } from './support.ts';

async function seqsIn(fs: MemoryFs, during: (nth: number) => Promise<void> = async () => {}) {
  const seqs: number[] = [];
  for await (const finding of inspectLog(fs, '/q')) {
    assert.equal(finding.kind, 'record');
    if (finding.kind === 'record') seqs.push(finding.header.seq);
    await during(seqs.length);
  }
  return seqs;
}

test('what is not done with is found, and nothing changes', async () => {
  const fs = new MemoryFs();
  const { log } = await openLog(fs);
  for (let id = 1; id <= 80; id++) await log.append([record(id)]);
  for (let seq = 1; seq <= 50; seq++) log.done(seq);
  await log.checkpoint();
  const before = fs.files();
  const seqs = await seqsIn(fs);
  assert.deepEqual([seqs[0], seqs.at(-1), seqs.length], [51, 80, 30]);
  assert.deepEqual(fs.files(), before);
});

test('a relay that drains the log meanwhile disturbs nobody', async () => {
  const fs = new MemoryFs();
  const { log } = await openLog(fs);
  for (let id = 1; id <= 200; id++) await log.append([record(id)]);
  const seqs = await seqsIn(fs, async (nth) => {
    if (nth !== 1) return;
    for (let seq = 1; seq <= 150; seq++) log.done(seq);
    await log.checkpoint();
  });
  assert.equal(seqs.at(-1), 200);
  assert.ok(seqs.length < 200);
});
