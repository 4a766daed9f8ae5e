/** Headers of responses, and refusals that reach clients which are still sending. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import type { Endpoint } from '../../src/ingest/endpoint.ts';
import { assertServes, fetchText, open, request, startServer } from './harness.ts';

const MIB = 1024 * 1024;
const TYPE = { type: 'promremotewrite' };
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

test('configured headers are on every response', async (t) => {
  const { url } = await startServer(
    t,
    {
      'http.header.hsts': 'max-age=9',
      'http.header.frameOptions': 'DENY',
      'http.header.csp': "default-src 'self'",
      'http.disableCORS': false,
    },
    [page],
  );
  for (const path of ['/page', '/nothing', '/api/v1/write', '/api/v1/write?get_vm_proto_version=1']) {
    const { headers } = await fetchText(`${url}${path}`);
    assert.equal(headers.get('strict-transport-security'), 'max-age=9', path);
    assert.equal(headers.get('x-frame-options'), 'DENY', path);
    assert.equal(headers.get('content-security-policy'), "default-src 'self'", path);
    assert.equal(headers.get('access-control-allow-origin'), '*', path);
  }
});

test('by default pages of other origins cannot read responses', async (t) => {
  const { url } = await startServer(t, {}, [page]);
  assert.equal((await fetchText(`${url}/page`)).headers.get('access-control-allow-origin'), null);
});

test('a 33 MiB body gets 413, also if the client sends it all before it listens', async (t) => {
  const harness = await startServer(t);
  const body = new Uint8Array(33 * MIB);
  const answer = await fetchText(`${harness.url}/api/v1/write`, { method: 'POST', body });
  assert.equal(answer.status, 413);
  assert.match(answer.body, /its Content-Length is 34603008 bytes, and the limit is 33554432/);
  assert.equal(answer.headers.get('connection'), 'close');
  assert.equal(harness.meter.value('vm_protoparser_read_errors_total', TYPE), 1);
  await assertServes(harness);
});

test('a Content-Length above the limit is refused before a byte of the body came', async (t) => {
  const { port } = await startServer(t);
  const socket = await open(t, port);
  socket.write(request({ 'Content-Length': 10 * 1024 * MIB }));
  const [first] = await once(socket, 'data');
  assert.match(String(first), /^HTTP\/1\.1 413 /);
});
