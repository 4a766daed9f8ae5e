/** What the status page shows; the app fills it from the ledger and the senders. */
import type { LedgerColumn } from '../ledger/ledger.ts';

export interface DestinationStatus {
  readonly name: string;
  /** As it may be shown: `1:secret-url` unless -remoteWrite.showURL. */
  readonly url: string;
  /** How it is doing, in a few words: `ok`, or what is wrong. */
  readonly state: string;
  readonly isHealthy: boolean;
  readonly ledger: readonly LedgerColumn[];
  /** Compressed bytes that wait, in memory and on disk. */
  readonly pendingBytes: number;
  /** Age of the oldest block that waits; 0 when none does. */
  readonly oldestAgeS: number;
  /** If what waits goes on growing or shrinking as it does; Infinity for never, undefined while it is not known. */
  readonly secondsToFull: number | undefined;
  readonly secondsToDrain: number;
  /** What it refused for good and is kept. */
  readonly deadLetters: number;
}

export interface DropShown {
  readonly reason: string;
  readonly series: string;
  readonly client: string;
}

export interface Status {
  readonly ledger: readonly LedgerColumn[];
  readonly destinations: readonly DestinationStatus[];
  /** Queues in the data directory that belong to no destination. */
  /** The last series that rules and limits dropped. */
  readonly drops: readonly DropShown[];
  readonly orphans: readonly { readonly name: string; readonly bytes: number }[];
}

export interface TopLine {
  readonly key: string;
  /** Samples, or new series. */
  readonly count: number;
  /** Of all of them, 0 to 1. */
  readonly share: number;
}

/** Who sends the most, the heaviest first. */
export interface TopShown {
  readonly coveredS: number;
  readonly samples: number;
  readonly newSeries: number;
  readonly metrics: readonly TopLine[];
  readonly labelValues: readonly TopLine[];
  readonly clients: readonly TopLine[];
  readonly newByMetric: readonly TopLine[];
  readonly newByLabelValue: readonly TopLine[];
}

export interface StatusSource {
  status(): Status;
  /** Undefined when the engine is too busy. */
  top(): Promise<TopShown | undefined>;
}
