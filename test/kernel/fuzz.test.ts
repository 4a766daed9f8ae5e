import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fuzz } from './fuzz.ts';
import { Differential } from './support/differential.ts';

/** Half of them go through protobufjs, half through snappyjs. */
const RUNS = 40_000;

test(`${RUNS} damaged and whole inputs: kernels and references agree`, () => {
  const { accepted, refused, checked } = fuzz(RUNS, 1);
  // Neither side may be missing, or the comparison says little.
  assert.ok(accepted > RUNS / 4, `${accepted} accepted`);
  assert.ok(refused > RUNS / 4, `${refused} refused`);
  assert.ok(checked > RUNS / 20, `${checked} in one pass`);
});

test('a kernel that disagrees is found', () => {
  const differential = new Differential();
  const { exports } = differential.kernel;
  Object.defineProperty(differential.kernel, 'exports', {
    value: { ...exports, validateWriteRequest: () => 1 },
  });
  assert.throws(() => differential.writeRequest(Uint8Array.of(0x0a)), /protobufjs refuses/);
});
