/** Listeners, routing, connection age, TLS and the way the server stops. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Endpoint } from '../../src/ingest/endpoint.ts';
import { answers, fetchText, open, readToEnd, request, startServer, verdictOf } from './harness.ts';

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

const SMALL = `${request({ 'Content-Length': 3 })}\u0001\u0000a`;

test('an unknown path gets 404 with a hint, and is counted', async (t) => {
  const { url, meter } = await startServer(t);
  const answer = await fetchText(`${url}/api/v1/wriet?x=1`);
  assert.equal(answer.status, 404);
  assert.match(answer.body, /^cannot serve "\/api\/v1\/wriet": .*\/api\/v1\/write\n$/);
  assert.equal(answer.headers.get('x-content-type-options'), 'nosniff');
  await fetchText(`${url}/x`, { method: 'POST', body: 'abc' });
  const errors = { path: '*', reason: 'unsupported' };
  assert.equal(meter.value('vm_http_request_errors_total', errors), 2);
});

test('endpoints answer on all their paths, count as the first, and know their methods', async (t) => {
  const { url, meter } = await startServer(t, {}, [page]);
  for (const path of ['/page?q=1', '/other?q=1', '//page?q=1']) {
    const answer = await fetchText(`${url}${path}`);
    assert.deepEqual([answer.status, answer.body], [200, 'serving 1']);
  }
  const head = await fetchText(`${url}/page`, { method: 'HEAD' });
  assert.deepEqual([head.status, head.body], [200, '']);
  const refused = await fetchText(`${url}/page`, { method: 'POST', body: 'abc' });
  assert.deepEqual([refused.status, refused.headers.get('allow')], [405, 'GET, HEAD']);
  assert.equal(meter.value('vm_http_requests_total', { path: '/page' }), 5);
});

test('an endpoint that throws gets 500 without a word about why', async (t) => {
  const broken: Endpoint = {
    paths: ['/broken'],
    access: 'open',
    handle: () => {
      throw new Error('secret detail');
    },
  };
  const { url, log } = await startServer(t, {}, [broken]);
  const answer = await fetchText(`${url}/broken`);
  assert.deepEqual(
    [answer.status, answer.body],
    [500, 'cannot serve the page: internal error; see the log\n'],
  );
  assert.ok(log.lines.some(({ fields }) => JSON.stringify(fields).includes('secret detail')));
});

test('with a path prefix everything is below it', async (t) => {
  for (const prefix of ['/relay', 'relay/', '/relay/']) {
    const { port, server, intake } = await startServer(t, { 'http.pathPrefix': prefix }, [page]);
    const base = `http://127.0.0.1:${port}`;
    assert.equal(server.urls[0], `${base}/relay`);
    const body = Uint8Array.of(1, 0, 97);
    assert.equal((await fetchText(`${base}/relay/api/v1/write`, { method: 'POST', body })).status, 204);
    assert.equal(intake.bodies.length, 1);
    assert.equal((await fetchText(`${base}/relay/page`)).status, 200);
    const bare = await fetchText(`${base}/relay`);
    assert.deepEqual([bare.status, bare.headers.get('location')], [302, '/relay/']);
    for (const path of ['/page', '/api/v1/write', '/relayx/page']) {
      assert.equal((await fetchText(`${base}${path}`, { method: 'POST', body })).status, 404, path);
    }
  }
});

test('a stop lets requests finish, closes idle connections, and takes no new ones', async (t) => {
  const { server, port, intake } = await startServer(t, { 'http.maxGracefulShutdownDuration': 10_000 });
  const verdict = Promise.withResolvers<void>();
  const arrived = Promise.withResolvers<void>();
  intake.judge = async () => {
    arrived.resolve();
    await verdict.promise;
    return verdictOf({ samples: 1 });
  };
  const idle = await open(t, port);
  const idleEnd = readToEnd(idle);
  const busy = await open(t, port);
  const busyEnd = readToEnd(busy);
  busy.write(SMALL);
  await arrived.promise;
  const closed = server.close();
  assert.equal(await idleEnd, '');
  const late = await fetchText(`http://127.0.0.1:${port}/`).catch(() => 'refused');
  assert.equal(late, 'refused');
  verdict.resolve();
  assert.match(await busyEnd, /^HTTP\/1\.1 204 .*Connection: close/s);
  await closed;
});

test('a stop closes a connection whose request was answered', async (t) => {
  const harness = await startServer(t, { 'http.maxGracefulShutdownDuration': 60_000 });
  const socket = await open(t, harness.port);
  socket.write(SMALL);
  await answers(socket, 1);
  const end = readToEnd(socket);
  await harness.server.close();
  assert.equal(await end, '');
  assert.ok(!harness.log.lines.some(({ message }) => message.includes('unfinished requests')));
});

test('requests that do not finish in time are cut off', async (t) => {
  const { server, port, log, meter } = await startServer(t, { 'http.maxGracefulShutdownDuration': 20 });
  const socket = await open(t, port);
  socket.write(`${request({ 'Content-Length': 1000 })}abc`);
  const end = readToEnd(socket);
  const calls = () => meter.value('vm_protoparser_read_calls_total', { type: 'promremotewrite' });
  while (calls() !== 1) await new Promise(setImmediate);
  await server.close();
  assert.equal(await end, '');
  assert.ok(log.lines.some(({ message }) => message.includes('unfinished requests')));
});

test('during the shutdown delay everything is served, and endpoints are told', async (t) => {
  const { server, url } = await startServer(t, { 'http.shutdownDelay': 60_000 }, [page]);
  const closed = server.close();
  assert.equal((await fetchText(`${url}/page?q=1`)).body, 'draining 1');
  const body = Uint8Array.of(1, 0, 97);
  assert.equal((await fetchText(`${url}/api/v1/write`, { method: 'POST', body })).status, 204);
  // A second stop does not wait any longer.
  server.close();
  await closed;
});
