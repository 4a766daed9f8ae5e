import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Problem } from '../../src/config/problem.ts';
import { expandVariables } from '../../src/config/sources.ts';
import { load, loadValid, ONE_URL, someSchema } from './support.ts';

test('flags have one or two dashes, and their value after = or as the next argument', async () => {
  const args = [ONE_URL, '-level', 'WARN', '--workers=7', '--ratio', '-0.25', '-wait.max=5s', '-authKey=a=b'];
  const { values } = await loadValid({ args });
  assert.equal(values.level, 'WARN');
  assert.equal(values.workers, 7);
  assert.equal(values.ratio, -0.25);
  assert.equal(values['wait.max'], 5000);
  assert.equal(values.authKey?.reveal(), 'a=b');
});

test('a boolean never takes the next argument', async () => {
  assert.equal((await loadValid({ args: [ONE_URL, '-metadata=false'] })).values.metadata, false);
  assert.equal((await loadValid({ args: [ONE_URL, '-metadata=f', '-metadata'] })).values.metadata, true);
  const { problems } = await load({ args: [ONE_URL, '-metadata', 'false', '-workers=0'] });
  assert.deepEqual(problems, [
    'argument 3: it belongs to no flag ("false"); every argument begins with a dash; write -flag=value, booleans too',
    'flag -workers: 0 is too small; give at least 1',
  ]);
});

test('the last of a repeated flag counts, lists are appended', async () => {
  const { values } = await loadValid({
    args: [ONE_URL, '-workers=2', '-workers=3', '-listen=:1,:2', '-listen', ':3'],
  });
  assert.equal(values.workers, 3);
  assert.deepEqual(values.listen, [':1', ':2', ':3']);
});

test('lists follow vmagent: empty items, single items, quotes', async () => {
  const urls = [
    '-remoteWrite.url=http://a,http://b',
    '-remoteWrite.url=http://c',
    '-remoteWrite.url=http://d',
  ];
  const items = async (flag: string) => {
    const { values } = await loadValid({ args: [...urls, flag] });
    return [values['remoteWrite.timeout'], values['remoteWrite.queues'], values['remoteWrite.insecure']];
  };
  const defaults = [Array(4).fill(42_000), Array(4).fill(8), Array(4).fill(false)];
  assert.deepEqual(await items('-level=INFO'), defaults);
  assert.deepEqual((await items('-remoteWrite.timeout=5m,,1h'))[0], [300_000, 42_000, 3_600_000, 42_000]);
  assert.deepEqual((await items('-remoteWrite.timeout=5m'))[0], Array(4).fill(300_000));
  assert.deepEqual((await items('-remoteWrite.queues=,,-64,'))[1], [8, 8, -64, 8]);
  assert.deepEqual((await items('-remoteWrite.insecure=1,,False,t'))[2], [true, false, false, true]);
  assert.deepEqual((await items('-remoteWrite.insecure'))[2], Array(4).fill(true));
  const { values } = await loadValid({ args: [ONE_URL, '-listen.tls=1,,False', '-listen="a,b",c'] });
  assert.deepEqual(values['listen.tls'], [true, false, false]);
  assert.deepEqual(values.listen, ['a,b', 'c']);
});

test('bad syntax is told, and the rest is still read', async () => {
  const args = ['-metadata', '---level=WARN', '-', '--', '-=x', '-workers', '-level=WARN', ONE_URL, '-ratio'];
  const { problems, values } = await load({ args });
  assert.deepEqual(
    problems.map((problem) => problem.split(';')[0]),
    [
      'argument 2: it belongs to no flag ("---level=WARN")',
      'argument 3: it belongs to no flag ("-")',
      'argument 4: it belongs to no flag ("--")',
      'argument 5: it belongs to no flag ("-=x")',
      'flag -workers: the value is missing',
      'flag -ratio: the value is missing',
    ],
  );
  assert.equal(values.level, 'WARN');
});

test('what follows a secret, or stands in place of a name, is not shown', async () => {
  const args = [
    '-remoteWrite.url',
    'http://one',
    'http://u:canary@two',
    '-authKey',
    'x',
    'canary',
    '-canary/+canary=x',
  ];
  const { problems } = await load({ args });
  assert.equal(problems.length, 3);
  assert.doesNotMatch(problems.join('\n'), /canary/);
});

test('the environment counts only when asked for, and less than flags', async () => {
  const env = { level: 'WARN', workers: '9', wait_max: '7s', remoteWrite_url: 'http://one', ratio: '' };
  const without = await load({ args: [ONE_URL], env });
  assert.equal(without.values.level, 'INFO');
  const { values } = await loadValid({ args: ['-envflag.enable', '-workers=3'], env });
  assert.equal(values.level, 'WARN');
  assert.equal(values.workers, 3);
  assert.equal(values['wait.max'], 7000);
  assert.equal(values.ratio, 0.5, 'an empty variable is none, but for texts');
});

test('environment variables can have a prefix; strangers with it are told', async () => {
  const env = { S_workers: '9', workers: '8', S_wrokers: '7', S_remoteWrite_timeout: '1x', version: 'true' };
  const args = [ONE_URL, '-envflag.enable=true', '-envflag.prefix=S_'];
  const { values, problems, warnings } = await load({ args, env });
  assert.equal(values.workers, 9);
  assert.equal(values.version, false);
  assert.deepEqual(problems, [
    'environment S_remoteWrite_timeout: remoteWrite.timeout: "1x" is no duration; write a number with a unit, for example 500ms, 10s, 1h30m, 7d',
  ]);
  assert.match(warnings.join('\n'), /^environment S_wrokers: it belongs to no option/);
});

test('environment variables of flags that are not supported are errors too', async () => {
  const { problems } = await load({
    args: [ONE_URL, '-envflag.enable'],
    env: { promscrape_config: 'x' },
  });
  assert.match(problems.join('\n'), /^environment promscrape_config: it is known to vmagent, but not supp/);
});

test('older names work and warn', async () => {
  const { values, warnings } = await loadValid({ args: [ONE_URL, '-threads=5'] });
  assert.equal(values.workers, 5);
  assert.deepEqual(warnings, ['flag -threads: -threads is an older name; write -workers']);
});

test('%{NAME} is expanded once; an unknown name is a problem', () => {
  const problems: Problem[] = [];
  const context = { schema: someSchema, env: { A: 'a', B: '%{A}' }, problems, warnings: [] };
  assert.equal(expandVariables('x%{A}-%{B}%{', 'here', context), 'xa-%{A}%{');
  assert.deepEqual(problems, []);
  expandVariables('%{NOPE}', 'here', context);
  assert.deepEqual(problems, [
    {
      where: 'here',
      message: 'there is no environment variable NOPE for %{NOPE}',
      hint: 'set NOPE, or write the value itself',
    },
  ]);
});
