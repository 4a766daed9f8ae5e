import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { thousands } from '../../src/util/thousands.ts';

test('whole numbers are written as toLocaleString writes them', () => {
  fc.assert(
    fc.property(fc.oneof(fc.maxSafeInteger(), fc.integer({ min: -5000, max: 5000 })), (count) => {
      assert.equal(thousands(count), count.toLocaleString('en'));
    }),
  );
});
