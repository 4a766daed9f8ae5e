import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ALL_SLOTS } from '../../src/model/block.ts';
import { type Entry, MemoryQueue, newEntry } from '../../src/queue/memory.ts';
import { makeBlock } from '../support/blocks.ts';

const entry = (seq: number, slots: number): Entry => newEntry(makeBlock(seq, { slots }));

/** The rule in words: the first block that shares no slot with an earlier block that is still there. */
function naiveNext(blocks: { slots: number; leased: boolean; seq: number }[]): number | undefined {
  for (const [index, block] of blocks.entries()) {
    if (block.leased) continue;
    if (blocks.slice(0, index).every((earlier) => (earlier.slots & block.slots) === 0)) return block.seq;
  }
  return undefined;
}

test('leases follow the order rule in any sequence of pushes, ends and returns', () => {
  const step = fc.oneof(
    fc.record({
      do: fc.constant('push' as const),
      slots: fc.constantFrom(1, 2, 4, 3, 6, 0x80000000, ALL_SLOTS),
    }),
    fc.record({ do: fc.constant('lease' as const), slots: fc.constant(0) }),
    fc.record({ do: fc.constantFrom('end' as const, 'return' as const), slots: fc.nat(10) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const queue = new MemoryQueue();
      let model: { slots: number; leased: boolean; seq: number }[] = [];
      const leased: Entry[] = [];
      let seq = 0;
      for (const action of steps) {
        if (action.do === 'push') {
          seq++;
          queue.push(entry(seq, action.slots));
          model.push({ seq, slots: action.slots, leased: false });
        } else if (action.do === 'lease') {
          const expected = naiveNext(model);
          const got = queue.lease();
          assert.equal(got?.block.seq, expected);
          if (got !== undefined) {
            leased.push(got);
            model.find((block) => block.seq === expected)!.leased = true;
          }
        } else if (leased.length > 0) {
          const [got] = leased.splice(action.slots % leased.length, 1);
          if (action.do === 'end') {
            queue.remove(got!);
            model = model.filter((block) => block.seq !== got!.block.seq);
          } else {
            got!.leased = false;
            model.find((block) => block.seq === got!.block.seq)!.leased = false;
          }
        }
        assert.equal(queue.length, model.length);
        assert.equal(
          queue.bytes,
          queue.entries.reduce((sum, one) => sum + one.block.bytes.byteLength, 0),
        );
      }
    }),
    { numRuns: 500 },
  );
});

test('a block that is not there cannot be removed', () => {
  const queue = new MemoryQueue();
  assert.throws(() => queue.remove(entry(1, ALL_SLOTS)), /BUG/);
});
