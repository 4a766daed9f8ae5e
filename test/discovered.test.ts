import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Destination } from '../src/config/config.ts';
import type { Destinations } from '../src/destinations.ts';
import { Discovered } from '../src/discovered.ts';
import type { EnginePool } from '../src/engine/pool.ts';
import { readKnownEndpoints, writeKnownEndpoints } from '../src/known-endpoints.ts';
import { noCounts } from '../src/model/body.ts';
import type { Outlet } from '../src/outlet.ts';
import type { OutletFactory } from '../src/outlet-factory.ts';
import type { Rerouting } from '../src/rerouting.ts';
import { hostPort, parseService } from '../src/route/endpoint.ts';
import { ShardingMetrics } from '../src/route/sharding-metrics.ts';
import { FakeMeter } from './deliver/support.ts';
import { FakeDns, settled as turn } from './route/support-dns.ts';
import { FakeClock } from './support/fake-clock.ts';
import { MemoryFs } from './support/memory-fs.ts';
import { recordingLogger } from './support/quiet-logger.ts';

const REFRESH_MS = 30_000;

async function settled(): Promise<void> {
  for (let nth = 0; nth < 20; nth++) await turn();
}

/** Notes what is done with the outlets, and lets the test say when a queue is empty. */
class World {
  readonly fs = new MemoryFs();
  readonly clock = new FakeClock();
  readonly dns = new FakeDns();
  readonly log = recordingLogger();
  readonly said: string[] = [];
  readonly drains = new Map<string, (isEmpty: boolean) => void>();
  /** Names whose queues cannot be opened. */
  readonly broken = new Set<string>();
  readonly queuesInHand = new Set<string>();
  members: readonly Outlet[] = [];
  leaving: readonly Outlet[] = [];
  discovered = this.#create();

  #create(): Discovered {
    const { fs, clock, log, dns: resolver, said } = this;
    const world = this;
    const template = new Destination(
      { name: 's', url: 'http://u:p@shards:80/w', shownUrl: '1:secret-url', where: 'flag' },
      { 'remoteWrite.showURL': false },
    );
    const destinations = {
      queuesInHand: this.queuesInHand,
      get members() {
        return world.members;
      },
      get leaving() {
        return world.leaving;
      },
      replace(members: readonly Outlet[], leaving: readonly Outlet[]) {
        world.members = members;
        world.leaving = leaving;
        said.push(`members ${namesOf(members)}`);
      },
      forget(outlet: Outlet) {
        world.leaving = world.leaving.filter((other) => other !== outlet);
      },
    };
    const rerouting = {
      drain: ({ name }: Outlet) => new Promise<boolean>((resolve) => this.drains.set(name, resolve)),
      stop: () => said.push('stop'),
    };
    const outlets = {
      directoryOf: (name: string) => `/data/queue/${name}`,
      create: (destination: { name: string; url: string }) => this.#outletOf(destination),
    };
    return new Discovered(
      template as unknown as Parameters<OutletFactory['create']>[0],
      {
        service: parseService('shards:80')!,
        refreshMs: REFRESH_MS,
        timeoutMs: 5_000,
        fallbackOnEmpty: false,
        servers: [],
      },
      '/data',
      {
        ...{ clock, log, fs, resolver },
        metrics: new ShardingMetrics(new FakeMeter()),
        destinations: destinations as unknown as Destinations,
        outlets: outlets as unknown as OutletFactory,
        rerouting: rerouting as unknown as Rerouting,
        engine: () => ({ flush: async () => said.push('flush') }) as unknown as EnginePool,
        onFirst: async () => void said.push('first'),
      },
    );
  }

  #outletOf({ name, url }: { name: string; url: string }): Outlet {
    const note = (what: string) => () => void this.said.push(`${what} ${name}`);
    const outlet = {
      name,
      url,
      isLeaving: false,
      queue: { isEmpty: true, pendingCounts: noCounts },
      open: async () => {
        if (this.broken.has(name)) throw new Error('no such disk');
        note('open')();
      },
      start: note('start'),
      leave: async () => {
        outlet.isLeaving = true;
        note('leave')();
      },
      rejoin: () => {
        outlet.isLeaving = false;
        note('rejoin')();
      },
      discard: async () => note('discard')(),
    };
    return outlet as unknown as Outlet;
  }

  async open(records: Parameters<FakeDns['reply']>[0]): Promise<void> {
    const opened = this.discovered.open();
    await settled();
    await this.dns.reply(records);
    await opened;
  }

  /** The next look-up, with its answer. */
  async refresh(...addresses: string[]): Promise<string[]> {
    this.clock.advance(REFRESH_MS);
    await this.dns.reply({ resolve4: addresses });
    await settled();
    return this.said.splice(0);
  }

  async known(): Promise<{ current: string[]; leaving: string[] }> {
    const { current, leaving } = await readKnownEndpoints(this.fs, '/data', this.log);
    return { current: current.map(hostPort), leaving: leaving.map(hostPort) };
  }
}

const namesOf = (outlets: readonly Outlet[]) => outlets.map(({ name }) => name).join(' ');
const [A, B, C] = ['10.0.0.1', '10.0.0.2', '10.0.0.3'] as const;
const nameOf = (host: string) => `s-${host}-80`;

test('what the first look-up finds is opened, and sent to once it runs', async () => {
  const world = new World();
  await world.open({ resolve4: [B, A] });
  assert.deepEqual(world.said.splice(0), [
    `open ${nameOf(A)}`,
    `open ${nameOf(B)}`,
    `members ${nameOf(A)} ${nameOf(B)}`,
  ]);
  assert.equal(world.members[0]!.url, `http://u:p@${A}/w`);
  world.discovered.run();
  await settled();
  assert.deepEqual(world.said, [`start ${nameOf(A)}`, `start ${nameOf(B)}`]);
  assert.deepEqual(await world.known(), { current: [`${A}:80`, `${B}:80`], leaving: [] });
});

test('one that comes is opened before series are placed on it; one that goes leaves when the engine is through', async () => {
  const world = new World();
  await world.open({ resolve4: [A, B] });
  world.discovered.run();
  await settled();
  world.said.length = 0;
  assert.deepEqual(await world.refresh(A, B), []);
  assert.deepEqual(await world.refresh(B, C), [
    `open ${nameOf(C)}`,
    `members ${nameOf(B)} ${nameOf(C)}`,
    `start ${nameOf(C)}`,
    'flush',
    `leave ${nameOf(A)}`,
  ]);
  assert.deepEqual(await world.known(), { current: [`${B}:80`, `${C}:80`], leaving: [`${A}:80`] });
  world.drains.get(nameOf(A))!(true);
  await settled();
  assert.deepEqual(world.said, [`discard ${nameOf(A)}`]);
  assert.deepEqual(world.leaving, []);
  assert.deepEqual(await world.known(), { current: [`${B}:80`, `${C}:80`], leaving: [] });
});

test('one whose queue is being adopted waits until that is over', async () => {
  const world = new World();
  await world.open({ resolve4: [A] });
  world.discovered.run();
  await settled();
  world.said.length = 0;
  world.queuesInHand.add(nameOf(B));
  assert.deepEqual(await world.refresh(A, B), []);
  world.queuesInHand.delete(nameOf(B));
  assert.deepEqual(await world.refresh(A, B), [
    `open ${nameOf(B)}`,
    `members ${nameOf(A)} ${nameOf(B)}`,
    `start ${nameOf(B)}`,
  ]);
  assert.deepEqual([...world.queuesInHand].sort(), [nameOf(A), nameOf(B)]);
  await world.refresh(A);
  world.drains.get(nameOf(B))!(true);
  await settled();
  assert.deepEqual([...world.queuesInHand], [nameOf(A)]);
});

test('one that comes back before its queue is empty goes on, and is not thrown away', async () => {
  const world = new World();
  await world.open({ resolve4: [A, B] });
  world.discovered.run();
  await world.refresh(A);
  assert.deepEqual(await world.refresh(A, B), [`rejoin ${nameOf(B)}`, `members ${nameOf(A)} ${nameOf(B)}`]);
  world.drains.get(nameOf(B))!(true);
  await settled();
  assert.deepEqual(world.said, []);
  assert.deepEqual(await world.known(), { current: [`${A}:80`, `${B}:80`], leaving: [] });
});

test('queues that an earlier run left are emptied, without DNS its endpoints are the destinations', async () => {
  const world = new World();
  const [a, b, c] = [A, B, C].map((host) => ({ host, port: 80 }));
  await writeKnownEndpoints(world.fs, '/data', { current: [a!], leaving: [b!, c!] }, world.log);
  world.fs.put(`/data/queue/${nameOf(B)}/0000000000000001.seg`, Buffer.of(1));
  await world.open({ resolve4: 'ESERVFAIL', resolve6: 'ESERVFAIL' });
  assert.equal(namesOf(world.members), nameOf(A));
  assert.equal(namesOf(world.leaving), nameOf(B), 'nothing is left of the third one');
  world.said.length = 0;
  world.discovered.run();
  await settled();
  assert.deepEqual(world.said, [`start ${nameOf(A)}`, 'flush', `leave ${nameOf(B)}`]);
});

test('a queue that cannot be opened keeps the others from nothing, and is tried again', async () => {
  const world = new World();
  await world.open({ resolve4: [A] });
  world.discovered.run();
  world.broken.add(nameOf(B));
  await world.refresh(B);
  assert.equal(namesOf(world.members), nameOf(A), 'there must be a destination');
  await world.refresh(B, C);
  assert.equal(namesOf(world.members), nameOf(C));
  assert.ok(world.log.lines.some(({ message }) => message.startsWith('cannot follow a change')));
  world.broken.clear();
  world.clock.advance(REFRESH_MS);
  await world.dns.reply({ resolve4: [B, C] });
  await settled();
  assert.equal(namesOf(world.members), `${nameOf(B)} ${nameOf(C)}`);
});

test('a start that finds nothing goes on, and tells when there is something', async () => {
  const world = new World();
  await world.open({});
  world.discovered.run();
  await settled();
  assert.deepEqual(world.said.splice(0), ['members ']);
  const said = await world.refresh(A);
  assert.deepEqual(said, [`open ${nameOf(A)}`, `members ${nameOf(A)}`, `start ${nameOf(A)}`, 'first']);
});

test('after the end nothing changes any more', async () => {
  const world = new World();
  await world.open({ resolve4: [A] });
  world.discovered.run();
  await settled();
  world.said.length = 0;
  await world.discovered.close();
  assert.deepEqual(await world.refresh(A, B), ['stop']);
  assert.equal(world.clock.timers, 0);
});
