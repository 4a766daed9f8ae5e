import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeRpcStatus, rpcCodeOf } from '../../src/protocol/rpc-status.ts';
import { decode } from './otlp-support.ts';

test('only what is worth sending again is unavailable', () => {
  const codes = [400, 401, 404, 413, 415, 429, 500, 503].map(rpcCodeOf);
  assert.deepEqual(codes, [3, 16, 3, 8, 3, 14, 13, 14]);
});

test('a status tells when to come again', () => {
  assert.deepEqual(decode(encodeRpcStatus(3, 'é'), 'Status'), { code: 3, message: 'é' });
  const { details } = decode(encodeRpcStatus(14, 'later', 300), 'Status');
  const [{ typeUrl, value }] = details as readonly [{ typeUrl: string; value: Uint8Array }];
  assert.equal(typeUrl, 'type.googleapis.com/google.rpc.RetryInfo');
  assert.deepEqual(decode(value, 'RetryInfo'), { retryDelay: { seconds: '300' } });
});
