import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { test } from 'node:test';
import { Head, type InsertPlace } from '../../src/ingest/request-head.ts';

const route = { path: '/write', counterPath: '/write' };

function headOf(url: string, prefix = '', place?: InsertPlace): Head {
  const request = { url, headers: { 'content-encoding': 'gzip' } } as unknown as IncomingMessage;
  return new Head(route, request, new URLSearchParams('a=b'), prefix, place);
}

test('the path is what the client wrote, without prefix, query and doubled slashes', () => {
  assert.equal(headOf('/pre//write/x?y=/z', '/pre').path, '/write/x');
  assert.equal(headOf('/insert/7/write', '', { path: '/write', tenant: undefined }).path, '/write');
});

test('a header that is absent is empty', () => {
  const head = headOf('/write');
  assert.deepEqual([head.header('content-encoding'), head.header('x-none')], ['gzip', '']);
  assert.equal(head.query.get('a'), 'b');
});
