import assert from 'node:assert/strict';
import { test } from 'node:test';
import { load } from './support.ts';

test('all errors of all sources come at once, each with its place', async () => {
  const { problems } = await load({
    yaml: 'level: LOUD\nwait: {max: 1 hour}\n',
    args: ['-envflag.enable', '-workers=0', '-nonsense-flag=1', 'stray', '-authKey=%{NOPE}'],
    env: { ratio: 'half' },
  });
  assert.deepEqual(
    problems.map((problem) => problem.split(';')[0]),
    [
      'flag -nonsense-flag: there is no such flag',
      'argument 5: it belongs to no flag (not shown here, it may be a secret)',
      'flag -authKey: there is no environment variable NOPE for %{NOPE}',
      'c.yaml:1:8: level: "LOUD" is not a choice',
      'flag -workers: 0 is too small',
      'environment ratio: "half" is no number',
      'c.yaml:2:13: wait.max: "1 hour" is no duration',
      'flag -remoteWrite.url: there is no destination',
    ],
  );
});

test('with a file that cannot be read it does not also ask for destinations', async () => {
  const { problems } = await load({ yaml: 'level: [\n' });
  assert.equal(problems.length, 1);
  assert.match(problems[0]!, /^c\.yaml:/);
});

test('-config can come from the environment, and not from the file', async () => {
  const { values } = await load({
    args: ['-envflag.enable'],
    env: { config: 'x.yaml' },
    readText: () => Promise.resolve('level: WARN\n'),
  });
  assert.equal(values.level, 'WARN');
  const { problems } = await load({ yaml: 'config: x.yaml\n' });
  assert.match(problems[0]!, /^c\.yaml:1:1: config cannot be set in the file; give it as flag -config/);
});
