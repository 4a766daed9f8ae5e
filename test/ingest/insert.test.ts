/** Write requests as well-behaved clients send them, and what they are answered. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { compress } from 'snappyjs';
import { noCounts } from '../../src/model/body.ts';
import { exchange, fetchText, open, readToEnd, request, settled, startServer, verdictOf } from './harness.ts';

const WRITE_PATHS = ['/api/v1/write', '/api/v1/push', '/prometheus/api/v1/write', '/prometheus/api/v1/push'];
const COUNTED = { path: '/api/v1/write', protocol: 'promremotewrite' };
const TYPE = { type: 'promremotewrite' };

const post = (body: Uint8Array, headers: Record<string, string> = {}): RequestInit => ({
  method: 'POST',
  body: new Uint8Array(body),
  headers: { 'Content-Encoding': 'snappy', ...headers },
});

const random = (length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => (index * 2654435761) >>> 13);

test('every path takes a body, hands it over as it is, and answers 204 without a body', async (t) => {
  const { url, intake, meter } = await startServer(t);
  intake.judge = () => verdictOf({ series: 2, samples: 3, histograms: 1, metadata: 4 });
  const body = compress(random(500));
  for (const path of [...WRITE_PATHS, '//api///v1/write']) {
    const answer = await fetchText(`${url}${path}`, post(body));
    assert.equal(answer.status, 204, path);
    assert.equal(answer.headers.get('content-type'), null);
    const taken = intake.bodies.at(-1)!;
    assert.deepEqual(taken.bytes, body);
    assert.equal(taken.encoding, 'snappy-or-zstd');
    assert.equal(taken.protocol, 'promremotewrite');
    assert.match(taken.client, /^127\.0\.0\.1:\d+$/);
  }
  const requests = WRITE_PATHS.length + 1;
  assert.equal(meter.value('vmagent_http_requests_total', COUNTED), requests);
  assert.equal(meter.value('vmagent_http_request_errors_total', COUNTED), 0);
  assert.equal(meter.value('vm_http_requests_all_total'), requests);
  assert.equal(meter.value('vm_protoparser_read_calls_total', TYPE), requests);
  assert.equal(meter.value('vm_protoparser_rows_read_total', TYPE), 4 * requests);
  assert.equal(meter.value('vm_protoparser_metadata_read_total', TYPE), 4 * requests);
  assert.equal(meter.value('vmagent_rows_inserted_total', TYPE), 4 * requests);
  assert.equal(meter.value('vmagent_rows_per_insert_count', TYPE), requests);
  assert.equal(meter.value('vmagent_metadata_inserted_total', TYPE), 4 * requests);
});

test('zstd is tried first if the header says so', async (t) => {
  const { url, intake } = await startServer(t);
  const body = zstdCompressSync(random(100));
  await fetchText(`${url}/api/v1/write`, post(body, { 'Content-Encoding': 'zstd' }));
  assert.equal(intake.bodies[0]!.encoding, 'zstd-or-snappy');
});

test('the handshake is answered with 1 and is not counted', async (t) => {
  const { url, intake, meter } = await startServer(t);
  const answer = await fetchText(`${url}/api/v1/write?get_vm_proto_version=1`);
  assert.deepEqual([answer.status, answer.body], [200, '1']);
  assert.equal(meter.value('vmagent_http_requests_total', COUNTED), 0);
  assert.equal(intake.bodies.length, 0);
});

test('an empty body is accepted, whatever the method', async (t) => {
  const { url, port, intake, meter } = await startServer(t);
  for (const method of ['POST', 'GET', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
    assert.equal((await fetchText(`${url}/api/v1/write`, { method })).status, 204, method);
  }
  const chunked = `${request({ 'Transfer-Encoding': 'chunked', Connection: 'close' })}0\r\n\r\n`;
  assert.match(await exchange(t, port, chunked), /^HTTP\/1\.1 204 /);
  assert.equal(intake.bodies.length, 0);
  assert.equal(meter.value('vmagent_http_requests_total', COUNTED), 7);
});

test('extra labels go with the body', async (t) => {
  const { url, intake } = await startServer(t);
  await fetchText(`${url}/api/v1/write?extra_label=dc=eu&extra_label=rack=7`, post(compress(random(9))));
  assert.deepEqual(intake.bodies[0]!.extraLabels, [
    { name: 'dc', value: 'eu' },
    { name: 'rack', value: '7' },
  ]);
  const bad = await fetchText(`${url}/api/v1/write?extra_label=dc`, post(compress(random(9))));
  assert.equal(bad.status, 400);
  assert.match(bad.body, /^cannot read the query parameter extra_label="dc".*\n$/);
  assert.equal(bad.headers.get('content-type'), 'text/plain; charset=utf-8');
  assert.equal(bad.headers.get('x-content-type-options'), 'nosniff');
  assert.equal(intake.bodies.length, 1);
});

test('a message that is not known gets 415 before its body is looked at', async (t) => {
  const { url, intake } = await startServer(t);
  const headers = { 'Content-Type': 'application/x-protobuf;proto=io.prometheus.write.v3.Request' };
  const answer = await fetchText(`${url}/api/v1/write`, post(compress(random(9)), headers));
  assert.equal(answer.status, 415);
  assert.match(answer.body, /io\.prometheus\.write\.v2\.Request/);
  assert.equal(intake.bodies.length, 0);
});

test('every answer to remote write 2.0 says what was taken', async (t) => {
  const { url, intake } = await startServer(t);
  const headers = { 'Content-Type': 'application/x-protobuf;proto=io.prometheus.write.v2.Request' };
  const send = async () => {
    const answer = await fetchText(`${url}/api/v1/write`, post(compress(random(9)), headers));
    const written = ['Samples', 'Histograms', 'Exemplars'].map((kind) =>
      answer.headers.get(`x-prometheus-remote-write-${kind}-written`),
    );
    return [answer.status, written.join(), answer.body] as const;
  };
  const counts = { series: 9, samples: 5, histograms: 3, exemplars: 2, metadata: 1 };
  intake.judge = () => ({ ok: true, counts });
  assert.deepEqual(await send(), [204, '5,3,2', '']);
  assert.equal(intake.bodies.at(-1)!.protocol, 'io.prometheus.write.v2.Request');
  const notes = { rowsInvalid: 1, examples: ['one is bad'], taken: { ...counts, samples: 4 } };
  intake.judge = () => ({ ok: true, counts, notes });
  assert.deepEqual(await send(), [400, '4,3,2', 'cannot take all of the request: one is bad\n']);
  intake.judge = () => ({ ok: false, status: 503, reason: 'overloaded', error: 'later' });
  assert.deepEqual(await send(), [503, '0,0,0', 'later\n']);
});

test('the engine’s verdict is the answer', async (t) => {
  const { url, intake, meter, log } = await startServer(t);
  const send = () => fetchText(`${url}/api/v1/write`, post(compress(random(9))));
  const cases = [
    [400, 'malformed', undefined, null],
    [413, 'too_large', undefined, null],
    [429, 'overloaded', 7, '7'],
    [503, 'overloaded', 2, '2'],
    [503, 'engine_failed', undefined, '5'],
    [400, 'quarantined', undefined, null],
  ] as const;
  for (const [status, reason, retryAfterS, header] of cases) {
    const verdict = { ok: false, status, reason, error: `bad at byte 5: ${reason}` } as const;
    intake.judge = () => (retryAfterS === undefined ? verdict : { ...verdict, retryAfterS });
    const answer = await send();
    assert.deepEqual([answer.status, answer.body], [status, `bad at byte 5: ${reason}\n`]);
    assert.equal(answer.headers.get('retry-after'), header);
  }
  assert.equal(meter.value('vmagent_http_request_errors_total', COUNTED), cases.length);
  assert.equal(meter.value('vm_protoparser_unmarshal_errors_total', TYPE), 1);
  assert.equal(meter.value('vm_protoparser_read_errors_total', TYPE), 1);
  assert.equal(meter.value('vmagent_rows_inserted_total', TYPE), 0);
  assert.ok(log.lines.some(({ message }) => message === 'refused a write request'));
});

test('an engine that breaks its promise costs one request, not the server', async (t) => {
  const { url, intake } = await startServer(t, { maxConcurrentInserts: 1 });
  intake.judge = () => Promise.reject(new Error('boom'));
  const answer = await fetchText(`${url}/api/v1/write`, post(compress(random(9))));
  assert.deepEqual([answer.status, answer.headers.get('retry-after')], [503, '5']);
  intake.submit = () => {
    throw new Error('boom at once');
  };
  assert.equal((await fetchText(`${url}/api/v1/write`, post(compress(random(9))))).status, 503);
  assert.ok(!answer.body.includes('boom'));
});

test('requests on one connection are answered in turn, pipelined ones too', async (t) => {
  const { port, intake } = await startServer(t);
  const one = (close: boolean) =>
    `${request({ 'Content-Length': 3, ...(close ? { Connection: 'close' } : {}) })}\u0001\u0000a`;
  const text = await exchange(t, port, one(false) + one(false) + one(true));
  assert.equal(text.match(/HTTP\/1\.1 204 /g)?.length, 3);
  assert.equal(intake.bodies.length, 3);
});

test('Expect: 100-continue is answered only when the body is wanted', async (t) => {
  const { port, intake } = await startServer(t, { maxInsertRequestSize: 100 });
  const socket = await open(t, port);
  socket.write(request({ 'Content-Length': 3, Expect: '100-continue', Connection: 'close' }));
  const [first] = await once(socket, 'data');
  assert.match(String(first), /^HTTP\/1\.1 100 Continue/);
  socket.write('\u0001\u0000a');
  assert.match(await readToEnd(socket), /^HTTP\/1\.1 204 /);
  assert.equal(intake.bodies.length, 1);
  const refused = await exchange(t, port, request({ 'Content-Length': 101, Expect: '100-continue' }));
  assert.match(refused, /^HTTP\/1\.1 413 /);
});

test('only so many bodies are judged at a time; the next one waits, and 503 says when to come again', async (t) => {
  const { url, intake, meter } = await startServer(t, {
    maxConcurrentInserts: 1,
    'insert.maxQueueDuration': 30,
  });
  const first = Promise.withResolvers<void>();
  const arrived = Promise.withResolvers<void>();
  intake.judge = async () => {
    arrived.resolve();
    await first.promise;
    return verdictOf({ samples: 1 });
  };
  const send = () => fetchText(`${url}/api/v1/write`, post(compress(random(100_000))));
  const slow = send();
  await arrived.promise;
  const refused = await send();
  assert.equal(refused.status, 503);
  assert.equal(refused.headers.get('retry-after'), '5');
  assert.match(refused.body, /within 0\.03 s.*-maxConcurrentInserts/);
  assert.equal(meter.value('vm_concurrent_insert_current'), 1);
  first.resolve();
  assert.equal((await slow).status, 204);
  assert.equal((await send()).status, 204);
  assert.equal(meter.value('vm_concurrent_insert_current'), 0);
  assert.equal(meter.value('vm_concurrent_insert_limit_reached_total'), 1);
  assert.equal(meter.value('vm_concurrent_insert_limit_timeout_total'), 1);
});

test('a client that goes away while it waits leaves the queue', async (t) => {
  const { url, port, intake, meter } = await startServer(t, { maxConcurrentInserts: 1 });
  const first = Promise.withResolvers<void>();
  const arrived = Promise.withResolvers<void>();
  intake.judge = async () => {
    arrived.resolve();
    await first.promise;
    return verdictOf({ samples: 1 });
  };
  const slow = fetchText(`${url}/api/v1/write`, post(compress(random(9))));
  await arrived.promise;
  const socket = await open(t, port);
  socket.write(`${request({ 'Content-Length': 3 })}\u0001\u0000a`);
  await settled(() => meter.value('vm_concurrent_insert_limit_reached_total') === 1);
  socket.destroy();
  await settled(() => meter.value('vmagent_http_request_errors_total', COUNTED) === 1);
  first.resolve();
  assert.equal((await slow).status, 204);
  assert.equal(intake.bodies.length, 1, 'nothing of the one that left was judged');
});

test('a body for a parser goes on with its head: labels of the path first, parameters, and the time', async (t) => {
  const { url, intake, meter, log } = await startServer(t);
  const notes = { rowsRead: 3, rowsInvalid: 2, items: 3, examples: ['line 1: why: "x"'] };
  intake.judge = () => ({ ok: true, counts: { ...noCounts, samples: 1 }, notes });
  const before = Date.now();
  const path = '/api/v1/import/prometheus/metrics/job/a?extra_label=b=c&timestamp=5';
  const answer = await fetchText(`${url}${path}`, {
    method: 'POST',
    body: 'm 1',
    headers: { 'Content-Encoding': 'gzip' },
  });
  assert.equal(answer.status, 200);
  const [{ protocol, encoding, extraLabels, arrival }] = intake.bodies as [(typeof intake.bodies)[number]];
  assert.deepEqual([protocol, encoding, arrival?.parameters], ['prometheus', 'gzip', { timestamp: '5' }]);
  assert.deepEqual(extraLabels, [
    { name: 'job', value: 'a' },
    { name: 'b', value: 'c' },
  ]);
  assert.ok(arrival!.receivedMs >= before && arrival!.receivedMs <= Date.now());
  const type = { type: 'prometheus' };
  assert.equal(meter.value('vm_rows_invalid_total', type), 2);
  assert.equal(meter.value('vm_protoparser_rows_read_total', type), 3);
  assert.equal(meter.value('vmagent_rows_inserted_total', type), 1);
  assert.match(log.lines.at(-1)!.message, /left out rows/);
});

test('answers without a body are counted where vmagent counts them', async (t) => {
  const { url, intake, meter } = await startServer(t);
  const answer = await fetchText(`${url}/influx/query?q=SHOW+DATABASES`);
  assert.deepEqual([answer.status, answer.headers.get('content-type')], [200, 'application/json']);
  assert.match(answer.body, /_internal/);
  assert.equal(meter.value('vmagent_http_requests_total', { path: '/influx/query', protocol: 'influx' }), 1);
  assert.equal(intake.bodies.length, 0);
});

test('a protocol may have a limit of its own', async (t) => {
  const { port } = await startServer(t, { maxInsertRequestSize: 10 });
  const large = `POST /write HTTP/1.1\r\nHost: a\r\nContent-Length: ${65 * 1024 * 1024}\r\n\r\n`;
  assert.match(await exchange(t, port, large), /^HTTP\/1\.1 413 [\s\S]*raise -influx\.maxRequestSize/);
  const small =
    'POST /write HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\nConnection: close\r\n\r\nm a=1 12345';
  assert.match(await exchange(t, port, small), /^HTTP\/1\.1 204/);
});
