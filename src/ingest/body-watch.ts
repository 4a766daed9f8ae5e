/** Cuts off bodies that come in too slowly, so that a slow client cannot hold a token or memory for long. */
import type { Clock } from '../util/clock.ts';

/** Far below any link that is worth using; a trickle of single bytes is what it is meant for. */
const BYTES_PER_SECOND_MIN = 1024;
const TICK_MS_MAX = 1_000;

export interface Watched {
  /** Bytes that came so far. */
  readonly length: number;
  /** We do not read at present: not the client's fault. */
  readonly isPaused: boolean;
  /** The watch's own notes: when the present window began, and the length at that time. */
  windowFromMs: number;
  windowLength: number;
  fail(failure: 'too_slow'): void;
}

export class BodyWatch {
  readonly #windowMs: number;
  readonly #clock: Clock;
  readonly #watched = new Set<Watched>();
  #isTicking = false;

  /** @param windowMs the time over which the rate is taken, and so the grace at the start. */
  constructor(windowMs: number, clock: Clock) {
    this.#windowMs = windowMs;
    this.#clock = clock;
  }

  add(body: Watched): void {
    this.renew(body);
    this.#watched.add(body);
    if (!this.#isTicking) this.#schedule();
  }

  delete(body: Watched): void {
    this.#watched.delete(body);
  }

  /** Begins a new window. */
  renew(body: Watched): void {
    body.windowFromMs = this.#clock.monotonicMs();
    body.windowLength = body.length;
  }

  #schedule(): void {
    this.#isTicking = true;
    this.#clock.after(Math.min(TICK_MS_MAX, this.#windowMs / 4), () => this.#tick());
  }

  #tick(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const body of this.#watched) {
      if (body.isPaused || nowMs - body.windowFromMs < this.#windowMs) continue;
      const bytesMin = (BYTES_PER_SECOND_MIN * (nowMs - body.windowFromMs)) / 1_000;
      if (body.length - body.windowLength < bytesMin) body.fail('too_slow');
      else this.renew(body);
    }
    if (this.#watched.size > 0) this.#schedule();
    else this.#isTicking = false;
  }
}
