import assert from 'node:assert/strict';
import { test } from 'node:test';
import { queryOf } from '../../src/ingest/query.ts';

test('extra_label may come several times, is split at the first =, and keeps its order', () => {
  const { extraLabels, error } = queryOf('/x?extra_label=b=1&y=2&extra_label=a=c%3Dd+e&extra_label=z=');
  assert.equal(error, undefined);
  assert.deepEqual(extraLabels, [
    { name: 'b', value: '1' },
    { name: 'a', value: 'c=d e' },
    { name: 'z', value: '' },
  ]);
});

test('an extra_label without a name or without = is an error', () => {
  for (const pair of ['foo', '', '%3Dbar']) {
    const { error, extraLabels } = queryOf(`/x?extra_label=a=b&extra_label=${pair}`);
    assert.match(error ?? '', /not of the form name=value/);
    assert.deepEqual(extraLabels, []);
  }
});

test('the error shows what was given on one line', () => {
  assert.match(queryOf('/x?extra_label=a%0d%0ab').error ?? '', /extra_label="a\\r\\nb":/);
});

test('no query string, broken percent encoding and hostile names are harmless', () => {
  assert.deepEqual(queryOf('/x').extraLabels, []);
  assert.deepEqual(queryOf('/x?extra_label=%zz=1').extraLabels, [{ name: '%zz', value: '1' }]);
  assert.deepEqual(queryOf('/x?__proto__=1&extra_label=__proto__=2').extraLabels, [
    { name: '__proto__', value: '2' },
  ]);
});

test('remembering query strings does not mix them up', () => {
  for (let round = 0; round < 2; round++) {
    for (let index = 0; index < 200; index++) {
      assert.equal(queryOf(`/x?extra_label=n=${index}`).extraLabels[0]?.value, String(index));
    }
  }
});
