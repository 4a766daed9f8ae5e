/**
 * Pieces of a typed array that come and go: keys, and texts as bytes. Pieces are rounded up to a few sizes, and one that is
 * given back serves the next of its size; the array grows by half.
 */
import { moved } from '../../util/free-buffer.ts';

type Numbers = Uint8Array<ArrayBuffer> | Int32Array<ArrayBuffer>;

/** No piece: the arena is full. */
export const NO_PIECE = -1;

const FIRST_LENGTH = 1024;

export class Arena<T extends Numbers> {
  /** Replaced by a larger one in `take`. */
  data: T;
  readonly #create: (length: number) => T;
  readonly #step: number;
  readonly #lengthMax: number;
  #used = 0;
  /** Begins of pieces that were given back, by their rounded length. */
  readonly #free = new Map<number, number[]>();

  /** Lengths are rounded up to multiples of `step`. */
  constructor(create: (length: number) => T, step: number, lengthMax: number) {
    this.#create = create;
    this.#step = step;
    this.#lengthMax = lengthMax;
    this.data = create(FIRST_LENGTH);
  }

  /** Where a new piece begins; NO_PIECE when there is no room. */
  take(length: number): number {
    const rounded = this.#round(length);
    const freed = this.#free.get(rounded)?.pop();
    if (freed !== undefined) return freed;
    const at = this.#used;
    const needed = at + rounded;
    if (needed > this.#lengthMax) return NO_PIECE;
    if (needed > this.data.length) {
      const roomy = Math.min(this.#lengthMax, Math.max(needed, Math.ceil(this.data.length * 1.5)));
      this.data = moved(this.data, this.#create(roomy));
    }
    this.#used = needed;
    return at;
  }

  give(at: number, length: number): void {
    const rounded = this.#round(length);
    const free = this.#free.get(rounded);
    if (free === undefined) this.#free.set(rounded, [at]);
    else free.push(at);
  }

  /** No piece ends behind this. */
  get used(): number {
    return this.#used;
  }

  get byteLength(): number {
    return this.data.byteLength;
  }

  #round(length: number): number {
    return Math.ceil(length / this.#step) * this.#step;
  }
}
