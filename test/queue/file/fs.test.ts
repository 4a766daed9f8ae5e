import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { nodeFs } from '../../../src/queue/file/fs.ts';

test('files of a real directory: made, written in pieces, read, cut, renamed, listed, removed', async (t) => {
  const root = await mkdtemp(path.join(tmpdir(), 'sluice-fs-'));
  t.after(() => rm(root, { recursive: true }));
  const directory = path.join(root, 'a', 'b');
  assert.deepEqual(await nodeFs.list(directory), []);
  await nodeFs.makeDirectory(directory);
  assert.equal(statSync(directory).mode & 0o777, 0o700);
  const name = path.join(directory, 'one');
  const file = await nodeFs.create(name);
  await assert.rejects(nodeFs.create(name), /EEXIST/);
  assert.equal(statSync(name).mode & 0o777, 0o600);
  // More chunks than one writev takes.
  const chunks = Array.from({ length: 2_500 }, (_, index) => Buffer.alloc(3, index % 256));
  await file.write([Buffer.from('head'), ...chunks], 0);
  await file.sync();
  const all = Buffer.alloc(8_000);
  assert.equal(await file.read(all, 0), 7_504);
  assert.deepEqual(all.subarray(4, 7_504), Buffer.concat(chunks));
  await file.truncate(4);
  await file.close();
  await nodeFs.rename(name, path.join(directory, 'two'));
  await nodeFs.syncDirectory(directory);
  assert.deepEqual(await nodeFs.list(directory), ['two']);
  assert.ok((await nodeFs.room(directory)) > 0);
  assert.equal(await nodeFs.size(path.join(directory, 'two')), 4);
  const again = await nodeFs.open(path.join(directory, 'two'));
  assert.equal(await again.read(all, 2), 2);
  await again.close();
  await nodeFs.unlink(path.join(directory, 'two'));
  await assert.rejects(nodeFs.open(name), { code: 'ENOENT' });
});

test('the names of directories that are made are safe, those that were there cost nothing', async (t) => {
  const root = await mkdtemp(path.join(tmpdir(), 'sluice-fs-'));
  t.after(() => rm(root, { recursive: true }));
  const synced: string[] = [];
  const fs = { ...nodeFs, syncDirectory: async (directory: string) => void synced.push(directory) };
  const relative = path.relative(process.cwd(), path.join(root, 'a', 'b'));
  await fs.makeDirectory(relative);
  assert.deepEqual(synced, [path.join(root, 'a'), root]);
  await fs.makeDirectory(relative);
  await fs.makeDirectory(path.join(root, 'a', 'b', 'c'));
  assert.deepEqual(synced.slice(2), [path.join(root, 'a', 'b')]);
});
