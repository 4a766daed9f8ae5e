/** What is written to the file of a queue at a time. */
import type { Entry, MemoryQueue } from './memory.ts';

const BYTES_MAX = 8 * 1024 * 1024;

/** The next entries that must go to the file and are not there, in order; at most 8 MiB, but at least one. */
export function nextBatch(parts: readonly MemoryQueue[], bytesMax = BYTES_MAX): Entry[] {
  const batch: Entry[] = [];
  let bytes = 0;
  for (const { entries } of parts) {
    for (const entry of entries) {
      if (entry.seq !== undefined || (entry.isFresh && !entry.isAged)) continue;
      bytes += entry.block.bytes.byteLength;
      if (batch.length > 0 && bytes > bytesMax) return batch;
      batch.push(entry);
    }
  }
  return batch;
}
