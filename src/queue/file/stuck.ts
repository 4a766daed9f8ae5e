/** Tells a place that the disk has lost from a disk that fails for a while. */
import type { Clock } from '../../util/clock.ts';

/** As long as a place is tried again. */
const PATIENCE_MS = 10_000;

export class StuckPlace {
  readonly #clock: Clock;
  #place: string | undefined;
  #sinceMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * It could not be read again. Whether it is lost: it failed for long enough, and the disk does `work` otherwise, which must
   * be something that no cache can do for it.
   */
  async isLost(place: string, work: () => Promise<void>): Promise<boolean> {
    const nowMs = this.#clock.monotonicMs();
    if (this.#place !== place) {
      this.#place = place;
      this.#sinceMs = nowMs;
    }
    if (nowMs - this.#sinceMs < PATIENCE_MS) return false;
    return work().then(
      () => true,
      () => false,
    );
  }

  /** Something could be read. */
  clear(): void {
    this.#place = undefined;
  }
}
