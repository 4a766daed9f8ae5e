import assert from 'node:assert/strict';
import { test } from 'node:test';
import { load, loadValid, ONE_URL } from './support.ts';

const DESTINATION = 'destinations: [{name: one, url: "http://one"}]\n';
const loadYaml = (yaml: string) => load({ yaml: yaml + DESTINATION });
const validYaml = (yaml: string) => loadValid({ yaml: yaml + DESTINATION });

test('keys are nested or dotted, values of every kind', async () => {
  const { values } = await validYaml(`
listen: [":1", ":2"]
listen.tls: true
level: WARN
workers: 0x10
ratio: 0.25
wait: {max: 1h30m}
metadata: false
authKey: "007"
remoteWrite.blockSize: 1MiB
`);
  assert.deepEqual(values.listen, [':1', ':2']);
  assert.deepEqual(values['listen.tls'], [true]);
  assert.equal(values.level, 'WARN');
  assert.equal(values.workers, 16);
  assert.equal(values.ratio, 0.25);
  assert.equal(values['wait.max'], 5_400_000);
  assert.equal(values.metadata, false);
  assert.equal(values.authKey?.reveal(), '007');
  assert.equal(values['remoteWrite.blockSize'], 1048576);
});

test('a number keeps its text, a value with commas stays one', async () => {
  const { values } = await validYaml('authKey: 0123\nlisten: "a,b"\n');
  assert.equal(values.authKey?.reveal(), '0123');
  assert.deepEqual(values.listen, ['a,b']);
});

test('destinations are objects; what they leave out comes from the top level, then from the default', async () => {
  const { destinations, values } = await loadValid({
    yaml: `
remoteWrite: {timeout: 10s}
destinations:
  - name: a
    url: http://a/x
    timeout: 1s
    auth: {user: me, password: canary}
  - url: http://b:8428/api/v1/write
    auth.user: you
    queues: 2
`,
  });
  assert.deepEqual(
    destinations.map(({ name, url, where }) => ({ name, url, where })),
    [
      { name: 'a', url: 'http://a/x', where: 'c.yaml:4:5 (http:)' },
      { name: 'b-8428', url: 'http://b:8428/api/v1/write', where: 'c.yaml:8:5 (http:)' },
    ],
  );
  const [a, b] = destinations;
  assert.equal(a?.values['remoteWrite.timeout'], 1000);
  assert.equal(b?.values['remoteWrite.timeout'], 10_000);
  assert.equal(a?.values['remoteWrite.auth.password']?.reveal(), 'canary');
  assert.equal(b?.values['remoteWrite.auth.password'], undefined);
  assert.deepEqual(values['remoteWrite.auth.user'], ['me', 'you']);
  assert.deepEqual(values['remoteWrite.queues'], [8, 2]);
});

test('flags win against the file, for each destination', async () => {
  const yaml = 'workers: 2\ndestinations: [{url: "http://a", timeout: 1s}, {url: "http://b", timeout: 2s}]\n';
  const { values } = await loadValid({ yaml, args: ['-workers=3', '-remoteWrite.timeout=,9s'] });
  assert.equal(values.workers, 3);
  assert.deepEqual(values['remoteWrite.timeout'], [1000, 9000]);
});

test('anchors, merges and x- keys', async () => {
  const { destinations } = await loadValid({
    yaml: `
x-common: &common
  timeout: 3s
  auth: {user: me}
destinations:
  - <<: *common
    url: http://a
    timeout: &t 4s
  - <<: [*common, {queues: 1}]
    url: http://b
  - url: http://c
    timeout: *t
`,
  });
  assert.deepEqual(
    destinations.map(({ values }) => [
      values['remoteWrite.timeout'],
      values['remoteWrite.auth.user'],
      values['remoteWrite.queues'],
    ]),
    [
      [4000, 'me', 8],
      [3000, 'me', 1],
      [4000, '', 8],
    ],
  );
});

test('%{NAME} is expanded in values; an unknown one is told with its line', async () => {
  const yaml = 'level: "%{LEVEL}"\nworkers: 2\nauthKey: a%{NOPE}\n';
  const { problems, values } = await load({ yaml: yaml + DESTINATION, env: { LEVEL: 'ERROR' } });
  assert.equal(values.level, 'ERROR');
  assert.deepEqual(problems, [
    'c.yaml:3:10: there is no environment variable NOPE for %{NOPE}; set NOPE, or write the value itself',
  ]);
});

test('every error is told with its line and column', async () => {
  const { problems } = await load({
    yaml: `
levle: WARN
workers: many
workers: 3
wait:
  max: 5
wait.max: 6s
listen: {port: 1}
ratio: [1, 2]
metadata:
promscrape.noStaleMarkers: true
remoteWrite:
  blockSize: 64MiB
  url: http://x
  timeout: [1s, 2s]
envflag: {enable: true}
destinations:
  - name: a
    url: http://a
    urll: http://a
    timeout: soon
    blockSize: 1MiB
    workers: 1
  - name: b
  - just text
`,
  });
  assert.deepEqual(
    problems.map((problem) => problem.replace(/;.*/, '')),
    [
      'c.yaml:4:1: the key workers is given twice',
      'c.yaml:2:1: there is no such key',
      'c.yaml:7:1: wait.max is given twice',
      'c.yaml:8:10: there is no such key',
      'c.yaml:9:8: ratio takes one value, no list',
      'c.yaml:10:10: there is no value',
      'c.yaml:11:1: it is known to vmagent, but not supported by this version of Sluice',
      'c.yaml:14:3: remoteWrite.url is given in the form of flags',
      'c.yaml:15:12: remoteWrite.timeout takes one value, no list',
      'c.yaml:16:11: envflag.enable cannot be set in the file',
      'c.yaml:20:5: there is no such key',
      'c.yaml:22:5: blockSize is the same for all destinations',
      'c.yaml:23:5: workers is no option of a destination',
      'c.yaml:25:5: this destination is no mapping',
      'c.yaml:3:10: workers: "many" is no whole number',
      'c.yaml:6:8: wait.max: "5" is no duration',
      'c.yaml:13:14: remoteWrite.blockSize: 64MiB is too large',
      'c.yaml:21:14: remoteWrite.timeout: "soon" is no duration',
      'c.yaml:24:5: this destination has no URL',
      'c.yaml:25:5: this destination has no URL',
    ],
  );
  assert.match(problems.join('\n'), /c\.yaml:20:5: there is no such key; did you mean url\?/);
  assert.match(problems.join('\n'), /c\.yaml:2:1: there is no such key; did you mean level\?/);
});

test('a file that is not there, or no mapping, is one problem', async () => {
  const missing = await load({ args: ['-config=other.yaml'] });
  assert.deepEqual(missing.problems, [
    'flag -config: the file cannot be read: no other.yaml; check the path and its permissions',
  ]);
  const list = await load({ yaml: '- a\n' });
  assert.deepEqual(list.problems, ['c.yaml:1:1: the file is no mapping; write key: value lines']);
});

test('an empty file, and sections without keys, are nothing', async () => {
  await loadValid({ yaml: '', args: [ONE_URL] });
  await loadValid({ yaml: '# only a comment\n', args: [ONE_URL] });
  await loadValid({ yaml: 'remoteWrite:\n  # timeout: 1s\nlevel: WARN\n', args: [ONE_URL] });
});

test('destinations must be a list', async () => {
  const { problems } = await loadYaml('').then(() => load({ yaml: 'destinations: {name: a}\n' }));
  assert.match(problems[0]!, /^c\.yaml:1:1: destinations is no list; /);
});

test('aliases that loop or multiply end', async () => {
  const loop = await loadYaml('wait: &w {wait: *w}\n');
  assert.ok(loop.problems.length > 0);
  const bomb = `x-a: &a [1,1]\nx-b: &b [*a,*a]\nlisten: [*b,*b]\n`;
  assert.ok((await loadYaml(bomb)).problems.length > 0);
});
