/** Samples whose window is over, on their way out: a copy, so that the next window has its own place already. */
import { freeBuffer } from '../../util/free-buffer.ts';
import { type ByteReader, type ByteWriter, DamagedState } from '../state/bytes.ts';

export class Release {
  #slots = new Int32Array(0);
  #times = new Float64Array(0);
  #words = new Uint32Array(0);
  #length = 0;
  #told = 0;

  /** How many wait. */
  get size(): number {
    return this.#length - this.#told;
  }

  get byteLength(): number {
    return this.#slots.length * 20;
  }

  /** Makes room for so many when none waits. */
  reserve(length: number): void {
    for (const { buffer } of [this.#slots, this.#times, this.#words]) freeBuffer(buffer);
    this.#slots = new Int32Array(length);
    this.#times = new Float64Array(length);
    this.#words = new Uint32Array(2 * length);
    this.#length = 0;
    this.#told = 0;
  }

  add(slot: number, timestampMs: number, low: number, high: number): void {
    const at = this.#length++;
    this.#slots[at] = slot;
    this.#times[at] = timestampMs;
    this.#words[2 * at] = low;
    this.#words[2 * at + 1] = high;
  }

  // The next one.

  get slot(): number {
    return this.#slots[this.#told]!;
  }

  get timestampMs(): number {
    return this.#times[this.#told]!;
  }

  get low(): number {
    return this.#words[2 * this.#told]!;
  }

  get high(): number {
    return this.#words[2 * this.#told + 1]!;
  }

  /** The next one is told. Memory goes with the last one: most of the time there is none. */
  next(): void {
    this.#told++;
    if (this.#told === this.#length) this.reserve(0);
  }

  save(to: ByteWriter): void {
    const { size } = this;
    to.u32(size);
    to.numbers(this.#slots.subarray(this.#told, this.#length));
    to.numbers(this.#times.subarray(this.#told, this.#length));
    to.numbers(this.#words.subarray(2 * this.#told, 2 * this.#length));
  }

  load(from: ByteReader, isSlot: (slot: number) => boolean): void {
    const size = from.count(20);
    this.reserve(size);
    from.numbers(this.#slots);
    from.numbers(this.#times);
    from.numbers(this.#words);
    if (!this.#slots.every(isSlot)) throw new DamagedState('a sample is of no series');
    this.#length = size;
  }
}
