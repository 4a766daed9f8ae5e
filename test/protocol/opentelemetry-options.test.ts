import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkOpentelemetry, opentelemetryOptions } from '../../src/protocol/opentelemetry-options.ts';
import { defaultsOf } from './support.ts';

const problemsOf = (more: Readonly<Record<string, unknown>>) => {
  const values = { ...defaultsOf(opentelemetryOptions), ...more };
  return checkOpentelemetry(values, (name) => `flag -${name}`).map(({ where }) => where);
};

test('a list of attributes without effect is told', () => {
  const some = { 'opentelemetry.promoteAllResourceAttributes': false };
  const promoted = { 'opentelemetry.promoteResourceAttributes': ['a'] };
  const ignored = { 'opentelemetry.ignoreResourceAttributes': ['a'] };
  for (const good of [{}, ignored, some, { ...some, ...promoted }]) assert.deepEqual(problemsOf(good), []);
  assert.deepEqual(problemsOf(promoted), ['flag -opentelemetry.promoteResourceAttributes']);
  assert.deepEqual(problemsOf({ ...some, ...ignored }), ['flag -opentelemetry.ignoreResourceAttributes']);
});
