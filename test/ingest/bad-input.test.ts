/** What broken and hostile clients send, with the exact answer to each, and that the server is fine afterwards. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { assertServes, exchange, fetchText, open, readToEnd, request, startServer } from './harness.ts';

const MIB = 1024 * 1024;

test('a 47-byte body that declares 2.5 GB is refused without a look inside', async (t) => {
  const harness = await startServer(t);
  const body = new Uint8Array(47);
  body.set([0x80, 0xc0, 0x8d, 0xa8, 0x09]);
  const answer = await fetchText(`${harness.url}/api/v1/write`, { method: 'POST', body });
  assert.equal(answer.status, 413);
  assert.equal(
    answer.body,
    'cannot take the body: it declares, decompressed, 2500026368 bytes, and the limit is 33554432; send smaller requests or raise -maxInsertRequestSize\n',
  );
  assert.equal(harness.intake.bodies.length, 0);
  assert.equal(harness.meter.value('vm_concurrent_insert_current'), 0);
  await assertServes(harness);
});

test('a small zstd body that declares too much is refused, whatever its header says', async (t) => {
  const harness = await startServer(t, { maxInsertRequestSize: MIB });
  const raw = new Uint8Array(MIB + 1);
  const body = new Uint8Array(zstdCompressSync(raw, { pledgedSrcSize: raw.byteLength }));
  for (const encoding of ['zstd', 'snappy']) {
    const headers = { 'Content-Encoding': encoding };
    const answer = await fetchText(`${harness.url}/api/v1/write`, { method: 'POST', body, headers });
    assert.equal(answer.status, 413);
    assert.match(answer.body, /1048577 bytes, and the limit is 1048576/);
  }
  assert.equal(harness.intake.bodies.length, 0);
});

test('bodies that trickle hold no place, and are cut off with 503', async (t) => {
  const harness = await startServer(t, { maxConcurrentInserts: 1, 'insert.bodyIdleTimeout': 200 });
  const slow = await Promise.all(
    Array.from({ length: 50 }, async () => {
      const socket = await open(t, harness.port);
      socket.write(`${request({ 'Content-Length': 1000 })}x`);
      return socket;
    }),
  );
  const ends = slow.map(readToEnd);
  await assertServes(harness);
  for (const text of await Promise.all(ends)) {
    assert.match(text, /^HTTP\/1\.1 503 .*Retry-After: 5.*came in too slowly/s);
  }
  assert.equal(
    harness.meter.value('vm_tcplistener_read_timeouts_total', { name: 'http', addr: '127.0.0.1:0' }),
    50,
  );
});

test('2,000 connections that never finish their head are cut; others are served meanwhile', async (t) => {
  const harness = await startServer(t, { 'http.headerTimeout': 1_000 });
  const sockets: Socket[] = [];
  for (let index = 0; index < 2_000; index++) {
    const socket = await open(t, harness.port);
    socket.resume();
    // Some never say a word, others begin and stop.
    if (index % 2 === 0) socket.write('POST /api/v1/write HTTP/1.1\r\nHost: x\r\nX-');
    sockets.push(socket);
    if (index % 500 === 0) await assertServes(harness);
  }
  await assertServes(harness);
  await Promise.all(sockets.map((socket) => socket.closed || once(socket, 'close')));
  await assertServes(harness);
});

test('headers and parameters named like object members are harmless', async (t) => {
  const harness = await startServer(t);
  const headers = { ['__proto__']: 'x', constructor: 'y', 'Content-Length': 3, Connection: 'close' };
  const pairs = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const hostile = `POST /api/v1/write?__proto__=1&constructor=2 HTTP/1.1\r\nHost: x\r\n__proto__: x\r\n${pairs.join('')}\r\n\u0001\u0000a`;
  assert.match(await exchange(t, harness.port, hostile), /^HTTP\/1\.1 204 /);
  await assertServes(harness);
});

test('a URL that cannot be decoded gets 400', async (t) => {
  const { port } = await startServer(t);
  const text = await exchange(t, port, 'GET /%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  assert.match(text, /^HTTP\/1\.1 400 .*cannot read the URL: it is not valid\n$/s);
});
