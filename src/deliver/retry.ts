/** How long to wait before the next attempt. Pure: time and chance are arguments. */
export interface BackoffLimits {
  readonly minMs: number;
  readonly maxMs: number;
}

/** Up to 10 % on top of every wait, so that senders that failed together do not come back together. */
const JITTER_SHARE = 0.1;
const JITTER_MS_MAX = 10_000;

/** The waits of one block: doubling from the minimum to the maximum; a new block starts anew. */
export class Backoff {
  readonly #limits: BackoffLimits;
  readonly #random: () => number;
  #currentMs: number;

  constructor(limits: BackoffLimits, random: () => number) {
    this.#limits = limits;
    this.#random = random;
    this.#currentMs = Math.min(limits.minMs, limits.maxMs);
  }

  /** The next wait. A Retry-After takes the place of the current step (within the limits), and doubling goes on from it. */
  nextMs(retryAfterMs?: number): number {
    const { minMs, maxMs } = this.#limits;
    if (retryAfterMs !== undefined) this.#currentMs = Math.min(Math.max(retryAfterMs, minMs), maxMs);
    const waitMs = this.#currentMs + this.#random() * Math.min(this.#currentMs * JITTER_SHARE, JITTER_MS_MAX);
    this.#currentMs = Math.min(2 * this.#currentMs, maxMs);
    return waitMs;
  }
}

const DATE =
  /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d{2}:\d{2}:\d{2} GMT$/;

/** A `Retry-After` in whole seconds or as an RFC 1123 date in GMT; undefined when it is invalid, zero or in the past. */
export function parseRetryAfter(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  const value = header.trim();
  let delayMs = Number.NaN;
  if (/^\d+$/.test(value)) delayMs = Number(value) * 1000;
  else if (DATE.test(value)) delayMs = Date.parse(value) - nowMs;
  return delayMs > 0 ? delayMs : undefined;
}
