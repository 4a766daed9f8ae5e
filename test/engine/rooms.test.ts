import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Arena, type Slice } from '../../src/engine/arena.ts';
import { type Room, Rooms } from '../../src/engine/rooms.ts';

const MIB = 1024 * 1024;

function arenaAndRooms() {
  const arena = new Arena({ added: () => {}, removed: () => {} });
  return { arena, rooms: new Rooms(arena) };
}

test('rooms, bodies that were taken and bodies that were copied never share a byte, and all memory comes back', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.oneof(
          fc.record({ open: fc.integer({ min: 1, max: 800_000 }) }),
          fc.record({ store: fc.integer({ min: 1, max: 800_000 }) }),
          fc.record({ take: fc.nat(5) }),
          fc.record({ release: fc.nat(5) }),
          fc.record({ free: fc.nat(5) }),
        ),
        { maxLength: 80 },
      ),
      (steps) => {
        const { arena, rooms } = arenaAndRooms();
        const open: { room: Room; fill: number }[] = [];
        const taken: { slice: Slice; fill: number }[] = [];
        let fill = 0;
        const pick = <T>(from: T[], index: number) => from.splice(index % Math.max(1, from.length), 1)[0];
        for (const step of steps) {
          fill = (fill % 250) + 1;
          if ('open' in step) {
            const room = rooms.open(step.open);
            room?.bytes.fill(fill);
            if (room !== undefined) open.push({ room, fill });
          } else if ('store' in step) {
            taken.push({ slice: arena.store(new Uint8Array(step.store).fill(fill)), fill });
          } else if ('take' in step) {
            const one = pick(open, step.take);
            if (one !== undefined) taken.push({ slice: one.room.take(), fill: one.fill });
            // As after every body.
            one?.room.release();
          } else if ('release' in step) {
            const one = pick(open, step.release);
            one?.room.release();
            one?.room.release();
          } else {
            const one = pick(taken, step.free);
            if (one !== undefined) arena.free(one.slice);
          }
          for (const { room, fill: own } of open) assert.ok(isFilled(room.bytes, own));
          for (const { slice, fill: own } of taken) assert.ok(isFilled(arena.bytesOf(slice), own));
        }
        for (const { room } of open) room.release();
        for (const { slice } of taken) arena.free(slice);
        assert.equal(arena.storedBytes, 0);
      },
    ),
    { numRuns: 60 },
  );
});

/** The first and the last byte are enough where slices are larger than one. */
function isFilled(bytes: Uint8Array, fill: number): boolean {
  return bytes[0] === fill && bytes.at(-1) === fill;
}

test('a room that was given back, or taken, is not taken again', () => {
  const { arena, rooms } = arenaAndRooms();
  const room = rooms.open(10)!;
  room.release();
  assert.throws(() => room.take());
  const other = rooms.open(10)!;
  const slice = other.take();
  assert.throws(() => other.take());
  arena.free(slice);
  assert.equal(arena.storedBytes, 0);
});

test('without memory there is no room, and nothing is counted for it', (t) => {
  const { arena, rooms } = arenaAndRooms();
  const broken = t.mock.method(arena, 'reserve', () => {
    throw new RangeError('Array buffer allocation failed');
  });
  for (let nth = 0; nth < 100; nth++) assert.equal(rooms.open(10), undefined);
  broken.mock.restore();
  rooms.open(10)!.release();
  assert.equal(arena.storedBytes, 0);
});

test('only so many are open at a time, and only so many bytes', () => {
  const { rooms } = arenaAndRooms();
  const small = Array.from({ length: 64 }, () => rooms.open(10)!);
  assert.equal(rooms.open(10), undefined);
  small.pop()!.take();
  small.pop()!.release();
  small.push(rooms.open(10)!, rooms.open(10)!);
  assert.equal(rooms.open(10), undefined);
  for (const room of small) room.release();
  const large = Array.from({ length: 16 }, () => rooms.open(2 * MIB)!);
  assert.equal(rooms.open(1), undefined);
  large.pop()!.release();
  assert.ok(rooms.open(2 * MIB) !== undefined);
});
