/** gRPC by Node's own client of HTTP/2, which knows nothing of gRPC: every byte and header is the test's. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { grpcSettings } from '../../src/ingest/grpc-server.ts';
import type { IngestValues } from '../../src/ingest/options.ts';
import { HttpServer } from '../../src/ingest/server.ts';
import { opentelemetry } from '../../src/protocol/opentelemetry.ts';
import { type Clock, systemClock } from '../../src/util/clock.ts';
import { Secret } from '../../src/util/secret.ts';
import { decode } from '../protocol/otlp-support.ts';
import { defaultsOf } from '../protocol/support.ts';
import { makeCertificate } from '../support/certificate.ts';
import { atEnd } from '../support/cleanup.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { recordingLogger } from '../support/quiet-logger.ts';
import { FakeIntake, RecordingMeter, settled, valuesWith, verdictOf } from './harness.ts';

const PATH = opentelemetry.grpc!.path;
const COUNTED = { path: PATH, protocol: 'opentelemetry' };
const MESSAGE = Buffer.from('some bytes');

interface Given {
  readonly values?: Partial<IngestValues>;
  readonly options?: Readonly<Record<string, unknown>>;
  readonly clock?: Clock;
}

async function start(t: TestContext, { values = {}, options = {}, clock = systemClock }: Given = {}) {
  const intake = new FakeIntake();
  const meter = new RecordingMeter();
  const server = new HttpServer({
    values: valuesWith({ 'http.maxGracefulShutdownDuration': 200, ...values }),
    protocolOptions: {
      ...defaultsOf(opentelemetry.options),
      opentelemetryGRPCListenAddr: '127.0.0.1:0',
      'opentelemetry.maxRequestSize': 100_000,
      ...options,
    },
    intake,
    meter,
    endpoints: [],
    clock,
    log: recordingLogger(),
  });
  await server.listen();
  atEnd(t, () => server.close());
  const { port } = server.grpcAddresses[0]!;
  return { intake, meter, server, port, session: () => sessionTo(t, port) };
}

function sessionTo(t: TestContext, port: number): ClientHttp2Session {
  const session = connect(`http://127.0.0.1:${port}`);
  session.on('error', () => {});
  atEnd(t, () => session.destroy());
  return session;
}

function framed(message: Uint8Array, flag = 0): Buffer {
  const prefix = Buffer.alloc(5, flag);
  prefix.writeUInt32BE(message.byteLength, 1);
  return Buffer.concat([prefix, message]);
}

function begin(session: ClientHttp2Session, headers: OutgoingHttpHeaders = {}): ClientHttp2Stream {
  const stream = session.request({
    ':method': 'POST',
    ':path': PATH,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...headers,
  });
  stream.on('error', () => {});
  return stream;
}

interface Outcome {
  readonly http: number | undefined;
  readonly code: string | undefined;
  readonly message: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

async function outcomeOf(stream: ClientHttp2Stream): Promise<Outcome> {
  const chunks: Buffer[] = [];
  let [headers, trailers]: IncomingHttpHeaders[] = [{}, {}];
  stream.on('response', (got) => {
    headers = got;
  });
  stream.on('trailers', (got) => {
    trailers = got;
  });
  stream.on('data', (chunk) => chunks.push(chunk));
  if (!stream.closed) await new Promise<void>((resolve) => stream.on('close', resolve));
  const all = { ...headers, ...trailers };
  return {
    http: headers![':status'] as number | undefined,
    code: all['grpc-status'] as string | undefined,
    message: decodeURIComponent(String(all['grpc-message'] ?? '')),
    headers: all,
    body: Buffer.concat(chunks),
  };
}

const call = (session: ClientHttp2Session, bytes: Uint8Array, headers: OutgoingHttpHeaders = {}) => {
  const stream = begin(session, headers);
  stream.end(bytes);
  return outcomeOf(stream);
};

test('a message is taken as it is, and answered with a message and the trailers', async (t) => {
  const { intake, meter, session } = await start(t);
  const client = session();
  const plain = await call(client, framed(MESSAGE));
  assert.deepEqual([plain.http, plain.code, plain.message], [200, '0', '']);
  assert.equal(plain.headers['content-type'], 'application/grpc');
  assert.deepEqual(plain.body, framed(new Uint8Array()));
  const packed = gzipSync(MESSAGE);
  assert.equal((await call(client, framed(packed, 1), { 'grpc-encoding': 'gzip' })).code, '0');
  assert.equal((await call(client, framed(MESSAGE, 0), { 'grpc-encoding': 'gzip' })).code, '0');
  assert.deepEqual(
    intake.bodies.map(({ bytes, encoding, protocol }) => [Buffer.from(bytes), encoding, protocol]),
    [
      [MESSAGE, 'plain', 'opentelemetry'],
      [packed, 'gzip', 'opentelemetry'],
      [MESSAGE, 'plain', 'opentelemetry'],
    ],
  );
  assert.match(intake.bodies[0]!.client, /^127\.0\.0\.1:\d+$/);
  assert.equal(meter.value('vmagent_http_requests_total', COUNTED), 3);
  assert.equal(meter.value('vmagent_rows_inserted_total', { type: 'opentelemetry' }), 3);
});

test('an empty message is taken without a word to the engine', async (t) => {
  const { intake, session } = await start(t);
  assert.equal((await call(session(), framed(new Uint8Array()))).code, '0');
  assert.equal(intake.bodies.length, 0);
});

test('what was left out is in the response', async (t) => {
  const { intake, session } = await start(t);
  const notes = { rowsRead: 5, rowsInvalid: 2, examples: ['why'] };
  intake.judge = () => ({ ...verdictOf({ samples: 3 }), notes }) as ReturnType<typeof verdictOf>;
  const { code, body } = await call(session(), framed(MESSAGE));
  assert.equal(code, '0');
  assert.deepEqual(decode(body.subarray(5), 'ExportMetricsServiceResponse'), {
    partialSuccess: { rejectedDataPoints: '2', errorMessage: 'left out data points that make no sense: why' },
  });
});

test('the verdict of the engine is a code, and tells when to come again', async (t) => {
  const { intake, meter, session } = await start(t);
  const client = session();
  const cases = [
    [400, 'malformed', undefined, '3'],
    [413, 'too_large', undefined, '8'],
    [429, 'overloaded', 7, '14'],
    [503, 'overloaded', undefined, '14'],
  ] as const;
  for (const [status, reason, retryAfterS, code] of cases) {
    const verdict = { ok: false, status, reason, error: `é: ${reason}` } as const;
    intake.judge = () => (retryAfterS === undefined ? verdict : { ...verdict, retryAfterS });
    const outcome = await call(client, framed(MESSAGE));
    assert.deepEqual([outcome.http, outcome.code, outcome.message], [200, code, `é: ${reason}`]);
    const details = outcome.headers['grpc-status-details-bin'];
    assert.equal(details !== undefined, code === '14');
    if (details === undefined) continue;
    const told = decode(Buffer.from(String(details), 'base64'), 'Status');
    const [{ value }] = told.details as readonly [{ value: Uint8Array }];
    assert.deepEqual(decode(value, 'RetryInfo'), { retryDelay: { seconds: String(retryAfterS ?? 5) } });
  }
  assert.equal(meter.value('vmagent_http_request_errors_total', COUNTED), cases.length);
});

test('bytes that are not one message are refused; the connection goes on', async (t) => {
  const { intake, session } = await start(t);
  const client = session();
  const cases: [Buffer, OutgoingHttpHeaders, string, RegExp][] = [
    [Buffer.alloc(0), {}, '3', /there is none/],
    [Buffer.alloc(4), {}, '3', /there is none/],
    [framed(MESSAGE).subarray(0, -1), {}, '3', /ends after 9 of 10 bytes/],
    [Buffer.concat([framed(MESSAGE), framed(MESSAGE)]), {}, '3', /something follows it/],
    [framed(MESSAGE, 7), {}, '3', /its first byte is 7/],
    [framed(MESSAGE, 1), {}, '3', /is compressed, and grpc-encoding does not say how/],
    [framed(MESSAGE, 1), { 'grpc-encoding': 'snappy' }, '12', /grpc-encoding "snappy" is unknown/],
    [framed(MESSAGE), { 'grpc-timeout': 'soon' }, '3', /grpc-timeout "soon"/],
    [
      framed(MESSAGE),
      { ':path': '/other.Service/Method' },
      '12',
      /there is no such method; use \/opentelemetry/,
    ],
    [framed(Buffer.alloc(100_001)), {}, '8', /more than 100000 bytes.*-opentelemetry\.maxRequestSize/],
  ];
  for (const [bytes, headers, code, expected] of cases) {
    const outcome = await call(client, bytes, headers);
    assert.equal(outcome.code, code, String(expected));
    assert.match(outcome.message, expected);
  }
  assert.equal(intake.bodies.length, 0);
  assert.equal((await call(client, framed(Buffer.alloc(100_000)))).code, '0');
});

test('metadata gives labels and, for tenants, names one; what makes no sense is refused', async (t) => {
  const values = { enableMultitenantHandlers: true, enableMultitenancyViaHeaders: true };
  const { intake, meter, session } = await start(t, { values });
  const client = session();
  const headers = { AccountID: '12', extra_label: ['a=b, c', 'd=e'] };
  assert.equal((await call(client, framed(MESSAGE), headers)).code, '0');
  const labels = { a: 'b, c', d: 'e', vm_account_id: '12', vm_project_id: '0' };
  assert.deepEqual(
    intake.bodies[0]!.extraLabels.map(({ name, value }) => [name, value]),
    Object.entries(labels),
  );
  assert.deepEqual(intake.bodies[0]!.tenant, { accountId: 12, projectId: 0 });
  const tenant = { type: 'opentelemetry', accountID: '12', projectID: '0' };
  assert.equal(meter.value('vmagent_tenant_inserted_rows_total', tenant), 1);
  for (const bad of [{ ProjectID: 'x' }, { extra_label: 'x' }]) {
    const { code, message } = await call(client, framed(MESSAGE), bad);
    assert.equal(code, '3', message);
    assert.match(message, /cannot read/);
  }
  assert.equal(meter.value('vmagent_http_request_errors_total', COUNTED), 2);
  assert.equal((await call(client, framed(MESSAGE))).code, '0');
  assert.deepEqual([intake.bodies[1]!.extraLabels, intake.bodies[1]!.tenant], [[], undefined]);
});

test('without tenants, headers that name one mean nothing', async (t) => {
  for (const values of [
    {},
    { enableMultitenantHandlers: true, enableMultitenancyViaHeaders: false },
    { enableMultitenancyViaHeaders: true },
  ]) {
    const { intake, session } = await start(t, { values });
    assert.equal((await call(session(), framed(MESSAGE), { accountid: 'x' })).code, '0');
    assert.deepEqual([intake.bodies[0]!.extraLabels, intake.bodies[0]!.tenant], [[], undefined]);
  }
});

test('what is no call of gRPC gets a status of HTTP', async (t) => {
  const { session } = await start(t);
  const client = session();
  assert.equal((await call(client, MESSAGE, { 'content-type': 'application/json' })).http, 415);
  const get = client.request({ ':method': 'GET', ':path': PATH });
  assert.equal((await outcomeOf(get)).http, 405);
});

test('basic auth is asked for as over HTTP', async (t) => {
  const values = { 'httpAuth.username': 'me', 'httpAuth.password': new Secret('pass') };
  const { intake, session } = await start(t, { values });
  const client = session();
  assert.equal((await call(client, framed(MESSAGE))).code, '16');
  const authorization = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;
  assert.equal((await call(client, framed(MESSAGE), { authorization: authorization('me:x') })).code, '16');
  assert.equal((await call(client, framed(MESSAGE), { authorization: authorization('me:pass') })).code, '0');
  assert.equal(intake.bodies.length, 1);
});

test('a call has the time that its client gives it, and one that came in is judged all the same', async (t) => {
  const clock = new FakeClock();
  const { intake, session } = await start(t, { clock });
  const client = session();
  const stream = begin(client, { 'grpc-timeout': '5S' });
  stream.write(framed(MESSAGE).subarray(0, 7));
  const outcome = outcomeOf(stream);
  // The beginning has come when a call behind it is answered.
  assert.equal((await call(client, framed(MESSAGE))).code, '0');
  clock.advance(5_000);
  assert.equal((await outcome).code, '4');
  const judged = Promise.withResolvers<ReturnType<typeof verdictOf>>();
  intake.judge = () => judged.promise;
  const late = call(client, framed(MESSAGE), { 'grpc-timeout': '1S' });
  await settled(() => intake.bodies.length === 2);
  clock.advance(1_000);
  assert.equal((await late).code, '4');
  judged.resolve(verdictOf({ samples: 1 }));
  intake.judge = () => verdictOf({ samples: 1 });
  assert.equal((await call(client, framed(MESSAGE))).code, '0');
});

test('a call that waits for a place is refused in time, and leaves when its client does', async (t) => {
  const clock = new FakeClock();
  const values = { maxConcurrentInserts: 1, 'insert.maxQueueDuration': 10_000 };
  const { intake, meter, session } = await start(t, { values, clock });
  const client = session();
  const judged = Promise.withResolvers<ReturnType<typeof verdictOf>>();
  intake.judge = () => judged.promise;
  const first = call(client, framed(MESSAGE));
  await settled(() => intake.bodies.length === 1);
  const second = call(client, framed(MESSAGE));
  await settled(() => meter.value('vm_concurrent_insert_limit_reached_total') === 1);
  clock.advance(10_000);
  const refused = await second;
  assert.deepEqual([refused.code, refused.headers['grpc-status-details-bin'] !== undefined], ['14', true]);
  const gone = begin(client);
  gone.end(framed(MESSAGE));
  await settled(() => meter.value('vm_concurrent_insert_limit_reached_total') === 2);
  gone.close(constants.NGHTTP2_CANCEL);
  await settled(() => meter.value('vmagent_http_request_errors_total', COUNTED) === 2);
  judged.resolve(verdictOf({ samples: 1 }));
  assert.equal((await first).code, '0');
  assert.equal(intake.bodies.length, 1);
  assert.equal(meter.value('vm_concurrent_insert_current'), 0);
});

test('a client that takes every call back is cut off; others are served', async (t) => {
  const { intake, session } = await start(t);
  const client = session();
  await once(client, 'connect');
  const closed = new Promise<void>((resolve) => client.on('close', resolve));
  let calls = 0;
  const flood = () => {
    for (let each = 0; each < 100 && !client.closed && !client.destroyed; each++) {
      calls++;
      begin(client).close(constants.NGHTTP2_CANCEL);
    }
    if (!client.closed && !client.destroyed && calls < 20_000) setImmediate(flood);
  };
  flood();
  await closed;
  assert.ok(calls < 20_000, `${calls} calls`);
  assert.equal((await call(session(), framed(MESSAGE))).code, '0');
  assert.equal(intake.bodies.length, 1);
});

test('more calls at once than a connection may have wait in the client', async (t) => {
  const { intake, session } = await start(t);
  const client = session();
  const outcomes = await Promise.all(Array.from({ length: 250 }, () => call(client, framed(MESSAGE))));
  assert.deepEqual(new Set(outcomes.map(({ code }) => code)), new Set(['0']));
  assert.equal(intake.bodies.length, 250);
  assert.equal(client.remoteSettings.maxConcurrentStreams, 100);
});

test('large heads are refused', async (t) => {
  const { intake, session } = await start(t);
  const client = session();
  // From here on the client knows the limits.
  assert.equal((await call(client, framed(MESSAGE))).code, '0');
  const { code, http } = await call(client, framed(MESSAGE), { 'x-large': 'x'.repeat(40_000) });
  assert.deepEqual([code, http], [undefined, undefined]);
  assert.equal((await call(session(), framed(MESSAGE))).code, '0');
  assert.equal(intake.bodies.length, 2);
});

test('bytes that are not HTTP/2 end their connection', async (t) => {
  const { port, session } = await start(t);
  for (const bytes of ['GET / HTTP/1.1\r\n\r\n', `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${'\u00ff'.repeat(100)}`]) {
    const socket = connectTcp({ port, host: '127.0.0.1' });
    socket.on('error', () => {});
    socket.resume();
    socket.write(Buffer.from(bytes, 'latin1'));
    await once(socket, 'close');
  }
  assert.equal((await call(session(), framed(MESSAGE))).code, '0');
});

test('a connection past its age takes no new calls', async (t) => {
  const clock = new FakeClock();
  const values = { 'http.connTimeout': 120_000, 'http.idleConnTimeout': 600_000 };
  const { session } = await start(t, { clock, values });
  const client = session();
  assert.equal((await call(client, framed(MESSAGE))).code, '0');
  clock.advance(133_000);
  const closed = once(client, 'close');
  assert.equal((await call(client, framed(MESSAGE))).code, '0');
  await closed;
});

test('a connection without calls is closed after a time', async (t) => {
  const clock = new FakeClock();
  const { intake, session } = await start(t, { clock, values: { 'http.idleConnTimeout': 60_000 } });
  const client = session();
  assert.equal((await call(client, framed(MESSAGE))).code, '0');
  clock.advance(59_999);
  const judged = Promise.withResolvers<ReturnType<typeof verdictOf>>();
  intake.judge = () => judged.promise;
  const long = call(client, framed(MESSAGE));
  await settled(() => intake.bodies.length === 2);
  clock.advance(300_000);
  judged.resolve(verdictOf({ samples: 1 }));
  assert.equal((await long).code, '0', 'a call in work keeps it open');
  // The server sees the end of the call a little later than the client.
  await settled(() => {
    clock.advance(60_000);
    return client.closed;
  });
});

test('a stop lets calls in work end and takes no new connections', async (t) => {
  const { intake, server, port, session } = await start(t, {
    values: { 'http.maxGracefulShutdownDuration': 60_000 },
  });
  const client = session();
  const judged = Promise.withResolvers<ReturnType<typeof verdictOf>>();
  intake.judge = () => judged.promise;
  const pending = call(client, framed(MESSAGE));
  await settled(() => intake.bodies.length === 1);
  const goaway = once(client, 'goaway');
  const stopped = server.close();
  await goaway;
  judged.resolve(verdictOf({ samples: 1 }));
  assert.equal((await pending).code, '0');
  await stopped;
  const late = connectTcp({ port, host: '127.0.0.1' });
  const [error] = await once(late, 'error');
  assert.equal(error.code, 'ECONNREFUSED');
});

test('a stop that takes too long ends the connections', async (t) => {
  const { intake, server, session } = await start(t, { values: { 'http.maxGracefulShutdownDuration': 0 } });
  intake.judge = () => new Promise(() => {});
  const client = session();
  const pending = call(client, framed(MESSAGE));
  await settled(() => intake.bodies.length === 1);
  await server.close();
  assert.equal((await pending).code, undefined);
});

test('with a certificate it speaks TLS and nothing else', async (t) => {
  const { certFile, keyFile } = await makeCertificate(t);
  const options = {
    'opentelemetryGRPCListenAddr.tlsCertFile': certFile,
    'opentelemetryGRPCListenAddr.tlsKeyFile': keyFile,
  };
  const { meter, port } = await start(t, { options });
  const client = connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false });
  atEnd(t, () => client.destroy());
  assert.equal((await call(client, framed(MESSAGE))).code, '0');
  assert.equal(client.alpnProtocol, 'h2');
  const plain = sessionTo(t, port);
  await new Promise<void>((resolve) => plain.on('close', resolve));
  assert.equal(meter.value('vm_tcplistener_accepts_total', { name: 'grpcs', addr: '127.0.0.1:0' }), 2);
});

test('settings without sense are told at the start', () => {
  const method = opentelemetry.grpc!;
  const options = (more: object) => ({ ...defaultsOf(opentelemetry.options), ...more });
  assert.equal(grpcSettings(method, options({})), undefined);
  assert.throws(
    () => grpcSettings(method, options({ opentelemetryGRPCListenAddr: '4317' })),
    /not of the form host:port/,
  );
  const half = { opentelemetryGRPCListenAddr: ':4317', 'opentelemetryGRPCListenAddr.tlsCertFile': 'x' };
  assert.throws(
    () => grpcSettings(method, options(half)),
    /set -opentelemetryGRPCListenAddr\.tlsCertFile and/,
  );
});
