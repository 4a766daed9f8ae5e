import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { UniqueValues } from '../../../src/transform/aggregate/unique-values.ts';
import { ByteReader, ByteWriter } from '../../../src/transform/state/bytes.ts';

test('a pair is new once, as in a set', () => {
  const one = fc.tuple(fc.nat(3), fc.oneof(fc.double({ noNaN: true }), fc.integer({ min: -5, max: 5 })));
  fc.assert(
    fc.property(fc.array(one), fc.nat(20), (pairs, restartAt) => {
      let values = new UniqueValues();
      const model = new Set<string>();
      for (const [index, [group, value]] of pairs.entries()) {
        if (index === restartAt) {
          const to = new ByteWriter();
          values.save(to);
          values = new UniqueValues();
          values.load(new ByteReader(to.bytes()));
        }
        const key = `${group} ${value}`;
        assert.equal(values.add(group, value), !model.has(key));
        model.add(key);
        assert.equal(values.size, model.size);
      }
      values.clear();
      assert.equal(values.size, 0);
      for (const [group, value] of pairs.slice(0, 1)) assert.ok(values.add(group, value));
    }),
  );
});

test('it grows, and values that differ in any word are told apart quickly', () => {
  const values = new UniqueValues();
  const before = values.byteLength;
  let added = 0;
  for (let index = 0; index < 20_000; index++) {
    for (const value of [index, index * 2 ** -40, -index * 2 ** 60])
      if (values.add(index % 7, value)) added++;
  }
  // 0 is there three times.
  assert.equal(added, 60_000 - 2);
  assert.ok(values.byteLength > before);
});
