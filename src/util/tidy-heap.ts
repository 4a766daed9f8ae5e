/**
 * Collects all garbage of the calling thread now and then, for V8 leaves what outlived a second or two until the heap has
 * grown by a good part: at 14 requests a second that was 30 MB an hour. A collection takes some 15 ms of CPU time.
 */
import type { Clock } from './clock.ts';

/** Once after the start, which leaves much, then regularly. */
const FIRST_AFTER_MS = 2_000;
const EVERY_MS = 60_000;

type Collect = (options?: NodeJS.GCOptions) => unknown;

/** Everything that can be had, code of functions that ran once included; 0.1 to 0.2 s. */
const THOROUGHLY = { type: 'major', execution: 'sync', flavor: 'last-resort' } as const;

/**
 * Call it when everything is loaded and nothing runs yet: it begins with a thorough collection, which takes 7 MB off an idle
 * process. Needs Node's `--expose-gc`, which `bin/sluice` gives; without it nothing is done.
 */
export function tidyHeap(clock: Clock, collect = globalThis.gc as Collect | undefined): void {
  if (collect === undefined) return;
  collect(THOROUGHLY);
  const tidy = () => {
    collect();
    clock.after(EVERY_MS, tidy);
  };
  clock.after(FIRST_AFTER_MS, tidy);
}
