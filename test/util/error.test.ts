import assert from 'node:assert/strict';
import { test } from 'node:test';
import { messageOf, SluiceError } from '../../src/util/error.ts';

test('an error keeps its code and its cause', () => {
  const cause = new Error('why');
  const error = new SluiceError('some_code', 'cannot do it', { cause });
  assert.ok(error instanceof Error);
  assert.deepEqual(
    [error.name, error.code, error.message, error.cause],
    ['SluiceError', 'some_code', 'cannot do it', cause],
  );
});

test('anything that was thrown has a message', () => {
  assert.equal(messageOf(new Error('a')), 'a');
  assert.equal(messageOf('b'), 'b');
  assert.equal(messageOf(undefined), 'undefined');
});
