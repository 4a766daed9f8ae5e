/**
 * The series table: label bytes → a small integer, the series' *ref*. Engine thread only; a ref means something only
 * inside the engine that owns the table.
 *
 * A series is known by a 128-bit keyed fingerprint (SipHash-1-3 under a random key of this process) of its label bytes
 * and its identity, so two label sets never share a ref and no client can make them. Raw bytes are what is compared: the
 * same labels in another order are another series. The table is bounded: when it is full, new series get NO_REF.
 */
import { randomBytes } from 'node:crypto';
import type { Columns, Interner, Kernel } from '../kernel/kernel.ts';
import { assert } from '../util/assert.ts';

/** Bytes of a slot and layout of the header: `kernel/assembly/table.ts`. */
const SLOT_BYTES = 4;
const HEADER_BYTES = 68;
const HEADER = {
  entries: 0,
  mask: 1,
  size: 2,
  sizeMax: 3,
  nextRef: 4,
  freeRefs: 5,
  freeCount: 6,
  places: 7,
  key: 8,
  epoch: 9,
  mayGrow: 10,
  arena: 11,
  arenaEnd: 12,
  arenaUsed: 13,
  prints: 15,
  mayPass: 16,
} as const;
/** What is known of a series by its ref: `kernel/assembly/recall.ts`. */
const PLACE_BYTES = 8;
const PRINT_BYTES = 16;
const KEY_BYTES = 16;
/** A slot holds a ref of 22 bits, and 0 for none. */
const CAPACITY_MAX = 2 ** 22 - 1;
/** Comparisons look so far beyond the last record; where there is none is 0, so none begins there. */
const ARENA_MARGIN = 16;

const FIRST_SLOTS = 1024;
const CAPACITY_MIN = 64;
/** Series per slot before the table grows: probes stay short (2.5 on average when it is nearly full). */
const LOAD_MAX = 0.75;
/** 3.1 million series in 100 MiB; far more than one relay of this size carries. */
const DEFAULT_CAPACITY = 2 ** 22 * LOAD_MAX;
/** What a series takes of the table: its slot, twice while slots are moved, and what is kept by ref. */
const SERIES_BYTES = (SLOT_BYTES * 3) / LOAD_MAX + PLACE_BYTES + PRINT_BYTES + 4;
/** A million series that are like their neighbours. Pages that no record was written to cost nothing. */
const RECALL_BYTES_MAX = 32 * 1024 * 1024;
const RECALL_BYTES_MIN = 64 * 1024;

/** Options for a table that takes so many bytes: a third of them for the order of series. */
export function tableWithin(bytes: number): SeriesTableOptions {
  const recallBytesMax = Math.min(RECALL_BYTES_MAX, Math.max(RECALL_BYTES_MIN, Math.floor(bytes / 3)));
  const capacity = Math.floor((bytes - recallBytesMax) / SERIES_BYTES);
  return { capacity: Math.min(DEFAULT_CAPACITY, Math.max(CAPACITY_MIN, capacity)), recallBytesMax };
}

export interface SeriesTableOptions {
  /** The most series that the table holds. */
  readonly capacity?: number;
  /** Memory for what is known of the order in which series come. */
  readonly recallBytesMax?: number;
  /** 16 random bytes; only tests give them. */
  readonly key?: Uint8Array;
}

export class SeriesTable implements Interner {
  readonly capacity: number;
  readonly #kernel: Kernel;
  /** Where the kernels find the table. */
  readonly headerPtr: number;
  readonly #recallBytesMax: number;
  #slots = FIRST_SLOTS;
  /** Written to a series whenever it is seen; the owner moves it on (any unit) and sweeps by it. u32. */
  epoch = 0;
  /** Some series that are in it may get NO_REF, too, when it is full: for those whose series without a ref cost little. */
  mayPass = false;

  constructor(
    kernel: Kernel,
    {
      capacity = DEFAULT_CAPACITY,
      recallBytesMax = RECALL_BYTES_MAX,
      key = randomBytes(KEY_BYTES),
    }: SeriesTableOptions = {},
  ) {
    this.#kernel = kernel;
    assert(capacity <= CAPACITY_MAX, 'a slot can hold every ref');
    this.capacity = capacity;
    this.#recallBytesMax = recallBytesMax;
    const { memory } = kernel;
    this.headerPtr = memory.allocZeroed(HEADER_BYTES);
    const keyPtr = memory.alloc(KEY_BYTES);
    memory.bytes().set(key, keyPtr);
    const entries = memory.allocZeroed(FIRST_SLOTS * SLOT_BYTES);
    // What is kept by ref has its place once and for all, for it grows at its end only: pages beyond cost nothing.
    const freeRefs = memory.alloc(capacity * 4);
    const places = memory.allocZeroed(capacity * PLACE_BYTES);
    const prints = memory.alloc(capacity * PRINT_BYTES);
    const sizeMax = this.#fit(FIRST_SLOTS);
    this.#set({ entries, freeRefs, places, prints, mask: FIRST_SLOTS - 1, sizeMax, key: keyPtr });
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

  /** Bytes of linear memory that are in use. */
  get byteLength(): number {
    const byRef = this.refLimit * (PLACE_BYTES + PRINT_BYTES) + this.#get('freeCount') * 4;
    return this.#slots * SLOT_BYTES + byRef + this.#get('arenaUsed');
  }

  begin(): number {
    // Nothing is learned of series that come for the first time.
    if (this.size > 0 && this.#get('arena') === 0) {
      const arena = this.#kernel.memory.alloc(this.#recallBytesMax);
      const arenaEnd = this.#recallBytesMax - ARENA_MARGIN;
      this.#set({ arena, arenaEnd, arenaUsed: ARENA_MARGIN });
    }
    this.#set({ epoch: this.epoch, mayGrow: this.#mayGrow, mayPass: this.mayPass ? 1 : 0 });
    return this.headerPtr;
  }

  get #mayGrow(): number {
    return this.#get('sizeMax') < this.capacity ? 1 : 0;
  }

  intern(columns: Columns, first: number): void {
    const count = columns.seriesCount;
    let next = first;
    while (this.#get('mayGrow') === 1 && next < count) {
      this.#grow();
      columns.addedCount += this.#kernel.exports.internSeries(
        this.headerPtr,
        columns.rowsPtr,
        next,
        count,
        columns.addedPtr + columns.addedCount * 4,
      );
      next = this.#kernel.result(0);
    }
  }

  undo(columns: Columns): void {
    const { rowsPtr, seriesCount, addedPtr, addedCount } = columns;
    this.#kernel.exports.removeAdded(this.headerPtr, rowsPtr, seriesCount, addedPtr, addedCount);
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

  /** Gives the memory back; the table is not used any more afterwards. */
  close(): void {
    const { memory } = this.#kernel;
    memory.free(this.#get('key'), KEY_BYTES);
    memory.free(this.#get('entries'), this.#slots * SLOT_BYTES);
    memory.free(this.#get('freeRefs'), this.capacity * 4);
    memory.free(this.#get('places'), this.capacity * PLACE_BYTES);
    memory.free(this.#get('prints'), this.capacity * PRINT_BYTES);
    if (this.#get('arena') !== 0) memory.free(this.#get('arena'), this.#recallBytesMax);
    memory.free(this.headerPtr, HEADER_BYTES);
  }

  #grow(): void {
    const { exports, memory } = this.#kernel;
    const slots = this.#slots * 2;
    const before = this.#get('entries');
    const entries = memory.allocZeroed(slots * SLOT_BYTES);
    exports.moveTable(this.headerPtr, entries, slots);
    memory.free(before, this.#slots * SLOT_BYTES);
    this.#slots = slots;
    this.#set({ entries, mask: slots - 1, sizeMax: this.#fit(slots) });
    this.#set({ mayGrow: this.#mayGrow });
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
