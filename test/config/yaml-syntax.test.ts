import assert from 'node:assert/strict';
import { test } from 'node:test';
import { syntaxProblem } from '../../src/config/yaml-syntax.ts';
import { load } from './support.ts';

test('syntax errors are told with their place and without the text of the file', async () => {
  const cases: [string, RegExp][] = [
    ['authKey: *canary\n', /^c\.yaml:1:10: this alias has no anchor/],
    ['authKey: !canary x\n', /^c\.yaml:1:10: this tag is unknown/],
    ['authKey: "canary\n', /^c\.yaml:/],
    ['level: a\n authKey: canary: x\n', /^c\.yaml:/],
    ['authKey: "\\canary"\n', /^c\.yaml:1:\d+: this escape is unknown/],
    ['level: [WARN\nauthKey: canary\n', /^c\.yaml:/],
    ['level: WARN\n---\nauthKey: canary\n', /^c\.yaml:2:1: there is more than one document/],
    ['wait:\n\tmax: canary\n', /^c\.yaml:2:1: there is a tab/],
    ['@canary: x\n', /^c\.yaml:1:1: /],
    ['authKey: canary: canary\n', /^c\.yaml:1:\d+: there are two colons in one line/],
  ];
  for (const [yaml, expected] of cases) {
    const { problems } = await load({ yaml });
    assert.match(problems[0] ?? '', expected, yaml);
    assert.doesNotMatch(problems.join('\n'), /canary/, yaml);
  }
});

test('an error that has no words of its own is told by its code', () => {
  assert.deepEqual(syntaxProblem('KEY_OVER_1024_CHARS'), {
    message: 'this is no valid YAML (key over 1024 chars)',
    hint: 'look at this line and the one before',
  });
});
