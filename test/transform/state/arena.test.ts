import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Arena, NO_PIECE } from '../../../src/transform/state/arena.ts';

test('pieces never overlap, and what was given back serves again', () => {
  const action = fc.record({ length: fc.nat(20), isGiven: fc.boolean() });
  fc.assert(
    fc.property(fc.array(action, { maxLength: 300 }), (actions) => {
      const arena = new Arena<Uint8Array<ArrayBuffer>>((length) => new Uint8Array(length), 4, 3000);
      const pieces: { at: number; length: number; mark: number }[] = [];
      for (const [nth, { length, isGiven }] of actions.entries()) {
        const [first] = pieces;
        if (isGiven && first !== undefined) {
          arena.give(first.at, first.length);
          pieces.shift();
        } else {
          const at = arena.take(length);
          if (at === NO_PIECE) continue;
          const mark = nth % 255;
          arena.data.fill(mark, at, at + length);
          pieces.push({ at, length, mark });
        }
        for (const { at, length: bytes, mark } of pieces) {
          assert.ok(arena.data.subarray(at, at + bytes).every((byte) => byte === mark));
        }
      }
      assert.ok(arena.byteLength <= 3000);
    }),
  );
});

test('there is an end to it, and one that has come and gone a thousand times takes no more', () => {
  const arena = new Arena<Int32Array<ArrayBuffer>>((length) => new Int32Array(length), 1, 2000);
  for (let nth = 0; nth < 1000; nth++) {
    const at = arena.take(1500);
    assert.equal(at, 0);
    arena.give(at, 1500);
  }
  assert.equal(arena.take(1500), 0);
  assert.equal(arena.take(501), NO_PIECE);
  assert.equal(arena.take(500), 1500);
});
