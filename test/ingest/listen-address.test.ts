import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseListenAddress } from '../../src/ingest/listen-address.ts';

test('addresses in Go’s form', () => {
  assert.deepEqual(parseListenAddress(':8429'), { host: undefined, port: 8429 });
  assert.deepEqual(parseListenAddress('127.0.0.1:0'), { host: '127.0.0.1', port: 0 });
  assert.deepEqual(parseListenAddress('[::1]:8429'), { host: '::1', port: 8429 });
  assert.deepEqual(parseListenAddress('relay.example:80'), { host: 'relay.example', port: 80 });
});

test('anything else is an error that shows how', () => {
  for (const text of ['', '8429', 'localhost', '::1:8429', ':65536', ':-1', ':http', '[::1]', 'a b:1']) {
    assert.throws(() => parseListenAddress(text), /write for example :8429/, text);
  }
});
