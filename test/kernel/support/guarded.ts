/** Regions of kernel memory with canaries on both sides: what the kernels must not touch, and must not depend on. */
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
    for (let i = 1; i <= CANARY_BYTES; i++) {
      assert.equal(bytes[this.ptr - i], this.#canary, `${what}: byte ${-i} before the region was written`);
      assert.equal(bytes[end + i - 1], this.#canary, `${what}: byte ${i - 1} behind the region was written`);
    }
  }
}
