/**
 * Everything that shapes and routes at once, in the real daemon: global and own rules, limits, four shards with two
 * copies, rounding, a reload under load. What arrives is compared with what a naive model makes of what was sent.
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import xxhash from 'xxhash-wasm';
import { assertLedgerBalances, metricSum } from '../support/metrics.ts';
import { temporaryDirectory } from '../support/process.ts';
import { bitsOf, type Labels, push, type Series, seriesKey, valueOfBits } from '../support/remote-write.ts';
import { type Sink, startSink } from '../support/sink.ts';
import { type RunningSluice, startSluice } from '../support/sluice.ts';
import { until } from '../support/wait.ts';

const { h64 } = await xxhash();

const SERIES = 100_000;
const PER_REQUEST = 1_000;
const TIMESTAMP_MS = 1_790_000_000_000;
const STALE = 0x7ff0000000000002n;
const DESTINATIONS = 4;

/** Rules are told apart by their number; the second ones also drop another metric. */
const globalRules = (version: number) => `
- action: drop
  source_labels: [__name__]
  regex: 'dropped_.+${version === 2 ? '|requests_total' : ''}'
- action: labeldrop
  regex: 'replica|tmp_.*'
- source_labels: [host]
  regex: '([a-z]+)-(\\d+)\\..*'
  target_label: node
  replacement: '$2-$1'
- action: hashmod
  source_labels: [pod]
  modulus: 10
  target_label: __hash
- action: drop
  source_labels: [__hash]
  regex: '7'
- if: '{job=~"a|b"}'
  target_label: tier
  replacement: front
- target_label: rules
  replacement: v${version}
`;

const ownRules = `
- action: keep
  source_labels: [job]
  regex: '[a-d]'
- action: uppercase
  source_labels: [job]
  target_label: JOB
`;

function seriesOf(nth: number, request: number): Series {
  const labels: Record<string, string> = {
    __name__: nth % 11 === 0 ? 'dropped_total' : nth % 3 === 0 ? 'requests_total' : 'errors_total',
    host: nth % 13 === 0 ? 'somewhere' : `host-${nth % 500}.example`,
    job: 'abcdefg'[nth % 7]!,
    pod: `pod-${nth}`,
    replica: 'r1',
    request: `${request}`,
    tmp_x: 'y',
  };
  if (nth % 17 === 0) labels.long = 'x'.repeat(65);
  const bits = nth % 19 === 0 ? STALE : bitsOf(((nth * 2_654_435_761) % 4_000_000) / 4);
  return { labels, points: [{ timestampMs: TIMESTAMP_MS + request, bits }] };
}

/** What the rules make of a series, written out for these rules alone. */
function model({ labels }: Series, version: number): Labels | undefined {
  const name = labels.__name__!;
  if (name.startsWith('dropped_') || (version === 2 && name === 'requests_total')) return undefined;
  if (h64(labels.pod!) % 10n === 7n) return undefined;
  if (labels.long !== undefined) return undefined;
  const { replica: _, tmp_x: __, ...rest } = labels;
  const host = /^([a-z]+)-(\d+)\./.exec(labels.host!);
  return {
    ...rest,
    ...(host !== null && { node: `${host[2]}-${host[1]}` }),
    ...('ab'.includes(labels.job!) && { tier: 'front' }),
    rules: `v${version}`,
  };
}

function modelOfForm(labels: Labels, destination: number): Labels | undefined {
  if (destination !== 1) return { ...labels, relay: 'test' };
  return 'abcd'.includes(labels.job!)
    ? { ...labels, JOB: labels.job!.toUpperCase(), relay: 'test' }
    : undefined;
}

/** Values are quarters, which both ways of rounding see exactly. */
function modelOfValue(bits: bigint, destination: number): bigint {
  if (bits === STALE) return bits;
  const value = valueOfBits(bits);
  if (destination === 0) return bitsOf(threeFigures(value));
  if (destination === 2) return bitsOf(Math.floor(value + 0.5));
  return bits;
}

/** Digits go from the end until what is left is at most 1000; the last that goes decides. */
function threeFigures(value: number): number {
  const [whole, fraction = ''] = `${value}`.split('.');
  let digits = Number(`${whole}${fraction}`);
  let zeros = -fraction.length;
  let last = 0;
  while (digits > 1_000) {
    last = digits % 10;
    digits = (digits - last) / 10;
    zeros++;
  }
  return Number(`${digits + (last >= 5 ? 1 : 0)}e${zeros}`);
}

/** Where each series of a request went, by the rules that the request was under. */
function versionsOf(sinks: readonly Sink[]): Map<string, Set<string>> {
  const versions = new Map<string, Set<string>>();
  for (const { samples } of sinks) {
    for (const key of samples.series.keys()) {
      const labels = Object.fromEntries(JSON.parse(key) as [string, string][]);
      const seen = versions.get(labels.request!) ?? new Set();
      seen.add(labels.rules!);
      versions.set(labels.request!, seen);
    }
  }
  return versions;
}

/** The page of metrics is a second old at most, so it has to have all that was sent. */
async function drained(sluice: RunningSluice, received: number): Promise<void> {
  await until('nothing waits any more', 60_000, async () => {
    const metrics = await sluice.metrics();
    if (metricSum(metrics, 'sluice_ledger_samples_total', { column: 'received' }) !== received) return false;
    const waiting = ['pending', 'in_engine'].map(
      (column) => metricSum(metrics, 'sluice_ledger_destination_samples', { column }) ?? 1,
    );
    return waiting.every((samples) => samples === 0);
  });
}

async function setUp(t: TestContext) {
  const directory = temporaryDirectory(t);
  const file = (name: string) => path.join(directory, name);
  writeFileSync(file('global.yaml'), globalRules(1));
  writeFileSync(file('own.yaml'), ownRules);
  const sinks = await Promise.all(Array.from({ length: DESTINATIONS }, () => startSink(t)));
  const sluice = await startSluice(t, file('data'), [
    ...sinks.flatMap(({ url }, index) => [`-remoteWrite.url=${url}`, `-remoteWrite.name=shard-${index}`]),
    `-remoteWrite.relabelConfig=${file('global.yaml')}`,
    `-remoteWrite.urlRelabelConfig=,${file('own.yaml')},,`,
    '-remoteWrite.significantFigures=3,0,0,0',
    '-remoteWrite.roundDigits=100,100,0,100',
    '-remoteWrite.label=relay=test',
    '-maxLabelValueLen=64',
    '-remoteWrite.shardByURL',
    '-remoteWrite.shardByURLReplicas=2',
    '-remoteWrite.shardByURL.ignoreLabels=rules',
    '-remoteWrite.flushInterval=200ms',
  ]);
  return { file, sinks, sluice };
}

test('rules, limits, shards, copies, rounding and a reload under load: everything arrives as the model says', async (t) => {
  const { file, sinks, sluice } = await setUp(t);
  const requests = Array.from({ length: SERIES / PER_REQUEST }, (_, request) =>
    Array.from({ length: PER_REQUEST }, (_, nth) => seriesOf(request * PER_REQUEST + nth, request)),
  );
  let next = 0;
  const client = async () => {
    while (next < requests.length) {
      const request = next++;
      if (request === requests.length / 2) {
        writeFileSync(file('global.yaml'), globalRules(2));
        sluice.program.signal('SIGHUP');
      }
      const { status } = await push(`${sluice.url}/api/v1/write`, requests[request]!);
      assert.equal(status, 204);
    }
  };
  await Promise.all([client(), client(), client()]);
  await until('the new rules are loaded', 20_000, async () => {
    return metricSum(await sluice.metrics(), 'vmagent_relabel_config_reloads_total') === 1;
  });
  await push(`${sluice.url}/api/v1/write`, [seriesOf(1, 1_000)]);
  await drained(sluice, SERIES + 1);

  const versions = versionsOf(sinks);
  assert.ok(
    [...versions.values()].every((seen) => seen.size === 1),
    'a request is under one set of rules',
  );
  assert.deepEqual([...new Set([...versions.values()].flatMap((seen) => [...seen]))].sort(), ['v1', 'v2']);
  assert.deepEqual([...versions.get('1000')!], ['v2']);

  const owners = new Map<string, number[]>();
  let expected = 0;
  let atLeast = 0;
  for (const [request, series] of requests.entries()) {
    const version = [...versions.get(`${request}`)!][0] === 'v1' ? 1 : 2;
    for (const one of series) {
      const labels = model(one, version);
      if (labels === undefined) continue;
      const at = sinks.flatMap(({ samples }, destination) => {
        const form = modelOfForm(labels, destination);
        if (form === undefined) return [];
        const found = samples.bitsAt(seriesKey(form), one.points[0]!.timestampMs);
        if (found.length === 0) return [];
        assert.deepEqual(found, [modelOfValue(one.points[0]!.bits, destination)], seriesKey(form));
        return [destination];
      });
      owners.set(seriesKey(labels), at);
      expected += at.length;
      // The rules of destination 1 drop some of what it owns.
      const mayMissOne = modelOfForm(labels, 1) === undefined;
      assert.ok(at.length === 2 || (mayMissOne && at.length === 1), `${seriesKey(labels)} is at ${at}`);
      atLeast++;
    }
  }
  assert.ok(atLeast > SERIES / 2);
  const arrived = sinks.reduce((sum, { samples }) => sum + samples.samples, 0);
  assert.equal(
    arrived - expected,
    versions.get('1000')!.size * copiesOf(sinks, '1000'),
    'nothing else arrived',
  );
  for (const destination of sinks.keys()) {
    const share = [...owners.values()].filter((at) => at.includes(destination)).length / owners.size;
    // Of what destination 1 owns, its rules keep four in seven.
    const fair = destination === 1 ? 0.5 * (4 / 7) : 0.5;
    assert.ok(Math.abs(share - fair) < 0.05, `destination ${destination} has ${share} of the series`);
  }

  const metrics = await sluice.metrics();
  const { destinations } = assertLedgerBalances(metrics);
  for (const columns of Object.values(destinations)) {
    assert.equal(columns.received, SERIES + 1);
    assert.ok(columns.other_shard! > 0 && columns.dropped_relabel! > 0);
    assert.ok(columns.dropped_too_long_label_value! > 0);
  }
  assert.ok(destinations['shard-1']!.dropped_url_relabel! > 0);
  assert.deepEqual(await sluice.program.kill('SIGTERM'), { code: 0, signal: null });
});

function copiesOf(sinks: readonly Sink[], request: string): number {
  return sinks.filter(({ samples }) =>
    [...samples.series.keys()].some((key) => key.includes(`["request","${request}"]`)),
  ).length;
}

test('a bad file of rules stops the start; at a reload it changes nothing and is told', async (t) => {
  const directory = temporaryDirectory(t);
  const rules = path.join(directory, 'rules.yaml');
  writeFileSync(rules, '- action: labeldrop\n  regex: secret\n');
  const sink = await startSink(t);
  const sluice = await startSluice(t, path.join(directory, 'data'), [
    `-remoteWrite.url=${sink.url}`,
    `-remoteWrite.relabelConfig=${rules}`,
    '-remoteWrite.flushInterval=100ms',
  ]);
  writeFileSync(rules, '- action: labeldropp\n  regex: secret\n');
  assert.equal((await fetch(`${sluice.url}/-/reload`)).status, 200);
  await until('the reload failed', 20_000, async () => {
    const metrics = await sluice.metrics();
    return (
      metricSum(metrics, 'vmagent_relabel_config_reloads_errors_total') === 1 &&
      metricSum(metrics, 'vmagent_relabel_config_last_reload_successful') === 0
    );
  });
  assert.match(
    sluice.program.output,
    /rules\.yaml:1:11: rule 1: there is no action .*did you mean labeldrop/,
  );
  await push(`${sluice.url}/api/v1/write`, [
    { labels: { __name__: 'm', secret: 'x' }, points: [{ timestampMs: 1, bits: 1n }] },
  ]);
  await until('it arrives', 20_000, () => sink.samples.samples === 1);
  assert.deepEqual([...sink.samples.series.keys()], [seriesKey({ __name__: 'm' })]);
  assertLedgerBalances(await sluice.metrics());
});

test('series beyond the hourly limit are dropped, counted and shown', async (t) => {
  const sink = await startSink(t);
  const sluice = await startSluice(t, path.join(temporaryDirectory(t), 'data'), [
    `-remoteWrite.url=${sink.url}`,
    '-remoteWrite.maxHourlySeries=250',
    '-remoteWrite.flushInterval=100ms',
  ]);
  for (let again = 0; again < 2; again++) {
    const series = Array.from({ length: 1_000 }, (_, nth) => ({
      labels: { __name__: 'm', nth: `${nth}` },
      points: [{ timestampMs: 1 + again, bits: 1n }],
    }));
    assert.equal((await push(`${sluice.url}/api/v1/write`, series)).status, 204);
  }
  await drained(sluice, 2_000);
  assert.equal(sink.samples.series.size, 250);
  assert.equal(sink.samples.samples, 500);
  const metrics = await sluice.metrics();
  assert.equal(metricSum(metrics, 'vmagent_hourly_series_limit_rows_dropped_total'), 1_500);
  assert.equal(metricSum(metrics, 'vmagent_hourly_series_limit_current_series'), 250);
  assert.equal(metricSum(metrics, 'vmagent_hourly_series_limit_max_series'), 250);
  assertLedgerBalances(metrics);
  const page = await (await fetch(`${sluice.url}/`)).text();
  assert.match(page, /hourly series limit<\/th><td>[\d.:]+<\/td><td><code>m\{nth=&quot;\d+&quot;\}/);
});

test('a shard that is down long enough gives its series to the others, and gets them back', async (t) => {
  let isDown = false;
  const sinks = [await startSink(t), await startSink(t, { respond: () => (isDown ? 503 : 204) })];
  const sluice = await startSluice(t, path.join(temporaryDirectory(t), 'data'), [
    ...sinks.map(({ url }) => `-remoteWrite.url=${url}`),
    '-remoteWrite.shardByURL',
    '-remoteWrite.shardByURL.whenDown=reroute',
    '-remoteWrite.shardByURL.downAfter=500ms',
    '-remoteWrite.shardByURL.holdTime=1s',
    '-remoteWrite.retryMinInterval=100ms',
    '-remoteWrite.retryMaxInterval=200ms',
    '-remoteWrite.flushInterval=50ms',
  ]);
  let timestampMs = 0;
  const send = async () => {
    timestampMs++;
    const series = Array.from({ length: 100 }, (_, nth) => ({
      labels: { __name__: 'm', nth: `${nth}` },
      points: [{ timestampMs, bits: 1n }],
    }));
    assert.equal((await push(`${sluice.url}/api/v1/write`, series)).status, 204);
    return timestampMs;
  };
  const countAt = (sink: Sink, at: number) =>
    [...sink.samples.series.values()].filter((points) => points.has(at)).length;
  const endpoints = async () => metricSum(await sluice.metrics(), 'sluice_sharding_endpoints_total');
  const first = await send();
  await drained(sluice, 100);
  const share = countAt(sinks[1]!, first);
  assert.ok(share > 20 && share < 80);
  isDown = true;
  await send();
  await until('the shard is left out', 30_000, async () => (await endpoints()) === 1);
  const rerouted = await send();
  await until('everything comes to the other one', 20_000, () => countAt(sinks[0]!, rerouted) === 100);
  isDown = false;
  await until('it is back', 30_000, async () => (await endpoints()) === 2);
  const last = await send();
  await drained(sluice, 400);
  assert.equal(countAt(sinks[1]!, last), share);
  assert.equal(metricSum(await sluice.metrics(), 'sluice_sharding_rehash_total'), 2);
  assertLedgerBalances(await sluice.metrics());
  assert.equal(sinks[0]!.samples.samples + sinks[1]!.samples.samples, timestampMs * 100);
});

test('blocks are spread over the doors of a store, and pass by one that is down', async (t) => {
  const sinks = [await startSink(t), await startSink(t), await startSink(t, { respond: () => 503 })];
  const sluice = await startSluice(t, path.join(temporaryDirectory(t), 'data'), [
    ...sinks.map(({ url }) => `-remoteWrite.url=${url}`),
    '-remoteWrite.routing=spread',
    '-remoteWrite.spreadHoldTime=1h',
    '-remoteWrite.maxRowsPerBlock=10',
    '-remoteWrite.flushInterval=50ms',
  ]);
  for (let timestampMs = 1; timestampMs <= 40; timestampMs++) {
    const series = Array.from({ length: 10 }, (_, nth) => ({
      labels: { __name__: 'm', nth: `${nth}` },
      points: [{ timestampMs, bits: 1n }],
    }));
    assert.equal((await push(`${sluice.url}/api/v1/write`, series)).status, 204);
  }
  const stuck = async () => {
    const metrics = await sluice.metrics();
    return metricSum(metrics, 'sluice_ledger_destination_samples', { column: 'pending' })!;
  };
  await until('all but the first blocks for the one that is down arrive', 20_000, async () => {
    const arrived = sinks[0]!.samples.samples + sinks[1]!.samples.samples;
    return arrived + (await stuck()) === 400 && (await stuck()) <= 100;
  });
  const [one, other] = [sinks[0]!.samples.samples, sinks[1]!.samples.samples];
  assert.ok(Math.abs(one - other) <= 20, `${one} and ${other}`);
  assertLedgerBalances(await sluice.metrics());
});
