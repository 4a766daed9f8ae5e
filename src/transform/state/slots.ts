/**
 * Keys ↔ small integers that index columns. A slot is pinned by those who will push to it again (refs of series, or
 * series of a group); the owner releases it when nothing pins it and it has no state. The number of slots is bounded.
 *
 * What was saved and loaded gives out and releases the same slots as the one that was saved, until either is saved again:
 * loaded slots that were pinned stay so until then, although those who pinned them are gone.
 */
import { type ByteReader, type ByteWriter, DamagedState } from './bytes.ts';

/** No slot: the table is full. */
export const NO_SLOT = -1;

export class SlotTable {
  #capacity: number;
  readonly #slots = new Map<string, number>();
  readonly #keys: (string | undefined)[] = [];
  readonly #pins: number[] = [];
  /** Slots that were pinned when this was saved. */
  readonly #loadedPins = new Set<number>();
  readonly #free: number[] = [];

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
    return this.#slots.size;
  }

  /** One more than the largest slot that was ever given out. */
  get limit(): number {
    return this.#keys.length;
  }

  find(key: string): number {
    return this.#slots.get(key) ?? NO_SLOT;
  }

  /** A slot for a key that has none; NO_SLOT when the table is full. */
  add(key: string): number {
    if (this.#slots.size >= this.#capacity) return NO_SLOT;
    const slot = this.#free.pop() ?? this.#keys.length;
    this.#keys[slot] = key;
    this.#pins[slot] = 0;
    this.#slots.set(key, slot);
    return slot;
  }

  /** Undefined when the slot is not in use. */
  key(slot: number): string | undefined {
    return this.#keys[slot];
  }

  pin(slot: number): void {
    this.#pins[slot]! += 1;
  }

  unpin(slot: number): void {
    this.#pins[slot]! -= 1;
  }

  isPinned(slot: number): boolean {
    return this.#pins[slot]! > 0 || this.#loadedPins.has(slot);
  }

  release(slot: number): void {
    this.#slots.delete(this.#keys[slot]!);
    this.#keys[slot] = undefined;
    this.#free.push(slot);
  }

  /** Without `tellsPins`, those who pin slots are saved, too, and will pin them again. */
  save(to: ByteWriter, tellsPins = true): void {
    this.#loadedPins.clear();
    to.u32(this.limit);
    to.u32(this.size);
    for (const [slot, key] of this.#keys.entries()) {
      if (key === undefined) continue;
      to.u32(slot);
      to.u32(tellsPins && this.#pins[slot]! > 0 ? 1 : 0);
      to.text(key);
    }
    for (const slot of this.#free) to.u32(slot);
  }

  /** Into an empty table: every key gets the slot that it had. */
  load(from: ByteReader): void {
    const limit = from.u32();
    const size = from.count(12);
    // A slot has at least one column, so a limit that is believed allocates what the caller's columns hold anyway.
    if (limit > this.#capacity || size > limit || limit * 8 > from.left)
      throw new DamagedState('too many slots');
    this.#keys.length = limit;
    this.#pins.length = limit;
    this.#keys.fill(undefined);
    this.#pins.fill(0);
    for (let index = 0; index < size; index++) {
      const slot = from.u32();
      if (from.u32() > 0) this.#loadedPins.add(slot);
      const key = from.text();
      if (slot >= limit || this.#keys[slot] !== undefined || this.#slots.has(key)) {
        throw new DamagedState('a slot is there twice');
      }
      this.#keys[slot] = key;
      this.#slots.set(key, slot);
    }
    const free = new Set<number>();
    for (let count = limit - size; count > 0; count--) free.add(from.u32());
    for (const slot of free) {
      if (slot >= limit || this.#keys[slot] !== undefined)
        throw new DamagedState('a slot is free and is not');
    }
    if (free.size !== limit - size) throw new DamagedState('a slot is free twice');
    for (const slot of free) this.#free.push(slot);
  }
}
