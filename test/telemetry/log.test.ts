import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { openLog } from '../../src/telemetry/log.ts';
import { Metrics } from '../../src/telemetry/metrics.ts';
import { type TelemetryValues, telemetryOptions } from '../../src/telemetry/options.ts';
import { Secret } from '../../src/util/secret.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { metricSum, parseMetrics } from '../support/metrics.ts';

/** The colours that are ours. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: colours are control characters
const COLOURS = /\u001b\[\d+m/g;

const defaults = Object.fromEntries(
  Object.entries(telemetryOptions).map(([name, spec]) => [name, spec.default]),
) as TelemetryValues;

interface Line {
  readonly level: string;
  readonly ts: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

async function open(values: Partial<TelemetryValues> = {}, isTerminal = false) {
  const lines: string[] = [];
  const clock = new FakeClock(Date.UTC(2026, 0, 2, 3, 4, 5, 678));
  const metrics = new Metrics();
  const write = (line: string) => lines.push(line);
  const log = await openLog(
    { ...defaults, ...values },
    { clock, meter: metrics, versionLabel: 'vmagent-sluice-test', write, isTerminal },
  );
  return { log, lines, clock, metrics, parsed: () => lines.map((line) => JSON.parse(line) as Line) };
}

test('a line of JSON has level, time, message and fields', async () => {
  const { log, parsed } = await open();
  log.info('started', { port: 8429 });
  assert.deepEqual(parsed(), [{ level: 'info', ts: '2026-01-02T03:04:05.678Z', port: 8429, msg: 'started' }]);
});

test('-loggerDisableTimestamps leaves the time out', async () => {
  const { log, parsed } = await open({ loggerDisableTimestamps: true });
  log.warn('x');
  assert.deepEqual(parsed(), [{ level: 'warn', msg: 'x' }]);
});

test('-loggerLevel hides what is less important', async () => {
  const cases: [level: string, shown: string[]][] = [
    ['DEBUG', ['debug', 'info', 'warn', 'error']],
    ['INFO', ['info', 'warn', 'error']],
    ['WARN', ['warn', 'error']],
    ['ERROR', ['error']],
    ['FATAL', []],
    ['PANIC', []],
  ];
  for (const [loggerLevel, shown] of cases) {
    const { log, parsed } = await open({ loggerLevel });
    for (const level of ['debug', 'info', 'warn', 'error'] as const) log[level](level);
    assert.deepEqual(
      parsed().map(({ level }) => level),
      shown,
      loggerLevel,
    );
  }
});

test('a child adds its fields to every line', async () => {
  const { log, parsed } = await open();
  log
    .child({ destination: 'a' })
    .child({ key: new Secret('canary') })
    .error('x', { status: 500 });
  const [{ ts, ...line }] = parsed() as [Line];
  assert.deepEqual(line, { level: 'error', destination: 'a', key: 'secret', status: 500, msg: 'x' });
});

test('no secret shows, in any form', async () => {
  for (const isTerminal of [false, true]) {
    const { log, lines } = await open({ loggerLevel: 'DEBUG' }, isTerminal);
    const secret = new Secret('canary');
    const error = new Error(`failed at http://user:canary@host/`, { cause: new Error('http://u:canary@h') });
    log.info(`token ${secret} at https://me:canary@host/path`, { secret, nested: { list: [secret] }, error });
    log.debug('x', { url: 'https://me:canary@host/path' });
    log.child({ secret, error }).warn('y');
    log.limited('k', 1).error('z', { secret });
    assert.equal(lines.length, 4);
    for (const line of lines) assert.doesNotMatch(line, /canary/);
  }
});

test('a value cannot forge a line, a field, or drive a terminal', async () => {
  const evil = 'a\r\n{"level":"error","msg":"forged"}\u001b[2J\u009b2J\u2028';
  for (const isTerminal of [false, true]) {
    const { log, lines } = await open({}, isTerminal);
    log.info(evil, { evil, [evil]: 1, err: new Error(evil), level: 'fatal', msg: 'other', ts: 'then' });
    assert.equal(lines.length, 1);
    assert.match(lines[0]!, /^[^\n]*\n$/, 'one line');
    const shown = lines[0]!.slice(0, -1).replaceAll(COLOURS, '');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: looking for control characters is the purpose
    assert.doesNotMatch(shown, /[\u0000-\u001f\u007f-\u009f\u2028]/);
    if (isTerminal) continue;
    const line = JSON.parse(lines[0]!) as Line;
    assert.deepEqual([line.level, line.msg, line.evil], ['info', evil, evil]);
    assert.deepEqual([line.level_, line.msg_, line.ts_], ['fatal', 'other', 'then']);
  }
});

test('patterns in a message are not filled in', async () => {
  const { log, parsed } = await open();
  log.info('50%s %o %j %%', { a: 1 });
  assert.equal(parsed()[0]!.msg, '50%s %o %j %%');
});

test('-loggerMaxArgLen cuts long values', async () => {
  const { log, parsed } = await open({ loggerMaxArgLen: 20 });
  log.info('m'.repeat(1_000), { text: 'x'.repeat(1_000) });
  const [line] = parsed();
  assert.deepEqual([line!.msg.length, (line!.text as string).length], [20, 20]);
});

test('repeats are limited, and the next line says how many were left out', async () => {
  const { log, clock, parsed } = await open();
  for (let time = 0; time < 5; time++) log.limited('down', 60_000).warn('the destination is down');
  clock.advance(60_000);
  log.child({ a: 1 }).limited('down', 60_000).warn('the destination is down');
  assert.deepEqual(
    parsed().map(({ suppressed }) => suppressed),
    [undefined, 4],
  );
});

test('-loggerErrorsPerSecondLimit and -loggerWarnsPerSecondLimit limit one place', async () => {
  const { log, clock, parsed } = await open({ loggerErrorsPerSecondLimit: 2, loggerWarnsPerSecondLimit: 1 });
  const burst = () => {
    for (let time = 0; time < 5; time++) log.error('e');
    for (let time = 0; time < 5; time++) log.warn('w');
    for (let time = 0; time < 5; time++) log.info('i');
  };
  burst();
  clock.advance(1_000);
  burst();
  const told = parsed().map(({ msg, suppressed }) =>
    suppressed === undefined ? msg : `${msg}+${suppressed}`,
  );
  assert.equal(told.join(' '), 'e e w i i i i i e+3 e w+4 i i i i i');
});

test('messages are counted by level and place, printed or not', async () => {
  const { log, metrics } = await open({ loggerLevel: 'WARN', loggerErrorsPerSecondLimit: 1 });
  for (let time = 0; time < 3; time++) log.error('e');
  log.info('hidden');
  const samples = parseMetrics(await metrics.text());
  const count = (labels: Record<string, string>) => metricSum(samples, 'vm_log_messages_total', labels);
  assert.equal(count({ level: 'error', is_printed: 'true', app_version: 'vmagent-sluice-test' }), 1);
  assert.equal(count({ level: 'error', is_printed: 'false' }), 2);
  assert.equal(count({ level: 'info', is_printed: 'false' }), 1);
  const places = samples.flatMap(({ labels }) => labels.location ?? []);
  assert.equal(new Set(places).size, 2);
  for (const place of places) assert.match(place, /^telemetry\/log\.test\.ts:\d+$/);
});

test('a terminal gets readable text, unless -loggerFormat=json', async () => {
  const pretty = await open({}, true);
  pretty.log.warn('disk is full', { path: '/data' });
  const plain = pretty.lines[0]!.replaceAll(COLOURS, '');
  assert.match(plain, /^\[\d\d:\d\d:\d\d\.\d{3}\] WARN: disk is full \{"path":"\/data"\}\n$/);
  const json = await open({ loggerFormat: 'json' }, true);
  json.log.warn('disk is full');
  assert.equal((JSON.parse(json.lines[0]!) as Line).msg, 'disk is full');
});

test('the last line is out even when the process exits at once', () => {
  for (const loggerOutput of ['stderr', 'stdout'] as const) {
    const script = `
      import { openLog } from '${join(import.meta.dirname, '../../src/telemetry/log.ts')}';
      import { Metrics } from '${join(import.meta.dirname, '../../src/telemetry/metrics.ts')}';
      import { systemClock } from '${join(import.meta.dirname, '../../src/util/clock.ts')}';
      const values = ${JSON.stringify({ ...defaults, loggerOutput })};
      const log = await openLog(values, { clock: systemClock, meter: new Metrics(), versionLabel: 'x' });
      for (let n = 0; n < 1000; n++) log.error('line ' + n);
      process.exit(3);`;
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      encoding: 'utf8',
    });
    assert.equal(status, 3, stderr);
    const lines = (loggerOutput === 'stderr' ? stderr : stdout).trimEnd().split('\n');
    assert.equal(lines.length, 1_000);
    assert.equal((JSON.parse(lines.at(-1)!) as Line).msg, 'line 999');
  }
});
