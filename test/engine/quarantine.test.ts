import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { Quarantine } from '../../src/engine/quarantine.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { recordingLogger } from '../support/quiet-logger.ts';

async function setUp(t: TestContext) {
  const root = await mkdtemp(path.join(tmpdir(), 'sluice-quarantine-'));
  t.after(() => rm(root, { recursive: true }));
  const log = recordingLogger();
  return { root, log, at: (directory: string) => new Quarantine(directory, new FakeClock(), log) };
}

test('a request is kept byte for byte', async (t) => {
  const { root, log, at } = await setUp(t);
  const directory = path.join(root, 'new', 'quarantine');
  const quarantine = at(directory);
  quarantine.keep(Uint8Array.of(1, 2, 3), '192.0.2.1');
  await quarantine.idle();
  const [file] = await readdir(directory);
  assert.deepEqual([...(await readFile(path.join(directory, file!)))], [1, 2, 3]);
  assert.match(JSON.stringify(log.lines), /192\.0\.2\.1/);
});

test('it does not fill the disk', async (t) => {
  const { root, at } = await setUp(t);
  const quarantine = at(root);
  for (let n = 0; n < 60; n++) quarantine.keep(Uint8Array.of(n), 'client');
  await quarantine.idle();
  assert.equal((await readdir(root)).length, 50);
});

test('a directory that cannot be made costs the file only', async (t) => {
  const { root, log, at } = await setUp(t);
  await writeFile(path.join(root, 'file'), '');
  const quarantine = at(path.join(root, 'file', 'below'));
  quarantine.keep(Uint8Array.of(1), 'client');
  await quarantine.idle();
  assert.match(JSON.stringify(log.lines), /could not be kept/);
});
