import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { type Address, Backends } from '../../src/deliver/backends.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { recordingLogger } from '../support/quiet-logger.ts';

function setUp(hosts: string[]) {
  const clock = new FakeClock();
  const log = recordingLogger();
  const state = { hosts, fails: false, lookups: 0 };
  const retired: string[] = [];
  let opened = 0;
  const backends = new Backends<string>({
    clock,
    log,
    resolve: async (): Promise<Address[]> => {
      state.lookups++;
      if (state.fails) throw new Error('SERVFAIL');
      return state.hosts.map((host) => ({ host, port: 1 }));
    },
    open: ({ host }) => `${host}#${++opened}`,
    retire: (connection) => retired.push(connection),
  });
  return { clock, log, state, retired, backends };
}

test('the backend with the fewest requests is picked, equal ones in turn', async () => {
  const { backends } = setUp(['a', 'b', 'c']);
  const picked: string[] = [];
  for (let i = 0; i < 6; i++) {
    const backend = await backends.pick();
    backend.inFlight++;
    picked.push(backend.address.host);
  }
  assert.deepEqual([...picked].sort(), ['a', 'a', 'b', 'b', 'c', 'c']);
  backends.all[1]!.inFlight = 0;
  assert.equal((await backends.pick()).address.host, 'b');
});

test('a failed backend is passed over for 5 s, unless all have failed', async () => {
  const { backends, clock } = setUp(['a', 'b']);
  const bad = await backends.pick();
  backends.failed(bad);
  for (let i = 0; i < 4; i++) assert.notEqual(await backends.pick(), bad);
  backends.failed(backends.all.find((backend) => backend !== bad)!);
  await backends.pick();
  clock.advance(5000);
  const again = new Set([await backends.pick(), await backends.pick()]);
  assert.equal(again.size, 2);
});

test('addresses are followed every 10 s: kept ones keep their connections, lost ones are retired', async () => {
  const { backends, clock, state, retired } = setUp(['a', 'b']);
  await backends.pick();
  clock.advance(9999);
  await backends.pick();
  assert.equal(state.lookups, 1);
  state.hosts = ['b', 'c', 'c'];
  clock.advance(1);
  await backends.pick();
  await turn();
  assert.deepEqual(
    backends.all.map(({ connection }) => connection),
    ['b#2', 'c#3'],
  );
  assert.deepEqual(retired, ['a#1']);
});

test('a dead name server changes nothing, unless nothing was ever known', async () => {
  const { backends, clock, state, log } = setUp(['a']);
  state.fails = true;
  await assert.rejects(backends.pick(), /SERVFAIL/);
  state.fails = false;
  assert.equal((await backends.pick()).address.host, 'a');
  state.fails = true;
  clock.advance(10_000);
  assert.equal((await backends.pick()).address.host, 'a');
  await turn();
  assert.equal(log.lines.length, 1);
});

test('reopen replaces every connection', async () => {
  const { backends, retired } = setUp(['a', 'b']);
  await backends.pick();
  backends.reopen();
  assert.deepEqual(retired, ['a#1', 'b#2']);
  assert.deepEqual(
    backends.all.map(({ connection }) => connection),
    ['a#3', 'b#4'],
  );
});
