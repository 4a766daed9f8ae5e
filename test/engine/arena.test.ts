import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Arena, type Slice } from '../../src/engine/arena.ts';

function recordingArena() {
  const slabs = new Map<number, SharedArrayBuffer>();
  const arena = new Arena({
    added: (index, memory) => slabs.set(index, memory),
    removed: (index) => slabs.delete(index),
  });
  return { arena, slabs };
}

test('slices keep their bytes while others come and go, and the engine sees the same bytes', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.nat(2_000), fc.nat(900_000), fc.constant(-1)), { maxLength: 60 }),
      (steps) => {
        const { arena, slabs } = recordingArena();
        const alive: { slice: Slice; fill: number }[] = [];
        let fill = 0;
        for (const step of steps) {
          if (step < 0) {
            const first = alive.shift();
            if (first !== undefined) arena.free(first.slice);
            continue;
          }
          fill = (fill + 1) % 251;
          const slice = arena.store(new Uint8Array(step));
          arena.bytesOf(slice).fill(fill);
          alive.push({ slice, fill });
        }
        for (const { slice, fill: expected } of alive) {
          const memory = slabs.get(slice.slab);
          assert.ok(memory !== undefined);
          const seen = new Uint8Array(memory, slice.offset, slice.length);
          assert.ok(seen.every((byte) => byte === expected));
        }
      },
    ),
    { numRuns: 60 },
  );
});

test('memory comes back: a steady flow of bodies needs a bounded number of slabs', () => {
  const { arena, slabs } = recordingArena();
  const alive: Slice[] = [];
  for (let round = 0; round < 5_000; round++) {
    alive.push(arena.store(new Uint8Array(77_000)));
    if (alive.length > 20) arena.free(alive.shift()!);
  }
  assert.ok(slabs.size <= 12, `${slabs.size} slabs`);
  assert.ok(arena.bytes <= 12 * 1024 * 1024);
});

test('a large body gets a slab of its own, which goes with it', () => {
  const { arena, slabs } = recordingArena();
  const slice = arena.store(new Uint8Array(32 * 1024 * 1024));
  assert.equal(slabs.size, 1);
  arena.free(slice);
  assert.equal(slabs.size, 0);
  assert.equal(arena.bytes, 0);
  const small = arena.store(new Uint8Array(1000));
  assert.equal(arena.storedBytes, 1000);
  arena.free(small);
  assert.deepEqual([arena.storedBytes, arena.bytes > 0], [0, true], 'the slab stays');
});

test('freeing twice is caught', () => {
  const { arena } = recordingArena();
  const slice = arena.store(new Uint8Array(600_000));
  arena.free(slice);
  assert.throws(() => arena.free(slice), /freed twice/);
});
