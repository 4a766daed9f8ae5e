/**
 * Collects all garbage of the calling thread now and then, for V8 leaves what outlived a second or two until the heap has
 * grown by a good part: at 14 requests a second that was 30 MB an hour. A collection takes some 15 ms of CPU time.
 */
import type { Clock } from './clock.ts';

/** Once after the start, which leaves much, then regularly. */
const FIRST_AFTER_MS = 2_000;
const EVERY_MS = 60_000;

/** Needs Node's `--expose-gc`, which `bin/sluice` gives; without it nothing is done. */
export function tidyHeap(clock: Clock, collect: (() => unknown) | undefined = globalThis.gc): void {
  if (collect === undefined) return;
  const tidy = () => {
    collect();
    clock.after(EVERY_MS, tidy);
  };
  clock.after(FIRST_AFTER_MS, tidy);
}
