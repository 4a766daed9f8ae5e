import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hash53 } from '../../src/util/hash53.ts';

/** The same in big integers. */
function fnv1a64(bytes: Uint8Array): bigint {
  let hash = 0xcbf29ce484222325n;
  for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return hash;
}
const folded = (hash: bigint) => Number((hash >> 53n) ^ (hash & ((1n << 53n) - 1n)));

test('published values of FNV-1a are the basis', () => {
  // http://www.isthe.com/chongo/src/fnv/test_fnv.c
  const published: [string, bigint][] = [
    ['', 0xcbf29ce484222325n],
    ['a', 0xaf63dc4c8601ec8cn],
    ['foobar', 0x85944171f73967e8n],
  ];
  for (const [text, hash] of published) {
    const bytes = Buffer.from(text);
    assert.equal(fnv1a64(bytes), hash, text);
    assert.equal(hash53(bytes, 0, bytes.length), folded(hash), text);
  }
});

test('it is the same as in big integers, for any part of any bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(60), fc.nat(60), (bytes, from, to) => {
      const [start, end] = [Math.min(from, to, bytes.length), Math.min(Math.max(from, to), bytes.length)];
      const hash = hash53(bytes, start, end);
      assert.equal(hash, folded(fnv1a64(bytes.subarray(start, end))));
      assert.ok(Number.isSafeInteger(hash) && hash >= 0);
    }),
    { numRuns: 1_000 },
  );
});
