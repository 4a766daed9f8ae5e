/** From options and files to what is aggregated where, and what is told of files that have problems. */
import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { Aggregation, checkAggregation } from '../src/aggregation.ts';
import { loadConfig } from '../src/config/load.ts';
import { formatProblem } from '../src/config/problem.ts';
import { schema } from '../src/options.ts';
import { shapeOf } from '../src/shaping.ts';
import { RecordingMeter } from './ingest/harness.ts';
import { atEnd } from './support/cleanup.ts';
import { FakeClock } from './support/fake-clock.ts';
import { temporaryDirectory } from './support/process.ts';
import { recordingLogger } from './support/quiet-logger.ts';

const RULE = '- interval: 1m\n  outputs: [max]\n';
const URLS = ['-remoteWrite.url=http://a/w', '-remoteWrite.url=http://b/w', '-remoteWrite.name=a,b'];

async function configOf(args: readonly string[]) {
  const loaded = await loadConfig({
    schema,
    args: [...URLS, ...args],
    env: {},
    readText: () => Promise.reject(),
  });
  assert.deepEqual(loaded.problems, []);
  return loaded.config;
}

async function setUp(args: readonly string[], env: Record<string, string> = {}) {
  const config = await configOf(args);
  const meter = new RecordingMeter();
  const log = recordingLogger();
  const aggregation = new Aggregation(config, { clock: new FakeClock(), log, meter, env });
  return { config, aggregation, meter, log };
}

function fileWith(t: TestContext, text: string): string {
  const file = path.join(temporaryDirectory(t), 'rules.yaml');
  writeFileSync(file, text);
  return file;
}

test('without options nothing is aggregated', async () => {
  const { aggregation } = await setUp([]);
  await aggregation.load();
  assert.deepEqual(aggregation.contents, { global: undefined, destinations: [undefined, undefined] });
  assert.equal(await aggregation.reload(), false);
});

test('options say what rules do not, everywhere and for each destination', async (t) => {
  const file = fileWith(t, '- interval: "%{EVERY}"\n  outputs: [max]\n  name: "%{UNKNOWN}"\n');
  const { aggregation } = await setUp(
    [
      `-streamAggr.config=${file}`,
      '-streamAggr.dedupInterval=10s',
      '-streamAggr.dropInputLabels=a,b',
      '-streamAggr.ignoreOldSamples',
      '-streamAggr.keepInput',
      `-remoteWrite.streamAggr.config=,${file}`,
      '-remoteWrite.streamAggr.dropInputLabels=,c^^d',
      '-remoteWrite.streamAggr.dropInput=false,true',
      '-remoteWrite.streamAggr.ignoreFirstIntervals=0,2',
    ],
    { EVERY: '1m' },
  );
  await aggregation.load();
  const { global, destinations } = aggregation.contents;
  assert.deepEqual([global?.keepInput, global?.dropInput, global?.dedupIntervalMs], [true, false, 10_000]);
  const [rule] = global!.rules;
  assert.deepEqual(
    [rule!.intervalMs, rule!.dedupIntervalMs, rule!.dropInputLabels, rule!.ignoreOldSamples],
    [60_000, 10_000, ['a', 'b'], true],
  );
  assert.equal(rule!.name, '%{UNKNOWN}');
  assert.equal(destinations[0], undefined);
  assert.deepEqual([destinations[1]?.dropInput, destinations[1]?.dedupIntervalMs], [true, 0]);
  assert.deepEqual(destinations[1]!.rules[0]!.dropInputLabels, ['c', 'd']);
  assert.equal(destinations[1]!.rules[0]!.ignoreFirstIntervals, 2);
});

test('destinations that are configured alike share one place, shards never do', async (t) => {
  const file = fileWith(t, RULE);
  const files = {
    global: { path: '', text: '', rules: [] },
    destinations: URLS.map(() => ({ path: '', text: '', rules: [] })),
  };
  const flag = `-remoteWrite.streamAggr.config=${file}`;
  for (const [args, scopes] of [
    [[flag], ['destination a']],
    [
      [flag, '-remoteWrite.shardByURL'],
      ['destination a', 'destination b'],
    ],
  ] as const) {
    const { config, aggregation } = await setUp(args);
    await aggregation.load();
    const { forms } = shapeOf(config, files, aggregation.contents).config;
    assert.deepEqual(
      forms.map(({ stage }) => stage?.scope),
      scopes,
    );
    assert.deepEqual(
      forms.map(({ stage }) => stage?.shard),
      scopes.length === 1 ? [undefined] : [0, 1],
    );
  }
});

test('all problems are told with their places, those of a shared file once', async (t) => {
  const file = fileWith(
    t,
    `- interval: 1m
  outputs: [max]
  match: '{a='
- interval: 1m
  outputs: [max]
  match: '{a=~"("}'
- interval: 1m
  outputs: [max]
  input_relabel_configs:
  - action: replace
    regex: (
`,
  );
  const missing = path.join(temporaryDirectory(t), 'nowhere.yaml');
  const config = await configOf([`-remoteWrite.streamAggr.config=${file}`, `-streamAggr.config=${missing}`]);
  const problems = (await checkAggregation(config, {})).map(formatProblem);
  assert.equal(problems.filter((problem) => problem.includes(`${file}:3:10`)).length, 1, problems.join('\n'));
  assert.equal(problems.filter((problem) => problem.includes(`${file}:6:10`)).length, 1);
  assert.ok(problems.some((problem) => problem.includes(`${file}:10:5`)));
  assert.ok(problems.some((problem) => /-streamAggr\.config.*nowhere\.yaml cannot be read/.test(problem)));
  const { aggregation } = await setUp([`-streamAggr.config=${missing}`]);
  await assert.rejects(aggregation.load(), /cannot load the aggregation rules/);
});

test('a reload takes files that are good, and keeps the old rules of those that are not', async (t) => {
  const [one, two] = [fileWith(t, RULE), fileWith(t, RULE)];
  const { aggregation, meter, log } = await setUp([
    `-streamAggr.config=${one}`,
    `-remoteWrite.streamAggr.config=${two},`,
  ]);
  await aggregation.load();
  writeFileSync(one, RULE.replace('max', 'min'));
  rmSync(two);
  assert.equal(await aggregation.reload(), true);
  const { global, destinations } = aggregation.contents;
  assert.deepEqual(global!.rules[0]!.outputs, [{ name: 'min', args: [] }]);
  assert.deepEqual(destinations[0]!.rules[0]!.outputs, [{ name: 'max', args: [] }]);
  const value = (name: string, file: string) =>
    meter.value(`vmagent_streamaggr_config_${name}`, { path: file });
  assert.deepEqual(
    [value('reloads_total', one), value('reloads_errors_total', one), value('reload_successful', one)],
    [1, 0, 1],
  );
  assert.deepEqual(
    [value('reloads_total', two), value('reloads_errors_total', two), value('reload_successful', two)],
    [1, 1, 0],
  );
  assert.equal(value('reload_success_timestamp_seconds', one), 1_790_000_000);
  assert.equal(log.lines.filter(({ level }) => level === 'error').length, 1);
});

test('rules can come from a URL', async (t) => {
  let text = RULE;
  const server = createServer((_, response) => {
    response.statusCode = text === '' ? 404 : 200;
    response.end(text);
  }).listen(0, '127.0.0.1');
  atEnd(t, () => void server.close());
  await new Promise((resolve) => server.once('listening', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/rules.yaml`;
  const { aggregation, log } = await setUp([`-streamAggr.config=${url}`]);
  await aggregation.load();
  assert.equal(aggregation.contents.global?.rules.length, 1);
  text = '';
  await aggregation.reload();
  assert.equal(aggregation.contents.global?.rules.length, 1);
  assert.match(JSON.stringify(log.lines), /status 404/);
  server.closeAllConnections();
});

test('StatsD without rules is a problem, unless that is said to be meant', async (t) => {
  const file = fileWith(t, RULE);
  const told = async (...args: string[]) => {
    const problems = await checkAggregation(await configOf(['-statsdListenAddr=:8125', ...args]), {});
    return problems.map(formatProblem).join();
  };
  assert.match(
    await told(),
    /-statsdListenAddr.*no aggregation rules.*-statsd\.disableAggregationEnforcement/s,
  );
  assert.match(await told('-streamAggr.dedupInterval=10s'), /no aggregation rules/);
  assert.equal(await told('-statsd.disableAggregationEnforcement'), '');
  assert.equal(await told(`-streamAggr.config=${file}`), '');
  assert.equal(await told(`-remoteWrite.streamAggr.config=,${file}`), '');
});
