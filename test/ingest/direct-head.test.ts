/** Heads that are read directly: never another way than Node reads them, which is the oracle here. */
import assert from 'node:assert/strict';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import fc from 'fast-check';
import { HeadReader, readHead } from '../../src/ingest/direct-head.ts';

const PLAIN = 'POST /api/v1/write?a=b HTTP/1.1\r\nHost: relay:8429\r\nUser-Agent: x/1\r\nContent-Length: 5';

interface Seen {
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** What Node's server makes of a request; undefined if it refuses it. */
function readByNode(head: string, body: string): Promise<Seen | undefined> {
  return new Promise((resolve) => {
    const server = createServer((request) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk) => chunks.push(chunk));
      request.on('error', () => resolve(undefined));
      request.on('end', () => {
        const read = Buffer.concat(chunks).toString('latin1');
        resolve({ url: request.url ?? '', headers: request.headers, body: read });
      });
    });
    server.on('clientError', () => resolve(undefined));
    server.on('upgrade', () => resolve(undefined));
    const socket = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
    server.emit('connection', socket);
    socket.push(Buffer.from(`${head}\r\n\r\n${body}`, 'latin1'));
    socket.push(null);
  });
}

test('what senders write is read', () => {
  const go =
    'POST /api/v1/write HTTP/1.1\r\nHost: sluice:8429\r\nUser-Agent: Prometheus/3.5.0\r\nContent-Length: 77123\r\nContent-Encoding: snappy\r\nContent-Type: application/x-protobuf\r\nX-Prometheus-Remote-Write-Version: 0.1.0';
  const read = readHead(go);
  assert.equal(read?.contentLength, 77123);
  assert.equal(read?.head.url, '/api/v1/write');
  assert.deepEqual(
    { ...read?.head.headers },
    {
      host: 'sluice:8429',
      'user-agent': 'Prometheus/3.5.0',
      'content-length': '77123',
      'content-encoding': 'snappy',
      'content-type': 'application/x-protobuf',
      'x-prometheus-remote-write-version': '0.1.0',
    },
  );
});

const with1 = (line: string) => PLAIN.replace('\r\nUser-Agent: x/1', `\r\n${line}`);

test('what is not plain is left to Node', () => {
  const others = {
    'another method': PLAIN.replace('POST', 'GET'),
    'another version': PLAIN.replace('HTTP/1.1', 'HTTP/1.0'),
    'an absolute URL': PLAIN.replace('/api', 'http://relay/api'),
    'no host': PLAIN.replace('\r\nHost: relay:8429', ''),
    'no length': PLAIN.replace('\r\nContent-Length: 5', ''),
    'an empty length': PLAIN.replace('Length: 5', 'Length:'),
    'a length with a sign': PLAIN.replace('Length: 5', 'Length: +5'),
    'a hexadecimal length': PLAIN.replace('Length: 5', 'Length: 0x5'),
    'two lengths': with1('Content-Length: 5'),
    'two lengths that differ': with1('content-length: 6'),
    'two of any header': with1('HOST: relay'),
    chunks: with1('Transfer-Encoding: chunked'),
    'a question before the body': with1('Expect: 100-continue'),
    'another protocol': with1('Upgrade: h2c'),
    'a last request': with1('Connection: close'),
    'several options of the connection': with1('Connection: keep-alive, x'),
    'a folded line': with1('X: a\r\n b'),
    'a blank before the colon': with1('X : a'),
    'a name with a blank': with1('X Y: a'),
    'no name': with1(': a'),
    'no colon': with1('X'),
    'what a proxy should have kept': with1('Proxy-Connection: close'),
    'a bare line feed': with1('X: a\nY: b'),
    'a bare carriage return': with1('X: a\rY: b'),
    'a control character': with1('X: a\u0000b'),
    'another control character': with1('X: a\u007fb'),
    'a name of an object': with1('__proto__: x'),
    'an empty line': with1(''),
    'too many headers': with1(Array.from({ length: 99 }, (_, index) => `X${index}: a`).join('\r\n')),
  };
  for (const [what, text] of Object.entries(others)) assert.equal(readHead(text), undefined, what);
  assert.notEqual(readHead(with1('Connection: Keep-Alive')), undefined);
  assert.notEqual(readHead(with1('X:')), undefined);
});

test('a head full of white space takes no longer than another', () => {
  const blanks = with1(`X:${' '.repeat(15_000)}\u0001`);
  // With a second for each this would never end.
  for (let count = 0; count < 2_000; count++) assert.equal(readHead(blanks), undefined);
  assert.equal(readHead(with1(`X: \t \xa0 a \xa0\t `))?.head.headers.x, '\xa0 a \xa0');
});

test('whatever is read is what Node reads', async () => {
  const byte = fc.nat(255).map((code) => String.fromCharCode(code));
  const edge = fc.constantFrom(
    '\r\n',
    ' ',
    '\t',
    ':',
    ',',
    'close',
    'chunked',
    'Content-Length',
    '0',
    '7',
    'X: y\r\n',
  );
  const line = fc.constantFrom(
    'Connection: keep-alive',
    'Accept-Encoding: gzip',
    'X: \t a b \t',
    'Authorization: Basic YTpi',
    'content-encoding: snappy',
    'Cookie: a=b',
    'TE: trailers',
    'Expect: x',
    'X-Æ: é',
    'X-A: é',
  );
  const change = fc.record({ at: fc.nat(200), cut: fc.nat(3), put: fc.oneof(byte, edge, fc.constant('')) });
  let read = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(line, { maxLength: 4 }),
      fc.array(change, { maxLength: 2 }),
      async (lines, changes) => {
        let text = [PLAIN, ...lines].join('\r\n');
        for (const { at, cut, put } of changes) {
          const from = at % text.length;
          text = text.slice(0, from) + put + text.slice(from + cut);
        }
        // The head ends where the bytes say so.
        text = text.split('\r\n\r\n', 1)[0]!;
        const mine = readHead(text);
        if (mine === undefined || mine.contentLength > 5) return;
        read++;
        const body = 'abcde'.slice(0, mine.contentLength);
        const seen = await readByNode(text, body);
        assert.ok(seen !== undefined, JSON.stringify(text));
        assert.equal(mine.head.url, seen.url);
        assert.deepEqual({ ...mine.head.headers }, { ...seen.headers });
        assert.equal(seen.body, body);
      },
    ),
    { numRuns: 2_000 },
  );
  assert.ok(read > 200, `only ${read} heads were read`);
});

test('a head that comes again is known, and its length is its own', () => {
  const reader = new HeadReader();
  const first = reader.read(PLAIN);
  assert.equal(first?.contentLength, 5);
  const again = reader.read(PLAIN.replace('Length: 5', 'Length: 1234'));
  assert.equal(again?.head, first?.head);
  assert.equal(again?.contentLength, 1234);
  assert.equal(again?.head.headers['content-length'], '1234');
  for (const digits of ['', '5x', ' 5', '5\r\nX: y', '1234567890']) {
    const text = PLAIN.replace('Length: 5', `Length: ${digits}`);
    assert.deepEqual(reader.read(text), readHead(text), JSON.stringify(digits));
  }
  assert.equal(reader.read('POST'), undefined);
  // As long as the one that is known, but another.
  reader.read(PLAIN);
  const other = PLAIN.replace('/api/v1/write', '/api/v9/write');
  assert.equal(reader.read(other)?.head.url, '/api/v9/write?a=b');
  const tail = `${PLAIN}\r\nX: 1`;
  reader.read(tail);
  assert.equal(reader.read(tail.replace('X: 1', 'X: 2'))?.head.headers.x, '2');
});
