/**
 * Decides how many blocks a destination gets side by side. One is the cheapest: bodies are forwarded whole, and one
 * request at a time keeps every series in order. But then a distant destination takes one block a round trip, so when
 * blocks keep waiting although it takes them, series are split by hash over as many lanes as it has senders; when the
 * queue has been empty for a while, one lane is enough again.
 */

/** This many waiting blocks are a backlog and no ripple: one flush of several clients makes two or three at once. */
const BACKLOG_BLOCKS = 8;
/** A backlog must last this long, so that a burst or a hiccup does not switch lanes. */
const WIDEN_AFTER_MS = 2_000;
/** Longer than the scrape intervals that people use, so that a wave every minute does not switch back and forth. */
const NARROW_AFTER_MS = 120_000;

export class ParallelPolicy {
  readonly #senders: number;
  #parallel = 1;
  #sinceMs: number | undefined;

  constructor(senders: number) {
    // 32 slots make at most 32 lanes.
    this.#senders = Math.min(senders, 32);
  }

  /** Call it regularly; returns the number of lanes wanted from now on. */
  update(pendingBlocks: number, nowMs: number): number {
    const wide = this.#parallel > 1;
    const pressed = wide ? pendingBlocks === 0 : pendingBlocks >= BACKLOG_BLOCKS;
    if (!pressed) {
      this.#sinceMs = undefined;
      return this.#parallel;
    }
    this.#sinceMs ??= nowMs;
    if (nowMs - this.#sinceMs >= (wide ? NARROW_AFTER_MS : WIDEN_AFTER_MS)) {
      this.#parallel = wide ? 1 : this.#senders;
      this.#sinceMs = undefined;
    }
    return this.#parallel;
  }
}
