import assert from 'node:assert/strict';
import { test } from 'node:test';
import { load, loadValid, ONE_URL } from './support.ts';

test('flags win against the environment, that against the file, that against the default', async () => {
  const yaml = 'level: WARN\nworkers: 2\nratio: 0.1\n';
  const env = { workers: '3', ratio: '0.2', remoteWrite_url: 'http://one' };
  const { values } = await loadValid({ yaml, env, args: ['-envflag.enable', '-ratio=0.3'] });
  assert.deepEqual([values.ratio, values.workers, values.level, values.metadata], [0.3, 3, 'WARN', true]);
});

test('what is set is shown without secrets, also those that the user names', async () => {
  const { config } = await loadValid({
    args: [
      '-remoteWrite.url=http://u:canary@a/canary?canary,http://b',
      '-authKey=canary',
      '-level=WARN',
      '-remoteWrite.auth.password=canary,',
      '-remoteWrite.auth.user=canary,x',
      '-secret.flags=remoteWrite.auth.user',
      '-listen=http://u:canary@c/?canary,"d,e"',
    ],
  });
  assert.deepEqual(Object.fromEntries(config.set), {
    'remoteWrite.url': '1:secret-url,2:secret-url',
    authKey: 'secret',
    level: 'WARN',
    'remoteWrite.auth.password': 'secret,',
    'remoteWrite.auth.user': 'secret,secret',
    'secret.flags': 'remoteWrite.auth.user',
    listen: 'http://secret@c/?secret,"d,e"',
  });
});

test('options of destinations in the file are shown as the list that flags would be', async () => {
  const yaml = 'destinations: [{url: "http://a", timeout: 1s}, {name: n, url: "http://b"}]\n';
  const { config } = await loadValid({ yaml });
  assert.equal(config.set.get('remoteWrite.url'), '1:secret-url,2:secret-url');
  assert.equal(config.set.get('remoteWrite.timeout'), '1s,');
  assert.equal(config.set.get('remoteWrite.name'), ',n');
});

test('places are known for every source', async () => {
  const yaml = 'level: WARN\ndestinations:\n  - url: http://a\n    timeout: 1s\n';
  const { config } = await loadValid({
    yaml,
    args: ['-envflag.enable', '-workers=2'],
    env: { ratio: '0.1' },
  });
  assert.equal(config.where('workers'), 'flag -workers');
  assert.equal(config.where('ratio'), 'environment ratio');
  assert.equal(config.where('level'), 'c.yaml:1:8');
  assert.equal(config.where('remoteWrite.timeout', 0), 'c.yaml:4:14');
  assert.equal(config.where('metadata'), 'flag -metadata');
});

test('a bad value is told once, and the rest goes on with the default', async () => {
  const args = ['-remoteWrite.url=http://a,http://b', '-remoteWrite.timeout=soon', '-workers=x'];
  const { problems, values } = await load({ args });
  assert.equal(problems.length, 2);
  assert.deepEqual(values['remoteWrite.timeout'], [42_000, 42_000]);
  assert.equal(values.workers, 4);
});

test('secrets that are kept elsewhere are read, and must be there', async () => {
  const readReference = (reference: string) =>
    reference === 'file:///good'
      ? Promise.resolve('canary\n')
      : Promise.reject(Object.assign(new Error(), { code: 'EACCES' }));
  const { values, config } = await loadValid({ args: [ONE_URL, '-authKey=file:///good'], readReference });
  assert.equal(values.authKey?.reveal(), 'canary');
  assert.equal(config.set.get('authKey'), 'secret');
  const bad = await load({ args: [ONE_URL, '-authKey=file:///bad'], readReference });
  assert.deepEqual(bad.problems, [
    'flag -authKey: the secret cannot be read: EACCES; make it readable for this process',
  ]);
  // A destination of kind file is no secret that stands in a file.
  const file = await loadValid({ args: ['-remoteWrite.url=file:///x/samples.jsonl'], readReference });
  assert.equal(file.destinations[0]?.url, 'file:///x/samples.jsonl');
});
