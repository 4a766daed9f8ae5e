/** How much of a block a destination has taken, by its answer. */
import type { Response } from '../destination/destination.ts';
import { type Counts, noCounts } from '../model/body.ts';
import type { Outcome } from '../model/delivery.ts';

export function isTaken(status: number): boolean {
  return status >= 200 && status < 300;
}

/** What is lost of a block, where the protocol has the destination say what it took (remote write 2.0); undefined for nothing. */
export function lostOf(counts: Readonly<Counts>, written: Response['written']): Counts | undefined {
  if (written === undefined) return undefined;
  const samples = Math.max(0, counts.samples - written.samples);
  const histograms = Math.max(0, counts.histograms - written.histograms);
  const exemplars = Math.max(0, counts.exemplars - written.exemplars);
  return samples + histograms + exemplars === 0 ? undefined : { ...noCounts, samples, histograms, exemplars };
}

/** Whether a refused block was taken in part. */
export function isPartial(written: Response['written']): boolean {
  return written !== undefined && written.samples + written.histograms + written.exemplars > 0;
}

export function partsOf(...parts: Extract<Outcome, { kind: 'parts' }>['parts']): Outcome {
  return { kind: 'parts', parts };
}
