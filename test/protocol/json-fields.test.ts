import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FieldError, type Fields, parseFields } from '../../src/protocol/json-fields.ts';

const fieldsOf = (text: string) => parseFields(Buffer.from(text));

test('names are in any case, and what is missing or null is empty', () => {
  const fields = fieldsOf('{"A":"x","a":"y","N":1,"L":["b"],"O":[{"P":2},null],"t":[[1,null],[]],"z":null}');
  assert.equal(fields.text('a'), 'y');
  assert.deepEqual([fields.text('z'), fields.text('none')], ['', '']);
  assert.deepEqual([fields.number('n'), fields.integer('n'), fields.number('none')], [1, 1, 0]);
  assert.deepEqual([fields.texts('l'), fields.texts('none'), fields.list('z')], [['b'], [], []]);
  assert.deepEqual(
    fields.objects('o').map((one) => one.number('p')),
    [2, 0],
  );
  assert.deepEqual(fields.tuples('t'), [[1, 0], []]);
  assert.equal(fieldsOf('null').text('a'), '');
});

test('other types are errors that say where', () => {
  const cases: [string, (fields: Fields) => unknown, RegExp][] = [
    ['{"a":1}', (fields) => fields.text('a'), /^the body\.a is not a text$/],
    ['{"a":"1"}', (fields) => fields.number('a'), /is not a number/],
    ['{"a":1e999}', (fields) => fields.number('a'), /is not a number/],
    ['{"a":1.5}', (fields) => fields.integer('a'), /is not an integer/],
    ['{"a":{}}', (fields) => fields.list('a'), /is not a list/],
    ['{"a":[1]}', (fields) => fields.texts('a'), /^the body\.a\[0\] is not a text$/],
    ['{"a":[1]}', (fields) => fields.objects('a'), /^the body\.a\[0\] is not an object$/],
    ['{"a":[1]}', (fields) => fields.tuples('a'), /^the body\.a\[0\] is not a list$/],
    ['{"a":[["1"]]}', (fields) => fields.tuples('a'), /is not a number/],
    ['[]', () => undefined, /^the body is not an object$/],
    ['{}x', () => undefined, /^it is not JSON/],
  ];
  for (const [text, read, expected] of cases) {
    assert.throws(
      () => read(fieldsOf(text)),
      (error: Error) => error instanceof FieldError && expected.test(error.message),
      text,
    );
  }
});
