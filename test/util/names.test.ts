import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { editDistance, nearestName } from '../../src/util/names.ts';

test('the edit distance counts insertions, deletions, replacements and swaps', () => {
  const cases: [string, string, number][] = [
    ['', '', 0],
    ['abc', '', 3],
    ['abc', 'abc', 0],
    ['abc', 'abd', 1],
    ['abc', 'acb', 1],
    ['kitten', 'sitting', 3],
  ];
  for (const [a, b, distance] of cases) assert.equal(editDistance(a, b), distance, `${a} ${b}`);
  fc.assert(
    fc.property(fc.string({ maxLength: 9 }), fc.string({ maxLength: 9 }), (a, b) => {
      assert.equal(editDistance(a, b), editDistance(b, a));
      assert.equal(editDistance(a, b) === 0, a === b);
    }),
  );
});

test('a mistyped name finds what was meant', () => {
  const names = [
    'remoteWrite.sendTimeout',
    'remoteWrite.flushInterval',
    'tls',
    'httpListenAddr',
    'loggerLevel',
  ];
  const cases: [string, string | undefined][] = [
    ['remoteWrite.flushIntervall', 'remoteWrite.flushInterval'],
    ['remotewrite.sendtimeout', 'remoteWrite.sendTimeout'],
    ['sendTimeout', 'remoteWrite.sendTimeout'],
    ['httpListenAddress', 'httpListenAddr'],
    ['tsl', 'tls'],
    ['loglevel', 'loggerLevel'],
    ['somethingElse', undefined],
    ['x', undefined],
  ];
  for (const [name, nearest] of cases) assert.equal(nearestName(name, names), nearest, name);
});
