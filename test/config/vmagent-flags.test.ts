import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { vmagentFlags } from '../../src/config/vmagent-flags.ts';
import { schema } from '../../src/options.ts';
import { findProgram, missingPrograms } from '../support/programs.ts';

test('booleans are known as such: they take no further argument', () => {
  assert.equal(vmagentFlags.get('promscrape.noStaleMarkers')?.bool, true);
  assert.equal(vmagentFlags.get('promscrape.config')?.bool, false);
});

test('nothing that decides which data is delivered is ignored', () => {
  const ignored = [...vmagentFlags].filter(([, flag]) => flag.ignored !== undefined).map(([name]) => name);
  const risky =
    /relabel|streamAggr|shard|label|limit|series|tls|mtls|ListenAddr|promscrape|pushmetrics|[uU]rl/;
  assert.deepEqual(
    ignored.filter((name) => risky.test(name) && !/^logger/.test(name)),
    [],
  );
});

test('every flag of the real vmagent is known, and known as boolean or not', {
  skip: missingPrograms('vmagent'),
}, () => {
  const { stdout, stderr } = spawnSync(findProgram('vmagent')!, ['-help'], { encoding: 'utf8' });
  const flags = [...(stdout + stderr).matchAll(/^ {2}-(\S+)( \S+)?\n((?: {4}\t.*\n?)*)/gm)];
  assert.ok(flags.length > 200);
  const wrong = flags.flatMap(([, name, value, text]) => {
    const bool = value === undefined || (value === ' array' && /values are set to false/.test(text!));
    const ours = schema.find(name!);
    const known = ours === undefined ? vmagentFlags.get(name!)?.bool : ours.spec.kind === 'bool';
    return known === bool ? [] : [`${name}: ${known === undefined ? 'unknown' : `boolean: ${bool}`}`];
  });
  // The logger's flags are declared with the log.
  assert.deepEqual(
    wrong.filter((line) => !line.startsWith('loggerLevel: ')),
    [],
  );
});
