/**
 * The different values that the groups of a rule had in a window: one open-addressed table of (group, value) for all
 * groups. It holds at most `CAPACITY_MAX` pairs; values beyond count as known, so a flood makes counts too low and never
 * takes more memory.
 */
import { randomBytes } from 'node:crypto';
import type { ByteReader, ByteWriter } from '../state/bytes.ts';

const FIRST_CELLS = 1024;
/** 4.2 million values are 96 MiB. */
const CELLS_MAX = 2 ** 23;
const LOAD_MAX = 0.5;
const EMPTY = -1;

/** Nobody outside can make values that fall on one another. */
const seed = randomBytes(4).readUInt32LE();

export class UniqueValues {
  #groups = new Int32Array(FIRST_CELLS).fill(EMPTY);
  #values = new Float64Array(FIRST_CELLS);
  #words = new Uint32Array(this.#values.buffer);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Whether the value is new in its group. Not for NaN. */
  add(group: number, anyValue: number): boolean {
    // -0 is 0.
    const value = anyValue + 0;
    if (this.#size >= this.#groups.length * LOAD_MAX && !this.#grow()) return false;
    scratch[0] = value;
    const cell = this.#find(group, value, scratchWords[0]!, scratchWords[1]!);
    if (this.#groups[cell] !== EMPTY) return false;
    this.#groups[cell] = group;
    this.#values[cell] = value;
    this.#size++;
    return true;
  }

  /** Memory stays for the next window. */
  clear(): void {
    if (this.#size > 0) this.#groups.fill(EMPTY);
    this.#size = 0;
  }

  get byteLength(): number {
    return this.#groups.byteLength + this.#values.byteLength;
  }

  save(to: ByteWriter): void {
    to.u32(this.#size);
    for (const [cell, group] of this.#groups.entries()) {
      if (group === EMPTY) continue;
      to.u32(group);
      to.f64(this.#values[cell]!);
    }
  }

  load(from: ByteReader): void {
    for (let left = from.count(12); left > 0; left--) this.add(from.u32(), from.f64());
  }

  #find(group: number, value: number, low: number, high: number): number {
    const groups = this.#groups;
    const values = this.#values;
    const mask = groups.length - 1;
    let cell = mix(group, low, high) & mask;
    while (groups[cell] !== EMPTY && (groups[cell] !== group || values[cell] !== value))
      cell = (cell + 1) & mask;
    return cell;
  }

  #grow(): boolean {
    if (this.#groups.length >= CELLS_MAX) return false;
    const groups = this.#groups;
    const values = this.#values;
    const words = this.#words;
    this.#groups = new Int32Array(groups.length * 2).fill(EMPTY);
    this.#values = new Float64Array(groups.length * 2);
    this.#words = new Uint32Array(this.#values.buffer);
    for (let from = 0; from < groups.length; from++) {
      const group = groups[from]!;
      if (group === EMPTY) continue;
      const cell = this.#find(group, values[from]!, words[2 * from]!, words[2 * from + 1]!);
      this.#groups[cell] = group;
      this.#values[cell] = values[from]!;
    }
    return true;
  }
}

const scratch = new Float64Array(1);
const scratchWords = new Uint32Array(scratch.buffer);

/** The finalizer of MurmurHash3 (public domain, Austin Appleby), over three words and the seed. */
function mix(group: number, low: number, high: number): number {
  let hash = Math.imul(group ^ seed, 0xcc9e2d51);
  hash = Math.imul(hash ^ (hash >>> 15) ^ low, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13) ^ high, 0xc2b2ae35);
  hash = Math.imul(hash ^ (hash >>> 16), 0x1b873593);
  return (hash ^ (hash >>> 14)) >>> 0;
}
