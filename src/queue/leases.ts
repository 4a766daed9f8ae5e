/** Who gets the next block of a queue: senders that wait for its kind, in order; nobody while it is paused or closed. */
import type { Lease, LeaseKind, Outcome } from '../model/delivery.ts';
import type { Entry } from './memory.ts';

export interface LeaseSource {
  /** The next block that may go; undefined while there is none. */
  next(kind: LeaseKind): Entry | undefined;
  /** Whether it is among those that go in the order of the queue. */
  isOrdered(entry: Entry): boolean;
  end(entry: Entry, outcome: Outcome): void;
}

export class Leases {
  readonly #source: LeaseSource;
  /** Fresh blocks go to senders that take nothing else while there are such. */
  readonly #waiting: Readonly<Record<LeaseKind, ((lease: Lease | undefined) => void)[]>> = {
    fresh: [],
    oldest: [],
  };
  #isClosed = false;
  #isPaused = false;
  #holds = 0;
  #orderedBytes = 0;

  constructor(source: LeaseSource) {
    this.#source = source;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Compressed bytes under way of blocks that go in order. */
  get orderedBytes(): number {
    return this.#orderedBytes;
  }

  get #givesNothing(): boolean {
    return this.#isPaused || this.#holds > 0;
  }

  /** Waits while there is none; undefined once the queue is closed. */
  lease(kind: LeaseKind = 'oldest'): Promise<Lease | undefined> {
    if (this.#isClosed) return Promise.resolve(undefined);
    const entry = this.#givesNothing ? undefined : this.#source.next(kind);
    if (entry !== undefined) return Promise.resolve(this.#leaseOf(entry));
    return new Promise((resolve) => this.#waiting[kind].push(resolve));
  }

  /** Something has changed: whoever waits may be served. */
  serve(): void {
    for (const kind of ['fresh', 'oldest'] as const) {
      const waiting = this.#waiting[kind];
      while (waiting.length > 0 && !this.#isClosed && !this.#givesNothing) {
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

  /** Like a pause, whatever a person says meanwhile; ends with a call of what it returns. */
  hold(): () => void {
    this.#holds++;
    return () => {
      this.#holds--;
      this.serve();
    };
  }

  /** No more leases; senders that wait get undefined. */
  close(): void {
    this.#isClosed = true;
    for (const waiting of Object.values(this.#waiting)) {
      for (const resolve of waiting.splice(0)) resolve(undefined);
    }
  }

  #leaseOf(entry: Entry): Lease {
    const bytes = this.#source.isOrdered(entry) ? entry.block.bytes.byteLength : 0;
    this.#orderedBytes += bytes;
    let isOpen = true;
    const once = (act: () => void) => {
      if (!isOpen) return;
      isOpen = false;
      this.#orderedBytes -= bytes;
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
