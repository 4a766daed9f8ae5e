import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CommandContext } from '../../src/cli/command.ts';
import { commands, runCommand } from '../../src/cli/index.ts';
import { prepareStart } from '../../src/cli/start.ts';
import { version, versionLabel } from '../../src/cli/version.ts';
import { wrap } from '../../src/cli/wrap.ts';
import { schema } from '../../src/options.ts';

function capture() {
  const output = { stdout: '', stderr: '' };
  const ports = {
    env: {},
    stdout: (text: string) => {
      output.stdout += text;
    },
    stderr: (text: string) => {
      output.stderr += text;
    },
  };
  return { output, ports };
}

async function start(...args: string[]) {
  const { output, ports } = capture();
  return { ...(await prepareStart(args, schema, [], ports)), ...output };
}

const URL_FLAG = '-remoteWrite.url=http://127.0.0.1:9/api/v1/write';

test('every command has a summary, runs and ends well', async () => {
  for (const [name, { summary }] of Object.entries(commands)) {
    assert.match(summary, /^[A-Z].*\.$/, name);
    const { output, ports } = capture();
    assert.equal(await runCommand([name], { ...ports, schema }), 0);
    assert.notEqual(output.stdout, '');
  }
});

test('a command gets what follows its name', async () => {
  const seen: CommandContext['args'][] = [];
  const echo = { summary: '', run: ({ args }: CommandContext) => Promise.resolve(seen.push(args) + 40) };
  const { ports } = capture();
  assert.equal(await runCommand(['echo', 'a', '-b'], { ...ports, schema }, { echo }), 41);
  assert.deepEqual(seen, [['a', '-b']]);
  assert.equal(await runCommand(['-echo'], { ...ports, schema }, { echo }), undefined);
  assert.equal(await runCommand([], { ...ports, schema }, { echo }), undefined);
});

test('an unknown command suggests the nearest one', async () => {
  const result = await start('verison');
  assert.deepEqual([result.kind, result.kind === 'exit' && result.code], ['exit', 1]);
  assert.match(result.stderr, /there is no command "verison"; did you mean sluice version\?/);
  assert.match((await start('constructor')).stderr, /there is no command "constructor"/);
});

test('-help begins with how to start, and has every flag once', async () => {
  for (const flag of ['-help', '--help', '-h']) {
    const { stdout, ...result } = await start(flag, '-no-such-flag');
    assert.equal(result.kind === 'exit' && result.code, 0);
    assert.match(stdout.split('\n').slice(0, 2).join('\n'), /Start it with\n.*sluice -remoteWrite\.url=http/);
    for (const { name } of schema.options) {
      const lines = stdout
        .split('\n')
        .filter((line) => new RegExp(`^  -${name.replaceAll('.', '\\.')}(=| |$)`).test(line));
      assert.equal(lines.length, 1, name);
    }
    assert.match(stdout, /-remoteWrite\.sendTimeout=duration \(each\)\n {8}.*\n? .*\(default 1m\)/);
    const tooLong = stdout.split('\n').filter((line) => line.length > 110);
    assert.deepEqual(tooLong, []);
  }
});

test('-version tells the version, also as vmagent-… for dashboards', async () => {
  const { stdout } = await start('-version');
  assert.match(version, /^\d+\.\d+\.\d+/);
  assert.ok(stdout.startsWith(`sluice ${version} (`));
  assert.match(versionLabel, /^vmagent-/);
  assert.ok(stdout.includes(versionLabel));
});

test('-dryRun says that a configuration is valid, or everything that is not', async () => {
  const valid = await start('-dryRun', URL_FLAG, '-fs.disableMmap');
  assert.deepEqual([valid.kind === 'exit' && valid.code, valid.stdout], [0, 'configuration is valid\n']);
  assert.match(valid.stderr, /^warning: flag -fs\.disableMmap: /);
  const bad = await start('-dryRun', '-remoteWrite.maxBlockSize=many');
  assert.deepEqual([bad.kind === 'exit' && bad.code, bad.stdout], [1, '']);
});

test('problems are a readable list, the exit code is 1', async () => {
  const { stderr, ...result } = await start('-remoteWrite.maxBlockSize=many', '-nothing.like.it');
  assert.equal(result.kind === 'exit' && result.code, 1);
  const lines = stderr.trimEnd().split('\n');
  assert.equal(lines[0], 'sluice: cannot start: 3 problems in the configuration:');
  assert.equal(lines.length, 4);
  for (const line of lines.slice(1)) assert.match(line, /^ {2}flag -\S+: .+; .+/);
});

test('a valid configuration runs, and prints nothing', async () => {
  const result = await start(URL_FLAG);
  assert.ok(result.kind === 'run');
  assert.equal(result.config.destinations[0]?.name, '127.0.0.1-9');
  assert.equal(result.stdout + result.stderr, '');
});

test('texts are wrapped at spaces', () => {
  assert.deepEqual(wrap('aa bb  cc\ndd', 5), ['aa bb', 'cc dd']);
  assert.deepEqual(wrap('longer a', 3), ['longer', 'a']);
  assert.deepEqual(wrap('', 3), []);
});
