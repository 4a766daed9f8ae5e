import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collect, variableOf } from '../../src/config/collect.ts';
import { type OptionTable, options, type Values } from '../../src/config/option.ts';

const a = options({ 'x.y': { kind: 'int', default: 1, summary: '', aliases: ['old'] } });
const b = options({ z: { kind: 'string', arity: 'list', default: [], summary: '' } });
const wide: OptionTable = { w: { kind: 'bool', default: false, summary: '' } };

test('tables are merged, options are found by name and alias', () => {
  const schema = collect([
    { title: 'A', options: a },
    { title: 'B', options: b },
    { title: 'Empty', options: {} },
    ...[wide].map((table) => ({ title: 'Wide', options: table })),
  ]);
  assert.deepEqual(
    schema.options.map(({ name }) => name),
    ['x.y', 'z', 'w'],
  );
  assert.equal(schema.find('old')?.name, 'x.y');
  assert.equal(schema.find('nothing'), undefined);
  assert.equal(schema.hasPrefix('x'), true);
  assert.equal(schema.hasPrefix('x.y'), false);
  assert.deepEqual(
    schema.groups.map(({ title }) => title),
    ['A', 'B', 'Wide'],
  );
  // Known names keep their types beside tables that are only known as tables.
  const values: Values<typeof schema.table> = { 'x.y': 1, z: ['text'] };
  const number: number = values['x.y'];
  const texts: readonly string[] = values.z;
  // @ts-expect-error: a number is no text
  const wrong: string = values['x.y'];
  assert.deepEqual([number, texts, wrong], [1, ['text'], 1]);
});

test('two options of one name, alias or environment variable are our bug', () => {
  const group = (table: OptionTable) => ({ title: '', options: table });
  const bool = { kind: 'bool', default: false, summary: '' } as const;
  assert.throws(() => collect([group({ a: bool }), group({ a: bool })]), /BUG: two options are called a/);
  assert.throws(
    () => collect([group({ a: bool }), group({ b: { ...bool, aliases: ['a'] } })]),
    /BUG.* called a/,
  );
  assert.throws(() => collect([group({ 'a.b': bool, a_b: bool })]), /BUG: .*environment variable a_b/);
  assert.equal(variableOf('remoteWrite.aws.region'), 'remoteWrite_aws_region');
});
