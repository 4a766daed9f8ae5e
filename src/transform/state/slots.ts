/**
 * Keys ↔ small integers that index columns. A slot is pinned by those who will push to it again (refs of series, or
 * series of a group); the owner releases it when nothing pins it and it has no state. The number of slots is bounded.
 */
import { type ByteReader, type ByteWriter, DamagedState } from './bytes.ts';

/** No slot: the table is full. */
export const NO_SLOT = -1;

export class SlotTable {
  #capacity: number;
  readonly #slots = new Map<string, number>();
  readonly #keys: (string | undefined)[] = [];
  readonly #pins: number[] = [];
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
    return this.#pins[slot]! > 0;
  }

  release(slot: number): void {
    this.#slots.delete(this.#keys[slot]!);
    this.#keys[slot] = undefined;
    this.#free.push(slot);
  }

  save(to: ByteWriter): void {
    to.u32(this.limit);
    to.u32(this.size);
    for (const [slot, key] of this.#keys.entries()) {
      if (key === undefined) continue;
      to.u32(slot);
      to.text(key);
    }
  }

  /** Into an empty table: every key gets the slot that it had, and nothing is pinned. */
  load(from: ByteReader): void {
    const limit = from.u32();
    const size = from.count(8);
    // A slot has at least one column, so a limit that is believed allocates what the caller's columns hold anyway.
    if (limit > this.#capacity || size > limit || limit * 8 > from.left)
      throw new DamagedState('too many slots');
    this.#keys.length = limit;
    this.#pins.length = limit;
    this.#keys.fill(undefined);
    this.#pins.fill(0);
    for (let index = 0; index < size; index++) {
      const slot = from.u32();
      const key = from.text();
      if (slot >= limit || this.#keys[slot] !== undefined || this.#slots.has(key)) {
        throw new DamagedState('a slot is there twice');
      }
      this.#keys[slot] = key;
      this.#slots.set(key, slot);
    }
    for (let slot = limit - 1; slot >= 0; slot--) if (this.#keys[slot] === undefined) this.#free.push(slot);
  }
}
