import assert from 'node:assert/strict';
import { createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { type ConnectConfig, connectorTo } from '../../src/deliver/connect.ts';
import { ConnectionStats } from '../../src/deliver/connection-stats.ts';
import { systemResolver } from '../../src/deliver/resolve.ts';
import { systemClock } from '../../src/util/clock.ts';
import { FakeMeter, listen } from './support.ts';

function dial(over: Partial<ConnectConfig>): Promise<Socket> {
  const config: ConnectConfig = {
    host: '127.0.0.1',
    port: 1,
    tls: undefined,
    serverName: 'x',
    handshakeTimeoutMs: 50,
    proxy: undefined,
    proxyTls: {},
    ...over,
  };
  const ports = { clock: systemClock, resolver: systemResolver, stats: new ConnectionStats(new FakeMeter()) };
  const connect = connectorTo(config, ports, () => {});
  return new Promise((resolve, reject) => {
    connect({ hostname: 'ignored', protocol: 'http:', port: '1' }, (error, socket) =>
      error === null ? resolve(socket!) : reject(error),
    );
  });
}

/** A proxy that answers everything with these bytes. */
async function proxyThatSays(t: TestContext, bytes: string, scheme = 'http'): Promise<URL> {
  const server = createServer((socket) => {
    socket.on('error', () => {}).on('data', () => socket.write(bytes, 'latin1'));
  });
  return new URL(`${scheme}://127.0.0.1:${await listen(t, server)}`);
}

test('a proxy that refuses, talks nonsense or stays silent is an error, not a connection', async (t) => {
  const cases: [string, string, RegExp][] = [
    ['http', 'HTTP/1.1 407 no\r\n\r\n', /answered 407 to CONNECT/],
    ['http', 'hello\r\n\r\n', /answered no HTTP/],
    ['http', 'HTTP/1.1 200 ok\r\n\r\nHTTP/1.1 204 forged\r\n\r\n', /more than an answer/],
    ['http', 'x'.repeat(20_000), /more than an answer/],
    ['http', '', /the proxy took longer than 50 ms/],
    ['socks5', '\x05\xff', /does not take our way to log in/],
    ['socks5', 'HTTP', /more than an answer/],
  ];
  for (const [scheme, says, want] of cases) {
    await assert.rejects(dial({ proxy: await proxyThatSays(t, says, scheme) }), want);
  }
});

test('a direct connection goes to the configured place, whatever the pool calls it', async (t) => {
  const port = await listen(
    t,
    createServer((socket) => socket.end('hi')),
  );
  const socket = await dial({ port });
  const chunks = await socket.toArray();
  assert.equal(String(Buffer.concat(chunks)), 'hi');
});
