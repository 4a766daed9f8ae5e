/**
 * A small pool of byte buffers in powers of two, for bodies that come in several chunks. What it keeps is bounded, so a
 * burst of large bodies does not stay in memory; a buffer belongs to whoever took it until it is given back.
 */

/** The smallest class: a body below it fits in one or two chunks of a socket. */
export const CLASS_BYTES_MIN = 64 * 1024;
const KEPT_BYTES_MAX = 8 * 1024 * 1024;

export class BufferPool {
  readonly #keptBytesMax: number;
  readonly #free = new Map<number, ArrayBuffer[]>();
  #keptBytes = 0;

  constructor(keptBytesMax = KEPT_BYTES_MAX) {
    this.#keptBytesMax = keptBytesMax;
  }

  get keptBytes(): number {
    return this.#keptBytes;
  }

  /** A buffer of at least `bytesMin` bytes with arbitrary content. */
  take(bytesMin: number): ArrayBuffer {
    const size = classOf(bytesMin);
    const buffer = this.#free.get(size)?.pop();
    if (buffer === undefined) return new ArrayBuffer(size);
    this.#keptBytes -= size;
    return buffer;
  }

  /** Gives a buffer back; the giver must not touch it any more. One below the smallest class is not kept. */
  give(buffer: ArrayBuffer): void {
    const size = buffer.byteLength;
    if (size < CLASS_BYTES_MIN || this.#keptBytes + size > this.#keptBytesMax) return;
    const free = this.#free.get(size);
    if (free === undefined) this.#free.set(size, [buffer]);
    else free.push(buffer);
    this.#keptBytes += size;
  }

  /** Keeps nothing any more. */
  clear(): void {
    this.#free.clear();
    this.#keptBytes = 0;
  }
}

function classOf(bytes: number): number {
  let size = CLASS_BYTES_MIN;
  while (size < bytes) size *= 2;
  return size;
}
