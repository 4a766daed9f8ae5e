import assert from 'node:assert/strict';
import { test } from 'node:test';
import { routesOf, sanitized } from '../../src/protocol/datadog.ts';

test('names are those that DataDog makes of them', () => {
  const cases: [string, string][] = [
    ['many.consecutive.met!!!!ric!!.!!name', 'many.consecutive.met_ric.name'],
    ['sys.load!1', 'sys.load_1'],
    ['_a_._b__c', '_a.b_c'],
    ['é.ü x', '.x'],
    ['a.b_c9', 'a.b_c9'],
    ['', ''],
  ];
  for (const [metric, expected] of cases) assert.equal(sanitized(metric), expected, metric);
});

test('a slash at the end of a path does not matter', () => {
  assert.deepEqual(routesOf(['/a']), [
    { path: '/a', counterPath: '/a' },
    { path: '/a/', counterPath: '/a' },
  ]);
});
