import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, connect as netConnect, type Socket } from 'node:net';
import { test } from 'node:test';
import { SocketWrites } from '../../src/deliver/socket-writes.ts';
import { listen } from './support.ts';

/** More than the buffers of a loopback connection take. */
const LARGE_BYTES = 32 * 1024 * 1024;

async function connected(t: import('node:test').TestContext) {
  const server = createServer();
  const accepted = once(server, 'connection');
  const port = await listen(t, server);
  const socket = netConnect(port, '127.0.0.1');
  const [peer] = (await accepted) as [Socket];
  peer.pause();
  t.after(() => {
    socket.destroy();
    peer.destroy();
  });
  const writes = new SocketWrites();
  writes.watch(socket);
  return { socket, peer, writes };
}

test('bytes are in use until the system has taken them all', async (t) => {
  const { socket, peer, writes } = await connected(t);
  const bytes = new Uint8Array(LARGE_BYTES);
  const others = new Uint8Array(10);
  const told = new Promise((resolve) => {
    socket.cork();
    socket.write('head', 'latin1');
    socket.write(bytes.subarray(1), resolve);
    socket.uncork();
  });
  assert.equal(writes.has(bytes), true);
  assert.equal(writes.has(others), false);
  peer.resume();
  await told;
  assert.equal(writes.has(bytes), false);
});

test('two writes of the same bytes end one after the other', async (t) => {
  const { socket, peer, writes } = await connected(t);
  const bytes = new Uint8Array(10);
  const first = new Promise((resolve) => void socket.write(bytes, resolve));
  const block = new Uint8Array(LARGE_BYTES);
  socket.write(block);
  const second = new Promise((resolve) => void socket.write(bytes, resolve));
  await first;
  assert.equal(writes.has(bytes), true);
  peer.resume();
  await second;
  assert.equal(writes.has(bytes), false);
  assert.equal(writes.has(block), false);
});

test('what a destroyed socket was sending is in use until the socket lets go of it', async (t) => {
  const { socket, writes } = await connected(t);
  const bytes = new Uint8Array(LARGE_BYTES);
  socket.on('error', () => {});
  socket.write(bytes);
  assert.equal(writes.has(bytes), true);
  socket.destroy();
  assert.equal(writes.has(bytes), true);
});
