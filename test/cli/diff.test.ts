import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { diff } from '../../src/cli/diff.ts';
import { schema } from '../../src/options.ts';
import { AdminServer } from '../../src/service/admin-server.ts';
import { systemClock } from '../../src/util/clock.ts';

const BEFORE = {
  'up{job="a"}': { x: 'up{job="a"}', y: 'up{job="a"}' },
  'up{job="b"}': { x: 'up{job="b"}', y: 'up{job="b"}' },
  'gone{job="a"}': { x: 'gone{job="a"}', y: null },
  'back{job="a"}': { x: null, y: null },
  'renamed{tmp="a"}': { x: 'renamed{tmp="a"}', y: 'renamed{tmp="a"}' },
};

const TWO = ['-remoteWrite.url=http://x/,http://y/', '-remoteWrite.name=x,y'];

async function setUp(
  t: TestContext,
  rules: string,
  before: Record<string, object> = BEFORE,
  destinations: readonly string[] = TWO,
) {
  const directory = mkdtempSync(path.join(tmpdir(), 'sluice-diff-'));
  const server = new AdminServer(directory, systemClock);
  await server.lock();
  server.serve({
    explain: (input) => {
      const asked = (input.series as string[] | undefined) ?? Object.keys(before);
      const known = Object.entries(before).filter(([series]) => asked.includes(series));
      return Promise.resolve(known.map(([series, destinations]) => ({ series, destinations })));
    },
  });
  t.after(async () => {
    await server.close();
    rmSync(directory, { recursive: true });
  });
  const file = path.join(directory, 'rules.yaml');
  writeFileSync(file, rules);
  writeFileSync(path.join(directory, 'series'), 'up{job="a"}\n\n');
  const flags = [
    ...destinations,
    `-remoteWrite.tmpDataPath=${directory}`,
    `-remoteWrite.relabelConfig=${file}`,
  ];
  const run = async (...more: string[]) => {
    let [stdout, stderr] = ['', ''];
    const code = await diff.run({
      schema,
      args: [...flags, ...more],
      env: {},
      stdout: (text) => {
        stdout += text;
      },
      stderr: (text) => {
        stderr += text;
      },
    });
    return { code, stdout, stderr };
  };
  return { directory, run };
}

const RULES = `
- {action: drop, source_labels: [__name__], regex: gone}
- {action: labeldrop, regex: 'tmp|job'}
`;

test('every series is compared with what the running relay does', async (t) => {
  const { run, directory } = await setUp(t, RULES);
  const { code, stdout, stderr } = await run();
  assert.deepEqual([code, stderr], [0, '']);
  const count = (kind: string) => new RegExp(`^${kind} +(\\d+)`, 'm').exec(stdout)?.[1];
  assert.equal(count('unchanged'), '0');
  assert.equal(count('dropped'), '1');
  assert.equal(count('kept again'), '1');
  assert.equal(count('other labels'), '3');
  assert.equal(count('other destinations'), '0');
  assert.equal(count('merged'), '2', 'both up{} have one name now');
  assert.match(stdout, /gone\{job="a"\} at x → nowhere/);
  assert.match(stdout, /renamed\{tmp="a"\} at x, y → renamed at x, y/);
  const some = await run(`-series=${path.join(directory, 'series')}`);
  assert.match(some.stdout, /^1 series looked at/);
});

test('a configuration that cannot be used, and a relay that is not there, are told', async (t) => {
  const { run } = await setUp(t, '- {action: nothing}');
  const bad = await run();
  assert.equal(bad.code, 1);
  assert.match(bad.stderr, /cannot use the configuration:\n.*there is no action/);
  const missing = await run('-series=/nowhere/at/all');
  assert.equal(missing.code, 1);
});

const SERVICE = [
  '-remoteWrite.url=http://x/',
  '-remoteWrite.name=x',
  '-remoteWrite.discovery.service=x:80',
  '-remoteWrite.routing=shard',
];

test('destinations from DNS are those that the running relay has', async (t) => {
  const all = Array.from({ length: 50 }, (_, nth) => `up{nth="${nth}"}`);
  const names = ['x-10.0.0.1-80', 'x-10.0.0.2-80'];
  const before = Object.fromEntries(
    all.map((series) => [series, { [names[0]!]: series, [names[1]!]: null }] as const),
  );
  const { run, directory } = await setUp(t, '', before, SERVICE);
  const endpoints = ['10.0.0.2', '10.0.0.1'].map((host) => ({ host, port: 80 }));
  writeFileSync(path.join(directory, 'endpoints.json'), JSON.stringify({ current: endpoints, leaving: [] }));
  const { stdout, stderr } = await run();
  assert.equal(stderr, '');
  const count = (kind: string) => Number(new RegExp(`^${kind} +(\\d+)`, 'm').exec(stdout)?.[1]);
  assert.equal(count('unchanged') + count('other destinations'), 50);
  assert.ok(count('unchanged') > 5 && count('other destinations') > 5, stdout);
  assert.match(stdout, /at x-10\.0\.0\.1-80 → up\{nth="\d+"\} at x-10\.0\.0\.2-80/);
});
