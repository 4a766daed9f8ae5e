import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Checkpoints } from '../../src/queue/checkpoints.ts';
import { Failures } from '../../src/queue/failures.ts';
import { MemoryFs } from '../support/memory-fs.ts';
import { recordingLogger } from '../support/quiet-logger.ts';
import { openLog, record } from './file/support.ts';

async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await nextTurn();
}

test('once a second what is done with is noted, and a failure is over when the next one goes well', async () => {
  const fs = new MemoryFs();
  const { log } = await openLog(fs);
  const failures = new Failures('/q', recordingLogger());
  const checkpoints = new Checkpoints(fs, '/q', failures);
  assert.equal(checkpoints.diskRoom, undefined);
  log.done(await log.append([record(1)]));
  checkpoints.maintain(log, 999);
  await settled();
  assert.ok(!fs.files().includes('/q/cursor'));
  const room = fs.room.bind(fs);
  fs.room = async () => {
    throw new Error('EIO: statfs');
  };
  checkpoints.maintain(log, 1_000);
  await settled();
  assert.match(failures.cause ?? '', /statfs/);
  fs.room = room;
  checkpoints.maintain(log, 1_999);
  await settled();
  assert.match(failures.cause ?? '', /statfs/, 'not before it is time');
  checkpoints.maintain(log, 2_000);
  await checkpoints.idle();
  assert.equal(failures.cause, undefined);
  assert.equal(checkpoints.diskRoom, Number.POSITIVE_INFINITY);
  assert.deepEqual(fs.files(), ['/q/cursor']);
});
