/** The seam between a destination's queue and its senders: blocks are leased, and a lease ends in exactly one way. */
import type { Block } from './block.ts';

/** How a block ended at a destination; each end is a column of the ledger. */
export type Outcome =
  | { readonly kind: 'delivered' }
  /** Refused for good by the destination; counted as dropped. `reason` is a short fixed word, `detail` the peer's text. */
  | { readonly kind: 'rejected'; readonly reason: string; readonly detail: string };

export interface Lease {
  readonly block: Block;
  /** The block is done with; the next block of the same slots may go. */
  end(outcome: Outcome): void;
  /** The sender stops before the block was accepted: it goes back to its place in the queue. */
  putBack(): void;
}

export interface BlockSource {
  /**
   * The next block that may be sent now, i.e. no earlier block of this queue with a common slot is unfinished.
   * Waits while there is none; undefined when the queue is closed and will never give another one.
   */
  lease(): Promise<Lease | undefined>;
}
