/** Where engines run. What they do there is in pool.test.ts, once for each place. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { hostFor } from '../../src/engine/host.ts';
import { localHost } from '../../src/engine/local-host.ts';
import type { EngineReport, FromEngine, ToEngine } from '../../src/engine/messages.ts';
import { Pipeline } from '../../src/engine/pipeline.ts';
import { compileKernel } from '../../src/kernel/kernel.ts';
import { until } from '../support/wait.ts';

const module = compileKernel();

test('the main thread is where it is asked for, and where there is no second CPU', async () => {
  for (const [thread, cpus, isLocal] of [
    ['auto', 0.5, true],
    ['auto', 1, true],
    ['auto', 1.5, false],
    ['auto', 64, false],
    ['main', 64, true],
    ['own', 1, false],
  ] as const) {
    assert.equal((await hostFor(thread, cpus)) === localHost, isLocal, `${thread}, ${cpus} CPUs`);
  }
});

const configure: ToEngine = {
  kind: 'configure',
  generation: 1,
  config: {
    groups: [{ codec: 'snappy', level: 0, metadata: true, parallel: 1 }],
    maxRowsPerBlock: 50,
    maxBlockBytes: 1024 * 1024,
    maxMetadataPerBlock: 5_000,
    flushIntervalMs: 1,
    bodyBytesMax: 1024 * 1024,
  },
  nowMs: 0,
};

function start(isBehind = false) {
  const told: (FromEngine | EngineReport)[] = [];
  const failures: unknown[] = [];
  const host = localHost(
    { module, current: new SharedArrayBuffer(8) },
    {
      onMessage: (message) => told.push(message),
      onEnd: (failure) => failures.push(failure),
      isBehind: () => isBehind,
    },
  );
  return { host, told, failures };
}

test('on the main thread messages are taken one a turn, in order, and never inside of post', async () => {
  const { host, told, failures } = start();
  host.post(configure);
  host.post({ kind: 'report' });
  host.post({ kind: 'flush', ticket: 7 });
  assert.equal(told.length, 0);
  await turn();
  assert.deepEqual(
    told.map(({ kind }) => kind),
    ['done'],
  );
  await until('all are taken', 10_000, () => told.length === 3);
  assert.deepEqual(
    told.map(({ kind }) => kind),
    ['done', 'report', 'done'],
  );
  assert.deepEqual(failures, []);
  await host.end();
});

test('an engine on the main thread keeps the process alive until its end, as a thread does', async () => {
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  const before = timers();
  const ended = start();
  const failed = start();
  assert.equal(timers(), before + 2);
  await ended.host.end();
  failed.host.post({ kind: 'flush', ticket: 1 });
  await turn();
  assert.equal(failed.failures.length, 1);
  assert.equal(timers(), before);
});

test('an engine that failed or was ended on the main thread says nothing more', async () => {
  const failed = start();
  failed.host.post({ kind: 'flush', ticket: 1 });
  failed.host.post(configure);
  const ended = start();
  ended.host.post(configure);
  await ended.host.end();
  for (let turns = 0; turns < 5; turns++) await turn();
  assert.deepEqual([failed.told, ended.told], [[], []]);
  assert.match(String(failed.failures), /configured before/);
  assert.equal(failed.failures.length, 1);
  assert.deepEqual(ended.failures, []);
});

test('a failure when the clock wakes an engine is its end, too', async (t) => {
  const { host, told, failures } = start();
  const { prototype } = Pipeline;
  const before = Object.getOwnPropertyDescriptors(prototype);
  t.after(() => Object.defineProperties(prototype, before));
  Object.defineProperty(prototype, 'oldestBornMs', { get: () => 0 });
  prototype.flushBornBefore = () => {
    throw new Error('died of a timer');
  };
  host.post(configure);
  await until('it died', 10_000, () => failures.length === 1);
  assert.match(String(failures[0]), /died of a timer/);
  assert.equal(told.length, 1, 'it was configured');
});

test('while blocks wait, the rest of the program has as much time behind a long task before the next one', async (t) => {
  const { host, told } = start(true);
  const { report } = Pipeline.prototype;
  t.after(() => {
    Pipeline.prototype.report = report;
  });
  const times: number[] = [];
  Pipeline.prototype.report = function slow(nowMs) {
    times.push(performance.now());
    while (performance.now() - times.at(-1)! < 40);
    times.push(performance.now());
    return report.call(this, nowMs);
  };
  host.post(configure);
  for (let nth = 0; nth < 3; nth++) host.post({ kind: 'report' });
  await until('both are told', 10_000, () => told.length === 4);
  const pauses = [1, 3].map((at) => times[at + 1]! - times[at]!);
  // Timers count whole milliseconds.
  assert.ok(
    pauses.every((pauseMs) => pauseMs >= 38),
    `${pauses}`,
  );
  await host.end();
});

test('what fails where answers are told is a mistake of the process, and the engine on the main thread goes on', () => {
  const url = (name: string) => JSON.stringify(new URL(`../../src/${name}.ts`, import.meta.url));
  const script = `
import { localHost } from ${url('engine/local-host')};
import { compileKernel } from ${url('kernel/kernel')};
process.on('uncaughtException', ({ message }) => console.log(message));
const start = { module: compileKernel(), current: new SharedArrayBuffer(8) };
const host = localHost(start, {
  onMessage({ kind, tickets }) {
    console.log(kind, String(tickets));
    throw new Error('a mistake');
  },
  onEnd(failure) {
    console.log('died', failure.message.includes('slab 2'));
    throw new Error('another mistake');
  },
  isBehind: () => false,
});
host.post(${JSON.stringify(configure)});
host.post({ kind: 'flush', ticket: 7 });
host.post({ kind: 'bodies', fields: [1, 2, 0, 0, 0, 0, 0], formats: [{}] });
host.post({ kind: 'flush', ticket: 8 });
`;
  const args = ['--disable-warning=ExperimentalWarning', '--input-type=module', '--eval', script];
  const lines = execFileSync(process.execPath, args, { encoding: 'utf8', timeout: 60_000 })
    .trim()
    .split('\n');
  const mistakes = ['a mistake', 'a mistake', 'another mistake'];
  assert.deepEqual(
    lines.filter((line) => line.includes('mistake')),
    mistakes,
  );
  assert.deepEqual(
    lines.filter((line) => !line.includes('mistake')),
    ['done undefined', 'done 7', 'died true'],
  );
});
