import { type Clock, sleep } from '../util/clock.ts';
import type { Counter } from '../util/meter.ts';

const WINDOW_MS = 1000;

/**
 * A budget of bytes that is refilled once a second. It may go into debt, so that one block larger than the limit passes
 * and the following ones pay for it; unused budget of idle seconds is not saved up.
 */
export class RateLimiter {
  readonly #bytesPerS: number;
  readonly #clock: Clock;
  readonly #reached: Counter;
  #budget = 0;
  #deadlineMs = 0;
  #last: Promise<void> = Promise.resolve();

  /** `bytesPerS` 0 means no limit. `reached` counts the waits. */
  constructor(bytesPerS: number, clock: Clock, reached: Counter) {
    this.#bytesPerS = bytesPerS;
    this.#clock = clock;
    this.#reached = reached;
  }

  /** Resolves when `bytes` may be sent, in order of the calls; at once when `signal` aborts. */
  take(bytes: number, signal: AbortSignal): Promise<void> {
    if (this.#bytesPerS <= 0) return Promise.resolve();
    this.#last = this.#last.then(() => this.#take(bytes, signal));
    return this.#last;
  }

  async #take(bytes: number, signal: AbortSignal): Promise<void> {
    while (this.#budget <= 0 && !signal.aborted) {
      const leftMs = this.#deadlineMs - this.#clock.monotonicMs();
      if (leftMs > 0) {
        this.#reached.inc();
        await sleep(this.#clock, leftMs, signal);
      }
      this.#budget += this.#bytesPerS;
      this.#deadlineMs = this.#clock.monotonicMs() + WINDOW_MS;
    }
    this.#budget -= bytes;
  }
}
