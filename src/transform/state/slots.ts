/**
 * Keys ↔ small integers that index columns. A key is a list of integers (ids of labels), which lies here as varints: most ids are
 * small, and keys are a good part of what a series takes, here and in each saved state. A slot is pinned by those who
 * will push to it again (refs of series, or series of a group); the owner releases it when nothing pins it and it has no
 * state. The number of slots is bounded.
 *
 * What was saved and loaded gives out and releases the same slots as the one that was saved, until either is saved again:
 * loaded slots that were pinned stay so until then, although those who pinned them are gone.
 */
import { randomBytes } from 'node:crypto';
import { freeBuffer, moved } from '../../util/free-buffer.ts';
import { Arena, NO_PIECE } from './arena.ts';
import { type ByteReader, type ByteWriter, DamagedState } from './bytes.ts';

/** No slot: the table is full. */
export const NO_SLOT = -1;

const FIRST_SLOTS = 64;
/** Two cells a slot at least: probes stay short. */
const CELLS_PER_SLOT = 2;
const BYTES_STEP = 1;
/** 1 GiB of keys. */
const BYTES_MAX = 2 ** 30;
const IS_FREE = -1;
const FIRST_WORDS = 64;
/** Of a varint of 32 bits. */
const VARINT_BYTES_MAX = 5;

const PINS_AT_ONCE = 4096;
const isPinned = new Uint8Array(PINS_AT_ONCE);

/** Nobody outside can make keys that fall on one another. */
const seed = randomBytes(4).readInt32LE();

export class SlotTable {
  #capacity: number;
  #limit = 0;
  #size = 0;
  /** By slot: where its key lies, as varints, the number of its words first; IS_FREE when the slot is not in use. */
  #starts = new Int32Array(FIRST_SLOTS);
  #hashes = new Int32Array(FIRST_SLOTS);
  #pins = new Int32Array(FIRST_SLOTS);
  /** Open addressing: slot + 1; 0 is empty. */
  #cells = new Int32Array(FIRST_SLOTS * CELLS_PER_SLOT);
  #arena = newArena();
  /** By slot, whether it was pinned when this was saved. */
  #loadedPins: Uint8Array | undefined;
  #free: number[] = [];
  /** The key that is looked for or added, as it lies in the arena. */
  #packed = new Uint8Array((1 + FIRST_WORDS) * VARINT_BYTES_MAX);
  #words = new Int32Array(FIRST_WORDS);

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
    return this.#cells[this.#cellOf(this.#pack(key, length), hashOf(key, length))]! - 1;
  }

  /** A slot for a key that has none; NO_SLOT when the table is full. */
  add(key: Int32Array, length: number): number {
    if (this.isFull) return NO_SLOT;
    const byteLength = this.#pack(key, length);
    const start = this.#arena.take(byteLength);
    if (start === NO_PIECE) return NO_SLOT;
    const slot = this.#free.pop() ?? this.#limit++;
    this.#reserve(this.#limit);
    this.#pins[slot] = 0;
    this.#put(slot, start, byteLength, hashOf(key, length));
    return slot;
  }

  /** The packed key, into its place. */
  #put(slot: number, start: number, byteLength: number, hash: number): void {
    const cell = this.#cellOf(byteLength, hash);
    const bytes = this.#arena.data;
    for (let index = 0; index < byteLength; index++) bytes[start + index] = this.#packed[index]!;
    this.#starts[slot] = start;
    this.#hashes[slot] = hash;
    this.#cells[cell] = slot + 1;
    this.#size++;
  }

  /** Packs the first `length` words; how many bytes they take. */
  #pack(key: Int32Array, length: number): number {
    const bytesMax = (1 + length) * VARINT_BYTES_MAX;
    if (bytesMax > this.#packed.length) this.#packed = new Uint8Array(bytesMax * 2);
    const to = this.#packed;
    let at = putVarint(to, 0, length);
    for (let index = 0; index < length; index++) at = putVarint(to, at, key[index]!);
    return at;
  }

  isUsed(slot: number): boolean {
    return this.#starts[slot] !== IS_FREE;
  }

  /** Reads the key of a slot that is in use into `words`; how many they are. */
  read(slot: number): number {
    return this.#unpack(this.#arena.data, this.#starts[slot]!).length;
  }

  /** The key that was read last. */
  get words(): Int32Array {
    return this.#words;
  }

  /** Into `#words`; a length of -1 when there is no key of bytes that lie here. */
  #unpack(bytes: Uint8Array, start: number): { length: number; end: number } {
    let at = start;
    let length = -1;
    for (let index = -1; index < length || index < 0; index++) {
      let word = 0;
      let shift = 0;
      let byte = VARINT_MORE;
      for (; byte >= VARINT_MORE && shift < 7 * VARINT_BYTES_MAX; shift += 7) {
        byte = bytes[at++]!;
        word |= (byte & (VARINT_MORE - 1)) << shift;
      }
      // Behind the end there is no byte.
      if (!(byte < VARINT_MORE)) return { length: -1, end: at };
      if (index >= 0) this.#words[index] = word;
      else {
        if (word < 0 || word > bytes.length) return { length: -1, end: at };
        length = word;
        if (length > this.#words.length) this.#words = new Int32Array(length * 2);
      }
    }
    return { length, end: at };
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
    const mask = this.#cells.length - 1;
    let cell = this.#hashes[slot]! & mask;
    while (this.#cells[cell] !== slot + 1) cell = (cell + 1) & mask;
    this.#remove(cell);
    this.#arena.give(start, this.#unpack(this.#arena.data, start).end - start);
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
    const bytes = new Uint8Array(from.count(1));
    from.numbers(bytes);
    this.#limit = limit;
    this.#reserve(limit);
    this.#starts.fill(IS_FREE, 0, limit);
    this.#loadedPins = pins;
    for (let slot = 0; slot < limit; slot++) {
      const at = starts[slot]!;
      if (at === IS_FREE) continue;
      const { length } = this.#unpack(bytes, at);
      if (length < 0) throw new DamagedState('a key has no end');
      const key = this.#words;
      if (this.find(key, length) !== NO_SLOT) throw new DamagedState('a key is there twice');
      // Side by side, whatever lay between them.
      const byteLength = this.#pack(key, length);
      const start = this.#arena.take(byteLength);
      if (start === NO_PIECE) throw new DamagedState('too many keys');
      this.#put(slot, start, byteLength, hashOf(key, length));
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

  /** The cell of the packed key, or the empty one where it belongs. */
  #cellOf(byteLength: number, hash: number): number {
    const cells = this.#cells;
    const starts = this.#starts;
    const hashes = this.#hashes;
    const bytes = this.#arena.data;
    const packed = this.#packed;
    const mask = cells.length - 1;
    let cell = hash & mask;
    for (; ; cell = (cell + 1) & mask) {
      const slot = cells[cell]! - 1;
      if (slot < 0) return cell;
      if (hashes[slot] !== hash) continue;
      const at = starts[slot]!;
      let same = 0;
      while (same < byteLength && bytes[at + same] === packed[same]) same++;
      if (same === byteLength) return cell;
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
      const larger = (from: Int32Array<ArrayBuffer>) => moved(from, new Int32Array(roomy));
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
    freeBuffer(before.buffer);
    this.#cells = cells;
  }
}

function newArena(): Arena<Uint8Array<ArrayBuffer>> {
  return new Arena<Uint8Array<ArrayBuffer>>((length) => new Uint8Array(length), BYTES_STEP, BYTES_MAX);
}

const VARINT_MORE = 128;

function putVarint(to: Uint8Array, at: number, word: number): number {
  let end = at;
  let rest = word >>> 0;
  for (; rest >= VARINT_MORE; rest >>>= 7) to[end++] = rest | VARINT_MORE;
  to[end++] = rest;
  return end;
}

/** MurmurHash3 over 32-bit words (public domain, Austin Appleby). */
function hashOf(words: Int32Array, length: number): number {
  let hash = seed;
  for (let index = 0; index < length; index++) {
    let word = Math.imul(words[index]!, 0xcc9e2d51);
    word = Math.imul((word << 15) | (word >>> 17), 0x1b873593);
    hash ^= word;
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0;
  }
  hash = Math.imul(hash ^ (hash >>> 16) ^ length, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
