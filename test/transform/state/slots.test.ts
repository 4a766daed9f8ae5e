import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ByteReader, ByteWriter, DamagedState } from '../../../src/transform/state/bytes.ts';
import { NO_SLOT, SlotTable } from '../../../src/transform/state/slots.ts';

const find = (table: SlotTable, key: readonly number[]) => table.find(Int32Array.from(key), key.length);
const add = (table: SlotTable, key: readonly number[]) => table.add(Int32Array.from(key), key.length);

function keyOf(table: SlotTable, slot: number): number[] {
  const length = table.read(slot);
  return [...table.words.subarray(0, length)];
}

/** As the columns that follow would be. */
function saved(table: SlotTable): Uint8Array {
  const to = new ByteWriter();
  table.save(to);
  for (let slot = 0; slot < table.limit; slot++) to.f64(0);
  return to.bytes();
}

test('keys have slots of their own, which are used again, up to a limit, and over a restart', () => {
  const anyKey = fc.array(fc.constantFrom(0, 1, 127, 128, 2 ** 31 - 1, -1), { maxLength: 3 });
  const action = fc.record({ key: anyKey, isRelease: fc.boolean(), isRestart: fc.nat(30) });
  fc.assert(
    fc.property(fc.array(action, { maxLength: 300 }), (actions) => {
      let table = new SlotTable(40);
      const model = new Map<string, number>();
      for (const { key, isRelease, isRestart } of actions) {
        if (isRestart === 0) {
          const bytes = saved(table);
          table = new SlotTable(40);
          table.load(new ByteReader(bytes));
        }
        const text = JSON.stringify(key);
        const slot = find(table, key);
        assert.equal(slot, model.get(text) ?? NO_SLOT);
        if (slot === NO_SLOT) {
          const added = add(table, key);
          assert.equal(added === NO_SLOT, model.size === 40);
          if (added !== NO_SLOT) model.set(text, added);
        } else if (isRelease) {
          table.release(slot);
          assert.ok(!table.isUsed(slot));
          model.delete(text);
        }
        assert.equal(table.size, model.size);
        assert.equal(new Set(model.values()).size, model.size);
        assert.ok(table.limit <= 40);
      }
      for (const [text, slot] of model) {
        assert.ok(table.isUsed(slot));
        assert.deepEqual(keyOf(table, slot), JSON.parse(text));
        assert.equal(find(table, JSON.parse(text)), slot);
      }
    }),
    { numRuns: 300 },
  );
});

test('a capacity only gets smaller', () => {
  const table = new SlotTable(5);
  table.limitTo(9);
  assert.equal(table.capacity, 5);
  table.limitTo(1);
  assert.ok(add(table, [1]) >= 0);
  assert.ok(table.isFull);
  assert.equal(add(table, [2]), NO_SLOT);
});

test('pins count', () => {
  const table = new SlotTable(1);
  const slot = add(table, [1]);
  assert.ok(!table.isPinned(slot));
  table.pin(slot);
  table.pin(slot);
  table.unpin(slot);
  assert.ok(table.isPinned(slot));
  table.unpin(slot);
  assert.ok(!table.isPinned(slot));
});

test('slots that cannot be are damage', () => {
  const load = (
    limit: number,
    size: number,
    { starts, words, free }: { starts: readonly number[]; words: readonly number[]; free: readonly number[] },
  ) => {
    const to = new ByteWriter();
    to.u32(limit);
    to.u32(size);
    to.numbers(Int32Array.from(starts));
    to.numbers(new Uint8Array(limit));
    to.u32(words.length);
    to.numbers(Uint8Array.from(words));
    to.numbers(Int32Array.from(free));
    to.numbers(new Float64Array(20));
    new SlotTable(10).load(new ByteReader(to.bytes()));
  };
  const one = { starts: [-1, -1, 0], words: [2, 5, 6], free: [1, 0] };
  load(3, 1, one);
  const wrong: readonly (() => void)[] = [
    () => load(3, 1, { ...one, free: [1, 1] }),
    () => load(3, 1, { ...one, free: [2, 0] }),
    () => load(3, 1, { ...one, free: [3, 0] }),
    () => load(3, 1, { ...one, free: [-1, 0] }),
    () => load(3, 2, { ...one, free: [0] }),
    () => load(3, 1, { ...one, starts: [-1, -1, 3] }),
    () => load(3, 1, { ...one, starts: [-1, -1, -2] }),
    () => load(3, 1, { ...one, words: [3, 5, 6] }),
    () => load(3, 1, { ...one, words: [255, 255, 255, 255, 127] }),
    () => load(3, 1, { ...one, words: [2, 5, 128] }),
    () => load(3, 1, { ...one, words: [1, 255, 255, 255, 255, 255, 0] }),
    () => load(3, 2, { ...one, starts: [0, -1, 0], free: [1] }),
    () => load(11, 0, { starts: Array(11).fill(-1), words: [], free: [] }),
    () => load(2, 3, { starts: [0, 1], words: [0, 0], free: [] }),
    () => new SlotTable(10).load(new ByteReader(Uint8Array.of(9, 0, 0, 0, 0, 0, 0, 0))),
  ];
  for (const [nth, attempt] of wrong.entries()) assert.throws(attempt, DamagedState, `case ${nth}`);
});

test('loaded slots are given out and released as those that were saved, until they are saved again', () => {
  const table = new SlotTable(10);
  for (const key of [1, 2, 3, 4, 5, 6]) add(table, [key]);
  for (const key of [2, 4, 3]) table.release(find(table, [key]));
  table.pin(find(table, [1]));
  const next = new SlotTable(10);
  next.load(new ByteReader(saved(table)));
  assert.deepEqual(
    [7, 8, 9, 10].map((key) => add(next, [key])),
    [7, 8, 9, 10].map((key) => add(table, [key])),
  );
  assert.deepEqual([next.isPinned(0), next.isPinned(4)], [true, false]);
  next.save(new ByteWriter());
  assert.equal(next.isPinned(0), false);
});
