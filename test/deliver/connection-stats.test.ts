import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { test } from 'node:test';
import { ConnectionStats } from '../../src/deliver/connection-stats.ts';
import { FakeMeter } from './support.ts';

test('broken reads and writes are told apart, and a closed connection is no longer open', async () => {
  const meter = new FakeMeter();
  const stats = new ConnectionStats(meter);
  const value = (name: string) => meter.value(`vmagent_remotewrite_${name}`);
  for (const syscall of ['read', 'write', 'write']) {
    const socket = new Socket();
    stats.opened(socket);
    socket.destroy(Object.assign(new Error('x'), { syscall }));
    assert.equal(value('conns'), 1);
    await new Promise((resolve) => socket.once('close', resolve));
    assert.equal(value('conns'), 0);
  }
  assert.equal(value('conn_read_errors_total'), 1);
  assert.equal(value('conn_write_errors_total'), 2);
});
