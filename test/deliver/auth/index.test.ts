import assert from 'node:assert/strict';
import { test } from 'node:test';
import { authKinds, openAuth } from '../../../src/deliver/auth/index.ts';
import { Redactor } from '../../../src/deliver/redact.ts';
import { Secret } from '../../../src/util/secret.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { valuesWith } from '../support.ts';

test('the configured kind is opened, and none without configuration', () => {
  const ports = { clock: new FakeClock(), env: {}, redactor: new Redactor() };
  assert.equal(openAuth(valuesWith(), ports), undefined);
  assert.ok(openAuth(valuesWith({ 'remoteWrite.bearerToken': new Secret('x') }), ports));
});

test('no kind is configured or complains by default', () => {
  for (const kind of Object.values(authKinds)) {
    assert.equal(kind.configured(valuesWith()), false, kind.name);
    assert.deepEqual(kind.check(valuesWith()), [], kind.name);
  }
});
