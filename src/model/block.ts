/**
 * A block: one compressed remote-write request, ready to be sent. Made by `encode` in the engine, owned by the queue
 * on the main thread, shared (never copied) between destinations that take the same bytes.
 */
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
}
