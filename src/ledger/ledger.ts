/**
 * The ledger: every sample that came in is in exactly one column, and the columns add up at every quiet moment:
 *
 *     received = in_engine + routed                                          (routed: handed to the queues as blocks)
 *     enqueued(destination) = delivered + rejected + dropped_queue_full + damaged + pending(destination)
 *     Σ enqueued by this run = routed × destinations that take the kind
 *
 * Samples, native histograms, exemplars and metadata are counted apart. Main thread only.
 */
import { addCounts, type Counts, noCounts } from '../model/body.ts';

export const kinds = ['samples', 'histograms', 'exemplars', 'metadata'] as const;
export type Kind = (typeof kinds)[number];

/** How a block can end at a destination. */
export const ends = ['delivered', 'rejected', 'dropped_queue_full', 'damaged'] as const;
export type End = (typeof ends)[number];

export class DestinationLedger {
  readonly enqueuedCounts: Counts = { ...noCounts };
  readonly endedCounts: Record<End, Counts>;

  constructor() {
    this.endedCounts = Object.fromEntries(ends.map((end) => [end, { ...noCounts }])) as Record<End, Counts>;
  }

  /** A block of this run was handed to the queue. */
  enqueued(counts: Readonly<Counts>): void {
    addCounts(this.enqueuedCounts, counts);
  }

  /** A block of an earlier run was found in the data directory. */
  recovered(counts: Readonly<Counts>): void {
    addCounts(this.recoveredCounts, counts);
    addCounts(this.enqueuedCounts, counts);
  }

  readonly recoveredCounts: Counts = { ...noCounts };

  ended(end: End, counts: Readonly<Counts>): void {
    addCounts(this.endedCounts[end], counts);
  }

  pending(kind: Kind): number {
    return ends.reduce((left, end) => left - this.endedCounts[end][kind], this.enqueuedCounts[kind]);
  }
}
