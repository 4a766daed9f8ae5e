/** Destinations that misbehave in every way, side by side with a healthy one, which must not notice; then all are mended. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { atEnd } from '../support/cleanup.ts';
import { assertLedgerBalances, readLedger } from '../support/metrics.ts';
import { freePort, temporaryDirectory } from '../support/process.ts';
import { bitsOf, decodeWriteRequest, decompressBody, push, type Series } from '../support/remote-write.ts';
import { SampleStore } from '../support/samples.ts';
import { startSluice } from '../support/sluice.ts';
import { until } from '../support/wait.ts';

const REQUESTS = 20;
const SERIES = 25;
const ALL = REQUESTS * SERIES;

type Fault = (request: IncomingMessage, response: ServerResponse) => void;

const answer =
  (status: number, headers: Readonly<Record<string, string>> = {}, body = 'not now'): Fault =>
  (request, response) => {
    request.resume().on('end', () => response.writeHead(status, headers).end(body));
  };

const faults: Readonly<Record<string, Fault>> = {
  'answers 500': answer(500),
  'answers 503 with Retry-After 0': answer(503, { 'Retry-After': '0' }),
  'answers 429 with Retry-After 3600': answer(429, { 'Retry-After': '3600' }),
  'answers 429 with Retry-After -1': answer(429, { 'Retry-After': '-1' }),
  'answers 429 with a date': answer(429, { 'Retry-After': new Date(Date.now() + 1_000).toUTCString() }),
  'answers 429 with junk': answer(429, { 'Retry-After': 'soon' }),
  'answers 401': answer(401),
  'answers 403': answer(403),
  'answers 404': answer(404),
  'answers 408': answer(408),
  'never answers': (request) => void request.resume(),
  'resets in the middle of a body': (request) => void request.once('data', () => request.socket.destroy()),
  'answers without end': (request, response) => {
    request.resume();
    response.writeHead(500);
    const more = () => {
      while (!response.destroyed && response.write('x'.repeat(65_536)));
      response.once('drain', more);
    };
    more();
  },
  'answers garbage': (request) => void request.socket.end('lorem ipsum\r\n\r\n'),
};

/** A destination that has a fault until it is mended. */
async function startFaulty(t: TestContext, fault: Fault) {
  const samples = new SampleStore();
  let isMended = false;
  const server = createServer(async (request, response) => {
    if (!isMended) return fault(request, response);
    try {
      const body = Buffer.concat(await request.toArray());
      samples.addAll(decodeWriteRequest(decompressBody(body, request.headers['content-encoding'])).series);
      response.writeHead(204).end();
    } catch {
      response.destroy();
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  atEnd(t, () => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/api/v1/write`,
    samples,
    mend: () => {
      isMended = true;
    },
  };
}

/** Takes connections and never reads from them. */
async function startDeaf(t: TestContext): Promise<string> {
  const sockets: Socket[] = [];
  const server = createTcpServer((socket) => {
    sockets.push(socket.pause());
    socket.on('error', () => {});
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  atEnd(t, () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1/write`;
}

const requestOf = (nth: number): Series[] =>
  Array.from({ length: SERIES }, (_, index) => ({
    labels: { __name__: 'led', series: String(index) },
    points: [{ timestampMs: 1_790_000_000_000 + nth, bits: bitsOf(nth + index / 64) }],
  }));

test('whatever a destination does, the others get everything, and it does too once it is mended', async (t) => {
  const healthy = await startFaulty(t, answer(204));
  healthy.mend();
  const stranger = await startFaulty(t, answer(204));
  const faulty = await Promise.all(
    Object.entries({
      ...faults,
      'redirects elsewhere': answer(307, { Location: stranger.url }),
    }).map(async ([name, fault]) => ({ name, ...(await startFaulty(t, fault)) })),
  );
  const hopeless = [
    await startDeaf(t),
    `http://127.0.0.1:${await freePort()}/api/v1/write`,
    'http://no-such-host.invalid/w',
  ];
  const { url, metrics, program } = await startSluice(t, temporaryDirectory(t), [
    ...[healthy, ...faulty].map((destination) => `-remoteWrite.url=${destination.url}`),
    ...hopeless.map((other) => `-remoteWrite.url=${other}`),
    '-remoteWrite.sendTimeout=1s',
    '-remoteWrite.retryMinInterval=100ms',
    '-remoteWrite.retryMaxInterval=500ms',
    '-remoteWrite.flushInterval=100ms',
    '-remoteWrite.drainTimeout=100ms',
  ]);
  for (let nth = 0; nth < REQUESTS; nth++) {
    const { status, text } = await push(`${url}/api/v1/write`, requestOf(nth));
    assert.equal(status, 204, text);
  }
  await until('the healthy one has everything', 20_000, () => healthy.samples.samples >= ALL);
  assertLedgerBalances(await metrics());
  for (const { name, samples } of faulty) assert.equal(samples.samples, 0, name);
  assert.equal(stranger.samples.samples, 0, 'a redirect is not followed');
  for (const { mend } of faulty) mend();
  for (const { name, samples } of faulty) {
    await until(`the one that ${name} has everything`, 30_000, () => samples.samples >= ALL);
    for (const [key, points] of samples.series) {
      const order = [...points.keys()];
      assert.deepEqual(order, order.toSorted(), `${name}: ${key} came in order`);
    }
  }
  await until('the ledger says so', 10_000, async () => {
    const { destinations } = assertLedgerBalances(await metrics());
    const delivered = Object.values(destinations).filter((columns) => columns.delivered === ALL).length;
    return delivered === 1 + faulty.length;
  });
  assert.deepEqual(await program.kill('SIGTERM'), { code: 0, signal: null });
});

for (const [preset, status, column] of [
  ['default', 400, 'rejected'],
  ['default', 409, 'rejected'],
  ['default', 415, 'rejected'],
  ['victoriametrics', 400, 'dead_lettered'],
  ['victoriametrics', 409, 'dead_lettered'],
  ['victoriametrics', 413, 'dead_lettered'],
  ['victoriametrics', 422, 'dead_lettered'],
  ['mimir', 400, 'partly_delivered'],
  ['mimir', 422, 'dead_lettered'],
  ['thanos', 409, 'partly_delivered'],
] as const) {
  test(`${status} with the policy ${preset}: ${column}, and nothing is retried for ever`, async (t) => {
    const refusing = await startFaulty(t, answer(status));
    const { url, metrics } = await startSluice(t, temporaryDirectory(t), [
      `-remoteWrite.url=${refusing.url}`,
      `-remoteWrite.responsePolicy=${preset}`,
      '-remoteWrite.flushInterval=100ms',
    ]);
    const { status: pushed } = await push(`${url}/api/v1/write`, requestOf(1));
    assert.equal(pushed, 204);
    const ledger = await until('it has ended', 20_000, async () => {
      const { destinations } = readLedger(await metrics());
      const [columns] = Object.values(destinations);
      return columns?.[column] === SERIES && columns;
    });
    assert.equal(ledger.pending, 0);
    assertLedgerBalances(await metrics());
  });
}
