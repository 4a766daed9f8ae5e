/**
 * A parcel: one decoded and validated body in the engine's linear memory, on its way into the blocks of every group.
 * It lives only while its body is being worked on; pointers are offsets in the kernel's memory.
 */
import type { Counts, Cut } from '../model/body.ts';

export interface Parcel {
  readonly body: number;
  /**
   * The element stream of a snappy body (its bytes after the length preamble), or one that was made with the message; a length
   * of 0 for none.
   */
  readonly elementsPtr: number;
  readonly elementsLength: number;
  /** The WriteRequest message; it stays there until every group has had the parcel. */
  readonly rawPtr: number;
  readonly rawLength: number;
  /** Present when some of the message may be only in the elements: writes it. Nobody reads the message before. */
  readonly write?: (() => void) | undefined;
  readonly counts: Counts;
  /** Number of labels of all series together. */
  readonly labels: number;
  /** Where it may be cut into several, in order; absent: nowhere. */
  readonly cuts?: readonly Cut[] | undefined;
  /** Every series holds something to send: a sample, a histogram or an exemplar. */
  readonly everySeriesHasData: boolean;
  /** Encoded label fields that every series gets at its end; length 0 when the client asked for none. */
  readonly suffixPtr: number;
  readonly suffixLength: number;
  readonly suffixLabels: number;
  /** It is as destinations see it: values are not rounded any more. */
  readonly isShaped: boolean;
}

/** Samples and histograms are rows: what `-remoteWrite.maxRowsPerBlock` limits. */
export function rowsOf(counts: Readonly<Counts>): number {
  return counts.samples + counts.histograms;
}
