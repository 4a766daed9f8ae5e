/**
 * Shared memory for admitted bodies: slabs that are filled from the front and given back whole. Main thread only; the
 * engine reads the same slabs by index.
 *
 * A body leaves when the engine has put all of it into blocks, which is within a flush interval and roughly in the order
 * of arrival, so counting what is alive in a slab is all the bookkeeping there is.
 */
import { assert } from '../util/assert.ts';
import { copyBytes } from '../util/copy-bytes.ts';

/**
 * Holds 13 bodies of a typical Prometheus (77 KB); larger slabs stay pinned for longer, smaller ones waste their end. A body
 * above half of it has a slab of its own, of the next power of two.
 */
const SLAB_BYTES = 1024 * 1024;
/**
 * Free slabs that are kept for reuse; the rest goes back to the system. A new one for every large body is dear: V8 collects
 * the whole heap for so much memory outside of it, which took half of the main thread's time with bodies of 700 KB.
 */
const SPARE_BYTES_MAX = 16 * 1024 * 1024;

export interface Slice {
  readonly slab: number;
  readonly offset: number;
  readonly length: number;
}

interface Slab {
  readonly index: number;
  readonly memory: SharedArrayBuffer;
  readonly bytes: Uint8Array;
  used: number;
  alive: number;
}

export interface SlabListener {
  added(index: number, memory: SharedArrayBuffer): void;
  removed(index: number): void;
}

export class Arena {
  readonly #slabs = new Map<number, Slab>();
  readonly #spare: Slab[] = [];
  #spareBytes = 0;
  readonly #listener: SlabListener;
  #open: Slab | undefined;
  #nextIndex = 0;
  #bytes = 0;
  #storedBytes = 0;

  constructor(listener: SlabListener) {
    this.#listener = listener;
  }

  /** Bytes that were stored and not freed. */
  get storedBytes(): number {
    return this.#storedBytes;
  }

  /** Bytes of shared memory in all slabs, spare ones included. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Every slab there is, for an engine that has just started. */
  *slabs(): Iterable<{ index: number; memory: SharedArrayBuffer }> {
    yield* this.#slabs.values();
  }

  /** Keeps a copy of the bytes until `free`. */
  store(bytes: Uint8Array): Slice {
    const slice = this.reserve(bytes.byteLength);
    copyBytes(this.#slabs.get(slice.slab)!.bytes, slice.offset, bytes);
    return slice;
  }

  /** Keeps so many bytes, whatever they are, until `free`. */
  reserve(length: number): Slice {
    const slab = this.#slabWith(length);
    const offset = slab.used;
    // 8-byte alignment: the next body starts on a word, which the copies into linear memory like.
    slab.used += (length + 7) & ~7;
    slab.alive++;
    this.#storedBytes += length;
    return { slab: slab.index, offset, length };
  }

  /** The stored bytes, in place. */
  bytesOf({ slab, offset, length }: Slice): Uint8Array {
    const found = this.#slabs.get(slab);
    assert(found !== undefined, `slab ${slab} is there`);
    return found.bytes.subarray(offset, offset + length);
  }

  free(slice: Slice): void {
    const slab = this.#slabs.get(slice.slab);
    assert(slab !== undefined && slab.alive > 0, `slice of slab ${slice.slab} freed twice`);
    slab.alive--;
    this.#storedBytes -= slice.length;
    if (slab.alive > 0) return;
    slab.used = 0;
    if (slab === this.#open) return;
    this.#keep(slab);
  }

  #keep(slab: Slab): void {
    const { byteLength } = slab.memory;
    if (this.#spareBytes + byteLength > SPARE_BYTES_MAX) {
      this.#remove(slab);
      return;
    }
    this.#spare.push(slab);
    this.#spareBytes += byteLength;
  }

  #slabWith(byteLength: number): Slab {
    if (byteLength > SLAB_BYTES / 2) return this.#take(2 ** Math.ceil(Math.log2(byteLength)));
    if (this.#open !== undefined && this.#open.used + byteLength <= SLAB_BYTES) return this.#open;
    const full = this.#open;
    this.#open = this.#take(SLAB_BYTES);
    if (full !== undefined && full.alive === 0) this.#keep(full);
    return this.#open;
  }

  /** An empty slab of this size: pages of it that are never written take no memory. */
  #take(byteLength: number): Slab {
    const index = this.#spare.findLastIndex(({ memory }) => memory.byteLength === byteLength);
    if (index < 0) return this.#add(byteLength);
    const [slab] = this.#spare.splice(index, 1);
    this.#spareBytes -= byteLength;
    return slab!;
  }

  #add(byteLength: number): Slab {
    const memory = new SharedArrayBuffer(byteLength);
    const bytes = new Uint8Array(memory);
    const slab: Slab = { index: this.#nextIndex++, memory, bytes, used: 0, alive: 0 };
    this.#slabs.set(slab.index, slab);
    this.#bytes += memory.byteLength;
    this.#listener.added(slab.index, memory);
    return slab;
  }

  #remove(slab: Slab): void {
    this.#slabs.delete(slab.index);
    this.#bytes -= slab.memory.byteLength;
    this.#listener.removed(slab.index);
  }
}
