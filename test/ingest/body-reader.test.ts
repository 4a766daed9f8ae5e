/** Bodies of all sizes, and bodies that do not come as announced. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { assertServes, fetchText, open, readToEnd, request, settled, startServer } from './harness.ts';

const MIB = 1024 * 1024;
const COUNTED = { path: '/api/v1/write', protocol: 'promremotewrite' };
const TYPE = { type: 'promremotewrite' };
const post = (body: Uint8Array, headers: Record<string, string> = {}): RequestInit => ({
  method: 'POST',
  body: new Uint8Array(body),
  headers: { 'Content-Encoding': 'snappy', ...headers },
});
const random = (length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => (index * 2654435761) >>> 13);

test('bodies of every size arrive unchanged, with a length or chunked', async (t) => {
  const { url, intake } = await startServer(t, { maxInsertRequestSize: 4 * MIB });
  for (const length of [1, 15_000, 16_384, 16_385, 65_536, 300_000, 2 * MIB + 1]) {
    const body = random(length);
    body[0] = 0;
    assert.equal((await fetchText(`${url}/api/v1/write`, post(body))).status, 204);
    assert.deepEqual(intake.bodies.pop()!.bytes, body, `${length} bytes`);
    const stream = new Blob([body]).stream();
    const chunked = { method: 'POST', body: stream, duplex: 'half' } as RequestInit;
    assert.equal((await fetchText(`${url}/api/v1/write`, chunked)).status, 204);
    assert.deepEqual(intake.bodies.pop()!.bytes, body, `${length} bytes, chunked`);
  }
});

test('a body of exactly the limit passes, one byte more does not', async (t) => {
  const { url, intake } = await startServer(t, { maxInsertRequestSize: 1000 });
  const send = (length: number, isChunked: boolean) => {
    const bytes = new Uint8Array(length);
    const body = isChunked ? new Blob([bytes]).stream() : bytes;
    return fetchText(`${url}/api/v1/write`, { method: 'POST', body, duplex: 'half' } as RequestInit);
  };
  for (const isChunked of [false, true]) {
    assert.equal((await send(1000, isChunked)).status, 204);
    assert.equal((await send(1001, isChunked)).status, 413);
  }
  assert.equal(intake.bodies.length, 2);
});

test('a chunked body is cut off at the limit', async (t) => {
  const harness = await startServer(t, { maxInsertRequestSize: MIB });
  const socket = await open(t, harness.port);
  const answer = once(socket, 'data');
  socket.write(request({ 'Transfer-Encoding': 'chunked' }));
  const chunk = Buffer.concat([Buffer.from('10000\r\n'), Buffer.alloc(0x10000), Buffer.from('\r\n')]);
  for (let sent = 0; sent <= MIB; sent += 0x10000) socket.write(chunk);
  const [first] = await answer;
  assert.match(String(first), /^HTTP\/1\.1 413 .*it has more than 1048576 bytes/s);
  socket.end('0\r\n\r\n');
  await assertServes(harness);
});

test('a body that ends early gets 400, and nothing of it is used', async (t) => {
  const harness = await startServer(t);
  const socket = await open(t, harness.port);
  socket.end(`${request({ 'Content-Length': 100 })}only this`);
  assert.match(await readToEnd(socket), /^HTTP\/1\.1 400 Bad Request\r\n.*not valid HTTP\/1\.1\n$/s);
  assert.equal(harness.meter.value('vm_protoparser_read_errors_total', TYPE), 1);
  assert.equal(harness.meter.value('vmagent_http_request_errors_total', COUNTED), 1);
  assert.equal(harness.intake.bodies.length, 0);
  await assertServes(harness);
});

test('a client that resets in the middle of a large body gives its token back', async (t) => {
  const harness = await startServer(t, { maxConcurrentInserts: 1 });
  const socket = await open(t, harness.port);
  // Too large for a room of its own.
  socket.write(request({ 'Content-Length': 3 * MIB }));
  socket.write(new Uint8Array(100_000));
  await settled(() => harness.meter.value('vm_concurrent_insert_current') === 1);
  socket.resetAndDestroy();
  await settled(() => harness.meter.value('vm_concurrent_insert_current') === 0);
  await assertServes(harness);
});
