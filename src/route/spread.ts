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
  #turns: readonly Turn[];
  readonly #holdMs: number;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  #next = 0;

  /** `count` is at least 1. */
  constructor(count: number, holdMs: number, clock: Pick<Clock, 'monotonicMs'>) {
    this.#turns = Array.from({ length: count }, newTurn);
    this.#holdMs = holdMs;
    this.#clock = clock;
  }

  /** Other destinations: `from[i]` is the place that the one at i had before; undefined when it is new. */
  replace(from: readonly (number | undefined)[]): void {
    const before = this.#turns;
    this.#turns = from.map((place) => (place === undefined ? undefined : before[place]) ?? newTurn());
    this.#next %= this.#turns.length;
  }

  /** The index of the destination that gets the next block, among those that can have it: at least one. */
  next(canHave: (index: number) => boolean = () => true): number {
    const nowMs = this.#clock.monotonicMs();
    const count = this.#turns.length;
    const inTurn = this.#turns.map((_, step) => (this.#next + step) % count).filter(canHave);
    let chosen = inTurn[0] ?? this.#next;
    for (const index of inTurn) {
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

const newTurn = (): Turn => ({ isFailing: false, heldUntilMs: 0 });
