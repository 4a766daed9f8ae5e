/** The seam between a destination's queue and its senders: blocks are leased, and a lease ends in exactly one way. */
import type { Block } from './block.ts';
import type { Counts } from './body.ts';

/** How a block, or a part of it, ended at a destination; each end is a column of the ledger. */
export type BlockEnd =
  | 'delivered'
  /** The destination has kept a part of it, it does not say which, and will not take the rest. */
  | 'partly_delivered'
  /** Refused for good; dropped. */
  | 'rejected'
  /** Refused for good; kept on disk. */
  | 'dead_lettered';

export type Outcome =
  | { readonly kind: BlockEnd }
  /** What was cut out of the block; the rest was delivered. */
  | {
      readonly kind: 'parts';
      readonly parts: readonly { readonly kind: BlockEnd; readonly counts: Readonly<Counts> }[];
    };

/** Of a block that was not meant to be sent: it is safe in other queues, or cannot be read. */
export type Removal = { readonly kind: 'rerouted' | 'damaged' };

export interface Lease {
  readonly block: Block;
  /** The block is done with; the next block of the same slots may go. */
  end(outcome: Outcome | Removal): void;
  /** The sender stops before the block was accepted: it goes back to its place in the queue. */
  putBack(): void;
}

/**
 * What a sender takes: everything, the oldest first, or only what has come just now (`-remoteWrite.inmemoryQueues`).
 * `drain`: whoever empties the queue of a destination that is gone; in order, but without waiting for earlier blocks.
 */
export type LeaseKind = 'oldest' | 'fresh' | 'drain';

export interface BlockSource {
  /**
   * The next block that may be sent now, i.e. no earlier block of this queue with a common slot is unfinished.
   * Waits while there is none; undefined when the queue gives none of this kind any more: it is closed, or drained.
   */
  lease(kind?: LeaseKind): Promise<Lease | undefined>;
}
