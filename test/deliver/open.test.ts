import assert from 'node:assert/strict';
import { test } from 'node:test';
import { firstCodec, openTransport, senderConfigOf } from '../../src/deliver/open.ts';
import { presets } from '../../src/deliver/response-policy.ts';
import { bodyOf, httpPorts, never, serve, valuesWith } from './support.ts';

const setup = (url: string, over = {}) => ({
  name: 'a',
  url,
  shownUrl: '1:secret-url',
  values: valuesWith(over),
});

test('a block goes to the URL in its codec', async (t) => {
  const seen: unknown[] = [];
  const url = await serve(t, async (request, reply) => {
    seen.push(request.url, request.headers['content-encoding'], String(await bodyOf(request)));
    reply.writeHead(204).end();
  });
  const transport = openTransport(setup(`${url}/w`), httpPorts());
  t.after(() => transport.close());
  const reply = await transport.send({ codec: 'zstd', bytes: Buffer.from('x'), rawLength: 1 }, never);
  assert.equal(reply.status, 204);
  assert.deepEqual(seen, ['/w', 'zstd', 'x']);
});

test('a URL of no kind is an error that does not show it', () => {
  assert.throws(
    () => openTransport(setup('canary://x'), httpPorts()),
    (error: Error) => !/canary/.test(error.message),
  );
});

test('an unchecked certificate shows in a metric and the log', async (t) => {
  const ports = httpPorts();
  const transport = openTransport(setup('https://x', { 'remoteWrite.tlsInsecureSkipVerify': true }), ports);
  t.after(() => transport.close());
  assert.equal(ports.meter.value('sluice_destination_tls_insecure', { url: '1:secret-url' }), 1);
});

test('the first codec follows the kind and the force flags', () => {
  const http = 'http://x';
  assert.equal(firstCodec(http, valuesWith()), 'zstd');
  assert.equal(firstCodec(http, valuesWith({ 'remoteWrite.forcePromProto': true })), 'snappy');
  assert.equal(
    firstCodec(http, valuesWith({ 'remoteWrite.protobufMessage': 'io.prometheus.write.v2.Request' })),
    'snappy',
  );
  assert.equal(firstCodec('file:x', valuesWith()), 'snappy');
  assert.equal(firstCodec('file:x', valuesWith({ 'remoteWrite.forceVMProto': true })), 'zstd');
});

test('option values become the sender configuration', () => {
  const config = senderConfigOf(
    setup('http://x', {
      'remoteWrite.queues': 1,
      'remoteWrite.retryMinInterval': 5,
      'remoteWrite.rateLimit': 9,
    }),
  );
  assert.deepEqual(config, {
    name: 'a',
    shownUrl: '1:secret-url',
    parallel: 1,
    freshParallel: 0,
    backoff: { minMs: 5, maxMs: 60_000 },
    rateLimitBytesPerS: 9,
    forceVmProto: false,
    codec: 'zstd',
    policy: presets.default,
  });
});
