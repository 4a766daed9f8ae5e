/** The life of connections: age, count, bytes, limits. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import type { Endpoint } from '../../src/ingest/endpoint.ts';
import { systemClock } from '../../src/util/clock.ts';
import { exchange, open, readToEnd, request, startServer } from './harness.ts';

const SMALL = `${request({ 'Content-Length': 3 })}\u0001\u0000a`;
const page: Endpoint = {
  paths: ['/page', '/other'],
  access: 'open',
  methods: ['GET', 'HEAD'],
  handle: ({ isDraining, query }) => ({
    status: 200,
    body: `${isDraining ? 'draining' : 'serving'} ${query.get('q')}`,
    contentType: 'text/plain; charset=utf-8',
  }),
};

test('a connection that is too old is closed with its next response, and is counted', async (t) => {
  const { port, meter } = await startServer(t, { 'http.connTimeout': 1 });
  const socket = await open(t, port);
  await new Promise((resolve) => systemClock.after(5, () => resolve(undefined)));
  socket.write(SMALL);
  assert.match(await readToEnd(socket), /^HTTP\/1\.1 204 .*Connection: close/s);
  assert.equal(meter.value('vm_http_conn_timeout_closed_conns_total'), 1);
});

test('without keep-alive every response is the last one', async (t) => {
  const { port, meter } = await startServer(t, { 'http.disableKeepAlive': true }, [page]);
  assert.match(await exchange(t, port, SMALL), /^HTTP\/1\.1 204 .*Connection: close/s);
  const get = 'GET /page?q=1 HTTP/1.1\r\nHost: x\r\n\r\n';
  assert.match(await exchange(t, port, get), /^HTTP\/1\.1 200 .*serving 1$/s);
  assert.equal(meter.value('vm_http_conn_timeout_closed_conns_total'), 0);
});

test('connections and their bytes are counted', async (t) => {
  const { port, meter } = await startServer(t);
  const labels = { name: 'http', addr: '127.0.0.1:0' };
  const value = (what: string) => meter.value(`vm_tcplistener_${what}`, labels);
  const socket = await open(t, port);
  socket.write(SMALL);
  const [first] = await once(socket, 'data');
  assert.deepEqual([value('accepts_total'), value('conns')], [1, 1]);
  assert.equal(value('read_bytes_total'), SMALL.length);
  assert.equal(value('written_bytes_total'), first.byteLength);
  socket.destroy();
  while (value('conns') !== 0) await new Promise(setImmediate);
  assert.equal(value('read_bytes_total'), SMALL.length, 'bytes of closed connections stay');
});

test('more connections than allowed are closed at once', async (t) => {
  const harness = await startServer(t, { 'http.maxConnections': 2 });
  await open(t, harness.port);
  await open(t, harness.port);
  const third = await open(t, harness.port);
  assert.equal(await readToEnd(third), '');
  const errors = { name: 'http', addr: '127.0.0.1:0', type: 'accept' };
  assert.equal(harness.meter.value('vm_tcplistener_errors_total', errors), 1);
});
