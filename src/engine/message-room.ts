/** Where a parser writes the message of a body: right where messages are worked on, so nobody has to copy it. Engine thread only. */
import type { Kernel } from '../kernel/kernel.ts';
import type { SinkMemory } from '../protocol/sink-memory.ts';

export class MessageRoom implements SinkMemory {
  readonly #kernel: Kernel;
  /** Where a message of this length goes; what is there stays as it is. */
  readonly #target: (byteLength: number) => number;
  #ptr = 0;

  constructor(kernel: Kernel, target: (byteLength: number) => number) {
    this.#kernel = kernel;
    this.#target = target;
  }

  get ptr(): number {
    return this.#ptr;
  }

  reserve(byteLength: number, used: number): Uint8Array {
    const before = this.#ptr;
    this.#ptr = this.#target(byteLength);
    const bytes = this.#kernel.memory.bytes();
    // A place that was given up keeps its bytes until the next one is asked for.
    if (this.#ptr !== before && used > 0) bytes.copyWithin(this.#ptr, before, before + used);
    return bytes.subarray(this.#ptr, this.#ptr + byteLength);
  }
}
