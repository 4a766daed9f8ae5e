import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failures } from '../../src/queue/failures.ts';
import { recordingLogger } from '../support/quiet-logger.ts';

test('what fails is told and shown until the same thing goes well, whatever else does', () => {
  const log = recordingLogger();
  const failures = new Failures('/q', log);
  assert.equal(failures.cause, undefined);
  failures.note('read', new Error('EIO: read'));
  failures.clear('write');
  failures.clear('checkpoint');
  assert.match(failures.cause ?? '', /EIO: read/);
  failures.note('write', new Error('ENOSPC'));
  failures.clear('read');
  assert.match(failures.cause ?? '', /ENOSPC/);
  failures.clear('write');
  assert.equal(failures.cause, undefined);
  assert.deepEqual(
    log.lines.map(({ level }) => level),
    ['error', 'error'],
  );
});
