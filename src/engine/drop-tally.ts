/** Adds up what is dropped, until it is told to the main thread. */
import { addCounts, type Counts, noCounts } from '../model/body.ts';
import type { DropReason } from '../model/drops.ts';
import type { Dropped } from './messages.ts';

export class DropTally {
  /** By group and reason. */
  readonly #dropped = new Map<string, Dropped>();

  /** `group`: undefined for all. */
  add(group: number | undefined, reason: DropReason, counts: Readonly<Counts>): void {
    const key = `${group}/${reason}`;
    let dropped = this.#dropped.get(key);
    if (dropped === undefined) {
      dropped = { group, reason, counts: { ...noCounts } };
      this.#dropped.set(key, dropped);
    }
    addCounts(dropped.counts, counts);
  }

  /** What came since the last call. */
  take(): Dropped[] {
    const dropped = [...this.#dropped.values()];
    this.#dropped.clear();
    return dropped;
  }
}
