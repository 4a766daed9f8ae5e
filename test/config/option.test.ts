import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type DestinationValues, options, type Values } from '../../src/config/option.ts';

test('a table keeps its kinds, so that values have their types', () => {
  const table = options({
    one: { kind: 'duration', default: 5, summary: '' },
    each: { kind: 'bool', arity: 'destination', default: false, summary: '' },
    list: { kind: 'string', arity: 'list', default: ['a'], summary: '' },
  });
  const values: Values<typeof table> = { one: 1, each: [true], list: [] };
  const ofDestination: DestinationValues<typeof table> = { one: 1, each: true, list: [] };
  // @ts-expect-error: one item for each destination
  const wrong: Values<typeof table> = { one: 1, each: true, list: [] };
  assert.deepEqual([values.each, ofDestination.each, wrong.each], [[true], true, true]);
  assert.equal(table.one.default, 5);
});
