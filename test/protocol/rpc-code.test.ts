import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rpcCodeOf } from '../../src/protocol/rpc-code.ts';

test('only what is worth sending again is unavailable', () => {
  const codes = [400, 401, 404, 413, 415, 429, 500, 503].map(rpcCodeOf);
  assert.deepEqual(codes, [3, 16, 3, 8, 3, 14, 13, 14]);
});
