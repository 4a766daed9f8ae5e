import { type Clock, sleep } from './clock.ts';
import type { Counter } from './meter.ts';

const WINDOW_MS = 1000;

/**
 * A budget of bytes or samples that is refilled once a second. It may go into debt, so that what is larger than the limit
 * passes and the following ones pay for it; unused budget of idle seconds is not saved up.
 */
export class RateLimiter {
  readonly #perS: number;
  readonly #clock: Clock;
  readonly #reached: Counter;
  #budget = 0;
  #deadlineMs = 0;
  #last: Promise<void> = Promise.resolve();

  /** `perS` 0 means no limit. `reached` counts the waits. */
  constructor(perS: number, clock: Clock, reached: Counter) {
    this.#perS = perS;
    this.#clock = clock;
    this.#reached = reached;
  }

  /** Resolves when so much may go on, in order of the calls; at once when `signal` aborts. */
  take(amount: number, signal: AbortSignal): Promise<void> {
    if (this.#perS <= 0) return Promise.resolve();
    this.#last = this.#last.then(() => this.#take(amount, signal));
    return this.#last;
  }

  async #take(amount: number, signal: AbortSignal): Promise<void> {
    while (this.#budget <= 0 && !signal.aborted) {
      const leftMs = this.#deadlineMs - this.#clock.monotonicMs();
      if (leftMs > 0) {
        this.#reached.inc();
        await sleep(this.#clock, leftMs, signal);
      }
      this.#budget += this.#perS;
      this.#deadlineMs = this.#clock.monotonicMs() + WINDOW_MS;
    }
    this.#budget -= amount;
  }
}
