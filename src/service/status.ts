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
}

export interface Status {
  readonly ledger: readonly LedgerColumn[];
  readonly destinations: readonly DestinationStatus[];
}

export interface StatusSource {
  status(): Status;
}
