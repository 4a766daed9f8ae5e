/** Who gets the next block of a queue: senders that wait for its kind, in order; nobody while it is paused or closed. */
import type { Lease, LeaseKind, Outcome, Removal } from '../model/delivery.ts';
import type { Entry } from './memory.ts';

export interface LeaseSource {
  /** The next block that may go; undefined while there is none. */
  next(kind: LeaseKind): Entry | undefined;
  end(entry: Entry, outcome: Outcome | Removal): void;
}

export class Leases {
  readonly #source: LeaseSource;
  /** Fresh blocks go to senders that take nothing else while there are such. */
  readonly #waiting: Readonly<Record<LeaseKind, ((lease: Lease | undefined) => void)[]>> = {
    fresh: [],
    oldest: [],
    drain: [],
  };
  #isDraining = false;
  #isClosed = false;
  #isPaused = false;

  constructor(source: LeaseSource) {
    this.#source = source;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Waits while there is none; undefined once there is none of this kind any more. */
  lease(kind: LeaseKind = 'oldest'): Promise<Lease | undefined> {
    if (this.#isClosed || this.#isDraining !== (kind === 'drain')) return Promise.resolve(undefined);
    const entry = this.#isHeld(kind) ? undefined : this.#source.next(kind);
    if (entry !== undefined) return Promise.resolve(this.#leaseOf(entry));
    return new Promise((resolve) => this.#waiting[kind].push(resolve));
  }

  /** Something has changed: whoever waits may be served. */
  serve(): void {
    for (const kind of ['fresh', 'oldest', 'drain'] as const) {
      const waiting = this.#waiting[kind];
      while (waiting.length > 0 && !this.#isClosed && !this.#isHeld(kind)) {
        const entry = this.#source.next(kind);
        if (entry === undefined) break;
        waiting.shift()!(this.#leaseOf(entry));
      }
    }
  }

  /** While it is paused, no block is given out; those under way are finished. */
  pause(isPaused: boolean): void {
    this.#isPaused = isPaused;
    this.serve();
  }

  /** A pause is for what would be sent. */
  #isHeld(kind: LeaseKind): boolean {
    return this.#isPaused && kind !== 'drain';
  }

  /** While it is drained, senders get nothing; whoever waits on the other side gets undefined. */
  drain(isDraining: boolean): void {
    this.#isDraining = isDraining;
    this.#dismiss(isDraining ? ['fresh', 'oldest'] : ['drain']);
  }

  /** No more leases; senders that wait get undefined. */
  close(): void {
    this.#isClosed = true;
    this.#dismiss(['fresh', 'oldest', 'drain']);
  }

  #dismiss(kinds: readonly LeaseKind[]): void {
    for (const kind of kinds) for (const resolve of this.#waiting[kind].splice(0)) resolve(undefined);
  }

  #leaseOf(entry: Entry): Lease {
    let isOpen = true;
    const once = (act: () => void) => {
      if (!isOpen) return;
      isOpen = false;
      act();
      this.serve();
    };
    return {
      block: entry.block,
      end: (outcome) => once(() => this.#source.end(entry, outcome)),
      putBack: () =>
        once(() => {
          entry.leased = false;
        }),
    };
  }
}
