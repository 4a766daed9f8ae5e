/** What bounds requests that are read without Node's HTTP server: memory, time, heads, and the end of a connection. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
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
  const harness = await startServer(t, { 'http.header.hsts': 'x'.repeat(10_000) });
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
  socket.resume();
  await settled(() => intake.bodies.length === count);
  assert.deepEqual(Buffer.from(intake.bodies.at(-1)!.bytes), bodyOf(50_000, 2));
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

test('who may not write, or writes elsewhere, moves no memory', async (t) => {
  const harness = await startServer(t, { 'httpAuth.username': 'a' });
  const reserve = t.mock.method(harness.intake, 'reserve');
  const right = { Authorization: `Basic ${Buffer.from('a:').toString('base64')}` };
  for (const [head, status] of [
    [request({ 'Content-Length': 1_000_000 }), 401],
    [request({ ...right, 'Content-Length': 9 }, '/elsewhere'), 404],
  ] as const) {
    const socket = await open(t, harness.port);
    socket.write(head);
    assert.match(await answers(socket, 1), new RegExp(`^HTTP/1.1 ${status} `));
  }
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
