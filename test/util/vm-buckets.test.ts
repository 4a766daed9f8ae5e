import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BUCKETS, bucketOf, formatBound, rangeOf } from '../../src/util/vm-buckets.ts';

test('bounds have three digits and an exponent of two', () => {
  assert.equal(formatBound(10), '1.000e+01');
  assert.equal(formatBound(1e-9), '1.000e-09');
  assert.equal(formatBound(1e18), '1.000e+18');
  assert.equal(formatBound(0.00123456), '1.235e-03');
});

test('a bucket is named by its bounds, and the first and last one reach to 0 and infinity', () => {
  assert.equal(rangeOf(bucketOf(90)), '8.799e+01...1.000e+02');
  assert.equal(rangeOf(bucketOf(100)), '8.799e+01...1.000e+02');
  assert.equal(rangeOf(bucketOf(100.1)), '1.000e+02...1.136e+02');
  assert.equal(bucketOf(0), -1);
  assert.equal(rangeOf(-1), '0...1.000e-09');
  assert.equal(bucketOf(1e18), BUCKETS);
  assert.equal(rangeOf(BUCKETS), '1.000e+18...+Inf');
});
