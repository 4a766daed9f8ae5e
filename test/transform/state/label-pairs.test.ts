import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ByteReader, ByteWriter, DamagedState } from '../../../src/transform/state/bytes.ts';
import { LabelPairs, NO_PAIR } from '../../../src/transform/state/label-pairs.ts';

function restarted(pairs: LabelPairs, held: readonly number[]): LabelPairs {
  const to = new ByteWriter();
  pairs.save(to);
  const next = new LabelPairs();
  next.load(new ByteReader(to.bytes()));
  for (const id of held) next.holdId(id);
  return next;
}

test('a pair has its id as long as somebody holds it, also over a restart', () => {
  const text = fc.oneof(
    fc.constantFrom('', 'a', 'b', '__name__'),
    fc.string({ unit: 'binary', maxLength: 4 }),
  );
  const action = fc.record({ name: text, value: text, release: fc.nat(9), isRestart: fc.nat(20) });
  fc.assert(
    fc.property(fc.array(action, { maxLength: 80 }), (actions) => {
      let pairs = new LabelPairs();
      const held: { name: string; value: string; id: number }[] = [];
      for (const { name, value, release, isRestart } of actions) {
        if (isRestart === 0)
          pairs = restarted(
            pairs,
            held.map(({ id }) => id),
          );
        const before = pairs.find(name, value);
        const id = pairs.hold(name, value);
        if (before !== NO_PAIR) assert.equal(id, before);
        held.push({ name, value, id });
        const gone = release < held.length ? held.splice(release, 1) : [];
        for (const one of gone) pairs.release(one.id);
        assert.equal(pairs.size, new Set(held.map((one) => one.id)).size);
        assert.equal(new Set(held.map((one) => JSON.stringify([one.name, one.value]))).size, pairs.size);
        for (const one of held) {
          assert.equal(pairs.find(one.name, one.value), one.id);
          assert.deepEqual([pairs.nameOf(one.id), pairs.valueOf(one.id)], [one.name, one.value]);
          assert.ok(pairs.has(one.id));
        }
      }
    }),
  );
});

test('what is no valid UTF-16 becomes one pair with U+FFFD', () => {
  const pairs = new LabelPairs();
  const id = pairs.hold('a', 'x\ud800');
  assert.equal(pairs.hold('a', 'x\ud800'), id);
  assert.equal(pairs.hold('a', 'x\udfff'), id);
  assert.deepEqual([pairs.size, pairs.valueOf(id)], [1, 'x\ufffd']);
});

test('ids that cannot be are damage', () => {
  const load = (
    limit: number,
    pairs: readonly (readonly [number, string, string])[],
    free: readonly number[],
  ) => {
    const to = new ByteWriter();
    to.u32(limit);
    to.u32(pairs.length);
    for (const [id, name, value] of pairs) {
      to.u32(id);
      to.text(name);
      to.text(value);
    }
    for (const id of free) to.u32(id);
    to.numbers(new Float64Array(4));
    new LabelPairs().load(new ByteReader(to.bytes()));
  };
  load(3, [[1, 'a', 'b']], [2, 0]);
  assert.throws(() => load(1, [[1, 'a', 'b']], []), DamagedState);
  assert.throws(
    () =>
      load(
        2,
        [
          [1, 'a', 'b'],
          [1, 'a', 'c'],
        ],
        [],
      ),
    DamagedState,
  );
  assert.throws(
    () =>
      load(
        2,
        [
          [0, 'a', 'b'],
          [1, 'a', 'b'],
        ],
        [],
      ),
    DamagedState,
  );
  assert.throws(() => load(3, [[1, 'a', 'b']], [2, 2]), DamagedState);
  assert.throws(() => load(3, [[1, 'a', 'b']], [1, 0]), DamagedState);
  assert.throws(() => load(1e9, [], []), DamagedState);
});
