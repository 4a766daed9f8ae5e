/**
 * Clients as programs use them, into one real daemon: what they were given is what the destination got, and the ledger
 * balances.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { InfluxDB, Point } from '@influxdata/influxdb-client';
import { type ClientOptions, StatsD } from 'hot-shots';
import { Counter, Gauge, Histogram, Pushgateway, Registry, Summary } from 'prom-client';
import { assertLedgerBalances, metricSum } from '../support/metrics.ts';
import { freePort, startProgram, temporaryDirectory } from '../support/process.ts';
import { missingPrograms, program, programsDirectory } from '../support/programs.ts';
import { randomFrom } from '../support/random.ts';
import { type Labels, seriesKey, valueOfBits } from '../support/remote-write.ts';
import { type Sink, startSink } from '../support/sink.ts';
import { type RunningSluice, startSluice } from '../support/sluice.ts';
import { until } from '../support/wait.ts';

const WITHIN_MS = 30_000;

/** The sum of these rows, before they were aggregated, is what the ledger has to have received. */
let given = 0;

interface Row {
  readonly labels: Labels;
  readonly value: number;
  readonly timestampMs: number;
}

/** What arrived of the series whose names begin so, oldest first. */
function arrived(sink: Sink, prefix: string): Row[] {
  const rows = sink.requests.flatMap(({ decoded }) =>
    decoded.series
      .filter(({ labels }) => labels.__name__!.startsWith(prefix))
      .flatMap(({ labels, points }) =>
        points.map(({ timestampMs, bits }) => ({ labels, timestampMs, value: valueOfBits(bits) })),
      ),
  );
  return rows.toSorted((a, b) => a.timestampMs - b.timestampMs);
}

const shown = ({ labels, value, timestampMs }: Row) => `${seriesKey(labels)} ${value}@${timestampMs}`;
const shownWithoutTime = ({ labels, value }: Omit<Row, 'timestampMs'>) => `${seriesKey(labels)} ${value}`;

/** Waits for so many rows, and compares them in any order. */
async function expectRows(sink: Sink, prefix: string, expected: readonly Row[], show = shown): Promise<void> {
  given += expected.length;
  await until(`${prefix}… arrives`, WITHIN_MS, () => arrived(sink, prefix).length >= expected.length);
  assert.deepEqual(arrived(sink, prefix).map(show).toSorted(), expected.map(show).toSorted());
}

type Told = {
  readonly name: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly rate?: number;
} & (
  | { readonly type: 'c' | 'g' | 'gd' | 'ms' | 'h' | 'd'; readonly value: number }
  | { readonly type: 's'; readonly value: string | number }
);

function tell(client: StatsD, { type, name, value, rate = 1, tags }: Told): void {
  if (type === 'c') client.increment(name, value, rate, tags);
  else if (type === 'g') client.gauge(name, value, rate, tags);
  else if (type === 'gd') client.gaugeDelta(name, value, rate, tags);
  else if (type === 'ms') client.timing(name, value, rate, tags);
  else if (type === 'h') client.histogram(name, value, rate, tags);
  else if (type === 'd') client.distribution(name, value, rate, tags);
  else client.set(name, value, rate, tags);
}

/** What one program says in one interval. */
function roundOf(random: () => number, prefix: string): Told[] {
  const below = (limit: number) => Math.floor(random() * limit);
  const told: Told[] = [];
  for (const region of ['eu', 'us.1']) {
    const tags = { region, app: 'shop front' };
    const more = (count: number, make: () => Told) => {
      for (let nth = 0; nth < count; nth++) told.push(make());
    };
    more(40, () => ({ type: 'c', name: `${prefix}.views`, value: 1 + below(5), tags }));
    more(20, () => ({ type: 'c', name: `${prefix}.sampled`, value: 1 + below(5), rate: 0.1, tags }));
    more(5, () => ({ type: 'g', name: `${prefix}.fuel`, value: below(1_000) / 8, tags }));
    more(9, () => ({ type: 'gd', name: `${prefix}.sessions`, value: below(20) - 5, tags }));
    more(60, () => ({ type: 'ms', name: `${prefix}.wait`, value: below(1_000), tags }));
    more(8, () => ({ type: 'h', name: `${prefix}.size`, value: below(1_000) / 4, rate: 0.25, tags }));
    more(8, () => ({ type: 'd', name: `${prefix}.spread`, value: below(1_000) - 500, tags }));
    more(30, () => ({
      type: 's',
      name: `${prefix}.users`,
      value: ['ann', 'b:b', 7, '7', below(9)][below(5)]!,
      tags,
    }));
  }
  return told;
}

/** What StatsD means by them, in plain code: series → value. `totals` goes from interval to interval. */
function meant(round: readonly Told[], totals: Map<string, number>): Map<string, number> {
  const told = new Map<string, number>();
  const groups = Map.groupBy(round, ({ name, type, tags }) => JSON.stringify([name, type, tags]));
  for (const group of groups.values()) {
    const { name, type, tags } = group[0]!;
    const keyOf = (suffix: string, more = {}) =>
      seriesKey({ __name__: `${name}${suffix}`, ...tags, ...more });
    if (type === 's') {
      told.set(keyOf(''), new Set(group.map(({ value }) => String(value))).size);
    } else if (type === 'g') {
      told.set(keyOf(''), group.at(-1)!.value as number);
    } else if (type === 'c' || type === 'gd') {
      const key = keyOf(type === 'c' ? '' : '_changes');
      const sum = group.reduce((all, { value, rate = 1 }) => all + (value as number) / rate, 0);
      totals.set(key, (totals.get(key) ?? 0) + sum);
      told.set(key, totals.get(key)!);
    } else {
      const values = group
        .flatMap(({ value, rate = 1 }) => Array.from({ length: 1 / rate }, () => value as number))
        .toSorted((a, b) => a - b);
      const sum = values.reduce((all, value) => all + value, 0);
      told.set(keyOf('_count_samples'), values.length);
      told.set(keyOf('_sum_samples'), sum);
      told.set(keyOf('_min'), values[0]!);
      told.set(keyOf('_max'), values.at(-1)!);
      for (const quantile of [0.5, 0.9, 0.99]) {
        const rank = Math.floor(quantile * (values.length - 1) + 0.5);
        told.set(keyOf('_quantiles', { quantile: String(quantile) }), values[rank]!);
      }
    }
  }
  return told;
}

/** Every value that a series had, one after another; totals are told in every interval, sums as 0 in an empty one. */
function valuesOf(sink: Sink, prefix: string): Map<string, number[]> {
  const values = new Map<string, number[]>();
  for (const { labels, value } of arrived(sink, prefix)) {
    const key = seriesKey(labels);
    const known = values.get(key) ?? [];
    values.set(key, known);
    const isEmpty = value === 0 && labels.__name__!.endsWith('_sum_samples');
    if (known.at(-1) !== value && !isEmpty) known.push(value);
  }
  return values;
}

/**
 * hot-shots: two rounds, each in one datagram or one piece of TCP and so in one interval, the second one when the first is told.
 */
async function statsdClient(
  t: TestContext,
  sink: Sink,
  prefix: string,
  options: ClientOptions,
): Promise<void> {
  const failed: Error[] = [];
  const client = new StatsD({
    host: '127.0.0.1',
    maxBufferSize: 60_000,
    bufferFlushInterval: 60_000,
    errorHandler: (error) => failed.push(error),
    ...options,
  });
  const random = randomFrom(1);
  const totals = new Map<string, number>();
  const expected: Map<string, number>[] = [];
  for (let nth = 0; nth < 2; nth++) {
    const round = roundOf(random, prefix);
    // Nothing of what is sampled is left out, so that the numbers can be told.
    const always = t.mock.method(Math, 'random', () => 0);
    for (const told of round) tell(client, told);
    always.mock.restore();
    if (options.telegraf !== true) {
      client.event('deploy', 'of a shop\nwith | and #', {}, { region: 'eu' });
      client.check('db', client.CHECKS.OK, {}, { region: 'eu' });
    }
    await new Promise((resolve) => client.flush(resolve));
    given += round.reduce((sum, { type, rate = 1 }) => sum + ('ms h d'.includes(type) ? 1 / rate : 1), 0);
    const outputs = meant(round, totals);
    expected.push(outputs);
    await until(`round ${nth} of ${prefix} is told`, WITHIN_MS, () => {
      const values = valuesOf(sink, prefix);
      const missing = [...outputs].filter(([key, value]) => values.get(key)?.at(-1) !== value);
      if (missing.length === 0) return true;
      const [key, value] = missing[0]!;
      throw new Error(`${key} is not ${value} but ${values.get(key)}`);
    });
  }
  await new Promise<void>((resolve) => client.close(() => resolve()));
  const collapsed = [...expected[0]!].map(([key, first]) => {
    const second = expected[1]!.get(key)!;
    return [key, first === second ? [first] : [first, second]] as const;
  });
  assert.deepEqual(Object.fromEntries(valuesOf(sink, prefix)), Object.fromEntries(collapsed));
  assert.deepEqual(failed, []);
}

/** The client of InfluxDB 2: batches, gzip, escapes. */
async function influxClient(sluice: RunningSluice, sink: Sink): Promise<void> {
  const api = new InfluxDB({ url: sluice.url, token: 'any' }).getWriteApi('org', 'bucket', 'ms', {
    gzipThreshold: 1,
    batchSize: 7,
    maxRetries: 0,
  });
  const expected: Row[] = [];
  for (let nth = 0; nth < 20; nth++) {
    const timestampMs = 1_700_000_000_123 + nth * 1_000;
    const point = new Point('influx client')
      .tag('host', `a=${nth}, b`)
      .tag('p a,t=h', 'c:\\d')
      .floatField('load', nth / 3)
      .intField('count', nth)
      .uintField('big', 2 ** 40 + nth)
      .booleanField('up', nth % 2 === 0)
      .stringField('text', `${nth}.5`)
      .timestamp(timestampMs);
    api.writePoint(point);
    const tags = { host: `a=${nth}, b`, 'p a,t=h': 'c:\\d' };
    const fields = {
      load: nth / 3,
      count: nth,
      big: 2 ** 40 + nth,
      up: Number(nth % 2 === 0),
      text: nth + 0.5,
    };
    for (const [field, value] of Object.entries(fields)) {
      expected.push({ labels: { __name__: `influx client_${field}`, ...tags }, value, timestampMs });
    }
  }
  await api.close();
  await expectRows(sink, 'influx client', expected);
}

/** prom-client as it pushes to a Pushgateway: what its registry holds is what arrives. */
async function prometheusClient(sluice: RunningSluice, sink: Sink): Promise<void> {
  const registry = new Registry();
  const common = { help: 'Some help with a \\ and\nlines.', registers: [registry] };
  const jobs = new Counter({ name: 'pushed_jobs_total', labelNames: ['kind'], ...common });
  jobs.inc({ kind: 'a "quoted" \\ kind' }, 3);
  jobs.inc({ kind: 'lines\nand é' }, 0.1);
  new Gauge({ name: 'pushed_ratio', ...common }).set(-1e-7);
  new Gauge({ name: 'pushed_infinite', ...common }).set(Number.NEGATIVE_INFINITY);
  const sizes = new Histogram({ name: 'pushed_size_bytes', buckets: [1, 2.5, 10], ...common });
  const waits = new Summary({ name: 'pushed_wait_seconds', percentiles: [0.5, 0.9], ...common });
  for (const value of [0.5, 1, 2, 3, 20]) {
    sizes.observe(value);
    waits.observe(value);
  }
  const gateway = new Pushgateway(
    `${sluice.url}/api/v1/import/prometheus`,
    { headers: { 'Content-Encoding': 'gzip' } },
    registry,
  );
  const { resp } = await gateway.pushAdd({ jobName: 'backup', groupings: { instance: 'a b:1' } });
  assert.equal((resp as { statusCode: number }).statusCode, 200);
  // A push is a sample and nothing is kept, so this says nothing, and is no error.
  await gateway.delete({ jobName: 'backup' });
  const held = (await registry.getMetricsAsJSON()).flatMap(({ name, values }) =>
    (values as { metricName?: string; labels: Record<string, unknown>; value: number }[]).map((one) => {
      const labels = Object.entries(one.labels).map(([label, value]) => [
        label,
        String(value).replace('Infinity', 'Inf'),
      ]);
      const grouping = { job: 'backup', instance: 'a b:1' };
      return {
        labels: { __name__: one.metricName ?? name, ...Object.fromEntries(labels), ...grouping },
        value: one.value,
        timestampMs: 0,
      };
    }),
  );
  assert.ok(held.length >= 13, `${held.length}`);
  await expectRows(sink, 'pushed_', held, shownWithoutTime);
  const families = new Set(sink.requests.flatMap(({ decoded }) => decoded.families));
  assert.ok(families.has('pushed_jobs_total') && families.has('pushed_size_bytes'), 'metadata arrives');
}

/** collectd takes values over a socket and writes them to Graphite and OpenTSDB. */
async function collectd(
  t: TestContext,
  sink: Sink,
  ports: Record<'graphite' | 'opentsdb', number>,
): Promise<void> {
  const directory = temporaryDirectory(t);
  const socketPath = path.join(directory, 'socket');
  const own = existsSync(path.join(programsDirectory, 'usr/share/collectd/types.db'));
  const config = path.join(directory, 'collectd.conf');
  writeFileSync(
    config,
    `
BaseDir "${directory}"
PIDFile "${path.join(directory, 'pid')}"
${own ? `PluginDir "${programsDirectory}/usr/lib/collectd"\nTypesDB "${programsDirectory}/usr/share/collectd/types.db"` : ''}
FQDNLookup false
Hostname "h"
# With more of them, values of one series overtake each other and are dropped as too old.
WriteThreads 1
LoadPlugin unixsock
LoadPlugin write_graphite
LoadPlugin write_tsdb
<Plugin unixsock>
  SocketFile "${socketPath}"
</Plugin>
<Plugin write_graphite>
  <Node "relay">
    Host "127.0.0.1"
    Port "${ports.graphite}"
    Prefix "collectd."
    StoreRates false
  </Node>
</Plugin>
<Plugin write_tsdb>
  <Node>
    Host "127.0.0.1"
    Port "${ports.opentsdb}"
    HostTags "status=production"
    StoreRates false
  </Node>
</Plugin>
`,
  );
  await startProgram(t, { name: 'collectd', command: program('collectd'), args: ['-f', '-C', config] });
  const socket = await until('collectd listens', WITHIN_MS, async () => {
    const attempt = connect(socketPath);
    await once(attempt, 'connect');
    return attempt;
  });
  t.after(() => socket.destroy());
  const answers = socket.setEncoding('utf8')[Symbol.asyncIterator]() as AsyncIterator<string>;
  const say = async (line: string) => {
    socket.write(`${line}\n`);
    const { value } = await answers.next();
    assert.match(String(value), /^0 /, line);
  };
  const graphite: Row[] = [];
  const opentsdb: Row[] = [];
  for (let nth = 0; nth < 12; nth++) {
    const seconds = 1_700_000_000 + nth * 10;
    const timestampMs = seconds * 1_000;
    await say(`PUTVAL h.${nth % 3}/cpu-0/gauge-wait ${seconds}:${nth / 3}`);
    await say(`PUTVAL h.${nth % 3}/disk-sda/disk_octets ${seconds}:${nth * 1e9}:${nth}`);
    for (const [name, value] of [
      ['cpu-0.gauge-wait', nth / 3],
      ['disk-sda.disk_octets.read', nth * 1e9],
      ['disk-sda.disk_octets.write', nth],
    ] as const) {
      // It writes 15 digits.
      const written = Number(value.toPrecision(15));
      graphite.push({ labels: { __name__: `collectd.h_${nth % 3}.${name}` }, value: written, timestampMs });
      opentsdb.push({
        labels: { __name__: name.replaceAll('-', '.'), fqdn: `h.${nth % 3}`, status: 'production' },
        value: written,
        timestampMs,
      });
    }
  }
  // What was taken goes through a queue of its own first.
  await until('collectd has written all', WITHIN_MS, async () => {
    await say('FLUSH');
    const names = ['collectd.', 'cpu.', 'disk.'];
    return names.flatMap((name) => arrived(sink, name)).length >= graphite.length + opentsdb.length;
  });
  await expectRows(sink, 'collectd.', graphite);
  await expectRows(
    sink,
    'cpu.',
    opentsdb.filter(({ labels }) => labels.__name__!.startsWith('cpu.')),
  );
  await expectRows(
    sink,
    'disk.',
    opentsdb.filter(({ labels }) => labels.__name__!.startsWith('disk.')),
  );
}

test('what clients are given is what arrives', { concurrency: true }, async (t) => {
  const sink = await startSink(t);
  const directory = temporaryDirectory(t);
  const rules = path.join(directory, 'rules.yaml');
  const shipped = readFileSync(
    path.join(import.meta.dirname, '../../config/statsd-aggregation.yaml'),
    'utf8',
  );
  writeFileSync(rules, shipped.replaceAll('10s', '1s'));
  const [statsd, graphite, opentsdb] = [await freePort(), await freePort(), await freePort()];
  const sluice = await startSluice(t, directory, [
    `-remoteWrite.url=${sink.url}`,
    '-remoteWrite.flushInterval=100ms',
    `-streamAggr.config=${rules}`,
    `-statsdListenAddr=127.0.0.1:${statsd}`,
    `-graphiteListenAddr=127.0.0.1:${graphite}`,
    `-opentsdbListenAddr=127.0.0.1:${opentsdb}`,
  ]);
  await Promise.all([
    t.test('hot-shots, DogStatsD over UDP', (s) => {
      const origin = { datadog: true, cardinality: 'low', containerID: 'ci-1234' } as const;
      return statsdClient(s, sink, 'udp', { port: statsd, ...origin, includeDatadogTelemetry: false });
    }),
    t.test('hot-shots, Telegraf over TCP', (s) => {
      return statsdClient(s, sink, 'tcp', { port: statsd, protocol: 'tcp', telegraf: true });
    }),
    t.test('@influxdata/influxdb-client', () => influxClient(sluice, sink)),
    t.test('prom-client', () => prometheusClient(sluice, sink)),
    t.test('collectd', { skip: missingPrograms('collectd') }, (s) =>
      collectd(s, sink, { graphite, opentsdb }),
    ),
  ]);
  const page = await until('the ledger balances', WITHIN_MS, async () => {
    const samples = await sluice.metrics();
    const { destinations } = assertLedgerBalances(samples);
    return Object.values(destinations).every(({ pending }) => pending === 0) && samples;
  });
  assert.equal(metricSum(page, 'sluice_ledger_samples_total', { column: 'received' }), given);
  assert.equal(metricSum(page, 'sluice_rows_ignored_total', { type: 'statsd' }), 4);
  for (const type of ['statsd', 'influx', 'prometheus', 'graphite', 'opentsdb']) {
    assert.equal(metricSum(page, 'vm_rows_invalid_total', { type }), 0, type);
  }
});
