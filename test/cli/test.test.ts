import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { test as command } from '../../src/cli/test.ts';
import { schema } from '../../src/options.ts';

const RULES = `
- {source_labels: [instance], regex: '(.+):\\d+', target_label: instance}
- {action: drop, source_labels: [__name__], regex: debug_.*}
`;
const FLAGS =
  'flags: ["-remoteWrite.url=http://a/,http://b/", "-remoteWrite.name=a,b", "-remoteWrite.relabelConfig=RULES"]';

async function run(t: TestContext, tests: string, rules = RULES) {
  const directory = mkdtempSync(path.join(tmpdir(), 'sluice-rules-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const file = (name: string) => path.join(directory, name);
  writeFileSync(file('rules.yaml'), rules);
  writeFileSync(file('relay.yaml'), 'destinations: [{name: a, url: "http://a/"}]\n');
  writeFileSync(file('t.yaml'), tests.replaceAll('RULES', file('rules.yaml')));
  let [stdout, stderr] = ['', ''];
  const code = await command.run({
    schema,
    args: [file('t.yaml')],
    env: {},
    stdout: (text) => {
      stdout += text;
    },
    stderr: (text) => {
      stderr += text;
    },
  });
  const clean = (text: string) => text.replaceAll(`${directory}/`, '');
  return { code, stdout: clean(stdout), stderr: clean(stderr) };
}

test('what is as expected passes, whatever the order of labels', async (t) => {
  const { code, stdout, stderr } = await run(
    t,
    `${FLAGS}
tests:
  - name: ports go away
    input: up{instance="a:9100",job="x"}
    expect: up{job="x",instance="a"}
  - {input: 'debug_total{a="b"}', expect: dropped}
  - input: up{instance="b"}
    expect: {a: 'up{instance="b"}'}
`,
  );
  assert.deepEqual([code, stdout, stderr], [0, 't.yaml: 3 tests, all pass\n', '']);
});

test('a difference is shown label by label, with the rules that did something', async (t) => {
  const { code, stdout } = await run(
    t,
    `${FLAGS}
tests:
  - {input: 'up{instance="a:1",job="x"}', expect: {b: 'up{instance="a:1"}'}}
  - {input: 'debug_x', expect: debug_x}
  - {input: up, expect: {c: up}}
`,
  );
  assert.equal(code, 1);
  assert.match(stdout, /^FAIL t\.yaml:3:5: up\{instance="a:1",job="x"\}$/m);
  assert.match(stdout, /^ {2}at b \(it gets every series\):$/m);
  assert.match(stdout, /^ {4}got {6}up\{instance="a",job="x"\}$/m);
  assert.match(stdout, /^ {6}- instance="a:1"\n {6}\+ instance="a"\n {6}\+ job="x"$/m);
  assert.match(stdout, /^ {2}changed by \{.*target_label: instance\}$/m);
  assert.match(stdout, /^ {2}dropped by \{.*debug_.*\}$/m);
  assert.match(stdout, /t\.yaml:5:5: there is no destination c; there are a, b$/m);
  assert.match(stdout, /3 tests, 3 fail/);
});

test('shards: a series is expected at its owner alone', async (t) => {
  const tests = (owner: string, other: string) => `
flags: ["-remoteWrite.url=http://a/,http://b/", "-remoteWrite.name=a,b", -remoteWrite.shardByURL]
tests: [{input: 'up{job="x"}', expect: {${owner}: 'up{job="x"}', ${other}: dropped}}]
`;
  const codes = [(await run(t, tests('a', 'b'))).code, (await run(t, tests('b', 'a'))).code];
  assert.deepEqual(codes.toSorted(), [0, 1]);
});

test('a configuration file is looked for beside the tests', async (t) => {
  const { code, stderr } = await run(t, 'config: relay.yaml\ntests: [{input: up, expect: {a: up}}]');
  assert.deepEqual([code, stderr], [0, '']);
});

test('what cannot be read is told with its place', async (t) => {
  const cases = [
    ['tests: []', /says neither config: nor flags:/],
    [`${FLAGS}\ntests: {}`, /t\.yaml:1:1: tests: is a list/],
    [`${FLAGS}\ntests: [{input: "{{", expect: up}]`, /t\.yaml:2:17: "\{\{" is no series/],
    [`${FLAGS}\ntests: [{input: up}]`, /t\.yaml:2:9: the test does not say what it expects/],
    [`${FLAGS}\ntests: [{input: up, expct: up}]`, /t\.yaml:2:21: a test has no key expct/],
    [`${FLAGS}\ntest: []`, /t\.yaml:2:1: there is no key test/],
    ['a: b: c', /t\.yaml:1:4: /],
  ] as const;
  for (const [text, expected] of cases) {
    const { code, stderr } = await run(t, text);
    assert.equal(code, 1);
    assert.match(stderr, expected);
  }
  const bad = await run(t, `${FLAGS}\ntests: [{input: up, expect: up}]`, '- {action: dropp}');
  assert.match(bad.stderr, /rules\.yaml:1:12: rule 1: there is no action "dropp"; did you mean drop\?/);
});
