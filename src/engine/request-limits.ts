/**
 * What a single request may hold. Real series take 30 bytes or more and real samples 12, so no request of a real sender
 * within 32 MiB reaches these; empty ones of 2 bytes would make 40 times their size in rows and columns.
 */
import type { Counts } from '../model/body.ts';

const SERIES_MAX = 1_000_000;
const SAMPLES_MAX = 4_000_000;
const METADATA_MAX = 1_000_000;

/** What a message has too much of, for the client; undefined when it can be taken. */
export function excessOf({ series, samples, metadata }: Readonly<Counts>): string | undefined {
  const found = [
    [series, SERIES_MAX, 'series'] as const,
    [samples, SAMPLES_MAX, 'samples'] as const,
    [metadata, METADATA_MAX, 'metadata entries'] as const,
  ].find(([count, max]) => count > max);
  if (found === undefined) return undefined;
  const [count, max, what] = found;
  return `cannot take the request: it has ${count} ${what}, the limit for one request is ${max}; send smaller requests`;
}
