import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { loadConfig } from '../src/config/load.ts';
import { schema } from '../src/options.ts';
import { checkShaping, readRuleFiles, Shaping, shapeOf } from '../src/shaping.ts';
import { RecordingMeter } from './ingest/harness.ts';
import { FakeClock } from './support/fake-clock.ts';
import { recordingLogger } from './support/quiet-logger.ts';

function directoryFor(t: TestContext) {
  const directory = mkdtempSync(path.join(tmpdir(), 'sluice-shaping-'));
  t.after(() => rmSync(directory, { recursive: true }));
  return (name: string, text: string) => {
    writeFileSync(path.join(directory, name), text);
    return path.join(directory, name);
  };
}

async function configOf(...flags: string[]) {
  const args = ['-remoteWrite.url=http://a/,http://b/,http://c/', '-remoteWrite.name=a,b,c', ...flags];
  const { config, problems } = await loadConfig({ schema, args, env: {} });
  assert.deepEqual(problems, []);
  return config;
}

test('destinations that are configured alike share a form', async (t) => {
  const write = directoryFor(t);
  const own = write('own.yaml', '- {action: labeldrop, regex: a}');
  const config = await configOf(
    `-remoteWrite.urlRelabelConfig=${own},,${own}`,
    '-remoteWrite.significantFigures=0,3,0',
    '-remoteWrite.label=x=y=z',
  );
  const { files, problems } = await readRuleFiles(config, { env: {} });
  assert.deepEqual(problems, []);
  const { config: shape, formOf } = shapeOf(config, files);
  assert.deepEqual(formOf, [0, 1, 0]);
  assert.equal(shape.forms.length, 2);
  assert.deepEqual(shape.forms[0]!.labels, [['x', 'y=z']]);
  assert.equal(shape.forms[1]!.rounding.significantFigures, 3);
});

test('variables are filled in; one that is not there stays as it is written', async (t) => {
  const file = directoryFor(t)('rules.yaml', '- {target_label: a, replacement: "%{ONE} %{TWO}"}');
  const config = await configOf(`-remoteWrite.relabelConfig=${file}`);
  const { files } = await readRuleFiles(config, { env: { ONE: '1' } });
  assert.equal(files.global.rules[0]!.replacement, '1 %{TWO}');
});

test('rules come from a server, too; what it refuses is a problem', async (t) => {
  const server = createServer((request, response) => {
    response.writeHead(request.url === '/rules' ? 200 : 404).end('- {action: labeldrop, regex: a}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const good = await readRuleFiles(await configOf(`-remoteWrite.relabelConfig=${url}/rules`), { env: {} });
  assert.equal(good.files.global.rules.length, 1);
  const bad = await readRuleFiles(await configOf(`-remoteWrite.relabelConfig=${url}/none`), { env: {} });
  assert.match(bad.problems[0]!.message, /cannot be read: the answer has status 404/);
});

test('all problems are told at once, with the places of rules and flags', async (t) => {
  const write = directoryFor(t);
  const bad = write('bad.yaml', '- {action: labeldropp}\n- {regx: a}');
  const config = await configOf(
    `-remoteWrite.relabelConfig=${bad}`,
    '-remoteWrite.urlRelabelConfig=/nowhere/at/all',
    '-remoteWrite.label=nothing',
  );
  const problems = await checkShaping(config, { env: {} });
  const told = problems.map(({ where, message }) => `${path.basename(where)}: ${message}`).join('\n');
  assert.match(told, /bad\.yaml:1:12: rule 1: there is no action "labeldropp"/);
  assert.match(told, /bad\.yaml:2:4: rule 2: a rule has no field "regx"/);
  assert.match(told, /flag -remoteWrite\.urlRelabelConfig: the relabeling rules of .* cannot be read/);
  assert.match(told, /flag -remoteWrite\.label: "nothing" has no =/);
});

test('a reload that fails keeps the rules in force', async (t) => {
  const write = directoryFor(t);
  const file = write('rules.yaml', '- {action: labeldrop, regex: a}');
  const ports = { clock: new FakeClock(), log: recordingLogger(), meter: new RecordingMeter(), env: {} };
  const shaping = new Shaping(await configOf(`-remoteWrite.relabelConfig=${file}`), ports);
  await shaping.load();
  const before = shaping.engineShape({});
  write('rules.yaml', '- {action: labeldrop, regex: "("}');
  assert.equal(await shaping.reload(), false);
  assert.equal(shaping.engineShape({})!.rules, before!.rules);
  assert.match(JSON.stringify(ports.log.lines), /rules are not reloaded/);
  write('rules.yaml', '[]');
  assert.equal(await shaping.reload(), true);
  assert.equal(shaping.engineShape({}), undefined, 'nothing is shaped any more');
});

test('without files there is nothing to reload', async () => {
  const ports = { clock: new FakeClock(), log: recordingLogger(), meter: new RecordingMeter(), env: {} };
  const shaping = new Shaping(await configOf(), ports);
  await shaping.load();
  assert.equal(await shaping.reload(), false);
  assert.equal(shaping.engineShape({}), undefined);
});
