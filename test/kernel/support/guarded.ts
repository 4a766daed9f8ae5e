/**
 * Regions of kernel memory that show when a kernel leaves them: with canaries on both sides, which must neither change
 * nor matter, or at the end of the memory, where reading one byte too much is a trap.
 */
import assert from 'node:assert/strict';
import type { KernelMemory } from '../../../src/kernel/memory.ts';

const CANARY_BYTES = 160; // more than the fast paths look ahead

export class Guarded {
  readonly #memory: KernelMemory;
  readonly #capacity: number;
  readonly #base: number;
  #length = 0;
  #canary = 0;

  constructor(memory: KernelMemory, capacity: number) {
    this.#memory = memory;
    this.#capacity = capacity;
    this.#base = memory.alloc(capacity + 2 * CANARY_BYTES);
  }

  get ptr(): number {
    return this.#base + CANARY_BYTES;
  }

  /** A region of this length with canaries of this value right before and behind it. */
  room(length: number, canary: number): number {
    assert.ok(length <= this.#capacity, `${length} bytes in a region of ${this.#capacity}`);
    this.#length = length;
    this.#canary = canary;
    const bytes = this.#memory.bytes();
    bytes.fill(canary, this.#base, this.ptr);
    bytes.fill(canary, this.ptr + length, this.ptr + length + CANARY_BYTES);
    return this.ptr;
  }

  place(content: Uint8Array, canary: number): number {
    const ptr = this.room(content.length, canary);
    this.#memory.bytes().set(content, ptr);
    return ptr;
  }

  read(length = this.#length): Buffer {
    return Buffer.from(this.#memory.bytes().subarray(this.ptr, this.ptr + length));
  }

  assertIntact(what: string): void {
    const bytes = this.#memory.bytes();
    const end = this.ptr + this.#length;
    const touched = (at: number) => bytes[at] !== this.#canary;
    for (let i = 1; i <= CANARY_BYTES; i++) {
      if (touched(this.ptr - i)) assert.fail(`${what}: byte ${-i} before the region was written`);
      if (touched(end + i - 1)) assert.fail(`${what}: byte ${i - 1} behind the region was written`);
    }
  }
}

/** The page that is never handed out. */
const EDGE_BYTES_MAX = 65536;

/** Runs `use` with the content as the last bytes of the memory; not at all when it is longer than the guard page. */
export function atEdge(memory: KernelMemory, content: Uint8Array, use: (ptr: number) => void): void {
  if (content.length > EDGE_BYTES_MAX) return;
  const bytes = memory.bytes();
  const ptr = bytes.length - content.length;
  bytes.set(content, ptr);
  use(ptr);
  // Fresh memory is taken for zero when the page is no longer the last one.
  memory.bytes().fill(0, ptr, ptr + content.length);
}
