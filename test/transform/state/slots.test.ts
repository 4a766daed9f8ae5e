import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ByteReader, ByteWriter, DamagedState } from '../../../src/transform/state/bytes.ts';
import { NO_SLOT, SlotTable } from '../../../src/transform/state/slots.ts';

test('keys have slots of their own, which are used again, up to a limit, and over a restart', () => {
  const action = fc.record({ key: fc.nat(12).map(String), isRelease: fc.boolean(), isRestart: fc.nat(15) });
  fc.assert(
    fc.property(fc.array(action, { maxLength: 80 }), (actions) => {
      let table = new SlotTable(8);
      const model = new Map<string, number>();
      for (const { key, isRelease, isRestart } of actions) {
        if (isRestart === 0) {
          const to = new ByteWriter();
          table.save(to);
          // As the columns that follow would be.
          for (let slot = 0; slot < table.limit; slot++) to.f64(0);
          table = new SlotTable(8);
          table.load(new ByteReader(to.bytes()));
        }
        const slot = table.find(key);
        assert.equal(slot, model.get(key) ?? NO_SLOT);
        if (slot === NO_SLOT) {
          const added = table.add(key);
          assert.equal(added === NO_SLOT, model.size === 8);
          if (added !== NO_SLOT) model.set(key, added);
        } else if (isRelease) {
          table.release(slot);
          model.delete(key);
        }
        assert.equal(table.size, model.size);
        assert.equal(new Set(model.values()).size, model.size);
        for (const [one, at] of model) assert.equal(table.key(at), one);
        assert.ok(table.limit <= 8);
      }
    }),
  );
});

test('a capacity only gets smaller', () => {
  const table = new SlotTable(5);
  table.limitTo(9);
  assert.equal(table.capacity, 5);
  table.limitTo(1);
  assert.ok(table.add('a') >= 0);
  assert.equal(table.add('b'), NO_SLOT);
});

test('pins count', () => {
  const table = new SlotTable(1);
  const slot = table.add('a');
  assert.ok(!table.isPinned(slot));
  table.pin(slot);
  table.pin(slot);
  table.unpin(slot);
  assert.ok(table.isPinned(slot));
  table.unpin(slot);
  assert.ok(!table.isPinned(slot));
});

test('slots that cannot be are damage', () => {
  const load = (write: (to: ByteWriter) => void) => {
    const to = new ByteWriter();
    write(to);
    to.numbers(new Float64Array(20));
    new SlotTable(10).load(new ByteReader(to.bytes()));
  };
  const slots = (to: ByteWriter, limit: number, entries: [number, string][]) => {
    to.u32(limit);
    to.u32(entries.length);
    for (const [slot, key] of entries) {
      to.u32(slot);
      to.u32(0);
      to.text(key);
    }
  };
  const free = (to: ByteWriter, ...numbers: number[]) => {
    for (const slot of numbers) to.u32(slot);
  };
  load((to) => {
    slots(to, 3, [[2, 'a']]);
    free(to, 1, 0);
  });
  for (const wrong of [
    [1, 1],
    [2, 0],
    [3, 0],
  ]) {
    const write = (to: ByteWriter) => {
      slots(to, 3, [[2, 'a']]);
      free(to, ...wrong);
    };
    assert.throws(() => load(write), DamagedState);
  }
  assert.throws(() => load((to) => slots(to, 11, [])), DamagedState);
  assert.throws(() => load((to) => slots(to, 1, [[1, 'a']])), DamagedState);
  assert.throws(
    () =>
      load((to) =>
        slots(to, 3, [
          [1, 'a'],
          [1, 'b'],
        ]),
      ),
    DamagedState,
  );
  assert.throws(
    () =>
      load((to) =>
        slots(to, 3, [
          [1, 'a'],
          [2, 'a'],
        ]),
      ),
    DamagedState,
  );
});

test('loaded slots are given out and released as those that were saved, until they are saved again', () => {
  const table = new SlotTable(10);
  for (const key of 'abcdef') table.add(key);
  for (const key of 'bdc') table.release(table.find(key));
  table.pin(table.find('a'));
  const to = new ByteWriter();
  table.save(to);
  const next = new SlotTable(10);
  next.load(new ByteReader(to.bytes()));
  assert.deepEqual(
    ['x', 'y', 'z'].map((key) => next.add(key)),
    ['x', 'y', 'z'].map((key) => table.add(key)),
  );
  assert.deepEqual([next.isPinned(0), next.isPinned(4)], [true, false]);
  next.save(new ByteWriter());
  assert.equal(next.isPinned(0), false);
});
