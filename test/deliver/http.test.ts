import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { createServer as createTcpServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { contentHeaders, userAgent } from '../../src/destination/prometheus.ts';
import { Secret } from '../../src/util/secret.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { recordingLogger } from '../support/quiet-logger.ts';
import { bodyOf, client, httpPorts, listen, never, serve } from './support.ts';

const body = Buffer.from('some bytes');

test('a request carries the headers of its codec, its length and its bytes', async (t) => {
  const seen: { headers: string[]; body: string; url: string | undefined }[] = [];
  const url = await serve(t, async (request, reply) => {
    seen.push({ headers: request.rawHeaders, body: String(await bodyOf(request)), url: request.url });
    reply.writeHead(204, { 'X-Written': '7' }).end();
  });
  const http = client(t, `${url}/api/v1/write?a=b`);
  const { headers, ...reply } = await http.post(contentHeaders.zstd, body, never);
  await http.post(contentHeaders.snappy, body, never);
  assert.deepEqual(reply, { status: 204, text: '' });
  assert.equal(headers['x-written'], '7');
  assert.equal(seen[0]!.url, '/api/v1/write?a=b');
  assert.equal(seen[0]!.body, 'some bytes');
  const [zstd, snappy] = seen.map(({ headers }) =>
    Object.fromEntries(
      headers.map((value, index) => [value.toLowerCase(), headers[index + 1]]).filter((_, i) => i % 2 === 0),
    ),
  );
  const host = new URL(url).host;
  const common = {
    host,
    connection: 'keep-alive',
    'user-agent': userAgent,
    'content-type': 'application/x-protobuf',
    'content-length': '10',
  };
  assert.deepEqual(zstd, {
    ...common,
    'content-encoding': 'zstd',
    'x-victoriametrics-remote-write-version': '1',
  });
  assert.deepEqual(snappy, {
    ...common,
    'content-encoding': 'snappy',
    'x-prometheus-remote-write-version': '0.1.0',
  });
});

test('configured headers are sent, may set the host, and lose against those of the body and the credentials', async (t) => {
  let headers: NodeJS.Dict<string | string[]> = {};
  const url = await serve(t, (request, reply) => {
    headers = request.headers;
    reply.writeHead(204).end();
  });
  const http = client(t, url, {
    'remoteWrite.headers': new Secret(
      'X-Scope-OrgID: t1^^host: db.example^^user-agent: mine^^Authorization: old^^Content-Encoding: br',
    ),
    'remoteWrite.bearerToken': new Secret('token-1'),
  });
  await http.post(contentHeaders.snappy, body, never);
  assert.equal(headers['x-scope-orgid'], 't1');
  assert.equal(headers.host, 'db.example');
  assert.equal(headers['user-agent'], userAgent);
  assert.equal(headers['content-encoding'], 'snappy');
  assert.equal(headers.authorization, 'Bearer token-1');
});

test('user and password in the URL become basic authentication', async (t) => {
  let authorization: string | undefined;
  const url = await serve(t, (request, reply) => {
    authorization = request.headers.authorization;
    reply.writeHead(204).end();
  });
  await client(t, url.replace('//', '//u:p%20w@')).post([], body, never);
  assert.equal(authorization, `Basic ${Buffer.from('u:p w').toString('base64')}`);
});

test('every status comes back as it is, and redirects are not followed', async (t) => {
  const hosts: (string | undefined)[] = [];
  const statuses = [
    200, 204, 299, 301, 302, 303, 307, 308, 400, 401, 403, 404, 409, 413, 415, 422, 429, 500, 503, 599, 999,
  ];
  const url = await serve(t, async (request, reply) => {
    await bodyOf(request);
    hosts.push(request.url);
    const status = Number(request.url!.slice(2));
    reply
      .writeHead(status, { location: '/elsewhere', 'retry-after': '7' })
      .end(status < 300 ? '' : 'because\n');
  });
  for (const status of statuses) {
    const { headers, ...reply } = await client(t, `${url}/s${status}`.replace('/s', '/?')).post(
      [],
      body,
      never,
    );
    assert.equal(headers.location, '/elsewhere');
    const want = status < 300 ? { status, text: '' } : { status, text: 'because\\n', retryAfter: '7' };
    assert.deepEqual(reply, want);
  }
  assert.equal(hosts.includes('/elsewhere'), false);
  assert.equal(hosts.length, statuses.length);
});

test('a huge error body is read in part only, and a small one keeps the connection', async (t) => {
  let sent = 0;
  let connections = 0;
  const chunk = Buffer.alloc(1024 * 1024, 'x');
  const server = createServer(async (request, reply) => {
    await bodyOf(request);
    reply.writeHead(500);
    if (request.url === '/small') return reply.end('y'.repeat(20_000));
    const fill = () => {
      while (sent < 100 && !reply.destroyed) {
        sent++;
        if (!reply.write(chunk)) return reply.once('drain', fill);
      }
      return reply.end();
    };
    fill();
  });
  server.on('connection', () => {
    connections++;
  });
  const url = `http://127.0.0.1:${await listen(t, server)}`;
  const small = client(t, `${url}/small`);
  for (let i = 0; i < 5; i++) assert.equal((await small.post([], body, never)).text.length, 4096);
  // A pool may open a second one when a request comes in the same moment as the end of the answer before.
  assert.ok(connections <= 2, `${connections} connections for 5 requests`);
  const reply = await client(t, `${url}/huge`).post([], body, never);
  assert.equal(reply.status, 500);
  assert.equal(reply.text.length, 4096);
  assert.ok(sent < 100, `the server wrote ${sent} MiB`);
});

test('texts of the peer cannot forge log lines or give our secrets back', async (t) => {
  const url = await serve(t, async (request, reply) => {
    await bodyOf(request);
    const { authorization } = request.headers;
    reply
      .writeHead(500)
      .end(`a\r\n{"level":"info"}\x1b[31m ${authorization} ${request.headers['x-key']} ${request.url}`);
  });
  const http = client(t, `${url}/write?token=canary-query`, {
    'remoteWrite.headers': new Secret('X-Key: canary-header'),
    'remoteWrite.bearerToken': new Secret('canary-bearer'),
  });
  const { text } = await http.post([], body, never);
  assert.doesNotMatch(text, /canary/);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the point of the test
  assert.doesNotMatch(text, /[\u0000-\u001f]/);
  assert.match(text, /^a\\u000d\\n\{"level":"info"\}\\u001b\[31m Bearer secret secret secret$/);
});

test('a compressed answer is not decoded', async (t) => {
  const url = await serve(t, (_request, reply) => {
    reply.writeHead(500, { 'content-encoding': 'gzip' }).end(Buffer.alloc(100));
  });
  assert.equal((await client(t, url).post([], body, never)).text, '(a compressed text)');
});

test('an attempt ends at the send timeout, whatever the peer does', async (t) => {
  const url = await serve(t, () => {});
  const http = client(t, url, { 'remoteWrite.sendTimeout': 50 });
  await assert.rejects(http.post([], body, never), /no answer within 50 ms/);
});

test('a peer that accepts and never reads ends at the send timeout too', async (t) => {
  const server = createTcpServer({ pauseOnConnect: true }, (socket) => socket.on('error', () => {}));
  const url = `http://127.0.0.1:${await listen(t, server)}`;
  const http = client(t, url, { 'remoteWrite.sendTimeout': 50 });
  await assert.rejects(http.post([], Buffer.alloc(16 * 1024 * 1024), never), /no answer within 50 ms/);
});

test('a peer that resets the connection in the middle of the body rejects', async (t) => {
  let connections = 0;
  const server = createTcpServer((socket) => {
    connections++;
    socket.on('error', () => {}).once('data', () => socket.resetAndDestroy());
  });
  const url = `http://127.0.0.1:${await listen(t, server)}`;
  await assert.rejects(client(t, url).post([], Buffer.alloc(16 * 1024 * 1024), never));
  assert.equal(connections, 2);
});

test('a body that trickles in after the status does not hold up a delivered block', async (t) => {
  const url = await serve(t, (_request, reply) => {
    reply.writeHead(200).write('x');
  });
  assert.equal((await client(t, url).post([], body, never)).status, 200);
});

test('an answer that comes before the body was read does not say that its bytes are free', async (t) => {
  const sockets: Socket[] = [];
  const server = createTcpServer((socket) => {
    sockets.push(socket);
    socket
      .on('error', () => {})
      .once('data', () => {
        socket.pause();
        socket.write('HTTP/1.1 204 No Content\r\n\r\n');
      });
  });
  const http = client(t, `http://127.0.0.1:${await listen(t, server)}`);
  const large = Buffer.alloc(32 * 1024 * 1024);
  assert.equal((await http.post([], large, never)).status, 204);
  assert.equal(http.isDoneWith(large), false);
  for (const socket of sockets) socket.destroy();
});

test('the bytes of a body that was read are free', async (t) => {
  const url = await serve(t, async (request, reply) => {
    await bodyOf(request);
    reply.writeHead(204).end();
  });
  const http = client(t, url);
  const block = Buffer.alloc(4 * 1024 * 1024);
  await http.post([], block, never);
  assert.equal(http.isDoneWith(block), true);
});

test('an abort ends the attempt at once', async (t) => {
  const url = await serve(t, () => {});
  const controller = new AbortController();
  const attempt = client(t, url).post([], body, controller.signal);
  controller.abort(new Error('stopping'));
  await assert.rejects(attempt, /stopping/);
});

test('a connection that the peer had closed is tried once more, and not a third time', async (t) => {
  let connections = 0;
  const server = createTcpServer((socket) => {
    connections++;
    socket.on('error', () => {});
    socket.once('data', () => {
      if (connections === 1) socket.end('HTTP/1.1 500 x\r\ncontent-le');
      else if (connections === 2) socket.end('HTTP/1.1 204 ok\r\nconnection: close\r\n\r\n');
      else socket.resetAndDestroy();
    });
  });
  const url = `http://127.0.0.1:${await listen(t, server)}`;
  assert.equal((await client(t, url).post([], body, never)).status, 204);
  assert.equal(connections, 2);
  await assert.rejects(client(t, url).post([], body, never));
  assert.equal(connections, 4);
});

test('a refused connection and a name without address reject and are counted', async (t) => {
  const server = createTcpServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  const ports = httpPorts();
  await assert.rejects(
    client(t, `http://127.0.0.1:${port}`, {}, ports).post([], body, never),
    /ECONNREFUSED/,
  );
  const resolver = {
    addresses: async () => Promise.reject(new Error('ENOTFOUND x')),
    services: async () => [],
  };
  await assert.rejects(
    client(t, 'http://nowhere', {}, { ...ports, resolver }).post([], body, never),
    /ENOTFOUND/,
  );
  assert.equal(ports.meter.value('vmagent_remotewrite_dials_total'), 2);
  assert.equal(ports.meter.value('vmagent_remotewrite_dial_errors_total'), 2);
});

test('connections and their traffic are counted', async (t) => {
  const url = await serve(t, async (request, reply) => {
    await bodyOf(request);
    reply.writeHead(204).end();
  });
  const ports = httpPorts();
  const http = client(t, url, {}, ports);
  await http.post([], body, never);
  const value = (name: string) => ports.meter.value(`vmagent_remotewrite_${name}`) ?? 0;
  assert.equal(value('conns'), 1);
  assert.equal(value('dials_total'), 1);
  assert.ok(value('conn_reads_total') > 0 && value('conn_writes_total') > 0);
  const written = value('conn_bytes_written_total');
  assert.ok(written > body.length && value('conn_bytes_read_total') > 0);
  await http.close();
  await turn();
  assert.equal(value('conns'), 0);
  assert.equal(value('conn_bytes_written_total'), written);
});

// ---- names

test('dns+ spreads requests over all addresses and passes over those that fail', async (t) => {
  const clock = new FakeClock();
  const hits: (string | undefined)[] = [];
  const url = await serve(t, async (request, reply) => {
    await bodyOf(request);
    hits.push(request.headers.host);
    reply.writeHead(204).end();
  });
  const { port } = new URL(url);
  const asked: string[] = [];
  const resolver = {
    addresses: async (host: string) => {
      asked.push(host);
      return host === 'db.example' ? ['127.0.0.2', '127.0.0.1'] : [host];
    },
    services: async () => [],
  };
  // Nothing listens on 127.0.0.2: its turn goes to the other backend in the same attempt.
  const http = client(t, `http://dns+db.example:${port}`, {}, { clock, resolver });
  for (let i = 0; i < 4; i++) assert.equal((await http.post([], body, never)).status, 204);
  assert.deepEqual(hits, Array(4).fill(`db.example:${port}`));
  assert.equal(asked.filter((host) => host === 'db.example').length, 1);
  clock.advance(10_000);
  await http.post([], body, never);
  assert.equal(asked.filter((host) => host === 'db.example').length, 2);
});

test('srv+ takes host and port from the record', async (t) => {
  const url = await serve(t, async (request, reply) => {
    await bodyOf(request);
    reply.writeHead(204).end();
  });
  const resolver = {
    addresses: async () => ['127.0.0.1'],
    services: async (name: string) =>
      name === '_write._tcp.example' ? [{ name: 'a.example', port: Number(new URL(url).port) }] : [],
  };
  const http = client(t, 'http://srv+_write._tcp.example/x', {}, { resolver });
  assert.equal((await http.post([], body, never)).status, 204);
});

test('connections to an address that the name has lost are closed', async (t) => {
  const clock = new FakeClock();
  const sockets = new Set<Socket>();
  const server = createServer(async (request, reply) => {
    await bodyOf(request);
    reply.writeHead(204).end();
  });
  server.on('connection', (socket) => sockets.add(socket));
  const port = await listen(t, server);
  let addresses = ['127.0.0.1'];
  const resolver = { addresses: async () => addresses, services: async () => [] };
  const http = client(t, `http://db.example:${port}`, {}, { clock, resolver });
  await http.post([], body, never);
  clock.advance(20_000);
  await turn();
  const [socket] = [...sockets];
  assert.equal(socket!.destroyed, false);
  addresses = ['127.0.0.9'];
  const closed = once(socket!, 'close');
  clock.advance(20_000);
  await closed;
});

// ---- proxies

/** A proxy that knows CONNECT and absolute requests, and writes down what it was asked. */
async function proxyServer(t: TestContext): Promise<{ url: string; asked: string[] }> {
  const asked: string[] = [];
  const { connect } = await import('node:net');
  const { request: forward } = await import('node:http');
  const server = createServer((request, reply) => {
    asked.push(`${request.method} ${request.url} ${request.headers['proxy-authorization'] ?? '-'}`);
    const { 'proxy-authorization': _hidden, ...headers } = request.headers;
    const onward = forward(request.url!, { method: request.method, headers }, (answer) => {
      reply.writeHead(answer.statusCode!);
      answer.pipe(reply);
    });
    request.pipe(onward);
  });
  server.on('connect', (request, socket) => {
    asked.push(`CONNECT ${request.headers['proxy-authorization'] ?? '-'}`);
    const [host, port] = request.url!.split(':');
    const onward = connect(Number(port), host === 'db.example' ? '127.0.0.1' : host!, () => {
      socket.write('HTTP/1.1 200 go\r\n\r\n');
      socket.pipe(onward).pipe(socket);
    });
    for (const end of [socket, onward]) end.on('error', () => {}).on('close', () => onward.destroy());
  });
  return { url: `http://u:pw@127.0.0.1:${await listen(t, server)}`, asked };
}

const proxyAuth = `Basic ${Buffer.from('u:pw').toString('base64')}`;

test('an HTTP proxy gets whole URLs for http, and credentials that the destination does not see', async (t) => {
  let seen: NodeJS.Dict<string | string[]> = {};
  const url = await serve(t, async (request, reply) => {
    await bodyOf(request);
    seen = request.headers;
    reply.writeHead(204).end();
  });
  const proxy = await proxyServer(t);
  const http = client(t, `${url}/w?x=1`, { 'remoteWrite.proxyURL': new Secret(proxy.url) });
  assert.equal((await http.post([], body, never)).status, 204);
  assert.deepEqual(proxy.asked, [`POST ${url}/w?x=1 ${proxyAuth}`]);
  assert.equal(seen['proxy-authorization'], undefined);
  assert.equal(seen.host, new URL(url).host);
});

test('https goes through CONNECT', async (t) => {
  const ca = await authority(t);
  const server = createTlsServer({ cert: ca.cert, key: ca.key }, (_request, reply) => {
    reply.writeHead(204).end();
  });
  const port = await listen(t, server);
  const proxy = await proxyServer(t);
  const http = client(t, `https://db.example:${port}/w`, {
    'remoteWrite.proxyURL': new Secret(proxy.url),
    'remoteWrite.tlsCAFile': ca.certFile,
  });
  assert.equal((await http.post([], body, never)).status, 204);
  assert.deepEqual(proxy.asked, [`CONNECT ${proxyAuth}`]);
});

test('a SOCKS5 proxy is logged in to and told the name', async (t) => {
  const url = await serve(t, (_request, reply) => {
    reply.writeHead(204).end();
  });
  const { connect } = await import('node:net');
  const told: Buffer[] = [];
  const server = createTcpServer((socket) => {
    const answers = [Buffer.of(5, 2), Buffer.of(1, 0), Buffer.of(5, 0, 0, 1, 0, 0, 0, 0, 0, 0)];
    const onData = (data: Buffer) => {
      told.push(data);
      socket.write(answers[told.length - 1]!);
      if (told.length < 3) return;
      socket.off('data', onData);
      const onward = connect(Number(new URL(url).port), '127.0.0.1');
      socket.pipe(onward).pipe(socket);
      for (const end of [socket, onward]) end.on('error', () => {}).on('close', () => onward.destroy());
    };
    socket.on('data', onData);
  });
  const port = await listen(t, server);
  const http = client(t, 'http://db.example:8428/w', {
    'remoteWrite.proxyURL': new Secret(`socks5://u:pw@127.0.0.1:${port}`),
  });
  assert.equal((await http.post([], body, never)).status, 204);
  assert.deepEqual(told[0], Buffer.of(5, 1, 2));
  assert.deepEqual(told[1], Buffer.from('\x01\x01u\x02pw', 'latin1'));
  assert.equal(told[2]!.subarray(4, 15).toString('latin1'), '\x0adb.example');
  assert.equal(told[2]!.readUInt16BE(15), 8428);
  await http.close();
});

// ---- TLS

interface Authority {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly certFile: string;
  readonly keyFile: string;
}

/** A self-signed certificate for `name`. */
async function authority(t: TestContext, name = 'db.example'): Promise<Authority> {
  const directory = await mkdtemp(path.join(tmpdir(), 'tls-'));
  t.after(() => rm(directory, { recursive: true }));
  const [certFile, keyFile] = [path.join(directory, 'cert.pem'), path.join(directory, 'key.pem')];
  const options = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=${name}`;
  execFileSync(
    'openssl',
    [...options.split(' '), '-addext', `subjectAltName=DNS:${name}`, '-keyout', keyFile, '-out', certFile],
    { stdio: 'ignore' },
  );
  return { certFile, keyFile, cert: await readFile(certFile), key: await readFile(keyFile) };
}

test('certificates are checked: authority, name, and neither when told so', async (t) => {
  const ca = await authority(t);
  const hosts: (string | undefined)[] = [];
  const server = createTlsServer({ cert: ca.cert, key: ca.key }, (request, reply) => {
    hosts.push(request.headers.host);
    reply.writeHead(204).end();
  });
  const url = `https://127.0.0.1:${await listen(t, server)}`;
  const send = (over: Parameters<typeof client>[2]) => client(t, url, over).post([], body, never);
  await assert.rejects(send({}), /self-signed/);
  await assert.rejects(send({ 'remoteWrite.tlsCAFile': ca.certFile }), /altnames/);
  await assert.rejects(
    send({ 'remoteWrite.tlsCAFile': '/nonexistent/ca.pem' }),
    /cannot read \/nonexistent\/ca.pem/,
  );
  const named = { 'remoteWrite.tlsCAFile': ca.certFile, 'remoteWrite.tlsServerName': 'db.example' };
  assert.equal((await send(named)).status, 204);
  assert.equal((await send({ 'remoteWrite.tlsInsecureSkipVerify': true })).status, 204);
  assert.deepEqual(hosts, ['db.example', new URL(url).host]);
});

test('a client certificate is shown, and a new one is used as soon as its files change', async (t) => {
  const clock = new FakeClock();
  const server = await authority(t);
  const [first, second] = [await authority(t, 'first'), await authority(t, 'second')];
  const names: string[] = [];
  const options = { cert: server.cert, key: server.key, requestCert: true, ca: [first.cert, second.cert] };
  const tls = createTlsServer(options, (request, reply) => {
    names.push(String((request.socket as import('node:tls').TLSSocket).getPeerCertificate().subject.CN));
    reply.writeHead(204).end();
  });
  const url = `https://127.0.0.1:${await listen(t, tls)}`;
  const http = client(
    t,
    url,
    {
      'remoteWrite.tlsCAFile': server.certFile,
      'remoteWrite.tlsServerName': 'db.example',
      'remoteWrite.tlsCertFile': first.certFile,
      'remoteWrite.tlsKeyFile': first.keyFile,
    },
    { clock },
  );
  await http.post([], body, never);
  await writeFile(first.certFile, second.cert);
  await writeFile(first.keyFile, second.key);
  await http.post([], body, never);
  clock.advance(1000);
  await http.post([], body, never);
  assert.deepEqual(names, ['first', 'first', 'second']);
});

test('a TLS handshake that never ends is cut off', async (t) => {
  const sockets: Socket[] = [];
  const server = createTcpServer((socket) => sockets.push(socket));
  const port = await listen(t, server);
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  const http = client(t, `https://127.0.0.1:${port}`, { 'remoteWrite.tlsHandshakeTimeout': 30 });
  await assert.rejects(http.post([], body, never), /TLS handshake took longer than 30 ms/);
});

test('nothing of a destination with secrets everywhere reaches log or error', async (t) => {
  const log = recordingLogger();
  const proxy = 'http://user:canary-proxy@127.0.0.1:1';
  const http = client(
    t,
    'http://u:canary-url@db.example/canary-path?k=canary-query',
    {
      'remoteWrite.proxyURL': new Secret(proxy),
      'remoteWrite.headers': new Secret('X-A: canary-header'),
      'remoteWrite.basicAuth.username': 'u',
      'remoteWrite.basicAuth.password': new Secret('canary-password'),
    },
    { log },
  );
  await assert.rejects(http.post([], body, never), (error: Error) => {
    assert.doesNotMatch(`${error.message}${error.stack}`, /canary/);
    assert.equal(error.cause, undefined);
    return true;
  });
  assert.doesNotMatch(JSON.stringify(log.lines), /canary/);
});
