import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readKnownEndpoints, writeKnownEndpoints } from '../src/known-endpoints.ts';
import { MemoryFs } from './support/memory-fs.ts';
import { recordingLogger } from './support/quiet-logger.ts';

const one = { host: '10.0.0.1', port: 8480 };
const two = { host: 'fd00::1', port: 8480 };
const known = { current: [one], leaving: [two] };
const nothing = { current: [], leaving: [] };

test('what was written is read, also after a power cut, and instead of what was there before', async () => {
  const fs = new MemoryFs();
  const log = recordingLogger();
  assert.deepEqual(await readKnownEndpoints(fs, '/data', log), nothing);
  await writeKnownEndpoints(fs, '/data', known, log);
  fs.crash(() => 0);
  assert.deepEqual(await readKnownEndpoints(fs, '/data', log), known);
  await writeKnownEndpoints(fs, '/data', { current: [two, one], leaving: [] }, log);
  assert.deepEqual(await readKnownEndpoints(fs, '/data', log), { current: [one, two], leaving: [] });
  assert.deepEqual(log.lines, []);
});

test('a write that fails is told, leaves the old list, and does not stop the next one', async () => {
  const fs = new MemoryFs();
  const log = recordingLogger();
  await writeKnownEndpoints(fs, '/data', known, log);
  for (const failing of ['write', 'sync', 'rename']) {
    fs.onOperation = (operation) => {
      if (operation === failing) throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
    };
    await writeKnownEndpoints(fs, '/data', nothing, log);
    fs.onOperation = () => {};
    assert.deepEqual(await readKnownEndpoints(fs, '/data', log), known, failing);
  }
  assert.equal(log.lines.length, 3);
  assert.match(log.lines[0]!.message, /cannot write the list of endpoints/);
  await writeKnownEndpoints(fs, '/data', nothing, log);
  assert.deepEqual(await readKnownEndpoints(fs, '/data', log), nothing);
});

test('what is no list of endpoints counts as none', async () => {
  for (const [text, isTold] of [
    ['', true],
    ['{"current": [', true],
    ['null', true],
    ['{"current": 5}', false],
    ['{"current": [{"host": "../x", "port": 1}, {"host": "a"}, null, {"host": "a", "port": 1.5}]}', false],
  ] as const) {
    const fs = new MemoryFs();
    const log = recordingLogger();
    fs.put('/data/endpoints.json', Buffer.from(text));
    assert.deepEqual(await readKnownEndpoints(fs, '/data', log), nothing, text);
    assert.equal(log.lines.length > 0, isTold, text);
  }
});
