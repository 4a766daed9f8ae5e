/**
 * A block: one compressed remote-write request, ready to be sent. Made by `encode` in the engine, owned by the queue
 * on the main thread, shared (never copied) between destinations that take the same bytes.
 */
import { freeBuffer } from '../util/free-buffer.ts';
import type { Counts } from './body.ts';

export type Codec = 'snappy' | 'zstd';

/**
 * Every series falls into one of 32 slots by its hash; a block's `slots` is the set of slots whose series it may hold,
 * as a bit mask. Two blocks whose masks do not meet hold no common series and may be in flight together; otherwise
 * the later one waits for the earlier one. A block that was forwarded without looking at single series has all bits.
 */
export type SlotMask = number;
export const ALL_SLOTS: SlotMask = 0xffffffff;

export interface Block {
  /** Rises by one with every block made by this process. */
  readonly seq: number;
  readonly codec: Codec;
  /** The wire bytes, ready to be sent. */
  readonly bytes: Uint8Array;
  /** Length of the protobuf message after decompression. */
  readonly rawLength: number;
  readonly counts: Readonly<Counts>;
  readonly slots: SlotMask;
  /** Monotonic milliseconds when the first of its bodies came in. */
  readonly bornMs: number;
  /** The request that it begins with, by the engine's number; 0 for blocks of an earlier run. */
  readonly firstBody: number;
  /** Of blocks of this run. */
  readonly memory?: BlockMemory;
}

/**
 * Who needs a block's bytes in memory, so that they can be given back as soon as every destination has taken them or has them
 * in its file. Left to the garbage collector, they make V8 collect the whole heap for every 30 MB of blocks.
 */
export class BlockMemory {
  #holders = 0;
  #pins = 0;

  /** A queue has taken the block, or writes it to its file. */
  hold(): void {
    this.#holders++;
  }

  /** A sender has seen the bytes, and a socket may use them until `unpin`; without it they are left to the garbage collector. */
  pin(): void {
    this.#pins++;
  }

  /** The sender and its sockets are done with the bytes; `release` follows. */
  unpin(): void {
    this.#pins--;
  }

  /** Whoever held the block needs `bytes` no more; nobody does when all have said so. */
  release({ buffer }: Uint8Array): void {
    if (--this.#holders === 0 && this.#pins === 0 && buffer instanceof ArrayBuffer) freeBuffer(buffer);
  }
}
