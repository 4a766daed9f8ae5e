/** What bounds requests that are read without Node's HTTP server: memory, time, heads, and the end of a connection. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compress } from 'snappyjs';
import type { Verdict } from '../../src/model/body.ts';
import { FakeClock } from '../support/fake-clock.ts';
import {
  answers,
  bodyOf,
  direct,
  exchange,
  type Harness,
  open,
  readToEnd,
  request,
  settled,
  startServer,
  verdictOf,
} from './harness.ts';

const COUNTED = { path: '/api/v1/write', protocol: 'promremotewrite' };
const LISTENER = { name: 'http', addr: '127.0.0.1:0' };

function bytesRead({ meter }: Harness): number {
  return meter.value('vm_tcplistener_read_bytes_total', LISTENER)!;
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise(setImmediate);
}

test('of requests that come before their turn no more is kept with every answer', async (t) => {
  const harness = await startServer(t);
  const { port, intake } = harness;
  const waiting: ((verdict: Verdict) => void)[] = [];
  intake.judge = () => new Promise((resolve) => waiting.push(resolve));
  const socket = await open(t, port);
  const one = direct(bodyOf(100, 1));
  const count = 3_000;
  socket.write(Buffer.concat(Array(count).fill(one)));
  const done = answers(socket, count);
  for (let answered = 0; answered < 50; answered++) {
    await settled(() => waiting.length === 1);
    await turns(5);
    waiting.pop()!(verdictOf({ samples: 1 }));
  }
  const kept = bytesRead(harness) - 50 * one.byteLength;
  assert.ok(kept < 100_000, `${kept} bytes are kept`);
  intake.judge = () => verdictOf({ samples: 1 });
  await done;
  assert.equal(intake.bodies.length, count);
});

test('a client that does not read its answers gets no more of them, until it does', async (t) => {
  // The system takes some megabytes for a client.
  const clock = new FakeClock();
  const harness = await startServer(t, { 'http.header.hsts': 'x'.repeat(10_000) }, [], clock);
  const { port, intake } = harness;
  const socket = await open(t, port);
  const count = 3_000;
  // The last one is Node's.
  const all = [
    ...Array(count - 1).fill(direct(bodyOf(50, 1))),
    direct(bodyOf(50_000, 2), { TE: 'trailers' }),
  ];
  socket.write(Buffer.concat(all));
  await settled(() => intake.bodies.length > 0);
  await turns(500);
  assert.ok(intake.bodies.length < count, `${intake.bodies.length} requests were answered`);
  // It is we who do not read the next head.
  clock.advance(20_000);
  socket.resume();
  await settled(() => intake.bodies.length === count);
  assert.deepEqual(Buffer.from(intake.bodies.at(-1)!.bytes), bodyOf(50_000, 2));
});

test('nor when it sends one request after the other, and is not idle meanwhile', async (t) => {
  const clock = new FakeClock();
  const harness = await startServer(t, { 'http.header.hsts': 'x'.repeat(10_000) }, [], clock);
  const { port, intake } = harness;
  const socket = await open(t, port);
  const count = 3_000;
  for (let sent = 0; sent < count; sent++) {
    socket.write(direct(bodyOf(50, 1)));
    await turns(2);
  }
  assert.ok(intake.bodies.length < count, `${intake.bodies.length} requests were answered`);
  socket.resume();
  await settled(() => intake.bodies.length === count);
  await turns(20);
  clock.advance(50_000);
  socket.write(direct(bodyOf(50, 1)));
  await settled(() => intake.bodies.length === count + 1);
});

test('nor of those that are refused at once', async (t) => {
  const overrides = { 'http.header.hsts': 'x'.repeat(10_000), maxInsertRequestSize: 1_000 };
  const harness = await startServer(t, overrides);
  const refused = () => harness.meter.value('vmagent_http_request_errors_total', COUNTED)!;
  const socket = await open(t, harness.port);
  const count = 3_000;
  const one = direct(new Uint8Array(compress(new Uint8Array(1_001))));
  socket.write(Buffer.concat(Array(count).fill(one)));
  await settled(() => refused() > 0);
  await turns(500);
  assert.ok(refused() < count, `${refused()} requests were refused`);
  socket.resume();
  await settled(() => refused() === count);
});

test('a connection goes to Node after an answer that was long not read', async (t) => {
  const { port, intake } = await startServer(t, { 'http.header.hsts': 'x'.repeat(20_000_000) });
  const socket = await open(t, port);
  socket.write(Buffer.concat([direct(bodyOf(50, 1)), direct(bodyOf(50_000, 2), { TE: 'trailers' })]));
  await settled(() => intake.bodies.length === 1);
  await turns(20);
  assert.equal(intake.bodies.length, 1);
  socket.resume();
  await settled(() => intake.bodies.length === 2);
  assert.deepEqual(Buffer.from(intake.bodies[1]!.bytes), bodyOf(50_000, 2));
});

test('a connection that is closed, or that Node has, is not looked at any more', async (t) => {
  const clock = new FakeClock();
  const harness = await startServer(t, { 'http.connTimeout': 0 }, [], clock);
  const socket = await open(t, harness.port);
  for (let count = 0; count < 2; count++) {
    socket.write(direct(bodyOf(50, 1), { TE: 'trailers' }));
    assert.match(await answers(socket, 1), /^HTTP\/1\.1 204 .*Connection: keep-alive/s);
    clock.advance(3_600_000);
  }
  const other = await open(t, harness.port);
  other.write('POST ');
  socket.destroy();
  other.destroy();
  await settled(() => harness.meter.value('vm_tcplistener_conns', LISTENER) === 0);
  clock.advance(3_600_000);
  assert.equal(harness.meter.value('vm_tcplistener_read_timeouts_total', LISTENER), 0);
});

test('bytes of a body that was given up go nowhere, though its answer is not read', async (t) => {
  const clock = new FakeClock();
  const harness = await startServer(t, { 'http.header.hsts': 'x'.repeat(20_000_000) }, [], clock);
  const { port, intake } = harness;
  const reserve = t.mock.method(intake, 'reserve');
  const socket = await open(t, port);
  const head = request({ 'Content-Length': 100_000 });
  socket.write(head);
  socket.write(Buffer.alloc(10, 1));
  await settled(() => bytesRead(harness) === head.length + 10);
  clock.advance(12_000);
  assert.equal(harness.meter.value('vm_tcplistener_read_timeouts_total', LISTENER), 1);
  assert.equal(intake.reservedBytes, 0);
  socket.write(Buffer.alloc(50_000, 2));
  await turns(20);
  const { bytes } = reserve.mock.calls[0]!.result!;
  assert.deepEqual([bytes[9], bytes.includes(2)], [1, false]);
});

test('a listener that is closed looks at nothing any more', async (t) => {
  const clock = new FakeClock();
  const { server, port } = await startServer(t, {}, [], clock);
  const socket = await open(t, port);
  socket.write(direct(bodyOf(50, 1)));
  await answers(socket, 1);
  await server.close();
  assert.equal(clock.timers, 0);
});

test('a body that waits for its place gives its memory back when it gets none', async (t) => {
  const harness = await startServer(t, { maxConcurrentInserts: 1, 'insert.maxQueueDuration': 50 });
  const { port, intake, meter } = harness;
  intake.judge = () => new Promise(() => {});
  const [first, gone, refused] = [await open(t, port), await open(t, port), await open(t, port)];
  first.write(direct(bodyOf(50, 1)));
  await settled(() => intake.bodies.length === 1);
  gone.write(direct(bodyOf(70, 1)));
  await settled(() => intake.reservedBytes === 70);
  gone.destroy();
  await settled(() => intake.reservedBytes === 0);
  assert.equal(meter.value('vmagent_http_request_errors_total', COUNTED), 1);
  refused.write(direct(bodyOf(90, 1)));
  assert.match(await answers(refused, 1), /^HTTP\/1\.1 503 .*Connection: keep-alive/s);
  assert.equal(intake.reservedBytes, 0);
  assert.equal(intake.bodies.length, 1);
});

test('a request in work has all the time that the engine needs', async (t) => {
  const clock = new FakeClock();
  const { port, intake } = await startServer(t, {}, [], clock);
  const verdict = Promise.withResolvers<Verdict>();
  intake.judge = () => verdict.promise;
  const socket = await open(t, port);
  socket.write(direct(bodyOf(50, 1)));
  await settled(() => intake.bodies.length === 1);
  clock.advance(3_600_000);
  verdict.resolve(verdictOf({ samples: 1 }));
  assert.match(await answers(socket, 1), /^HTTP\/1\.1 204 /);
});

test('what comes after the last answer is not begun', async (t) => {
  const overrides = { 'http.disableKeepAlive': true, 'http.header.hsts': 'x'.repeat(20_000_000) };
  const harness = await startServer(t, overrides);
  const { port, intake } = harness;
  const socket = await open(t, port);
  const one = direct(bodyOf(50, 1));
  socket.write(one);
  // It is written, but the client does not read it.
  await settled(() => harness.meter.value('vm_tcplistener_written_bytes_total', LISTENER)! > 0);
  socket.write(one);
  await settled(() => bytesRead(harness) === 2 * one.byteLength);
  assert.equal(intake.bodies.length, 1);
  assert.equal(harness.meter.value('vm_http_requests_all_total'), 1);
});

test('who closes its side while a request is in work is told nothing of what came after it', async (t) => {
  const { port, intake } = await startServer(t);
  intake.judge = () => new Promise(() => {});
  const one = direct(bodyOf(50, 1));
  const socket = await open(t, port);
  const end = readToEnd(socket);
  socket.end(Buffer.concat([one, one]));
  assert.equal(await end, '');
  assert.equal(intake.bodies.length, 1);
});

test('a head that is too large is refused, however it is cut', async (t) => {
  const harness = await startServer(t);
  const head = direct(bodyOf(5, 1), { X: 'x'.repeat(20_000) });
  const socket = await open(t, harness.port);
  const end = readToEnd(socket);
  socket.write(head.subarray(0, 15_000));
  await settled(() => bytesRead(harness) === 15_000);
  socket.write(head.subarray(15_000));
  assert.match(await end, /^HTTP\/1\.1 431 /);
  assert.match(await exchange(t, harness.port, head), /^HTTP\/1\.1 431 /);
});

test('an idle connection is good for as long as its client was told, and without a limit for good', async (t) => {
  const clock = new FakeClock();
  for (const [idleMs, awayMs] of [
    [60_000, 60_000],
    [0, 3_600_000],
  ] as const) {
    const harness = await startServer(t, { 'http.idleConnTimeout': idleMs }, [], clock);
    const socket = await open(t, harness.port);
    socket.write(direct(bodyOf(5, 1)));
    await answers(socket, 1);
    clock.advance(awayMs);
    socket.write(direct(bodyOf(5, 2)));
    assert.match(await answers(socket, 1), /^HTTP\/1\.1 204 /);
    if (idleMs === 0) continue;
    clock.advance(awayMs + 2_000);
    assert.equal(await readToEnd(socket), '');
  }
});

test('who may not write, writes elsewhere or too much, moves no memory', async (t) => {
  const harness = await startServer(t, { 'httpAuth.username': 'a', maxInsertRequestSize: 10_000 });
  const reserve = t.mock.method(harness.intake, 'reserve');
  const right = { Authorization: `Basic ${Buffer.from('a:').toString('base64')}` };
  for (const [head, status] of [
    [request({ 'Content-Length': 1_000_000 }), 401],
    [request({ ...right, 'Content-Length': 9 }, '/elsewhere'), 404],
    [request({ ...right, 'Content-Length': 10_001 }), 413],
  ] as const) {
    const socket = await open(t, harness.port);
    socket.write(head);
    assert.match(await answers(socket, 1), new RegExp(`^HTTP/1.1 ${status} `));
  }
  assert.equal(reserve.mock.callCount(), 0);
});

test('compressed bodies that are taken in pieces are Node\u2019s', async (t) => {
  const { port, intake, meter } = await startServer(t);
  const reserve = t.mock.method(intake, 'reserve');
  const socket = await open(t, port);
  const headers = { 'Content-Encoding': 'gzip', 'Content-Length': 256 * 1024 + 1 };
  socket.write(request(headers, '/api/v1/import/prometheus'));
  await settled(() => meter.value('vm_http_requests_all_total') === 1);
  assert.equal(reserve.mock.callCount(), 0);
});

test('a head that is begun has its own time, whatever came before', async (t) => {
  const clock = new FakeClock();
  const harness = await startServer(t, { 'http.headerTimeout': 10_000 }, [], clock);
  const socket = await open(t, harness.port);
  socket.write(direct(bodyOf(5, 1)));
  await answers(socket, 1);
  clock.advance(50_000);
  const end = readToEnd(socket);
  const before = bytesRead(harness);
  socket.write(request({ 'Content-Length': 5 }).slice(0, 30));
  await settled(() => bytesRead(harness) > before);
  clock.advance(9_000);
  socket.write('x');
  await settled(() => bytesRead(harness) > before + 30);
  assert.equal(socket.readyState, 'open');
  clock.advance(2_000);
  assert.match(await end, /^HTTP\/1\.1 408 /);
  assert.equal(harness.meter.value('vm_tcplistener_read_timeouts_total', LISTENER), 1);
});
