import assert from 'node:assert/strict';
import { test } from 'node:test';
import { writeWhole } from '../../../src/queue/file/whole-file.ts';
import { MemoryFs } from '../../support/memory-fs.ts';

test('a file that was written survives a power cut, and takes the place of an earlier one', async () => {
  const fs = new MemoryFs();
  fs.put('/d/a.tmp', Buffer.from('left by a crash'));
  fs.put('/d/a', Buffer.from('old'));
  await writeWhole(fs, '/d/a', [Buffer.from('one, '), Buffer.from('two')]);
  fs.crash(() => 0.9);
  assert.deepEqual(fs.files(), ['/d/a']);
  assert.equal(fs.bytesOf('/d/a').toString(), 'one, two');
});

test('a file that cannot be written leaves nothing', async () => {
  for (const failing of ['write', 'sync', 'rename', 'syncDirectory']) {
    const fs = new MemoryFs();
    fs.onOperation = (operation) => {
      if (operation === failing) throw Object.assign(new Error('EIO'), { code: 'EIO' });
    };
    await assert.rejects(writeWhole(fs, '/d/a', [Buffer.from('x')]), /EIO/, failing);
    assert.deepEqual(fs.files(), [], failing);
  }
});
