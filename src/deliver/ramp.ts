/**
 * How many requests a destination gets at the same time: all that there are senders for while it takes them, one while it
 * fails, and after an outage 1, 2, 4, …: each success doubles the number, each failure ends the climb. So a destination
 * that comes back is not met by everything at once.
 */
export class Ramp {
  readonly #max: number;
  #limit: number;
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(max: number) {
    this.#max = max;
    this.#limit = max;
  }

  get limit(): number {
    return this.#limit;
  }

  /** Resolves when a request may start, in order of the calls; at once when `signal` aborts. Call `end` when it is over. */
  start(signal: AbortSignal): Promise<void> {
    if (this.#running < this.#limit || signal.aborted) {
      this.#running++;
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      const go = () => {
        signal.removeEventListener('abort', onAbort);
        this.#running++;
        resolve();
      };
      const onAbort = () => {
        this.#waiting.splice(this.#waiting.indexOf(go), 1);
        go();
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waiting.push(go);
    });
  }

  /** The destination has answered, or `hasFailed`: it did not, or is not able to take anything now. */
  end(hasFailed: boolean): void {
    this.#running--;
    this.#limit = hasFailed ? 1 : Math.min(this.#max, 2 * this.#limit);
    while (this.#running < this.#limit && this.#waiting.length > 0) this.#waiting.shift()!();
  }
}
