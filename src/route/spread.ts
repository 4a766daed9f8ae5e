/**
 * Gives blocks to destinations in turn, for destinations that are doors to the same store: it does not matter which one
 * gets a block. Those that fail are passed over; every hold time one of their turns counts again, as a trial, until
 * something works. When all fail, all have their turns: their queues keep what they cannot take.
 */
import type { Clock } from '../util/clock.ts';

interface Turn {
  isFailing: boolean;
  /** Not before this monotonic time; means something while it is failing. */
  heldUntilMs: number;
}

export class Spread {
  readonly #turns: readonly Turn[];
  readonly #holdMs: number;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  #next = 0;

  /** `count` is at least 1. */
  constructor(count: number, holdMs: number, clock: Pick<Clock, 'monotonicMs'>) {
    this.#turns = Array.from({ length: count }, () => ({ isFailing: false, heldUntilMs: 0 }));
    this.#holdMs = holdMs;
    this.#clock = clock;
  }

  /** The index of the destination that gets the next block. */
  next(): number {
    const nowMs = this.#clock.monotonicMs();
    const count = this.#turns.length;
    let chosen = this.#next;
    for (let step = 0; step < count; step++) {
      const index = (this.#next + step) % count;
      const turn = this.#turns[index]!;
      if (turn.isFailing && nowMs < turn.heldUntilMs) continue;
      if (turn.isFailing) turn.heldUntilMs = nowMs + this.#holdMs;
      chosen = index;
      break;
    }
    this.#next = (chosen + 1) % count;
    return chosen;
  }

  /** An attempt failed, and not for what the block holds: no connection, no answer in time, 5xx. */
  failed(index: number): void {
    const turn = this.#turns[index]!;
    turn.isFailing = true;
    turn.heldUntilMs = this.#clock.monotonicMs() + this.#holdMs;
  }

  /** It took a block. */
  worked(index: number): void {
    this.#turns[index]!.isFailing = false;
  }
}
