/**
 * The series table: label bytes → a small integer, the series' *ref*. Engine thread only; a ref means something only
 * inside the engine that owns the table.
 *
 * A series is known by a 128-bit keyed fingerprint (SipHash-1-3 under a random key of this process) of its label bytes
 * and its identity, so two label sets never share a ref and no client can make them. Raw bytes are what is compared: the
 * same labels in another order are another series. The table is bounded: when it is full, new series get NO_REF.
 */
import { randomBytes } from 'node:crypto';
import type { Columns, Identity, Interner, Kernel } from '../kernel/kernel.ts';

/** Bytes of a slot and layout of the header: `kernel/assembly/table.ts`. */
const SLOT_BYTES = 32;
const HEADER_BYTES = 64;
const HEADER = { entries: 0, mask: 1, size: 2, sizeMax: 3, nextRef: 4, freeRefs: 5, freeCount: 6 } as const;
/** Word of the header's region that `internSeries` returns its second result in. */
const NEXT_WORD = 8;

const FIRST_SLOTS = 1024;
/** Series per slot before the table grows: probes stay short (2.5 on average when it is nearly full). */
const LOAD_MAX = 0.75;
/** 3.1 million series in 128 MiB; far more than one relay of this size carries. */
const DEFAULT_CAPACITY = 2 ** 22 * LOAD_MAX;

export interface SeriesTableOptions {
  /** The most series that the table holds. */
  readonly capacity?: number;
  /** 16 random bytes; only tests give them. */
  readonly key?: Uint8Array;
}

export class SeriesTable implements Interner {
  readonly capacity: number;
  readonly #kernel: Kernel;
  /** Where the kernels find the table. */
  readonly headerPtr: number;
  readonly #key: number;
  #slots = FIRST_SLOTS;
  /** Written to a series whenever it is seen; the owner moves it on (any unit) and sweeps by it. u32. */
  epoch = 0;

  constructor(
    kernel: Kernel,
    { capacity = DEFAULT_CAPACITY, key = randomBytes(16) }: SeriesTableOptions = {},
  ) {
    this.#kernel = kernel;
    this.capacity = capacity;
    const { memory } = kernel;
    this.headerPtr = memory.allocZeroed(HEADER_BYTES);
    this.#key = memory.alloc(key.byteLength);
    memory.bytes().set(key, this.#key);
    const entries = memory.allocZeroed(FIRST_SLOTS * SLOT_BYTES);
    const freeRefs = memory.alloc(FIRST_SLOTS * 4);
    this.#set({ entries, freeRefs, mask: FIRST_SLOTS - 1, sizeMax: this.#fit(FIRST_SLOTS) });
  }

  /** Series in the table. */
  get size(): number {
    return this.#get('size');
  }

  /** Every series that is not known gets NO_REF from now on, until a sweep makes room. */
  get full(): boolean {
    return this.size >= this.capacity;
  }

  /** One more than the largest ref that was ever given out: the length of columns that are indexed by ref. */
  get refLimit(): number {
    return this.#get('nextRef');
  }

  /** Bytes of linear memory. */
  get byteLength(): number {
    return this.#slots * (SLOT_BYTES + 4);
  }

  /** Gives every scanned series its ref; called by `Columns.scan`. */
  intern(columns: Columns, identity: Identity): void {
    const { exports, memory } = this.#kernel;
    const count = columns.seriesCount;
    exports.fingerprintSeries(columns.rowsPtr, count, this.#key, identity.ptr, identity.length);
    let next = 0;
    while (next < count) {
      const mayGrow = this.#get('sizeMax') < this.capacity;
      columns.addedCount += exports.internSeries(
        this.headerPtr,
        columns.rowsPtr,
        next,
        count,
        this.epoch,
        columns.addedPtr + columns.addedCount * 4,
        mayGrow ? 1 : 0,
        this.headerPtr + NEXT_WORD * 4,
      );
      next = memory.u32()[this.headerPtr / 4 + NEXT_WORD]!;
      if (next < count) this.#grow();
    }
  }

  /**
   * Removes every series that was last seen before `minEpoch`. Returns the refs that became free; the next new series get
   * them again, so whoever keeps something by ref forgets it now.
   */
  sweep(minEpoch: number): Uint32Array {
    const before = this.#get('freeCount');
    const freed = this.#kernel.exports.sweepTable(this.headerPtr, minEpoch);
    const at = this.#get('freeRefs') / 4 + before;
    return this.#kernel.memory.u32().slice(at, at + freed);
  }

  #grow(): void {
    const { exports, memory } = this.#kernel;
    const slots = this.#slots * 2;
    const from = { entries: this.#get('entries'), freeRefs: this.#get('freeRefs') };
    const to = { entries: memory.allocZeroed(slots * SLOT_BYTES), freeRefs: memory.alloc(slots * 4) };
    exports.moveTable(from.entries, this.#slots, to.entries, slots);
    memory.bytes().copyWithin(to.freeRefs, from.freeRefs, from.freeRefs + this.#get('freeCount') * 4);
    memory.free(from.entries, this.#slots * SLOT_BYTES);
    memory.free(from.freeRefs, this.#slots * 4);
    this.#slots = slots;
    this.#set({ ...to, mask: slots - 1, sizeMax: this.#fit(slots) });
  }

  #fit(slots: number): number {
    return Math.min(this.capacity, slots * LOAD_MAX);
  }

  #get(name: keyof typeof HEADER): number {
    return this.#kernel.memory.u32()[this.headerPtr / 4 + HEADER[name]]!;
  }

  #set(values: Partial<Record<keyof typeof HEADER, number>>): void {
    const words = this.#kernel.memory.u32();
    for (const [name, value] of Object.entries(values)) {
      words[this.headerPtr / 4 + HEADER[name as keyof typeof HEADER]] = value;
    }
  }
}
