/**
 * The places of bodies that are still being received. A place keeps all of its slab from being used again, and clients may
 * be slow, so only so many are given at a time. Main thread only.
 */
import type { Body, BodyRoom } from '../model/body.ts';
import { assert } from '../util/assert.ts';
import type { Arena, Slice } from './arena.ts';

const ROOMS_MAX = 64;
const BYTES_MAX = 32 * 1024 * 1024;

export class Rooms {
  readonly #arena: Arena;
  #open = 0;
  #openBytes = 0;

  constructor(arena: Arena) {
    this.#arena = arena;
  }

  /** Undefined when too many are open, or there is no memory. */
  open(byteLength: number): Room | undefined {
    if (this.#open === ROOMS_MAX || this.#openBytes + byteLength > BYTES_MAX) return undefined;
    const slice = this.#reserve(byteLength);
    if (slice === undefined) return undefined;
    this.#open++;
    this.#openBytes += byteLength;
    return new Room(this, slice, this.#arena.bytesOf(slice));
  }

  /** Undefined when the system has no memory: that is told to whoever comes with a body. */
  #reserve(byteLength: number): Slice | undefined {
    try {
      return this.#arena.reserve(byteLength);
    } catch {
      return undefined;
    }
  }

  /** Where the bytes of a body lie from now on, in its room or copied; whoever keeps them frees the slice. */
  keep({ bytes, room }: Pick<Body, 'bytes' | 'room'>): Slice {
    return room instanceof Room ? room.take() : this.#arena.store(bytes);
  }

  /** @param isTaken a body lies there from now on. */
  close(slice: Slice, isTaken: boolean): void {
    this.#open--;
    this.#openBytes -= slice.length;
    if (!isTaken) this.#arena.free(slice);
  }
}

export class Room implements BodyRoom {
  readonly bytes: Uint8Array;
  readonly #rooms: Rooms;
  readonly #slice: Slice;
  #isOpen = true;

  constructor(rooms: Rooms, slice: Slice, bytes: Uint8Array) {
    this.#rooms = rooms;
    this.#slice = slice;
    this.bytes = bytes;
  }

  /** For a body that fills it; whoever takes it frees the slice. */
  take(): Slice {
    assert(this.#isOpen, 'the memory of a body is its own');
    this.#close(true);
    return this.#slice;
  }

  release(): void {
    if (this.#isOpen) this.#close(false);
  }

  #close(isTaken: boolean): void {
    this.#isOpen = false;
    this.#rooms.close(this.#slice, isTaken);
  }
}
