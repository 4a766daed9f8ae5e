import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Samples, timestampOf } from '../../../src/transform/state/samples.ts';

test('timestamps of 64 bits as numbers', () => {
  const all = [
    0n,
    1n,
    -1n,
    1_800_000_000_123n,
    2n ** 53n - 1n,
    -(2n ** 53n),
    2n ** 31n,
    -(2n ** 32n) - 1n,
    2n ** 62n,
  ];
  const words = new Int32Array(BigInt64Array.from(all).buffer);
  for (const [index, value] of all.entries()) assert.equal(timestampOf(words, index), Number(value));
});

test('words are the bits of values', () => {
  const samples = new Samples();
  samples.values[3] = 1;
  assert.deepEqual([samples.words[6], samples.words[7]], [0, 0x3ff0_0000]);
});
