import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { JsonObject, type JsonValue, numberOf, parseJson } from '../../src/protocol/json-value.ts';

const parse = (text: string) => parseJson(Buffer.from(text));

function plain(value: JsonValue | undefined): unknown {
  if (value instanceof JsonObject) {
    return Object.fromEntries(value.members.map(([key, member]) => [key, plain(member)]));
  }
  return Array.isArray(value) ? value.map((item) => plain(item as JsonValue)) : value;
}

test('JSON is what JSON.parse makes of it', () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      // Doubled and strange names are for objects that keep their members apart.
      if (text.includes('__proto__')) return;
      assert.deepEqual(plain(parse(text)), JSON.parse(text));
    }),
  );
});

test('it takes a little more than JSON', () => {
  assert.deepEqual(parse('[NaN,-inf,.5,"\\q"]'), [Number.NaN, -Infinity, 0.5, '\\q']);
  const object = parse('{"a":1,"a":2}');
  assert.ok(object instanceof JsonObject);
  assert.deepEqual([object.get('a'), object.get('b'), object.members.length], [1, undefined, 2]);
});

test('what is none is undefined', () => {
  for (const text of [
    '',
    '{',
    '[1',
    '[1,]',
    '{"a"}',
    '{"a":1,}',
    'nul',
    'Infinity',
    '+1',
    '{} x',
    '[1 2]',
    '"a',
    '['.repeat(5_000),
  ]) {
    assert.equal(parse(text), undefined, text);
  }
});

test('numbers may be texts', () => {
  const cases: [JsonValue | undefined, number | undefined][] = [
    [1.5, 1.5],
    ['1e3', 1000],
    ['nan', Number.NaN],
    ['', undefined],
    ['x', undefined],
    [true, undefined],
    [null, undefined],
    [undefined, undefined],
    [[], undefined],
  ];
  for (const [value, expected] of cases) assert.deepEqual(numberOf(value), expected);
});

test('millions of tiny values are not made', () => {
  assert.notEqual(parse(`[${'1,'.repeat(10_000)}1]`), undefined);
  assert.equal(parse(`[${'1,'.repeat(4_000_001)}1]`), undefined);
});
