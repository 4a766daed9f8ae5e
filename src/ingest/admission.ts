/**
 * The concurrency limiter: bounds how many bodies are being read, and how many wait for a busy engine. A request takes a
 * token, or waits in a first-in-first-out queue that is bounded by time and by count. Main thread; not shared.
 */
import type { Clock } from '../util/clock.ts';
import type { Counter, Meter } from '../util/meter.ts';

/** A waiting request holds at most two chunks of its socket, ~128 KiB. */
const WAITING_MAX = 1_000;

export interface AdmissionSettings {
  /** Tokens: `-maxConcurrentInserts`. */
  readonly capacity: number;
  readonly maxQueueMs: number;
  readonly waitingMax?: number;
}

export interface Waiter {
  /** The client went away: gives up its place. No effect once the waiter was called. */
  leave(): void;
}

interface Waiting extends Waiter {
  readonly deadlineMs: number;
  readonly granted: () => void;
  readonly refused: () => void;
}

export class Admission {
  readonly #settings: AdmissionSettings;
  readonly #clock: Clock;
  /** In the order of arrival, which is the order of deadlines too: one timer, for the first, is enough. */
  readonly #waiting = new Set<Waiting>();
  readonly #limitReached: Counter;
  readonly #limitTimeout: Counter;
  #current = 0;
  #cancelTimer: (() => void) | undefined;

  constructor(settings: AdmissionSettings, ports: { readonly clock: Clock; readonly meter: Meter }) {
    this.#settings = settings;
    this.#clock = ports.clock;
    const { meter } = ports;
    meter
      .gauge('vm_concurrent_insert_capacity', 'Write requests that may be processed at the same time.')
      .set(settings.capacity);
    meter.gaugeOf(
      'vm_concurrent_insert_current',
      'Write requests that are being processed.',
      {},
      () => this.#current,
    );
    this.#limitReached = meter.counter(
      'vm_concurrent_insert_limit_reached_total',
      'Write requests that had to wait because -maxConcurrentInserts others were being processed.',
    );
    this.#limitTimeout = meter.counter(
      'vm_concurrent_insert_limit_timeout_total',
      'Write requests that were refused because they had waited for -insert.maxQueueDuration or too many waited.',
    );
  }

  get current(): number {
    return this.#current;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Takes a token if one is free and nobody waits for it. */
  tryTake(): boolean {
    if (this.#current >= this.#settings.capacity) return false;
    this.#current++;
    return true;
  }

  /** Queues for a token. Exactly one of the two is called later, unless the waiter leaves before; never at once. */
  wait(granted: () => void, refused: () => void): Waiter {
    this.#limitReached.inc();
    const deadlineMs = this.#clock.monotonicMs() + this.#settings.maxQueueMs;
    const waiting: Waiting = { deadlineMs, granted, refused, leave: () => this.#remove(waiting) };
    if (this.#waiting.size >= (this.#settings.waitingMax ?? WAITING_MAX)) {
      this.#limitTimeout.inc();
      queueMicrotask(refused);
      return waiting;
    }
    this.#waiting.add(waiting);
    if (this.#waiting.size === 1) this.#armTimer();
    return waiting;
  }

  /** Gives a token back; it goes to the first in the queue. */
  give(): void {
    const first = this.#first();
    if (first === undefined) {
      this.#current--;
      return;
    }
    this.#remove(first);
    first.granted();
  }

  #first(): Waiting | undefined {
    return this.#waiting.values().next().value;
  }

  #remove(waiting: Waiting): void {
    const wasFirst = this.#first() === waiting;
    this.#waiting.delete(waiting);
    if (wasFirst) this.#armTimer();
  }

  #armTimer(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    const first = this.#first();
    if (first === undefined) return;
    const delayMs = Math.max(0, first.deadlineMs - this.#clock.monotonicMs());
    this.#cancelTimer = this.#clock.after(delayMs, () => this.#expire());
  }

  #expire(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const waiting of this.#waiting) {
      if (waiting.deadlineMs > nowMs) break;
      this.#waiting.delete(waiting);
      this.#limitTimeout.inc();
      waiting.refused();
    }
    this.#armTimer();
  }
}
