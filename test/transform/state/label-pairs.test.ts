import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ByteReader, ByteWriter, DamagedState } from '../../../src/transform/state/bytes.ts';
import { encodePair, LabelPairs, NO_PAIR } from '../../../src/transform/state/label-pairs.ts';

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

test('ids and fields that cannot be are damage', () => {
  const field = (name: string, value: string) => [...encodePair(name, value)];
  const load = (fields: readonly (readonly number[])[], free: readonly number[], over: number[] = []) => {
    const to = new ByteWriter();
    const bytes = fields.flat();
    to.u32(fields.length);
    to.numbers(Int32Array.from(fields, (_, id) => fields.slice(0, id).flat().length));
    to.numbers(Int32Array.from(fields, ({ length }, id) => over[id] ?? length));
    to.u32(bytes.length);
    to.numbers(Uint8Array.from(bytes));
    to.u32(free.length);
    to.numbers(Int32Array.from(free));
    const pairs = new LabelPairs();
    pairs.load(new ByteReader(to.bytes()));
    return pairs;
  };
  const pairs = load([[], field('a', 'b'), []], [2, 0]);
  assert.deepEqual([pairs.size, pairs.find('a', 'b'), pairs.hold('a', 'c')], [1, 1, 0]);
  assert.equal(load([field('', 'x'.repeat(20_000))], []).find('', 'x'.repeat(20_000)), 0);
  for (const [fields, free, over] of [
    [[[]], []],
    [[field('a', 'b'), field('a', 'b')], []],
    [
      [field('a', 'b'), []],
      [1, 1],
    ],
    [[field('a', 'b')], [1]],
    [[field('a', 'b')], [-1]],
    [[field('a', 'b')], [], [-2]],
    [[field('a', 'b')], [], [7]],
    [[field('a', 'b')], [], [100]],
    [[field('a', '\xff').with(-1, 0xff)], []],
    [[[0x0a, 6, 0x12, 1, 98, 0x0a, 1, 97]], []],
    [[[0x0a, 255, 255, 255, 255, 255, 255, 255, 255, 255]], []],
  ] as const) {
    assert.throws(() => load(fields, free, over === undefined ? [] : [...over]), DamagedState);
  }
  const to = new ByteWriter();
  to.u32(1e9);
  assert.throws(() => new LabelPairs().load(new ByteReader(to.bytes())), DamagedState);
});
