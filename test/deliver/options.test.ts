import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deliverOptions } from '../../src/deliver/options.ts';

test('every option is per destination and says what it does', () => {
  for (const [name, spec] of Object.entries(deliverOptions)) {
    assert.equal(spec.arity, 'destination', name);
    assert.match(name, /^remoteWrite\./);
    assert.match(spec.summary, /\.$/, name);
  }
});

test('whatever holds a secret is of the secret kind', () => {
  const secrets = Object.entries(deliverOptions).filter(([, { kind }]) => kind === 'secret');
  assert.deepEqual(secrets.map(([name]) => name.slice('remoteWrite.'.length)).sort(), [
    'aws.accessKey',
    'aws.secretKey',
    'basicAuth.password',
    'bearerToken',
    'headers',
    'oauth2.clientSecret',
    'oauth2.endpointParams',
    'proxyURL',
  ]);
});
