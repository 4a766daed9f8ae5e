import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collect } from '../../src/config/collect.ts';
import { loadConfig } from '../../src/config/load.ts';
import { configOptions, destinationOptions } from '../../src/config/options.ts';
import { queueOptions } from '../../src/queue/options.ts';
import { routeOptions } from '../../src/route/options.ts';
import { checkRouting, discoveryOf, routingOf } from '../../src/route/routing.ts';

const schema = collect([
  { title: 'Configuration', options: configOptions },
  { title: 'Destinations', options: destinationOptions },
  { title: 'Queues', options: queueOptions },
  { title: 'Routing', options: routeOptions },
]);

async function load(...args: string[]) {
  const { config, problems } = await loadConfig({
    schema,
    args: args.map((arg) => `-remoteWrite.${arg}`),
    env: {},
    checks: [checkRouting],
  });
  return { config, problems, routing: routingOf(config.values, config.destinations) };
}

const THREE = 'url=http://u:secret@a/,http://b/?x=1,http://c/';

test('without options everything is replicated', async () => {
  const { routing, config, problems } = await load(THREE);
  assert.deepEqual([routing, problems], [{ kind: 'replicate' }, []]);
  assert.equal(discoveryOf(config.values), undefined);
});

test('shards: the defaults are those of vmagent, but series go by names, and no URL is passed on', async () => {
  for (const flag of ['shardByURL', 'routing=shard']) {
    const { routing, problems } = await load(THREE, flag);
    assert.deepEqual(problems, []);
    assert.deepEqual(routing, {
      kind: 'shard',
      placement: {
        mode: 'rendezvous',
        replicas: 1,
        destinations: ['a', 'b', 'c'].map((name) => ({ name, url: '' })),
        labels: [],
        ignoreLabels: [],
        virtualNodes: 150,
      },
      health: { whenDown: 'buffer', rerouteAtPercent: 80, downAfterMs: 30_000, holdMs: 60_000 },
    });
  }
});

test('in the mode of vmagent URLs count as they were given', async () => {
  const { routing } = await load(THREE, 'shardByURL', 'shardByURL.mode=vmagent', 'shardByURL.labels=x,,y');
  assert.ok(routing.kind === 'shard');
  assert.deepEqual(
    routing.placement.destinations.map(({ url }) => url),
    ['http://u:secret@a/', 'http://b/?x=1', 'http://c/'],
  );
  assert.deepEqual(routing.placement.labels, ['x', 'y']);
});

test('as many copies as destinations is replication, fewer than one copy is one', async () => {
  for (const replicas of [3, 4]) {
    assert.equal(
      (await load(THREE, 'shardByURL', `shardByURLReplicas=${replicas}`)).routing.kind,
      'replicate',
    );
  }
  const { routing, problems } = await load(THREE, 'shardByURL', 'shardByURLReplicas=-1');
  assert.ok(routing.kind === 'shard');
  assert.deepEqual([routing.placement.replicas, problems], [1, []]);
  assert.equal((await load('url=http://a/', 'shardByURL')).routing.kind, 'replicate');
});

test('spread: blocks go to several destinations in turn', async () => {
  assert.deepEqual((await load(THREE, 'routing=spread')).routing, { kind: 'spread', holdMs: 10_000 });
  assert.equal((await load('url=http://a/', 'routing=spread')).routing.kind, 'replicate');
});

test('a service brings its defaults', async () => {
  const { config, problems } = await load('url=http://x/', 'shardByURL', 'discovery.service=v.example:8480');
  assert.deepEqual(problems, []);
  assert.deepEqual(discoveryOf(config.values), {
    service: { kind: 'addresses', name: 'v.example', port: 8480 },
    refreshMs: 30_000,
    timeoutMs: 5_000,
    fallbackOnEmpty: false,
    servers: [],
  });
});

test('settings that contradict each other are told, with where they are', async () => {
  const limited = 'maxDiskUsagePerURL=1GiB';
  const service = 'discovery.service=v.example:8480';
  const cases: [string[], string, RegExp | undefined][] = [
    [['shardByURL', 'routing=spread'], 'routing', /-remoteWrite\.routing=spread contradict/],
    [['shardByURL', 'routing=replicate'], 'routing', /contradict/],
    [['shardByURL', 'routing=shard'], '', undefined],
    [['shardByURL=false', 'routing=spread'], '', undefined],
    [['shardByURL.labels=a', 'shardByURL.ignoreLabels=b'], 'shardByURL.ignoreLabels', /are both set/],
    [['shardByURL.labels=a', 'shardByURL.ignoreLabels='], '', undefined],
    [['shardByURL', 'disableOnDiskQueue=true,false,true'], 'shardByURL', /^some shards have/],
    [['shardByURL', 'disableOnDiskQueue'], '', undefined],
    [['disableOnDiskQueue=true,false,true'], '', undefined],
    [['shardByURL', 'shardByURL.whenDown=reroute-at'], 'shardByURL.whenDown', /the queue of a has no limit/],
    [['shardByURL', 'shardByURL.whenDown=reroute-at', limited], '', undefined],
    [['shardByURL', 'shardByURL.whenDown=reroute-at', 'disableOnDiskQueue'], '', undefined],
    [['shardByURL', service], 'discovery.service', /there are 3$/],
  ];
  for (const [args, option, message] of cases) {
    const { problems } = await load(THREE, ...args);
    assert.equal(problems.length, message === undefined ? 0 : 1, `${args}: ${JSON.stringify(problems)}`);
    if (message === undefined) continue;
    assert.match(problems[0]!.message, message);
    assert.equal(problems[0]!.where, `flag -remoteWrite.${option}`);
    assert.notEqual(problems[0]!.hint, '');
  }
  const single: [string[], RegExp][] = [
    [['shardByURL', 'discovery.service=http://v/'], /"http:\/\/v\/" is no service/],
    [[service], /every address would get a copy of everything/],
    [
      ['shardByURL', service, 'discovery.resolver=10.0.0.2:53,dns.example'],
      /"dns\.example" is no DNS server/,
    ],
    [['shardByURL', 'shardByURL.mode=vmagent', service], /would move most series/],
  ];
  const { problems } = await load('url=file:x.jsonl', 'shardByURL', service);
  assert.match(problems.map(({ message }) => message).join(), /^-remoteWrite\.url has no host/);
  for (const [args, message] of single) {
    const { problems } = await load('url=http://x/', ...args);
    assert.equal(problems.length, 1, JSON.stringify(problems));
    assert.match(problems[0]!.message, message);
  }
});

test('in a file, shardByURL can be a switch or have keys of its own', async () => {
  const text = [
    'remoteWrite:',
    '  routing: shard',
    '  shardByURL:',
    '    mode: ring',
    '    labels: [job]',
    '  shardByURLReplicas: 2',
    'destinations:',
    '  - {name: a, url: "http://a/"}',
    '  - {name: b, url: "http://b/"}',
    '  - {name: c, url: "http://c/"}',
  ].join('\n');
  const { config, problems } = await loadConfig({
    schema,
    args: ['-config=x.yaml'],
    env: {},
    checks: [checkRouting],
    readText: () => Promise.resolve(text),
  });
  assert.deepEqual(problems, []);
  const routing = routingOf(config.values, config.destinations);
  assert.ok(routing.kind === 'shard');
  const { mode, labels, replicas } = routing.placement;
  assert.deepEqual([mode, labels, replicas], ['ring', ['job'], 2]);
});
