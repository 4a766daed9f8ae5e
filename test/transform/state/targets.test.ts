import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Targets, UNMATCHED } from '../../../src/transform/state/targets.ts';

test('refs have targets until they are taken back', () => {
  const targets = new Targets();
  assert.equal(targets.take(5), UNMATCHED);
  targets.set(5, 0);
  targets.set(100_000, -2);
  assert.deepEqual([targets.data[5], targets.data[6], targets.data[100_000]], [0, UNMATCHED, -2]);
  assert.ok(targets.byteLength >= 400_000);
  assert.equal(targets.take(5), 0);
  assert.equal(targets.take(5), UNMATCHED);
});
