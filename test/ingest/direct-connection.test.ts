/** Requests that are read without Node's HTTP server: the same outcome as with it, however the bytes come. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compress } from 'snappyjs';
import type { Endpoint } from '../../src/ingest/endpoint.ts';
import { systemClock } from '../../src/util/clock.ts';
import {
  answers,
  assertServes,
  bodyOf,
  direct,
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
const page: Endpoint = {
  paths: ['/page'],
  access: 'open',
  handle: () => ({ status: 200, body: 'page', contentType: 'text/plain' }),
};

/** That nothing reads into memory that was given back, and all was given back. */
function assertBalanced({ intake }: Harness): void {
  assert.equal(intake.reservedBytes, 0);
}

test('requests arrive as they were sent, however the bytes are cut and however many are sent at once', async (t) => {
  const harness = await startServer(t, { maxConcurrentInserts: 100 });
  const { port, intake } = harness;
  const length = fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 100_000 }));
  const one = fc.record({ length, isOdd: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(
      fc.array(one, { minLength: 1, maxLength: 6 }),
      fc.array(fc.integer({ min: 1, max: 40_000 }), { maxLength: 12 }),
      async (requests, cuts) => {
        intake.bodies.length = 0;
        const bodies = requests.map((each, index) => bodyOf(each.length, index));
        // Some only Node reads: the connection goes to it in the middle.
        const all = requests.map(({ isOdd }, index) =>
          direct(bodies[index]!, isOdd ? { TE: 'trailers' } : {}),
        );
        const bytes = Buffer.concat(all);
        const socket = await open(t, port);
        const done = answers(socket, requests.length);
        let from = 0;
        for (const cut of cuts) {
          socket.write(bytes.subarray(from, from + cut));
          from += cut;
          await new Promise(setImmediate);
        }
        socket.write(bytes.subarray(from));
        assert.equal((await done).match(/HTTP\/1\.1 204 /g)?.length, requests.length);
        socket.destroy();
        assert.deepEqual(
          intake.bodies.map((body) => Buffer.from(body.bytes)),
          bodies,
        );
        assertBalanced(harness);
      },
    ),
    { numRuns: 60 },
  );
});

test('a plain request is read directly, and what is not is read by Node on the same connection', async (t) => {
  const { port, intake, meter } = await startServer(t, {}, [page]);
  const reserve = t.mock.method(intake, 'reserve');
  const socket = await open(t, port);
  for (const [bytes, reserved] of [
    [direct(bodyOf(5, 1)), 1],
    [direct(bodyOf(70_000, 2)), 2],
    [Buffer.from('GET /page HTTP/1.1\r\nHost: x\r\n\r\n'), 2],
    [direct(bodyOf(5, 3)), 2],
  ] as const) {
    socket.write(bytes);
    assert.match(await answers(socket, 1), /^HTTP\/1\.1 20[04] .*Connection: keep-alive/s);
    assert.equal(reserve.mock.callCount(), reserved);
  }
  assert.equal(meter.value('vm_http_requests_all_total'), 4);
  assert.equal(meter.value('vmagent_http_requests_total', COUNTED), 3);
  assert.equal(meter.value('vm_tcplistener_accepts_total', LISTENER), 1);
  socket.destroy();
  await settled(() => meter.value('vm_tcplistener_conns', LISTENER) === 0);
});

test('answers are those of Node, byte for byte', async (t) => {
  const harness = await startServer(t, { 'http.header.hsts': 'max-age=9', maxInsertRequestSize: 1_000_000 });
  const { port, intake } = harness;
  const reserve = t.mock.method(intake, 'reserve');
  const version2 = { 'Content-Type': 'application/x-protobuf;proto=io.prometheus.write.v2.Request' };
  const refused = {
    ok: false,
    status: 503,
    reason: 'overloaded',
    error: 'no “room”',
    retryAfterS: 7,
  } as const;
  const cases = [
    { path: '/api/v1/write' },
    { path: '/api/v1/write', headers: version2 },
    { path: '/api/v1/write', verdict: refused },
    { path: '/api/v1/write', headers: version2, verdict: refused },
    { path: '/api/v1/write', body: compress(new Uint8Array(1_000_001)) },
    { path: '/influx/api/v2/write' },
    { path: '/datadog/api/v2/series' },
    { path: '/opentelemetry/v1/metrics', headers: { 'Content-Type': 'application/json' } },
    { path: '/newrelic/infra/v2/metrics/events/bulk' },
    { path: '/api/v1/import/prometheus?extra_label=a=b' },
  ];
  for (const { path, headers = {}, verdict, body = bodyOf(9, 1) } of cases) {
    intake.judge = () => verdict ?? verdictOf({ samples: 3, series: 2 });
    const told: string[] = [];
    for (const more of [{}, { TE: 'trailers' }]) {
      const socket = await open(t, port);
      const head = request({ ...headers, ...more, 'Content-Length': body.byteLength }, path);
      socket.write(head);
      socket.write(body);
      const text = await answers(socket, 1);
      told.push(text.replace(/Date: [^\r]+/, 'Date: now'));
      socket.destroy();
    }
    assert.equal(told[0], told[1], path);
  }
  assert.equal(reserve.mock.callCount(), cases.length);
  assertBalanced(harness);
});

test('who has not the right to write is told so by Node, before the body has come', async (t) => {
  const { port, intake } = await startServer(t, { 'httpAuth.username': 'a' });
  const stranger = await open(t, port);
  stranger.write(request({ 'Content-Length': 1_000 }));
  assert.match(await answers(stranger, 1), /^HTTP\/1\.1 401 .*Connection: close/s);
  const right = { Authorization: `Basic ${Buffer.from('a:').toString('base64')}` };
  const socket = await open(t, port);
  socket.write(direct(bodyOf(3, 1), right));
  assert.match(await answers(socket, 1), /^HTTP\/1\.1 204 /);
  // The same head but for the right.
  socket.write(direct(bodyOf(3, 1), { Authorization: right.Authorization.replace('Basic', 'Bogus') }));
  assert.match(await answers(socket, 1), /^HTTP\/1\.1 401 /);
  assert.equal(intake.bodies.length, 1);
});

test('a client that goes away within its body is counted, and its memory is free', async (t) => {
  const harness = await startServer(t);
  const socket = await open(t, harness.port);
  socket.write(Buffer.concat([Buffer.from(request({ 'Content-Length': 100_000 })), bodyOf(50_000, 1)]));
  await settled(() => harness.intake.reservedBytes === 100_000);
  socket.destroy();
  await settled(() => harness.meter.value('vmagent_http_request_errors_total', COUNTED) === 1);
  assert.equal(harness.meter.value('vm_protoparser_read_errors_total', { type: 'promremotewrite' }), 1);
  assertBalanced(harness);
  assert.equal(harness.intake.bodies.length, 0);
});

test('a client that closes its side is told of what it left unfinished', async (t) => {
  const harness = await startServer(t);
  const whole = direct(bodyOf(9, 1));
  for (const [length, answer] of [
    [0, /^$/],
    [20, /^HTTP\/1\.1 400 /],
    [whole.byteLength - 1, /^HTTP\/1\.1 400 /],
  ] as const) {
    const socket = await open(t, harness.port);
    socket.end(whole.subarray(0, length));
    assert.match(await readToEnd(socket), answer);
  }
  assertBalanced(harness);
  assert.equal(harness.intake.bodies.length, 0);
});

test('bytes of a body that was given up go nowhere', async (t) => {
  const harness = await startServer(t, { 'insert.bodyIdleTimeout': 50 });
  const { port, intake } = harness;
  const rooms: Uint8Array[] = [];
  const { reserve } = intake;
  intake.reserve = (byteLength) => {
    const room = reserve.call(intake, byteLength);
    rooms.push(room!.bytes);
    return room;
  };
  const socket = await open(t, port);
  const end = readToEnd(socket);
  socket.write(request({ 'Content-Length': 1_000 }));
  socket.write(Buffer.alloc(10, 1));
  await settled(() => harness.meter.value('vm_tcplistener_read_timeouts_total', LISTENER) === 1);
  socket.write(Buffer.alloc(500, 2));
  assert.match(await end, /^HTTP\/1\.1 503 .*Connection: close.*came in too slowly/s);
  assertBalanced(harness);
  assert.ok(!rooms[0]!.includes(2));
  await assertServes(harness);
});

test('without room for a body Node reads it', async (t) => {
  const harness = await startServer(t);
  harness.intake.reserve = () => undefined;
  const socket = await open(t, harness.port);
  socket.write(direct(bodyOf(30_000, 1)));
  assert.match(await answers(socket, 1), /^HTTP\/1\.1 204 /);
  assert.deepEqual(Buffer.from(harness.intake.bodies[0]!.bytes), bodyOf(30_000, 1));
});

test('an idle connection is closed, and a late head gets 408', async (t) => {
  const harness = await startServer(t, { 'http.idleConnTimeout': 60, 'http.headerTimeout': 40 });
  const idle = await open(t, harness.port);
  idle.write(direct(bodyOf(3, 1)));
  assert.match(await readToEnd(idle), /^HTTP\/1\.1 204 .*\r\n\r\n$/s);
  const silent = await open(t, harness.port);
  assert.match(await readToEnd(silent), /^HTTP\/1\.1 408 /);
  const late = await open(t, harness.port);
  late.write(direct(bodyOf(3, 1)));
  await answers(late, 1);
  late.write('POST /api/v1/write HT');
  assert.match(await readToEnd(late), /^HTTP\/1\.1 408 /);
  assert.equal(harness.meter.value('vm_tcplistener_read_timeouts_total', LISTENER), 2);
});

test('requests that come before their turn wait, and only so much of them is kept', async (t) => {
  const harness = await startServer(t);
  const { port, intake } = harness;
  let give = () => {};
  intake.judge = async () => {
    await new Promise<void>((resolve) => {
      give = resolve;
    });
    return verdictOf({ samples: 1 });
  };
  const socket = await open(t, port);
  const count = 3_000;
  const one = direct(bodyOf(300, 1));
  const sent = new Promise((resolve) => socket.write(Buffer.concat(Array(count).fill(one)), resolve));
  const done = answers(socket, count);
  await settled(() => intake.bodies.length === 1);
  for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
  const read = harness.meter.value('vm_tcplistener_read_bytes_total', LISTENER)!;
  assert.ok(read < 100_000, `${read} bytes were read`);
  intake.judge = () => verdictOf({ samples: 1 });
  give();
  await sent;
  await done;
  assert.equal(intake.bodies.length, count);
  assert.ok(intake.bodies.every(({ bytes }) => bytes.byteLength === 300));
  assertBalanced(harness);
});

test('a head that comes in two parts is read like another', async (t) => {
  const { port, intake } = await startServer(t);
  const reserve = t.mock.method(intake, 'reserve');
  const [first, second] = [await open(t, port), await open(t, port)];
  const bytes = direct(bodyOf(7, 1));
  first.write(bytes.subarray(0, 40));
  await new Promise((resolve) => systemClock.after(5, () => resolve(undefined)));
  // Both read into the same memory.
  second.write(direct(bodyOf(9, 2)));
  await answers(second, 1);
  first.write(bytes.subarray(40));
  await answers(first, 1);
  assert.deepEqual(
    intake.bodies.map((body) => Buffer.from(body.bytes)),
    [bodyOf(9, 2), bodyOf(7, 1)],
  );
  assert.equal(reserve.mock.callCount(), 2);
});
