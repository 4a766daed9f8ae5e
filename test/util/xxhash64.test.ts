import assert from 'node:assert/strict';
import { test } from 'node:test';
import { xxhash64 } from '../../src/util/xxhash64.ts';

test('the published hashes of texts', () => {
  assert.equal(xxhash64(''), 0xef46db3751d8e999n);
  assert.equal(xxhash64('abc'), 0x44bc2cf5ad770999n);
  assert.equal(xxhash64('') % 123n, 81n);
  assert.equal(xxhash64('yyy') % 123n, 73n);
});
