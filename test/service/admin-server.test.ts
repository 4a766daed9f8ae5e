import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { mkdir, readdir, readlink, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { callAdmin } from '../../src/cli/admin-client.ts';
import { ADMIN_SOCKET, AdminServer } from '../../src/service/admin-server.ts';
import { systemClock } from '../../src/util/clock.ts';
import { SluiceError } from '../../src/util/error.ts';
import { temporaryDirectory } from '../support/process.ts';
import { runSluice } from '../support/sluice.ts';

test('actions get JSON and give JSON; refusals and unknown actions are told', async (t) => {
  const directory = temporaryDirectory(t);
  const server = new AdminServer(directory, systemClock);
  t.after(() => server.close());
  await server.lock();
  const socket = join(directory, ADMIN_SOCKET);
  await assert.rejects(callAdmin(socket, 'double', { n: 2 }), /no action "double"/);
  server.serve({
    double: async ({ n }) => ({ n: Number(n) * 2 }),
    refuse: async () => {
      throw new SluiceError('no', 'it is Sunday');
    },
    fail: async () => {
      throw new TypeError('our mistake');
    },
  });
  assert.deepEqual(await callAdmin(socket, 'double', { n: 2 }), { n: 4 });
  await assert.rejects(callAdmin(socket, 'refuse'), /it is Sunday/);
  await assert.rejects(callAdmin(socket, 'fail'), /our mistake/);
  await assert.rejects(callAdmin(socket, 'constructor'), /no action/);
  await assert.rejects(callAdmin(socket, 'double', { n: 'x'.repeat(100_000) }), /too large/);
});

test('a directory is locked while its relay lives, and free after', async (t) => {
  const directory = temporaryDirectory(t);
  const first = new AdminServer(directory, systemClock);
  await first.lock();
  const second = new AdminServer(directory, systemClock);
  await assert.rejects(second.lock(), /another Sluice is running on it/);
  await first.close();
  await second.lock();
  await second.close();
  await assert.rejects(callAdmin(join(directory, ADMIN_SOCKET), 'status'), /no relay runs/);
});

test('a path that is too long for a socket works too', async (t) => {
  const directory = join(temporaryDirectory(t), 'x'.repeat(120));
  await mkdir(directory);
  const server = new AdminServer(directory, systemClock);
  await server.lock();
  const other = new AdminServer(directory, systemClock);
  await assert.rejects(other.lock(), /another Sluice/);
  await other.close();
  await server.close();
});

test('of two that find the socket of a dead one at once, one gets the directory', async (t) => {
  const directory = temporaryDirectory(t);
  for (let round = 0; round < 5; round++) {
    await writeFile(join(directory, ADMIN_SOCKET), '');
    const servers = [new AdminServer(directory, systemClock), new AdminServer(directory, systemClock)];
    const results = await Promise.allSettled(servers.map((server) => server.lock()));
    assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1);
    for (const server of servers) await server.close();
  }
});

test('who loses, or ends late, leaves the socket of the winner alone, and nothing of its own', async (t) => {
  const directory = temporaryDirectory(t);
  const socket = join(directory, ADMIN_SOCKET);
  for (const isStale of [false, true]) {
    if (isStale) await writeFile(socket, '');
    const servers = Array.from({ length: 4 }, () => new AdminServer(directory, systemClock));
    const results = await Promise.allSettled(servers.map((server) => server.lock()));
    const winner = servers[results.findIndex(({ status }) => status === 'fulfilled')]!;
    winner.serve({ who: async () => 'the winner' });
    for (const server of servers) if (server !== winner) await server.close();
    assert.equal(await callAdmin(socket, 'who'), 'the winner');
    assert.deepEqual(await readdir(directory), [ADMIN_SOCKET]);
    await winner.close();
    assert.deepEqual(await readdir(directory), []);
  }
});

test('a process that loses the race and exits without closing leaves the socket alone', async (t) => {
  const directory = temporaryDirectory(t);
  const socket = join(directory, ADMIN_SOCKET);
  const first = new AdminServer(directory, systemClock);
  t.after(() => first.close());
  await first.lock();
  first.serve({ who: async () => 'the first' });
  const flags = ['-remoteWrite.url=file:/dev/null', '-httpListenAddr=127.0.0.1:0'];
  const { code, output } = await runSluice(t, [...flags, `-remoteWrite.tmpDataPath=${directory}`]);
  assert.notEqual(code, 0);
  assert.match(output, /another Sluice is running/);
  assert.equal(await callAdmin(socket, 'who'), 'the first');
});

test('a directory that cannot have a socket is told', async (t) => {
  const directory = join(temporaryDirectory(t), 'nowhere');
  await assert.rejects(
    new AdminServer(directory, systemClock).lock(),
    /cannot open the admin socket in .*nowhere/,
  );
});

test('a socket that cannot be asked is not taken for that of a dead one', async (t) => {
  const directory = temporaryDirectory(t);
  const socket = join(directory, ADMIN_SOCKET);
  await symlink(socket, socket);
  await assert.rejects(new AdminServer(directory, systemClock).lock(), /cannot tell whether .*ELOOP/);
  assert.equal(await readlink(socket), socket);
});

test('commands reach a relay whose directory has a long path', async (t) => {
  const directory = join(temporaryDirectory(t), 'x'.repeat(120));
  await mkdir(directory);
  const socket = join(directory, ADMIN_SOCKET);
  await assert.rejects(callAdmin(socket, 'status'), { code: 'not_running' });
  await assert.rejects(callAdmin(join(directory, 'nowhere', ADMIN_SOCKET), 'status'), {
    code: 'not_running',
  });
  const server = new AdminServer(directory, systemClock);
  await server.lock();
  server.serve({ status: async () => 'fine' });
  const before = readdirSync('/proc/self/fd').length;
  assert.equal(await callAdmin(socket, 'status'), 'fine');
  assert.equal(await callAdmin(socket, 'status'), 'fine');
  await server.close();
  assert.ok(readdirSync('/proc/self/fd').length <= before);
});
