import assert from 'node:assert/strict';
import { Resolver } from 'node:dns/promises';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import {
  Discovery,
  type DiscoveryConfig,
  type EndpointChange,
  openResolver,
} from '../../src/route/discovery.ts';
import { type Endpoint, hostPort, parseService } from '../../src/route/endpoint.ts';
import { ShardingMetrics } from '../../src/route/sharding-metrics.ts';
import { Metrics } from '../../src/telemetry/metrics.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { metricSum, parseMetrics } from '../support/metrics.ts';
import { recordingLogger } from '../support/quiet-logger.ts';
import { ipv4, ipv6, srv, startDnsServer, type Zone } from './dns-server.ts';
import { FakeDns, settled } from './support-dns.ts';

const REFRESH_MS = 30_000;
const TIMEOUT_MS = 5_000;
const fallback = [{ host: 'vminsert', port: 8480 }];

function discover(rest: Partial<DiscoveryConfig> = {}) {
  const clock = new FakeClock();
  const dns = new FakeDns();
  const log = recordingLogger();
  const metrics = new Metrics();
  const changes: string[] = [];
  const plus = (sign: string, list: readonly Endpoint[]) => list.map((one) => sign + hostPort(one));
  const onChange = ({ added, removed }: EndpointChange) =>
    changes.push([...plus('+', added), ...plus('-', removed)].join(' '));
  const config: DiscoveryConfig = {
    service: parseService('vminsert.example:8480')!,
    refreshMs: REFRESH_MS,
    timeoutMs: TIMEOUT_MS,
    lastKnown: [],
    fallback: [],
    fallbackOnEmpty: false,
    ...rest,
  };
  const discovery = new Discovery(
    config,
    { clock, log, resolver: dns, metrics: new ShardingMetrics(metrics) },
    onChange,
  );
  return {
    clock,
    dns,
    log,
    discovery,
    changes,
    list: () => discovery.endpoints.map(hostPort),
    metric: async (name: string) => metricSum(parseMetrics(await metrics.text()), `sluice_sharding_${name}`),
    /** The next look-up, with its answer. */
    async refresh(records: Parameters<FakeDns['reply']>[0]) {
      clock.advance(REFRESH_MS);
      await dns.reply(records);
    },
    async begin(records: Parameters<FakeDns['reply']>[0]) {
      const started = discovery.start();
      await dns.reply(records);
      await started;
    },
  };
}

test('the list is sorted, each endpoint once, and a change says what came and what went', async () => {
  const { begin, refresh, list, changes, metric } = discover();
  await begin({ resolve4: ['10.0.0.3', '10.0.0.1', '10.0.0.3'], resolve6: ['fd00::1'] });
  assert.deepEqual(list(), ['10.0.0.1:8480', '10.0.0.3:8480', '[fd00::1]:8480']);
  await refresh({ resolve4: ['10.0.0.1', '10.0.0.3'], resolve6: ['fd00::1'] });
  await refresh({ resolve4: ['10.0.0.2', '10.0.0.1'], resolve6: ['fd00::1'] });
  assert.deepEqual(changes, [
    '+10.0.0.1:8480 +10.0.0.3:8480 +[fd00::1]:8480',
    '+10.0.0.2:8480 -10.0.0.3:8480',
  ]);
  assert.equal(await metric('endpoints_total'), 3);
  assert.equal(await metric('rehash_total'), 2);
  assert.equal(await metric('dns_refresh_total'), 3);
  assert.equal(await metric('dns_errors_total'), 0);
  assert.equal(await metric('dns_latency_seconds_count'), 3);
});

test('SRV records bring their own ports', async () => {
  const { begin, list, dns } = discover({ service: parseService('_http._tcp.vminsert.example')! });
  await begin({
    resolveSrv: [
      { name: 'B.example', port: 2 },
      { name: 'a.example', port: 1 },
    ],
  });
  assert.deepEqual(list(), ['a.example:1', 'b.example:2']);
  assert.equal(dns.asked, 1);
});

test('an answer that is empty or does not come changes nothing', async () => {
  const { begin, refresh, changes, metric, log, clock } = discover({ fallback });
  await begin({ resolve4: ['10.0.0.1'] });
  for (const code of ['ENOTFOUND', 'ENODATA', 'ESERVFAIL', 'ETIMEOUT', 'ECONNREFUSED']) {
    await refresh({ resolve4: code, resolve6: code });
  }
  await refresh({ resolve4: [], resolve6: [] });
  clock.advance(REFRESH_MS);
  clock.advance(TIMEOUT_MS);
  await settled();
  assert.deepEqual(changes, ['+10.0.0.1:8480']);
  assert.equal(await metric('dns_errors_total'), 7);
  assert.match(
    log.lines.at(-1)!.message,
    /^cannot look up vminsert\.example: no answer in time; no answer in time, the destinations stay as they are; check/,
  );
});

test('when one family cannot be asked for, its addresses stay, and the other one counts', async () => {
  const { begin, refresh, changes } = discover();
  await begin({ resolve4: ['10.0.0.1'], resolve6: ['fd00::1'] });
  await refresh({ resolve4: ['10.0.0.2'], resolve6: 'ESERVFAIL' });
  await refresh({ resolve4: ['10.0.0.2'], resolve6: 'ENODATA' });
  assert.deepEqual(changes.slice(1), ['+10.0.0.2:8480 -10.0.0.1:8480', '-[fd00::1]:8480']);
});

test('the fallback stands in until something was found, and later only when told to', async () => {
  for (const fallbackOnEmpty of [false, true]) {
    const { begin, refresh, changes, log } = discover({ fallback, fallbackOnEmpty });
    await begin({ resolve4: 'ESERVFAIL', resolve6: 'ESERVFAIL' });
    assert.match(log.lines.at(-1)!.message, /, the fallback stands in; check/);
    await refresh({ resolve4: ['10.0.0.1'] });
    await refresh({ resolve4: 'ESERVFAIL' });
    await refresh({ resolve4: 'ENOTFOUND' });
    const toAddress = ['+vminsert:8480', '+10.0.0.1:8480 -vminsert:8480'];
    assert.deepEqual(changes, fallbackOnEmpty ? [...toAddress, '+vminsert:8480 -10.0.0.1:8480'] : toAddress);
  }
});

test('without a fallback there is nothing until something was found', async () => {
  const { begin, refresh, changes, list } = discover();
  await begin({ resolve4: 'ENOTFOUND' });
  assert.deepEqual([list(), changes], [[], []]);
  await refresh({ resolve4: ['10.0.0.1'] });
  assert.deepEqual(changes, ['+10.0.0.1:8480']);
});

test('a look-up that takes too long ends; the next one waits until it really has', async () => {
  const { begin, clock, dns, changes, metric } = discover();
  await begin({ resolve4: ['10.0.0.1'] });
  dns.endsOnCancel = false;
  const asked = dns.asked;
  clock.advance(REFRESH_MS);
  clock.advance(TIMEOUT_MS);
  await settled();
  clock.advance(REFRESH_MS);
  clock.advance(REFRESH_MS);
  assert.equal(dns.asked, asked + 2, 'one question for each family, and no second one beside it');
  await dns.reply({ resolve4: ['10.0.0.9'] });
  assert.deepEqual(changes, ['+10.0.0.1:8480'], 'what comes too late does not count');
  assert.equal(await metric('dns_errors_total'), 3);
  dns.endsOnCancel = true;
  clock.advance(REFRESH_MS);
  await dns.reply({ resolve4: ['10.0.0.2'] });
  assert.equal(changes.at(-1), '+10.0.0.2:8480 -10.0.0.1:8480');
});

test('a server that never says anything about one family does not hide the other one', async () => {
  const { discovery, clock, dns, list, metric } = discover();
  const started = discovery.start();
  for (const question of dns.open) if (question.kind === 'resolve4') question.answer(['10.0.0.1']);
  await settled();
  assert.deepEqual(list(), [], 'the other family has its time');
  clock.advance(TIMEOUT_MS);
  await started;
  assert.deepEqual(list(), ['10.0.0.1:8480']);
  assert.equal(await metric('dns_errors_total'), 1);
});

test('the first look-up does not hold up the start for longer than its time', async () => {
  const { discovery, clock, dns, list } = discover({ fallback });
  dns.endsOnCancel = false;
  const started = discovery.start();
  clock.advance(TIMEOUT_MS);
  await started;
  assert.deepEqual(list(), ['vminsert:8480']);
});

test('after close there is no timer, no question and no change', async () => {
  for (const endsOnCancel of [true, false]) {
    const { begin, clock, dns, discovery, changes } = discover();
    await begin({ resolve4: ['10.0.0.1'] });
    clock.advance(REFRESH_MS);
    dns.endsOnCancel = endsOnCancel;
    discovery.close();
    await dns.reply({ resolve4: ['10.0.0.2'] });
    clock.advance(10 * REFRESH_MS);
    await settled();
    assert.deepEqual([clock.timers, dns.open.size, changes.length], [0, 0, 1]);
  }
  const { discovery, dns, clock } = discover();
  dns.endsOnCancel = false;
  const started = discovery.start();
  discovery.close();
  await started;
  assert.equal(clock.timers, 0);
});

test('changes add up to the list, and the list is never empty again', async () => {
  const addresses = fc.oneof(
    fc.subarray(['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4']),
    fc.constantFrom('ENOTFOUND', 'ESERVFAIL'),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(addresses, { maxLength: 15 }),
      fc.boolean(),
      async (answers, fallbackOnEmpty) => {
        const { begin, refresh, changes, list } = discover({ fallback, fallbackOnEmpty });
        await begin({ resolve4: answers[0] ?? [] });
        for (const resolve4 of answers.slice(1)) await refresh({ resolve4 });
        // By definition: the last answer that had something; the fallback before it, or after a later empty one if told to.
        const lastFound = answers.findLastIndex((answer) => typeof answer !== 'string' && answer.length > 0);
        const isEmptyLater = answers
          .slice(lastFound + 1)
          .some((answer) => answer === 'ENOTFOUND' || answer.length === 0);
        const expected =
          lastFound < 0 || (fallbackOnEmpty && isEmptyLater)
            ? ['vminsert:8480']
            : (answers[lastFound] as string[]).map((host) => `${host}:8480`).sort();
        assert.deepEqual(list(), expected);
        const sum = new Set<string>();
        for (const change of changes.flatMap((text) => text.split(' '))) {
          if (change.startsWith('+')) sum.add(change.slice(1));
          else assert.ok(sum.delete(change.slice(1)));
        }
        assert.deepEqual([...sum].sort(), list());
      },
    ),
    { numRuns: 200 },
  );
});

/** What one look-up with Node's own resolver brings. */
async function lookUp(t: TestContext, zone: Zone, service = 'vminsert.example:8480') {
  const resolver = new Resolver();
  resolver.setServers([(await startDnsServer(t, zone)).address]);
  const clock = new FakeClock();
  const log = recordingLogger();
  const discovery = new Discovery(
    {
      service: parseService(service)!,
      refreshMs: REFRESH_MS,
      timeoutMs: TIMEOUT_MS,
      lastKnown: [],
      fallback: [],
      fallbackOnEmpty: false,
    },
    { clock, log, resolver, metrics: new ShardingMetrics(new Metrics()) },
    () => {},
  );
  return {
    clock,
    discovery,
    async ended(started = discovery.start()) {
      await started;
      discovery.close();
      return {
        list: discovery.endpoints.map(hostPort),
        said: log.lines.map(({ message }) => message).join(),
      };
    },
  };
}

test('a real resolver: addresses of both families, and SRV records', async (t) => {
  const zone: Zone = {
    A: [ipv4('10.0.0.2'), ipv4('10.0.0.1')],
    AAAA: [ipv6('fd00:0:0:0:0:0:0:1')],
    SRV: [srv(8480, 'b.example'), srv(8481, 'a.example')],
  };
  const both = await (await lookUp(t, zone)).ended();
  assert.deepEqual(both, { list: ['10.0.0.1:8480', '10.0.0.2:8480', '[fd00::1]:8480'], said: '' });
  const targets = await (await lookUp(t, zone, '_http._tcp.vminsert.example')).ended();
  assert.deepEqual(targets, { list: ['a.example:8481', 'b.example:8480'], said: '' });
});

test('a real resolver: a family without records is no failure, and no records at all is told from one', async (t) => {
  const one = await (await lookUp(t, { A: [ipv4('10.0.0.1')], AAAA: [] })).ended();
  assert.deepEqual(one, { list: ['10.0.0.1:8480'], said: '' });
  for (const AAAA of ['nxdomain', []] as const) {
    const none = await (await lookUp(t, { A: 'nxdomain', AAAA })).ended();
    assert.deepEqual(none.list, []);
    assert.match(none.said, /there are no such records/);
  }
  const failed = await (await lookUp(t, { A: 'servfail', AAAA: 'servfail' })).ended();
  assert.match(failed.said, /ESERVFAIL/);
});

test('a real resolver: silence ends when the time is up', async (t) => {
  const { clock, discovery, ended } = await lookUp(t, { A: 'silence', AAAA: 'silence' });
  const started = discovery.start();
  clock.advance(TIMEOUT_MS);
  const { list, said } = await ended(started);
  assert.deepEqual(list, []);
  assert.match(said, /no answer in time/);
});

test('the endpoints of an earlier run count until DNS says something else', async () => {
  const lastKnown = [
    { host: '10.0.0.1', port: 8480 },
    { host: 'fd00::1', port: 8480 },
  ];
  const failing = discover({ lastKnown, fallback });
  await failing.begin({ resolve4: 'ESERVFAIL', resolve6: 'ESERVFAIL' });
  assert.deepEqual(failing.list(), ['10.0.0.1:8480', '[fd00::1]:8480']);
  await failing.refresh({ resolve4: ['10.0.0.2'], resolve6: 'ESERVFAIL' });
  assert.deepEqual(failing.changes, ['+10.0.0.1:8480 +[fd00::1]:8480', '+10.0.0.2:8480 -10.0.0.1:8480']);

  const empty = discover({ lastKnown });
  await empty.begin({});
  assert.deepEqual(empty.list(), ['10.0.0.1:8480', '[fd00::1]:8480'], 'nothing at all is no answer');
  const replaced = discover({ lastKnown, fallback, fallbackOnEmpty: true });
  await replaced.begin({});
  assert.deepEqual(replaced.list(), ['vminsert:8480']);
  const found = discover({ lastKnown });
  await found.begin({ resolve4: ['10.0.0.3'] });
  assert.deepEqual(found.list(), ['10.0.0.3:8480']);

  const targets = discover({ lastKnown, service: parseService('_http._tcp.vminsert.example')! });
  await targets.begin({ resolveSrv: 'ESERVFAIL' });
  assert.equal(targets.list().length, 2);
});

test('a resolver asks the given servers', async (t) => {
  const zone: Zone = { A: [ipv4('10.0.0.9')] };
  const resolver = openResolver([(await startDnsServer(t, zone)).address]);
  assert.deepEqual(await resolver.resolve4('v.example'), ['10.0.0.9']);
  assert.throws(() => openResolver(['dns.example']));
});
