import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VmagentProgress } from '../../../src/queue/file/vmagent-progress.ts';
import { MemoryFs } from '../../support/memory-fs.ts';

const recorded = { reader: 100, writer: 900 };

test('a note survives a power cut, and goes when it is removed', async () => {
  const fs = new MemoryFs();
  const progress = new VmagentProgress(fs, '/p/1_A');
  assert.equal(await progress.read(recorded), undefined);
  await progress.remove();
  await progress.write(recorded, 300);
  await progress.write(recorded, 500);
  fs.crash(() => 0.9);
  const next = new VmagentProgress(fs, '/p/1_A');
  assert.equal(await next.read(recorded), 500);
  await next.remove();
  assert.equal(await next.read(recorded), undefined);
});

test('a note of what vmagent has changed since, or that is damaged, means nothing', async () => {
  const fs = new MemoryFs();
  const progress = new VmagentProgress(fs, '/p/1_A');
  await progress.write(recorded, 500);
  assert.equal(await progress.read({ ...recorded, writer: 901 }), undefined);
  assert.equal(await progress.read({ ...recorded, reader: 101 }), undefined);
  assert.equal(await progress.read(undefined), undefined);
  for (const text of ['', '{"reader":100,"wri', 'null', '{"reader":100,"writer":900,"offset":99}']) {
    fs.put('/p/1_A.progress', Buffer.from(text));
    assert.equal(await progress.read(recorded), undefined, text);
  }
});

test('without what vmagent recorded nothing is noted', async () => {
  const fs = new MemoryFs();
  await new VmagentProgress(fs, '/p/1_A').write(undefined, 500);
  assert.deepEqual(fs.files(), []);
});
