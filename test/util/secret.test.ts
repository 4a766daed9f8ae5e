import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { Secret } from '../../src/util/secret.ts';

test('only reveal() gives the value', () => {
  const secret = new Secret('canary');
  assert.equal(secret.reveal(), 'canary');
  for (const shown of [
    `${secret}`,
    JSON.stringify({ secret }),
    inspect({ secret }),
    inspect(secret, { showHidden: true }),
    Object.values(secret).join(),
  ]) {
    assert.doesNotMatch(shown, /canary/);
  }
});
