import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FingerprintSet } from '../../../src/transform/limit/fingerprint-set.ts';

/** Few different words, so that places collide. */
const word = fc.oneof(fc.nat(3), fc.nat(0xffffffff));
const fingerprint = fc
  .tuple(word, word, word, word)
  .filter((words) => words.some((one) => one !== 0))
  .map((words) => Uint32Array.from(words));

test('it holds what was added and nothing else, as a Set does', () => {
  fc.assert(
    fc.property(fc.array(fingerprint, { maxLength: 200 }), fc.array(fingerprint), (added, asked) => {
      const set = new FingerprintSet();
      const model = new Set<string>();
      for (const one of added) {
        set.add(one);
        model.add(one.join());
      }
      assert.equal(set.size, model.size);
      for (const one of [...added, ...asked]) assert.equal(set.has(one), model.has(one.join()));
    }),
  );
});

test('it grows', () => {
  const set = new FingerprintSet();
  for (let index = 0; index < 10_000; index++) set.add(Uint32Array.of(index, 1, 2, 3));
  assert.equal(set.size, 10_000);
  for (let index = 0; index < 10_000; index++) assert.ok(set.has(Uint32Array.of(index, 1, 2, 3)));
  assert.ok(!set.has(Uint32Array.of(10_000, 1, 2, 3)));
});
