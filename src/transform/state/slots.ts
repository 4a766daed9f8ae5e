/**
 * Keys ↔ small integers that index columns. A key is a list of integers (ids of labels). A slot is pinned by those who
 * will push to it again (refs of series, or series of a group); the owner releases it when nothing pins it and it has no
 * state. The number of slots is bounded.
 *
 * What was saved and loaded gives out and releases the same slots as the one that was saved, until either is saved again:
 * loaded slots that were pinned stay so until then, although those who pinned them are gone.
 */
import { randomBytes } from 'node:crypto';
import { Arena, NO_PIECE } from './arena.ts';
import { type ByteReader, type ByteWriter, DamagedState } from './bytes.ts';

/** No slot: the table is full. */
export const NO_SLOT = -1;

const FIRST_SLOTS = 64;
/** Two cells a slot at least: probes stay short. */
const CELLS_PER_SLOT = 2;
const WORDS_STEP = 1;
/** 1 GiB of keys. */
const WORDS_MAX = 2 ** 28;
const IS_FREE = -1;

const PINS_AT_ONCE = 4096;
const isPinned = new Uint8Array(PINS_AT_ONCE);

/** Nobody outside can make keys that fall on one another. */
const seed = randomBytes(4).readInt32LE();

export class SlotTable {
  #capacity: number;
  #limit = 0;
  #size = 0;
  /** By slot: where its key lies, the number of its words first; IS_FREE when the slot is not in use. */
  #starts = new Int32Array(FIRST_SLOTS);
  #hashes = new Int32Array(FIRST_SLOTS);
  #pins = new Int32Array(FIRST_SLOTS);
  /** Open addressing: slot + 1; 0 is empty. */
  #cells = new Int32Array(FIRST_SLOTS * CELLS_PER_SLOT);
  #arena = newArena();
  /** By slot, whether it was pinned when this was saved. */
  #loadedPins: Uint8Array | undefined;
  #free: number[] = [];

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get capacity(): number {
    return this.#capacity;
  }

  /** Before the first slot is given out: no more than this many. */
  limitTo(capacity: number): void {
    this.#capacity = Math.min(this.#capacity, capacity);
  }

  /** Slots that are in use. */
  get size(): number {
    return this.#size;
  }

  get isFull(): boolean {
    return this.#size >= this.#capacity;
  }

  /** One more than the largest slot that was ever given out. */
  get limit(): number {
    return this.#limit;
  }

  get byteLength(): number {
    return this.#starts.byteLength * 3 + this.#cells.byteLength + this.#arena.byteLength;
  }

  /** The slot of the first `length` words. */
  find(key: Int32Array, length: number): number {
    return this.#cells[this.#cellOf(key, 0, length, hashOf(key, 0, length))]! - 1;
  }

  /** A slot for a key that has none; NO_SLOT when the table is full. */
  add(key: Int32Array, length: number): number {
    if (this.isFull) return NO_SLOT;
    const start = this.#arena.take(1 + length);
    if (start === NO_PIECE) return NO_SLOT;
    const words = this.#arena.data;
    words[start] = length;
    for (let index = 0; index < length; index++) words[start + 1 + index] = key[index]!;
    const slot = this.#free.pop() ?? this.#limit++;
    this.#reserve(this.#limit);
    this.#pins[slot] = 0;
    this.#put(slot, start);
    return slot;
  }

  #put(slot: number, start: number): void {
    const words = this.#arena.data;
    const hash = hashOf(words, start + 1, words[start]!);
    this.#starts[slot] = start;
    this.#hashes[slot] = hash;
    this.#cells[this.#cellOf(words, start + 1, words[start]!, hash)] = slot + 1;
    this.#size++;
  }

  isUsed(slot: number): boolean {
    return this.#starts[slot] !== IS_FREE;
  }

  /** The words that keys lie in; replaced by `add`. */
  get words(): Int32Array {
    return this.#arena.data;
  }

  /** Where in `words` the key of a slot begins, which is in use. */
  keyStart(slot: number): number {
    return this.#starts[slot]! + 1;
  }

  keyLength(slot: number): number {
    return this.#arena.data[this.#starts[slot]!]!;
  }

  pin(slot: number): void {
    this.#pins[slot]! += 1;
  }

  unpin(slot: number): void {
    this.#pins[slot]! -= 1;
  }

  isPinned(slot: number): boolean {
    return this.#pins[slot]! > 0 || (this.#loadedPins?.[slot] ?? 0) > 0;
  }

  release(slot: number): void {
    const start = this.#starts[slot]!;
    const words = this.#arena.data;
    this.#remove(this.#cellOf(words, start + 1, words[start]!, this.#hashes[slot]!));
    this.#arena.give(start, 1 + words[start]!);
    this.#starts[slot] = IS_FREE;
    this.#size--;
    this.#free.push(slot);
  }

  /** Without `tellsPins`, those who pin slots are saved, too, and will pin them again. */
  save(to: ByteWriter, tellsPins = true): void {
    this.#loadedPins = undefined;
    const limit = this.#limit;
    to.u32(limit);
    to.u32(this.#size);
    to.numbers(this.#starts, limit);
    const pins = this.#pins;
    for (let from = 0; from < limit; from += PINS_AT_ONCE) {
      const count = Math.min(PINS_AT_ONCE, limit - from);
      for (let nth = 0; nth < count; nth++) isPinned[nth] = tellsPins && pins[from + nth]! > 0 ? 1 : 0;
      to.numbers(isPinned, count);
    }
    to.u32(this.#arena.used);
    to.numbers(this.#arena.data, this.#arena.used);
    to.numbers(Int32Array.from(this.#free));
  }

  /** Into an empty table: every key gets the slot that it had. */
  load(from: ByteReader): void {
    const limit = from.u32();
    const size = from.u32();
    // A slot has at least one column, so a limit that is believed allocates what the caller's columns hold anyway.
    if (limit > this.#capacity || size > limit || limit * 13 > from.left)
      throw new DamagedState('too many slots');
    const starts = new Int32Array(limit);
    from.numbers(starts);
    const pins = new Uint8Array(limit);
    from.numbers(pins);
    const words = new Int32Array(from.count(4));
    from.numbers(words);
    this.#limit = limit;
    this.#reserve(limit);
    this.#starts.fill(IS_FREE, 0, limit);
    this.#loadedPins = pins;
    for (let slot = 0; slot < limit; slot++) {
      const at = starts[slot]!;
      if (at === IS_FREE) continue;
      const length = words[at];
      if (length === undefined || length < 0 || at + 1 + length > words.length)
        throw new DamagedState('a key has no end');
      const key = words.subarray(at + 1, at + 1 + length);
      if (this.find(key, length) !== NO_SLOT) throw new DamagedState('a key is there twice');
      // Side by side, whatever lay between them.
      const start = this.#arena.take(1 + length);
      if (start === NO_PIECE) throw new DamagedState('too many keys');
      this.#arena.data[start] = length;
      this.#arena.data.set(key, start + 1);
      this.#put(slot, start);
    }
    if (this.#size !== size) throw new DamagedState('slots are missing');
    const free = new Int32Array(limit - size);
    from.numbers(free);
    const seen = new Uint8Array(limit);
    for (const slot of free) {
      if (slot < 0 || slot >= limit || this.#starts[slot] !== IS_FREE || seen[slot] === 1)
        throw new DamagedState('a slot is free and is not');
      seen[slot] = 1;
    }
    this.#free = [...free];
  }

  /** The cell of a key, or the empty one where it belongs. */
  #cellOf(key: Int32Array, start: number, length: number, hash: number): number {
    const cells = this.#cells;
    const starts = this.#starts;
    const hashes = this.#hashes;
    const words = this.#arena.data;
    const mask = cells.length - 1;
    let cell = hash & mask;
    for (; ; cell = (cell + 1) & mask) {
      const slot = cells[cell]! - 1;
      if (slot < 0) return cell;
      if (hashes[slot] !== hash) continue;
      const at = starts[slot]!;
      if (words[at] !== length) continue;
      let same = 0;
      while (same < length && words[at + 1 + same] === key[start + same]) same++;
      if (same === length) return cell;
    }
  }

  /** Empties a cell, and moves those behind it up so that none is cut off from where its search begins. */
  #remove(cell: number): void {
    const cells = this.#cells;
    const mask = cells.length - 1;
    let hole = cell;
    for (let next = (cell + 1) & mask; cells[next] !== 0; next = (next + 1) & mask) {
      const home = this.#hashes[cells[next]! - 1]! & mask;
      // It may fill the hole unless its home lies behind the hole (cyclically, up to where it is now).
      if (((next - home) & mask) < ((next - hole) & mask)) continue;
      cells[hole] = cells[next]!;
      hole = next;
    }
    cells[hole] = 0;
  }

  #reserve(slots: number): void {
    if (slots > this.#starts.length) {
      const roomy = Math.max(slots, Math.ceil(this.#starts.length * 1.5));
      const larger = (from: Int32Array): Int32Array<ArrayBuffer> => {
        const to = new Int32Array(roomy);
        to.set(from);
        return to;
      };
      this.#starts = larger(this.#starts);
      this.#hashes = larger(this.#hashes);
      this.#pins = larger(this.#pins);
    }
    if (slots * CELLS_PER_SLOT <= this.#cells.length) return;
    const before = this.#cells;
    const cells = new Int32Array(2 ** Math.ceil(Math.log2(slots * CELLS_PER_SLOT)));
    const mask = cells.length - 1;
    for (const used of before) {
      if (used === 0) continue;
      let cell = this.#hashes[used - 1]! & mask;
      while (cells[cell] !== 0) cell = (cell + 1) & mask;
      cells[cell] = used;
    }
    this.#cells = cells;
  }
}

function newArena(): Arena<Int32Array<ArrayBuffer>> {
  return new Arena<Int32Array<ArrayBuffer>>((length) => new Int32Array(length), WORDS_STEP, WORDS_MAX);
}

/** MurmurHash3 over 32-bit words (public domain, Austin Appleby). */
function hashOf(words: Int32Array, start: number, length: number): number {
  let hash = seed;
  for (let index = start; index < start + length; index++) {
    let word = Math.imul(words[index]!, 0xcc9e2d51);
    word = Math.imul((word << 15) | (word >>> 17), 0x1b873593);
    hash ^= word;
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0;
  }
  hash = Math.imul(hash ^ (hash >>> 16) ^ length, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
