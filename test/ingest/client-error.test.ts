/** Bytes that are no HTTP request, or two at once: exact answers, and the connection is closed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertServes, exchange, startServer } from './harness.ts';

const HEAD = 'POST /api/v1/write HTTP/1.1\r\nHost: x\r\n';
const smuggling: Readonly<Record<string, string>> = {
  'Content-Length and Transfer-Encoding': `${HEAD}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  'two Content-Lengths': `${HEAD}Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd`,
  'the same Content-Length twice': `${HEAD}Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc`,
  'a list of lengths': `${HEAD}Content-Length: 3, 3\r\n\r\nabc`,
  'a negative length': `${HEAD}Content-Length: -1\r\n\r\n`,
  'a signed length': `${HEAD}Content-Length: +3\r\n\r\nabc`,
  'a length in hex': `${HEAD}Content-Length: 0x3\r\n\r\nabc`,
  'a length beyond 64 bits': `${HEAD}Content-Length: 99999999999999999999\r\n\r\n`,
  xchunked: `${HEAD}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`,
  'chunked twice': `${HEAD}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`,
  'a space before the colon': `${HEAD}Content-Length : 3\r\n\r\nabc`,
  'a folded header': `${HEAD}X-A: b\r\n Content-Length: 3\r\n\r\nabc`,
  'NUL in a header': `${HEAD}X-A: b\u0000c\r\n\r\n`,
  'bare CR in a header': `${HEAD}X-A: b\rContent-Length: 3\r\n\r\nabc`,
  'a chunk size beyond 64 bits': `${HEAD}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nabc`,
  'a chunk size with a sign': `${HEAD}Transfer-Encoding: chunked\r\n\r\n-3\r\nabc`,
  'a chunk without CR': `${HEAD}Transfer-Encoding: chunked\r\n\r\n3\nabc\n0\n\n`,
  'no Host': 'POST /api/v1/write HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc',
  'no HTTP at all': '\u0016\u0003\u0001\u0002\u0000\u0001',
};

for (const [name, bytes] of Object.entries(smuggling)) {
  test(`ambiguous framing is refused and the connection closed: ${name}`, async (t) => {
    const harness = await startServer(t);
    const next = `${HEAD}Content-Length: 0\r\n\r\n`;
    const text = await exchange(t, harness.port, Buffer.from(bytes + next, 'latin1'));
    assert.match(text, /^HTTP\/1\.1 400 /);
    assert.equal(text.match(/HTTP\/1\.1 /g)?.length, 1, 'nothing behind it is taken for a request');
    assert.equal(harness.intake.bodies.length, 0);
    await assertServes(harness);
  });
}

test('a head that is too large gets 431, chunk extensions without end 413', async (t) => {
  const harness = await startServer(t);
  const large = `${HEAD}X-A: ${'a'.repeat(20_000)}\r\n\r\n`;
  assert.match(await exchange(t, harness.port, large), /^HTTP\/1\.1 431 /);
  const extended = `${HEAD}Transfer-Encoding: chunked\r\n\r\n3;${'a'.repeat(70_000)}\r\nabc`;
  assert.match(await exchange(t, harness.port, extended), /^HTTP\/1\.1 413 /);
  await assertServes(harness);
});

test('a head that comes too slowly gets 408', async (t) => {
  const { port } = await startServer(t, { 'http.headerTimeout': 100 });
  const text = await exchange(t, port, 'POST /api/v1/write HTTP/1.1\r\nHost: x\r\n');
  assert.match(text, /^HTTP\/1\.1 408 Request Timeout\r\n.*did not come in time\n$/s);
});
