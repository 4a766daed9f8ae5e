/**
 * The bodies that a new engine would need, in the order of their numbers. Main thread only.
 *
 * A body lives here until the block that it is in is full: under many small requests thousands of them are alive, and each outlives
 * the young generation. So their objects are used again: made anew for each, they had V8 mark the whole heap every few seconds.
 */
import type { BodyOrigin, Verdict } from '../model/body.ts';
import { assert } from '../util/assert.ts';
import type { Slice } from './arena.ts';
import type { BodyFormat } from './messages.ts';

export interface Held extends Slice {
  readonly id: number;
  readonly format: BodyFormat;
  readonly client: string;
  readonly receivedMs: number;
  /** In wall time; for a request of the journal, when it came to the earlier run. */
  readonly arrivedMs: number;
  /** The state that aggregation began with has its samples. */
  readonly isTaken: boolean;
  deaths: number;
  /** Absent once the verdict was given. */
  settle: ((verdict: Verdict) => void) | undefined;
  readonly origin: BodyOrigin;
  /** The journal is taking it: it was accepted, and its verdict follows. */
  isCommitting: boolean;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** What a client's flood leaves behind: some 0.3 MB. */
const SPARE_MAX = 2048;
/** Places that may be left empty at the front. */
const GAP_MAX = 1024;

export class HeldBodies {
  /** By number, from `#firstId` on; those that are gone are empty places. */
  readonly #places: (Held | undefined)[] = [];
  #firstId = 0;
  /** The place of the first one that is here; the end when there is none. */
  #head = 0;
  #size = 0;
  readonly #spare: Mutable<Held>[] = [];

  get size(): number {
    return this.#size;
  }

  get first(): Held | undefined {
    return this.#places[this.#head];
  }

  get(id: number): Held | undefined {
    return this.#places[id - this.#firstId];
  }

  *[Symbol.iterator](): Iterator<Held> {
    for (let place = this.#head; place < this.#places.length; place++) {
      const held = this.#places[place];
      if (held !== undefined) yield held;
    }
  }

  /** Numbers rise by one from the first on. */
  add(body: Omit<Held, 'deaths' | 'isCommitting'>): Held {
    if (this.#places.length === 0) this.#firstId = body.id;
    assert(body.id === this.#firstId + this.#places.length, `body ${body.id} is the next one`);
    const held = this.#spare.pop() ?? { ...body, deaths: 0, isCommitting: false };
    held.slab = body.slab;
    held.offset = body.offset;
    held.length = body.length;
    held.id = body.id;
    held.format = body.format;
    held.client = body.client;
    held.receivedMs = body.receivedMs;
    held.arrivedMs = body.arrivedMs;
    held.isTaken = body.isTaken;
    held.deaths = 0;
    held.settle = body.settle;
    held.origin = body.origin;
    held.isCommitting = false;
    this.#places.push(held);
    this.#size++;
    return held;
  }

  /** Nobody may look at it any more: the object may be that of a later body. */
  recycle(held: Held): void {
    this.remove(held);
    if (this.#spare.length < SPARE_MAX) this.#spare.push(held);
  }

  /** Others may still look at it. */
  remove({ id }: Held): void {
    const place = id - this.#firstId;
    assert(this.#places[place]?.id === id, `body ${id} is held`);
    this.#places[place] = undefined;
    this.#size--;
    const places = this.#places;
    while (this.#head < places.length && places[this.#head] === undefined) this.#head++;
    if (this.#head > GAP_MAX && 2 * this.#head > places.length) this.#close();
  }

  /** Gives back the empty places at the front. */
  #close(): void {
    this.#places.splice(0, this.#head);
    this.#firstId += this.#head;
    this.#head = 0;
  }
}
