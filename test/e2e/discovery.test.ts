/**
 * Destinations that come and go by DNS, in the real daemon with a name server of the test: nothing is lost, what waited for
 * one that is gone comes to those that own its series now, and the ledger balances all the time.
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { systemClock } from '../../src/util/clock.ts';
import { srv, startDnsServer, type Zone } from '../route/dns-server.ts';
import { assertLedgerBalances, metricSum, readLedger } from '../support/metrics.ts';
import { temporaryDirectory } from '../support/process.ts';
import { randomFrom } from '../support/random.ts';
import { bitsOf, push, type Series, seriesKey, valueOfBits } from '../support/remote-write.ts';
import { describe, missingFrom, SampleStore } from '../support/samples.ts';
import { type Sink, startSink } from '../support/sink.ts';
import { type RunningSluice, runSluice, startSluice } from '../support/sluice.ts';
import { until } from '../support/wait.ts';

const SERIES = 300;
const LABELS = { relay: 'test' };

/** An endpoint that can be down. */
interface Door extends Sink {
  isDown: boolean;
  /** How long each request takes. */
  delayMs: number;
  readonly name: string;
}

async function openDoor(t: TestContext): Promise<Door> {
  const respond = async () => {
    if (door.delayMs > 0) await delay(door.delayMs);
    return door.isDown ? 503 : 204;
  };
  const sink = await startSink(t, { respond });
  const door: Door = { ...sink, isDown: false, delayMs: 0, name: `shard-127.0.0.1-${sink.port}` };
  return door;
}

async function setUp(t: TestContext, count: number, flags: readonly string[]) {
  const directory = path.join(temporaryDirectory(t), 'data');
  const doors: Door[] = [];
  for (let nth = 0; nth < count; nth++) doors.push(await openDoor(t));
  const zone: Zone = {};
  const publish = (...current: readonly Door[]) => {
    zone.SRV = current.map(({ port }) => srv(port, '127.0.0.1'));
  };
  publish(...doors);
  const { address } = await startDnsServer(t, zone);
  const start = () =>
    startSluice(t, directory, [
      '-remoteWrite.url=http://shards.example/api/v1/write',
      '-remoteWrite.name=shard',
      '-remoteWrite.discovery.service=_http._tcp.shards.example',
      `-remoteWrite.discovery.resolver=${address}`,
      '-remoteWrite.discovery.refreshInterval=1s',
      '-remoteWrite.retryMinInterval=100ms',
      '-remoteWrite.retryMaxInterval=200ms',
      '-remoteWrite.flushInterval=50ms',
      ...flags,
    ]);
  return { directory, doors, zone, publish, start };
}

/** Everything that was acknowledged, as destinations see it. */
class Client {
  readonly acknowledged = new SampleStore();
  #tick = 0;
  /** Of each run. */
  readonly #received = new WeakMap<RunningSluice, number>();

  /** The page of metrics is a second old at most, so it has to have all that was sent. */
  async quiet(sluice: RunningSluice, but?: Door): Promise<void> {
    await until('nothing waits any more', 60_000, async () => {
      const { global, destinations } = readLedger(await sluice.metrics());
      if (global.received !== (this.#received.get(sluice) ?? 0)) return false;
      return Object.entries(destinations).every(
        ([name, { pending, in_engine }]) => in_engine === 0 && (pending === 0 || name === but?.name),
      );
    });
  }

  async send(sluice: RunningSluice): Promise<number> {
    const timestampMs = 1_790_000_000_000 + ++this.#tick;
    const series: Series[] = Array.from({ length: SERIES }, (_, nth) => ({
      labels: { __name__: 'm', nth: `${nth}` },
      points: [{ timestampMs, bits: bitsOf(this.#tick + nth / 64) }],
    }));
    const { status, text } = await push(`${sluice.url}/api/v1/write`, series);
    assert.equal(status, 204, text);
    this.#received.set(sluice, (this.#received.get(sluice) ?? 0) + SERIES);
    for (const { labels, points } of series) {
      for (const point of points)
        this.acknowledged.add({ ...labels, ...LABELS }, point.timestampMs, point.bits);
    }
    return timestampMs;
  }
}

function allOf(doors: readonly Door[]): SampleStore {
  const all = new SampleStore();
  for (const { samples } of doors) {
    for (const { key, timestampMs, bits } of samples)
      all.add(Object.fromEntries(JSON.parse(key)), timestampMs, bits);
  }
  return all;
}

function assertArrived(arrived: SampleStore, { acknowledged }: Client): void {
  const missing = missingFrom(arrived, acknowledged);
  assert.equal(missing.length, 0, describe(missing));
}

/** The places in `doors` that have a series at this time. */
const ownersOf = (doors: readonly Door[], nth: number, timestampMs: number): number[] =>
  doors.flatMap(({ samples }, place) =>
    samples.bitsAt(seriesKey({ __name__: 'm', nth: `${nth}`, ...LABELS }), timestampMs).length > 0
      ? [place]
      : [],
  );

async function endpoints(sluice: RunningSluice, count: number): Promise<void> {
  await until(`there are ${count} endpoints`, 30_000, async () => {
    return metricSum(await sluice.metrics(), 'sluice_sharding_endpoints_total') === count;
  });
}

async function gone(sluice: RunningSluice, { name }: Door): Promise<void> {
  await until(`${name} is gone for good`, 60_000, async () => {
    return readLedger(await sluice.metrics()).destinations[name] === undefined;
  });
}

for (const mode of ['rendezvous', 'ring']) {
  test(`${mode}: a shard comes, another one goes with a backlog: everything is where it belongs`, async (t) => {
    const { directory, doors, publish, start } = await setUp(t, 3, [
      '-remoteWrite.shardByURL',
      `-remoteWrite.shardByURL.mode=${mode}`,
      '-remoteWrite.label=relay=test',
    ]);
    const sluice = await start();
    const client = new Client();
    const first = await client.send(sluice);
    await client.quiet(sluice);
    assert.equal(allOf(doors).samples, SERIES);

    doors.push(await openDoor(t));
    publish(...doors);
    await endpoints(sluice, 4);
    const second = await client.send(sluice);
    await client.quiet(sluice);
    let moved = 0;
    for (let nth = 0; nth < SERIES; nth++) {
      const before = ownersOf(doors, nth, first);
      const after = ownersOf(doors, nth, second);
      assert.deepEqual([before.length, after.length], [1, 1]);
      if (before[0] === after[0]) continue;
      moved++;
      assert.equal(after[0], 3, 'what moves goes to the one that has come');
    }
    assert.ok(moved > 0 && moved < SERIES / 2, `${moved} series moved`);
    const grown = assertLedgerBalances(await sluice.metrics());
    assert.equal(grown.destinations[doors[3]!.name]!.received, SERIES, 'only what came since counts for it');
    assert.equal(grown.destinations[doors[0]!.name]!.received, 2 * SERIES);

    const [lost, ...others] = doors as [Door, ...Door[]];
    lost.isDown = true;
    const waited: number[] = [];
    for (let round = 0; round < 20; round++) waited.push(await client.send(sluice));
    await until('the others have theirs', 20_000, async () => {
      const { destinations } = readLedger(await sluice.metrics());
      return Object.entries(destinations).every(
        ([name, { pending }]) => (name === lost.name) === pending! > 0,
      );
    });
    publish(...others);
    await gone(sluice, lost);
    await client.send(sluice);
    const last = await client.send(sluice);
    await client.quiet(sluice);

    assertArrived(allOf(doors), client);
    for (let nth = 0; nth < SERIES; nth++) {
      const owner = ownersOf(others, nth, last);
      assert.equal(owner.length, 1);
      for (const timestampMs of waited) assert.deepEqual(ownersOf(others, nth, timestampMs), owner);
    }
    const metrics = await sluice.metrics();
    const { destinations, global } = assertLedgerBalances(metrics);
    assert.deepEqual(Object.keys(destinations).sort(), others.map(({ name }) => name).sort());
    assert.equal(global.received, client.acknowledged.samples);
    for (const { taken_over, other_shard } of Object.values(destinations)) {
      assert.ok(taken_over! > 0 && other_shard! > 0);
    }
    assert.equal(existsSync(path.join(directory, 'queue', lost.name)), false);
    for (const { labels } of metrics) {
      assert.ok(
        !Object.values(labels).some((value) => value.includes(`:${lost.port}`)),
        JSON.stringify(labels),
      );
      assert.notEqual(labels.endpoint, lost.name);
    }
    const sharding = (name: string, labels = {}) => metricSum(metrics, `sluice_sharding_${name}`, labels)!;
    assert.equal(sharding('endpoints_total'), 3);
    assert.equal(sharding('rehash_total'), 3);
    assert.ok(sharding('dns_refresh_total') >= 3);
    assert.equal(sharding('dns_errors_total'), 0);
    assert.equal(sharding('dns_latency_seconds_count'), sharding('dns_refresh_total'));
    for (const { name, samples } of others) {
      assert.equal(sharding('datapoints_total', { endpoint: name }), samples.samples);
      assert.equal(sharding('export_errors_total', { endpoint: name }), 0);
      assert.ok(sharding('export_latency_seconds_count', { endpoint: name }) > 0);
    }
    assert.deepEqual(await sluice.program.kill('SIGTERM'), { code: 0, signal: null });
  });
}

test('an endpoint that comes back before its backlog is rerouted goes on with it', async (t) => {
  const { directory, doors, publish, start } = await setUp(t, 2, [
    '-remoteWrite.shardByURL',
    '-remoteWrite.label=relay=test',
  ]);
  const sluice = await start();
  const client = new Client();
  for (const door of doors) door.isDown = true;
  for (let round = 0; round < 10; round++) await client.send(sluice);
  publish(doors[0]!);
  await endpoints(sluice, 1);
  const command = (...args: string[]) => runSluice(t, ['queue', ...args, `-dir=${directory}`]);
  const [stays, leaves] = doors as [Door, Door];
  assert.match(
    (await command('ls')).output,
    new RegExp(`${leaves.name} +gone; what waits goes to the others`),
  );
  const moved = await command('move', stays.name, leaves.name);
  assert.equal(moved.code, 1);
  assert.match(moved.output, /is gone, and its queue is being emptied; choose another one/);
  publish(...doors);
  await endpoints(sluice, 2);
  await client.send(sluice);
  for (const door of doors) door.isDown = false;
  await client.quiet(sluice);
  assertArrived(allOf(doors), client);
  const { destinations } = assertLedgerBalances(await sluice.metrics());
  assert.equal(Object.keys(destinations).length, 2);
});

test('spread: what waited for a door that is gone goes through the others, once', async (t) => {
  const { doors, publish, start } = await setUp(t, 3, [
    '-remoteWrite.routing=spread',
    '-remoteWrite.spreadHoldTime=1s',
    '-remoteWrite.label=relay=test',
  ]);
  const sluice = await start();
  const client = new Client();
  const [lost, ...others] = doors as [Door, ...Door[]];
  lost.isDown = true;
  for (let round = 0; round < 12; round++) {
    await client.send(sluice);
    await delay(100); // a block of its own
  }
  const before = readLedger(await sluice.metrics()).destinations[lost.name]!;
  assert.ok(before.pending! > 0);
  publish(...others);
  await gone(sluice, lost);
  publish(others[0]!);
  await gone(sluice, others[1]!);
  await client.send(sluice);
  await client.quiet(sluice);
  const all = allOf(doors);
  assert.equal(all.samples, client.acknowledged.samples, 'nothing came twice');
  assertArrived(all, client);
  assertLedgerBalances(await sluice.metrics());
});

test('copies: those of a destination that is gone come to the one that takes its place', async (t) => {
  const { doors, publish, start } = await setUp(t, 3, [
    '-remoteWrite.shardByURL',
    '-remoteWrite.shardByURLReplicas=2',
    '-remoteWrite.label=relay=test',
  ]);
  const sluice = await start();
  const client = new Client();
  const [lost, ...others] = doors as [Door, ...Door[]];
  lost.isDown = true;
  const waited = await client.send(sluice);
  publish(...others);
  await gone(sluice, lost);
  await client.send(sluice);
  await client.quiet(sluice);
  for (const door of others) {
    assertArrived(door.samples, client);
  }
  for (let nth = 0; nth < SERIES; nth++) assert.deepEqual(ownersOf(others, nth, waited), [0, 1]);
  assertLedgerBalances(await sluice.metrics());
});

test('without DNS a start knows the last endpoints; without any, requests are told to come again', async (t) => {
  const { directory, doors, zone, publish, start } = await setUp(t, 2, [
    '-remoteWrite.shardByURL',
    '-remoteWrite.label=relay=test',
    '-remoteWrite.discovery.timeout=500ms',
  ]);
  zone.SRV = 'servfail';
  const client = new Client();
  let sluice = await start();
  const refused = await push(`${sluice.url}/api/v1/write`, [
    { labels: { __name__: 'early' }, points: [{ timestampMs: 1, bits: 1n }] },
  ]);
  assert.equal(refused.status, 503);
  assert.match(refused.text, /no destination is known yet.*-remoteWrite\.discovery\.service/);
  assert.ok(refused.headers.has('retry-after'));
  publish(...doors);
  await endpoints(sluice, 2);
  await until('requests are taken', 20_000, async () => (await client.send(sluice)) > 0);
  await client.quiet(sluice);
  assert.deepEqual(await sluice.program.kill('SIGTERM'), { code: 0, signal: null });

  zone.SRV = 'silence';
  sluice = await start();
  await client.send(sluice);
  await client.quiet(sluice);
  assertArrived(allOf(doors), client);
  assert.ok(metricSum(await sluice.metrics(), 'sluice_sharding_dns_errors_total')! > 0);
  doors[1]!.isDown = true;
  await client.send(sluice);
  assert.deepEqual(await sluice.program.kill('SIGTERM'), { code: 0, signal: null });

  publish(doors[0]!);
  sluice = await start();
  await gone(sluice, doors[1]!);
  await client.quiet(sluice);
  assertArrived(allOf(doors), client);
  assertLedgerBalances(await sluice.metrics());
  assert.deepEqual(readdirSync(path.join(directory, 'queue')), [doors[0]!.name]);
});

test('a shard that is down gives its series to the others, as told, also when it was found by DNS', async (t) => {
  const { doors, publish, start } = await setUp(t, 3, [
    '-remoteWrite.shardByURL',
    '-remoteWrite.shardByURL.whenDown=reroute',
    '-remoteWrite.shardByURL.downAfter=500ms',
    '-remoteWrite.shardByURL.holdTime=1s',
    '-remoteWrite.label=relay=test',
  ]);
  const sluice = await start();
  const client = new Client();
  const [first, second, third] = doors as [Door, Door, Door];
  first.isDown = true;
  await client.send(sluice);
  await endpoints(sluice, 2);
  const rerouted = await client.send(sluice);
  publish(first, second);
  await gone(sluice, third);
  assert.equal(
    metricSum(await sluice.metrics(), 'sluice_sharding_endpoints_total'),
    1,
    'it is still left out',
  );
  const last = await client.send(sluice);
  await until('the one that is left has all of it', 20_000, () => {
    return [...second.samples.series.values()].filter((points) => points.has(last)).length === SERIES;
  });
  first.isDown = false;
  await endpoints(sluice, 2);
  await client.quiet(sluice);
  assertArrived(allOf(doors), client);
  for (let nth = 0; nth < SERIES; nth++) {
    assert.deepEqual(ownersOf([first, second], nth, last), [1]);
    assert.equal(ownersOf(doors, nth, rerouted).includes(0), false);
  }
  assertLedgerBalances(await sluice.metrics());
});

test('endpoints come and go, and are down and up, under load: nothing is lost, and the ledger balances', async (t) => {
  const { doors, publish, start } = await setUp(t, 4, [
    '-remoteWrite.shardByURL',
    '-remoteWrite.label=relay=test',
    '-remoteWrite.ack=written',
    '-remoteWrite.maxRowsPerBlock=100',
  ]);
  const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
  t.diagnostic(`SEED=${seed}`);
  const random = randomFrom(seed);
  let sluice = await start();
  const client = new Client();
  for (let round = 0; round < 9; round++) {
    for (const door of doors) door.isDown = random() < 0.4;
    const present = doors.filter(() => random() < 0.6);
    publish(...(present.length > 0 ? present : [doors[0]!]));
    const untilMs = performance.now() + 200 + random() * 1_200;
    while (performance.now() < untilMs) await client.send(sluice);
    if (round % 3 === 2) {
      await sluice.program.kill(random() < 0.5 ? 'SIGKILL' : 'SIGTERM');
      sluice = await start();
    }
  }
  for (const door of doors) door.isDown = false;
  publish(doors[0]!, doors[1]!);
  await gone(sluice, doors[2]!);
  await gone(sluice, doors[3]!);
  await client.quiet(sluice);
  assertArrived(allOf(doors), client);
  assertLedgerBalances(await sluice.metrics());
  t.diagnostic(`${client.acknowledged.samples} samples, ${allOf(doors).samples} arrived`);
});

test('SIGKILL while a backlog is rerouted: it arrives all the same', async (t) => {
  const { doors, publish, start } = await setUp(t, 3, [
    '-remoteWrite.shardByURL',
    '-remoteWrite.label=relay=test',
    '-remoteWrite.maxRowsPerBlock=50',
    '-remoteWrite.disableOnDiskQueue', // so that only what was delivered is safe
  ]);
  const client = new Client();
  let sluice = await start();
  const [lost, ...others] = doors as [Door, ...Door[]];
  lost.isDown = true;
  for (let round = 0; round < 200; round++) await client.send(sluice);
  await client.quiet(sluice, lost);
  assert.deepEqual(await sluice.program.kill('SIGTERM'), { code: 0, signal: null });
  for (const door of others) door.delayMs = 50;
  publish(...others);
  sluice = await start();
  for (let kill = 0; kill < 3; kill++) {
    await until('a part of it is where it belongs', 30_000, async () => {
      const { rerouted, pending } = readLedger(await sluice.metrics()).destinations[lost.name]!;
      return rerouted! > 0 && pending! > 0;
    });
    await sluice.program.kill('SIGKILL');
    sluice = await start();
  }
  for (const door of others) door.delayMs = 0;
  await gone(sluice, lost);
  await client.quiet(sluice);
  assertArrived(allOf(others), client);
  assertLedgerBalances(await sluice.metrics());
  t.diagnostic(`${client.acknowledged.samples} samples, ${allOf(others).samples} arrived`);
  assert.deepEqual(await sluice.program.kill('SIGTERM'), { code: 0, signal: null });
});

test('rules of destinations that come and go: windows go on over changes and a restart, and each output comes to one', async (t) => {
  const rules = path.join(temporaryDirectory(t), 'rules.yaml');
  writeFileSync(
    rules,
    '- {match: m, interval: 1s, by: [nth], staleness_interval: 1m, outputs: [sum_samples]}\n',
  );
  const { doors, publish, start } = await setUp(t, 2, [
    '-remoteWrite.shardByURL',
    '-remoteWrite.shardByURL.mode=rendezvous',
    `-remoteWrite.streamAggr.config=${rules}`,
  ]);
  let sluice = await start();
  let sent = 0;
  const send = async (rounds: number) => {
    for (let round = 0; round < rounds; round++) {
      const points = [{ timestampMs: systemClock.nowMs(), bits: bitsOf(1) }];
      const series = Array.from({ length: 40 }, (_, nth) => ({
        labels: { __name__: 'm', nth: `${nth % 20}`, pod: `${nth}` },
        points,
      }));
      const { status, text } = await push(`${sluice.url}/api/v1/write`, series);
      assert.equal(status, 204, text);
      sent += series.length;
      await delay(20);
    }
  };
  const told = () => {
    const windows = new Map<string, number>();
    let sum = 0;
    for (const { samples } of doors) {
      for (const { key, timestampMs, bits } of samples) {
        const window = `${key} ${timestampMs}`;
        windows.set(window, (windows.get(window) ?? 0) + 1);
        sum += valueOfBits(bits);
      }
    }
    return { sum, repeated: [...windows].filter(([, times]) => times > 1) };
  };
  await send(30);
  doors.push(await openDoor(t));
  publish(...doors);
  await send(30);
  await endpoints(sluice, 3);
  await send(30);
  publish(...doors.slice(1));
  await send(30);
  await endpoints(sluice, 2);
  assert.deepEqual(await sluice.program.kill('SIGTERM'), { code: 0, signal: null });
  sluice = await start();
  await send(30);
  await until('everything is told', 30_000, () => told().sum >= sent);
  assert.deepEqual(told(), { sum: sent, repeated: [] });
  for (const { samples } of doors) assert.ok(samples.samples > 0);
  await until('the ledger balances', 30_000, async () => {
    const { destinations } = assertLedgerBalances(await sluice.metrics());
    return Object.values(destinations).every(({ pending, in_engine }) => pending === 0 && in_engine === 0);
  });
});
