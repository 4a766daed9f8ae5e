/**
 * A WriteRequest taken apart: a row per series, samples in two columns, metadata fields. The regions belong to this
 * object and are filled anew by every scan; rows point into the scanned message, which must stay where it is as long as
 * the columns are read.
 */
import type { Counts } from '../model/body.ts';
import { assert } from '../util/assert.ts';
import type { Kernel, PlanView, WriteRequestFound } from './kernel.ts';
import { Region } from './memory.ts';

/** Words of a row; the layout is in `assembly/row.ts`. */
const ROW_WORDS = 16;
const ROW = {
  ref: 0,
  spanPtr: 1,
  spanLength: 2,
  labelsPtr: 3,
  labelsLength: 4,
  restPtr: 5,
  restLength: 6,
  sampleStart: 7,
  sampleCount: 8,
  labelCount: 9,
  histograms: 10,
  exemplars: 11,
} as const;

/** The ref of a series that the table does not hold: it was scanned without a table, or the table is full. */
export const NO_REF = 0xffffffff;

/** A scanned series; `ptr` and `length` are bytes of linear memory. */
export type SeriesRow = { readonly [Name in keyof typeof ROW]: number };

/** Bytes that tell series apart besides their own labels (tenant, extra labels); length 0 for none. */
export interface Identity {
  readonly ptr: number;
  readonly length: number;
}

export const NO_IDENTITY: Identity = { ptr: 0, length: 0 };

/** What plans say of the series of a scan for a destination. */
export interface Judged {
  /** The indices of those that it gets: where they are (u32), and how many. */
  readonly list: number;
  readonly listed: number;
  /** What the series hold by judgement (`model/drops.ts`); only those that there are. */
  readonly counts: readonly (readonly [judgement: number, counts: Counts])[];
}

/** What plans tell apart. */
export const JUDGEMENTS = 32;
const COUNTS_WORDS = 4;
const NONE_JUDGED: Judged = { list: 0, listed: 0, counts: [] };

export type Round = (value: number) => number;

/** What gives scanned series their refs: the series table. */
export interface Interner {
  /** Makes ready for a scan; returns where the kernels find the table. */
  begin(): number;
  /** Gives the series from `first` on their refs that it had no room for. */
  intern(columns: Columns, first: number): void;
  /** Takes the series out again that the scan added. */
  undo(columns: Columns): void;
}

/** A scan that checks has room for these, whatever is in the message; real series take 30 bytes and more, samples 12. */
const CHECKED_SERIES_BYTES = 24;
const CHECKED_SAMPLE_BYTES = 12;
/** The room is for what few messages hold: in larger ones it would be too much. */
const CHECKED_BYTES_MAX = 8 * 1024 * 1024;

/** Room in the columns. */
interface Room {
  readonly series: number;
  readonly samples: number;
  readonly metadata: number;
}

/** Samples of a scan; timestamps as i64 milliseconds in two words, low first. */
export interface SampleViews {
  readonly timestampWords: Int32Array;
  readonly values: Float64Array;
  /** The same memory as `values`. */
  readonly valueWords: Uint32Array;
}

/** By series; only as many items as the scan has series mean something. */
export interface SeriesSpans {
  readonly refs: Uint32Array;
  readonly starts: Uint32Array;
  readonly counts: Uint32Array;
}

export class Columns {
  readonly #kernel: Kernel;
  readonly #rows: Region;
  readonly #timestamps: Region;
  readonly #values: Region;
  readonly #metadata: Region;
  readonly #slots: Region;
  readonly #added: Region;
  readonly #plans: Region;
  readonly #missing: Region;
  readonly #rounded: Region;
  readonly #counts: Region;
  readonly #judged = new Map<string, { scan: number; readonly list: Region; judged: Judged }>();
  /** What `#rounded` holds at the moment. */
  #roundedBy: Round | undefined;
  #hasPlans = false;
  #spans: SeriesSpans = { refs: new Uint32Array(0), starts: new Uint32Array(0), counts: new Uint32Array(0) };
  #scans = 0;
  readonly #scratch: Region;
  #seriesCount = 0;
  #sampleCount = 0;
  #metadataCount = 0;
  #hasSlots = false;
  /** Number of series whose ref the table gave out in this scan; the interner adds those that it gave later. */
  addedCount = 0;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#rows = new Region(kernel.memory);
    this.#timestamps = new Region(kernel.memory);
    this.#values = new Region(kernel.memory);
    this.#metadata = new Region(kernel.memory);
    this.#slots = new Region(kernel.memory);
    this.#added = new Region(kernel.memory);
    this.#plans = new Region(kernel.memory);
    this.#missing = new Region(kernel.memory);
    this.#rounded = new Region(kernel.memory);
    this.#counts = new Region(kernel.memory);
    this.#scratch = new Region(kernel.memory);
  }

  /**
   * Fills the columns from a message that `validateWriteRequest` accepted. `table` gives the refs (NO_REF without);
   * `slots` says whether `slot` is needed.
   */
  scan(ptr: number, length: number, table?: Interner, slots = false, identity: Identity = NO_IDENTITY): void {
    const done = this.#scan(ptr, length, this.#kernel.foundIn(ptr, length).counts, table, identity);
    assert(done, 'a message does not change between its validation and its scan');
    this.#settle(table, slots);
  }

  /**
   * As `validateWriteRequest` and `scan` in one pass. Undefined, with nothing in the columns and nothing new in the table,
   * for a message that is malformed or looks like no sender's: `validateWriteRequest` says what it is.
   */
  check(
    ptr: number,
    length: number,
    table: Interner,
    slots = false,
    identity: Identity = NO_IDENTITY,
  ): WriteRequestFound | undefined {
    if (length > CHECKED_BYTES_MAX) return undefined;
    const series = Math.ceil(length / CHECKED_SERIES_BYTES);
    const room = { series, samples: Math.ceil(length / CHECKED_SAMPLE_BYTES), metadata: series };
    if (!this.#scan(ptr, length, room, table, identity)) {
      table.undo(this);
      this.#clear();
      return undefined;
    }
    const kernel = this.#kernel;
    const seriesCount = this.#seriesCount;
    const found = {
      counts: {
        series: seriesCount,
        samples: this.#sampleCount,
        histograms: kernel.result(5),
        exemplars: kernel.result(6),
        metadata: this.#metadataCount,
      },
      labels: kernel.result(7),
      seriesWithSamples: kernel.result(8),
      everySeriesHasData: kernel.result(9) === seriesCount,
    };
    kernel.validateWriteRequest(ptr, length, found);
    this.#settle(table, slots);
    return found;
  }

  #scan(ptr: number, length: number, room: Room, table: Interner | undefined, identity: Identity): boolean {
    this.#rows.reserve(room.series * ROW_WORDS * 4);
    this.#timestamps.reserve(room.samples * 8);
    this.#values.reserve(room.samples * 8);
    this.#metadata.reserve(room.metadata * 8);
    // Only written by series that are not canonical; memory that is not touched costs nothing.
    this.#scratch.reserve(length);
    if (table !== undefined) this.#added.reserve(room.series * 4);
    const kernel = this.#kernel;
    const done = kernel.exports.scanWriteRequest(
      ptr,
      length,
      this.#rows.ptr,
      room.series,
      this.#timestamps.ptr,
      this.#values.ptr,
      room.samples,
      this.#metadata.ptr,
      room.metadata,
      this.#scratch.ptr,
      length,
      table === undefined ? 0 : table.begin(),
      identity.ptr,
      identity.length,
      this.#added.ptr,
    );
    this.#clear();
    this.#seriesCount = kernel.result(2);
    this.#sampleCount = kernel.result(3);
    this.#metadataCount = kernel.result(4);
    this.addedCount = kernel.result(10);
    return done !== 0;
  }

  #clear(): void {
    this.#scans++;
    this.#seriesCount = 0;
    this.#sampleCount = 0;
    this.#metadataCount = 0;
    this.addedCount = 0;
    this.#hasPlans = false;
    this.#hasSlots = false;
    this.#roundedBy = undefined;
  }

  #settle(table: Interner | undefined, slots: boolean): void {
    const waiting = this.#kernel.result(11);
    if (waiting < this.#seriesCount) table?.intern(this, waiting);
    if (!slots) return;
    this.#hasSlots = true;
    this.#slots.reserve(this.#seriesCount);
    this.#kernel.exports.slotSeries(this.#rows.ptr, this.#seriesCount, this.#slots.ptr);
  }

  /** Another one for every scan: what rows point to is gone with the next. */
  get scanNumber(): number {
    return this.#scans;
  }

  get seriesCount(): number {
    return this.#seriesCount;
  }

  get sampleCount(): number {
    return this.#sampleCount;
  }

  get metadataCount(): number {
    return this.#metadataCount;
  }

  /** Whether `slot` can be asked. */
  get hasSlots(): boolean {
    return this.#hasSlots;
  }

  // Where the columns lie, for the kernels; valid until the next scan.
  get rowsPtr(): number {
    return this.#rows.ptr;
  }

  /** i64 milliseconds. */
  get timestampsPtr(): number {
    return this.#timestamps.ptr;
  }

  /** Bit patterns of the f64 values: never read a value as a number only to move it. */
  get valuesPtr(): number {
    return this.#values.ptr;
  }

  get slotsPtr(): number {
    return this.#slots.ptr;
  }

  get addedPtr(): number {
    return this.#added.ptr;
  }

  /** One u32 a row; 0 until plans were gathered. */
  get plansPtr(): number {
    return this.#hasPlans ? this.#plans.ptr : 0;
  }

  rowPtr(series: number): number {
    return this.#rows.ptr + series * ROW_WORDS * 4;
  }

  /** Where the label fields of a series are, and how many. */
  labelsOf(series: number): { labelsPtr: number; labelsLength: number; labelCount: number } {
    return {
      labelsPtr: this.#word(series, ROW.labelsPtr),
      labelsLength: this.#word(series, ROW.labelsLength),
      labelCount: this.#word(series, ROW.labelCount),
    };
  }

  /** Looks up the plan of every row in a column by ref; returns the number of rows without one. */
  gatherPlans(columnPtr: number, columnLength: number): number {
    this.#plans.reserve(this.#seriesCount * 4);
    this.#missing.reserve(this.#seriesCount * 4);
    this.#hasPlans = true;
    return this.#kernel.exports.gatherPlans(
      this.#rows.ptr,
      this.#seriesCount,
      columnPtr,
      columnLength,
      this.#plans.ptr,
      this.#missing.ptr,
    );
  }

  /**
   * Gives series their plans by their outlines, from `missing(from)` on; `known` is laid out in `assembly/outline.ts`,
   * which also says what the result holds. Returns the number of the one that it stopped at.
   */
  planByOutline(
    known: number,
    from: number,
    count: number,
    column: { readonly ptr: number; readonly refs: number },
    keeps: boolean,
    added: Identity,
  ): number {
    return this.#kernel.exports.planByOutline(
      known,
      this.#rows.ptr,
      this.#missing.ptr,
      from,
      count,
      this.#plans.ptr,
      column.ptr,
      column.refs,
      keeps ? 1 : 0,
      added.ptr,
      added.length,
    );
  }

  /** Needs plans. Looked up once for each view of a scan. */
  judge(view: PlanView): Judged {
    const key = `${view.ownerAt}/${view.ownerBit}/${view.formAt}`;
    let known = this.#judged.get(key);
    if (known === undefined) {
      known = { scan: -1, list: new Region(this.#kernel.memory), judged: NONE_JUDGED };
      this.#judged.set(key, known);
    }
    if (known.scan === this.#scans) return known.judged;
    known.scan = this.#scans;
    known.judged = this.#judge(view, known.list.reserve(this.#seriesCount * 4));
    return known.judged;
  }

  #judge({ ownerAt, ownerBit, formAt }: PlanView, list: number): Judged {
    const { exports, memory } = this.#kernel;
    const out = this.#counts.reserve(JUDGEMENTS * COUNTS_WORDS * 4);
    const listed = exports.judgePlans(
      this.#rows.ptr,
      this.#seriesCount,
      this.#plans.ptr,
      ownerAt,
      ownerBit,
      formAt,
      out,
      list,
    );
    const words = memory.u32();
    const counts: [number, Counts][] = [];
    for (let judgement = 0; judgement < JUDGEMENTS; judgement++) {
      const at = out / 4 + judgement * COUNTS_WORDS;
      if (words[at] === 0) continue;
      const [series, samples, histograms, exemplars] = words.subarray(at, at + COUNTS_WORDS);
      counts.push([
        judgement,
        { series: series!, samples: samples!, histograms: histograms!, exemplars: exemplars!, metadata: 0 },
      ]);
    }
    return { list, listed, counts };
  }

  /** The samples as arrays; they are views, gone when the memory grows. */
  get samples(): SampleViews {
    const { buffer } = this.#kernel.memory.bytes();
    const count = this.#sampleCount;
    return {
      timestampWords: new Int32Array(buffer, this.#timestamps.ptr, 2 * count),
      values: new Float64Array(buffer, this.#values.ptr, count),
      valueWords: new Uint32Array(buffer, this.#values.ptr, 2 * count),
    };
  }

  /** Of every series its ref, its first sample and their number, into arrays that are used again by the next call. */
  get spans(): SeriesSpans {
    const count = this.#seriesCount;
    if (count > this.#spans.refs.length) {
      const make = () => new Uint32Array(Math.ceil(count * 1.5));
      this.#spans = { refs: make(), starts: make(), counts: make() };
    }
    const { refs, starts, counts } = this.#spans;
    const words = this.#kernel.memory.u32();
    for (let series = 0, at = this.#rows.ptr / 4; series < count; series++, at += ROW_WORDS) {
      refs[series] = words[at + ROW.ref]!;
      starts[series] = words[at + ROW.sampleStart]!;
      counts[series] = words[at + ROW.sampleCount]!;
    }
    return this.#spans;
  }

  /** Index of the nth series that had no plan. */
  missing(nth: number): number {
    return this.#kernel.memory.u32()[this.#missing.ptr / 4 + nth]!;
  }

  plan(series: number): number {
    return this.#kernel.memory.u32()[this.#plans.ptr / 4 + series]!;
  }

  setPlan(series: number, plan: number): void {
    this.#kernel.memory.u32()[this.#plans.ptr / 4 + series] = plan;
  }

  /** How many samples are later than `maxMs`; with `drop` they are taken out of their series. */
  futureSamples(maxMs: number, drop: boolean): number {
    return this.#kernel.exports.futureSamples(
      this.#rows.ptr,
      this.#seriesCount,
      this.#timestamps.ptr,
      this.#values.ptr,
      BigInt(maxMs),
      drop ? 1 : 0,
    );
  }

  /** The value column with every number rounded; the bits of what is not a number, or does not change, stay. */
  roundedValuesPtr(round: Round): number {
    if (this.#roundedBy === round) return this.#rounded.ptr;
    const bytes = this.#sampleCount * 8;
    this.#rounded.reserve(bytes);
    const { memory } = this.#kernel;
    memory.bytes().copyWithin(this.#rounded.ptr, this.#values.ptr, this.#values.ptr + bytes);
    const values = memory.f64();
    const start = this.#rounded.ptr / 8;
    for (let index = start; index < start + this.#sampleCount; index++) {
      const value = values[index]!;
      if (!Number.isFinite(value)) continue;
      const rounded = round(value);
      if (!Object.is(rounded, value)) values[index] = rounded;
    }
    this.#roundedBy = round;
    return this.#rounded.ptr;
  }

  ref(series: number): number {
    return this.#word(series, ROW.ref);
  }

  /** All columns of a series, for tests and cold paths. */
  row(series: number): SeriesRow {
    const entries = Object.entries(ROW).map(([name, word]) => [name, this.#word(series, word)]);
    return Object.fromEntries(entries) as SeriesRow;
  }

  /** xxHash64 of the label bytes, modulo 32. */
  slot(series: number): number {
    assert(this.#hasSlots, 'slots are asked only where they were computed');
    return this.#kernel.memory.bytes()[this.#slots.ptr + series]!;
  }

  /** Index of the nth series that is new in the table. */
  addedSeries(nth: number): number {
    return this.#kernel.memory.u32()[this.#added.ptr / 4 + nth]!;
  }

  timestampMs(sample: number): bigint {
    return this.#kernel.memory.i64()[this.#timestamps.ptr / 8 + sample]!;
  }

  valueBits(sample: number): bigint {
    return this.#kernel.memory.u64()[this.#values.ptr / 8 + sample]!;
  }

  /** A metadata field as it came, with its tag and length. */
  metadataField(index: number): { ptr: number; length: number } {
    const words = this.#kernel.memory.u32();
    const at = this.#metadata.ptr / 4 + index * 2;
    return { ptr: words[at]!, length: words[at + 1]! };
  }

  #word(series: number, word: number): number {
    return this.#kernel.memory.u32()[this.#rows.ptr / 4 + series * ROW_WORDS + word]!;
  }
}
