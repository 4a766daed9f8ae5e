import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Held, HeldBodies } from '../../src/engine/held.ts';

const format = { encoding: 'plain', protocol: 'p', extraLabels: [] } as const;

const bodyOf = (id: number) => ({
  id,
  slab: 1,
  offset: 8 * id,
  length: id % 7,
  format,
  client: `client ${id % 3}`,
  receivedMs: id,
  arrivedMs: 2 * id,
  isTaken: id % 2 === 0,
  settle: undefined,
  origin: 'client' as const,
});

const fresh = (id: number): Held => ({ ...bodyOf(id), deaths: 0, isCommitting: false });

/** Adds so many; or takes away the nth of those that are held, for good or not. */
const step = fc.oneof(
  fc.record({ add: fc.nat(2_000) }),
  fc.record({ recycle: fc.nat(100) }),
  fc.record({ remove: fc.nat(100) }),
  fc.record({ release: fc.nat(3_000) }),
);

test('bodies are held in order and by number, whichever leave and whatever the objects were before', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1_000 }), fc.array(step, { maxLength: 12 }), (firstId, steps) => {
      const held = new HeldBodies();
      const model = new Map<number, Held>();
      let nextId = firstId;
      const take = (nth: number, how: 'recycle' | 'remove') => {
        const id = [...model.keys()][nth];
        if (id === undefined) return;
        held[how](held.get(id)!);
        model.delete(id);
      };
      for (const one of steps) {
        if ('add' in one) {
          for (let i = 0; i < one.add; i++) {
            const added = held.add(bodyOf(nextId));
            assert.deepEqual(added, fresh(nextId));
            model.set(nextId, fresh(nextId++));
            added.deaths = added.id % 3;
            model.get(added.id)!.deaths = added.id % 3;
          }
        } else if ('recycle' in one) take(one.recycle, 'recycle');
        else if ('remove' in one) take(one.remove, 'remove');
        else for (let i = 0; i < one.release && held.first !== undefined; i++) take(0, 'recycle');
        assert.equal(held.size, model.size);
        assert.deepEqual(held.first, model.values().next().value);
        assert.deepEqual([...held], [...model.values()]);
      }
      for (const id of [firstId - 1, firstId, nextId - 1, nextId])
        assert.deepEqual(held.get(id), model.get(id));
    }),
    { numRuns: 50 },
  );
});

test('what is taken out and may still be looked at is nobody else', () => {
  const held = new HeldBodies();
  const first = held.add(bodyOf(1));
  held.remove(first);
  assert.notEqual(held.add(bodyOf(2)), first);
  assert.deepEqual(first, fresh(1));
});

test('a body twice, out of turn, or not there is a mistake', () => {
  const held = new HeldBodies();
  const first = held.add(bodyOf(5));
  assert.throws(() => held.add(bodyOf(5)), /BUG/);
  assert.throws(() => held.add(bodyOf(7)), /BUG/);
  held.remove(first);
  assert.throws(() => held.remove(first), /BUG/);
});
