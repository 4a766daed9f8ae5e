import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bearer } from '../../../src/deliver/auth/bearer.ts';
import { Redactor } from '../../../src/deliver/redact.ts';
import { Secret } from '../../../src/util/secret.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { valuesWith } from '../support.ts';

const request = { method: 'POST', url: new URL('http://x'), host: 'x', body: new Uint8Array() } as const;

test('a bearer token of one line', async () => {
  const ports = { clock: new FakeClock(), env: {}, redactor: new Redactor() };
  const open = (token: string) =>
    bearer.open(valuesWith({ 'remoteWrite.bearerToken': new Secret(token) }), ports);
  assert.deepEqual(await open('abc').headers(request), [['Authorization', 'Bearer abc']]);
  await assert.rejects(
    open('a\r\nb: canary').headers(request),
    (error: Error) => !/canary/.test(error.message),
  );
});
