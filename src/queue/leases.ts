/** Who gets the next block of a queue: senders that wait for its kind, in order; nobody while it is paused or closed. */
import type { Lease, LeaseKind, Outcome, Removal } from '../model/delivery.ts';
import type { Entry } from './memory.ts';

export interface LeaseSource {
  /** The next block that may go; undefined while there is none. */
  next(kind: LeaseKind): Entry | undefined;
  /** Whether it is among those that go in the order of the queue. */
  isOrdered(entry: Entry): boolean;
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

  /** Compressed bytes that senders have of blocks that go in order. */
  get orderedBytes(): number {
    return this.#orderedBytes;
  }

  /** A pause is for what would be sent. */
  #isHeld(kind: LeaseKind): boolean {
    return this.#holds > 0 || (this.#isPaused && kind !== 'drain');
  }

  /** Waits while there is none; undefined once there is none of this kind any more. */
  lease(kind: LeaseKind = 'oldest'): Promise<Lease | undefined> {
    if (this.#isClosed || this.#isDraining !== (kind === 'drain')) return Promise.resolve(undefined);
    const entry = this.#isHeld(kind) ? undefined : this.#source.next(kind);
    if (entry !== undefined) return Promise.resolve(this.#leaseOf(entry, kind));
    return new Promise((resolve) => this.#waiting[kind].push(resolve));
  }

  /** Something has changed: whoever waits may be served. */
  serve(): void {
    for (const kind of ['fresh', 'oldest', 'drain'] as const) {
      const waiting = this.#waiting[kind];
      while (waiting.length > 0 && !this.#isClosed && !this.#isHeld(kind)) {
        const entry = this.#source.next(kind);
        if (entry === undefined) break;
        waiting.shift()!(this.#leaseOf(entry, kind));
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

  #leaseOf(entry: Entry, kind: LeaseKind): Lease {
    // What is drained is out until it is safe elsewhere, and bounds by that what is read.
    const isSent = kind !== 'drain' && this.#source.isOrdered(entry);
    const bytes = isSent ? entry.block.bytes.byteLength : 0;
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
