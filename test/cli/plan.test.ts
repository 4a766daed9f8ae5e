import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { plan } from '../../src/cli/plan.ts';
import { schema } from '../../src/options.ts';

async function run(...args: string[]) {
  const output = { stdout: '', stderr: '' };
  const code = await plan.run({
    schema,
    args,
    env: {},
    stdout: (text) => {
      output.stdout += text;
    },
    stderr: (text) => {
      output.stderr += text;
    },
  });
  return { code, ...output };
}

/** The cells of the line that begins with this word. */
const row = (text: string, first: string) =>
  text
    .split('\n')
    .find((line) => line.split(' ')[0] === first)!
    .split(/ {2,}/);

async function withFile(text: string, use: (file: string) => Promise<void>) {
  const directory = await mkdtemp(path.join(tmpdir(), 'sluice-plan-'));
  try {
    const file = path.join(directory, 'series.txt');
    await writeFile(file, text);
    await use(file);
  } finally {
    await rm(directory, { recursive: true });
  }
}

test('one more shard: its share of the made-up series moves, and only to it', async () => {
  const { code, stdout, stderr } = await run('-from=a,b,c', '--to=a,b,c,d');
  assert.deepEqual([code, stderr], [0, '']);
  assert.deepEqual(row(stdout, 'series'), ['series', '100000 (made up)']);
  const moved = Number(/([\d.]+) %$/.exec(row(stdout, 'moved')[1]!)![1]);
  assert.ok(Math.abs(moved - 25) < 1, stdout);
  for (const name of ['a', 'b', 'c']) assert.equal(row(stdout, name)[5], '0', 'nothing arrives');
  assert.equal(row(stdout, 'd')[6], '0', 'nothing leaves');
});

test('from the places of vmagent to our own: URLs are known by their names on both sides', async () => {
  const urls = 'http://vm-1:8428/api/v1/write,http://user:pass@vm-2:8428/api/v1/write';
  const { stdout } = await run(`-from=${urls}`, '-mode=vmagent', '-toMode=rendezvous');
  assert.match(stdout, /^before {2}2 shards, vmagent, 1 of each/m);
  assert.match(stdout, /^after {3}2 shards, rendezvous, 1 of each/m);
  assert.equal(row(stdout, 'vm-1-8428').length, 7);
  assert.equal(stdout.includes('pass'), false);
});

test('replicas: copies are counted, and as many copies as shards is replication', async () => {
  const { stdout } = await run('-from=a,b', '-to=a,b,c', '-replicas=2');
  assert.match(stdout, /^before {2}2 shards, every shard has every series, 200000 copies/m);
  assert.match(stdout, /^after {3}3 shards, rendezvous, 2 of each, 200000 copies/m);
  const more = await run('-from=a,b,c', '-toReplicas=3');
  assert.match(more.stdout, /^moved {3}200000 of 300000 copies: 66\.67 %/m);
});

test('series of a file count, comments do not, and lines that are no series are told', async () => {
  const lines = ['# HELP m text', 'm{i="1"} 5', '', '{"metric":{"__name__":"m","i":"2"},"values":[1]}', 'm{'];
  await withFile(lines.join('\n'), async (file) => {
    const { code, stdout, stderr } = await run('-from=one=http://x/?a=b,two=http://y/', file);
    assert.equal(code, 0);
    assert.deepEqual(row(stdout, 'series')[1], `2 (${file})`);
    assert.equal(stderr, `lines of ${file} that are no series, and do not count: 1\n`);
    assert.equal(Number(row(stdout, 'one')[1]) + Number(row(stdout, 'two')[1]), 2);
  });
});

test('labels that are chosen decide', async () => {
  await withFile('m{pod="1"}\nm{pod="2"}\nm{pod="3"}\nn{pod="4"}\n', async (file) => {
    for (const flag of ['-labels=env', '-ignoreLabels=pod,__name__']) {
      const { stdout } = await run('-from=a,b,c', flag, file);
      const counts = ['a', 'b', 'c'].map((name) => row(stdout, name)[1]);
      assert.deepEqual(counts.sort(), ['0', '0', '4'], stdout);
    }
  });
});

test('what is wrong is told with what would be right', async () => {
  const cases: [string[], RegExp][] = [
    [['-to=a'], /-from is missing/],
    [['-from=a', '-tomode=ring'], /there is no flag -tomode; did you mean -toMode\?/],
    [['-from'], /-from has no value; write -from=VALUE/],
    [['-from='], /-from is empty/],
    [['-from=a,b', '-to=a,a'], /-to: two shards are called a; write name=URL/],
    [['-from=a b'], /-from: "a b" cannot be a name/],
    [['-from=a', '-mode=modulo'], /-mode=modulo is no mode; choose one of rendezvous, vmagent, ring/],
    [['-from=a', '-replicas=0'], /-replicas=0 cannot be used; write a whole number/],
    [['-from=a', '-labels=x', '-ignoreLabels=y'], /both set/],
    [['-from=a', '/no/such/file'], /cannot read \/no\/such\/file: ENOENT.*; check the path/],
    [['-from=a', 'one', 'two'], /one file at a time/],
  ];
  for (const [args, message] of cases) {
    const { code, stdout, stderr } = await run(...args);
    assert.deepEqual([code, stdout], [1, ''], args.join(' '));
    assert.match(stderr, /^sluice plan: /);
    assert.match(stderr, message);
  }
});
