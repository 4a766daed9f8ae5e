/**
 * The stencils of the streams of blocks that a group writes side by side, its lanes, which have no series in common: how each
 * series that was written before is written as elements of a snappy stream, without its uncompressed bytes
 * (`assembly/stencil.ts`). Bounded: series that find no room are written in full, as those are that come for the first time.
 * Engine thread only.
 */
import { ALL_SLOTS, type SlotMask } from '../model/block.ts';
import type { Counts } from '../model/body.ts';
import { assert } from '../util/assert.ts';
import type { Columns, Round } from './columns.ts';
import { asLimit, EVERYTHING, type Kernel, omittedBy, type PlanView } from './kernel.ts';
import { Region } from './memory.ts';

const STRUCT_BYTES = 64;
/** Words of the struct. */
const STRUCT = {
  headers: 0,
  headerCount: 1,
  code: 2,
  codeEnd: 3,
  position: 4,
  blockPosition: 6,
  learner: 8,
  unused: 9,
} as const;
const HEADER_WORDS = 4;
const HEADER_CODE = 2;
const GENERATIONS = 0x10000;
const LEARNER = { ring: 0, table: 1, places: 2, used: 3, count: 4 } as const;
const LEARNER_BYTES = 64;
const RING_BYTES = 65536 + 64;
const TABLE_BYTES = 2 * 2 ** 14;
const PLACES_BYTES = 8 * 4096;
/** What follows is no pointer. */
const CODE_MIN = 3;

/** No source is farther away; so blocks have nothing of each other when so much lies between them. */
const GAP_BYTES = 65536;
/** Positions have 48 bits. */
const POSITION_MAX = 2 ** 47;
const CHUNK_BYTES = 1024 * 1024;
const BYTES_MAX = 32 * 1024 * 1024;
const SCRATCH_BYTES = 64 * 1024;
const OUTPUT_BYTES = 256 * 1024;

const STOPS = ['done', 'full', 'codes', 'too_long', 'limit'] as const;

export interface StencilOptions {
  readonly view?: PlanView | undefined;
  readonly slots: SlotMask;
  readonly round?: Round | undefined;
  readonly withoutHistograms?: boolean | undefined;
  readonly withoutExemplars?: boolean | undefined;
  readonly suffixPtr: number;
  readonly suffixLength: number;
  readonly suffixLabels: number;
}

/** A stream of blocks. */
interface Lane {
  readonly learner: number;
  readonly ring: number;
  readonly table: number;
  readonly places: number;
  /** Where the block at hand begins in the stream. */
  blockPosition: number;
}

export interface StencilMemory {
  /** What grows with the number of series. */
  readonly bytesMax?: number | undefined;
  /** Codes are made room for in pieces of that size. */
  readonly chunkBytes?: number;
}

export interface StencilLimits {
  /** Uncompressed bytes, and as `EncodeOptions` has them. */
  readonly rawBytes: number;
  readonly rowsMax: number;
  readonly labelsMax: number;
}

export interface Stenciled {
  /** The elements lie here until the next call. */
  readonly ptr: number;
  readonly length: number;
  readonly rawLength: number;
  /** Place in the list of what comes next. */
  readonly next: number;
  readonly counts: Counts;
  readonly labels: number;
  /** `limit`: one of the limits was reached; `too_long`: the next series cannot be written here; `full`: go on. */
  readonly stop: 'done' | 'full' | 'limit' | 'too_long';
}

export class Stencils {
  readonly #kernel: Kernel;
  readonly #bytesMax: number;
  readonly #chunkBytes: number;
  readonly #struct: number;
  readonly #lanes: readonly Lane[];
  readonly #list: Region;
  readonly #scratch: Region;
  readonly #output: Region;
  #headers = 0;
  #headerCount = 0;
  /** Codes go into the last one. */
  readonly #chunks: number[] = [];
  #listPtr = 0;
  #listed = 0;

  constructor(
    kernel: Kernel,
    lanes = 1,
    { bytesMax = Number.POSITIVE_INFINITY, chunkBytes = CHUNK_BYTES }: StencilMemory = {},
  ) {
    const { memory } = kernel;
    this.#kernel = kernel;
    this.#bytesMax = Math.min(BYTES_MAX, bytesMax);
    this.#chunkBytes = chunkBytes;
    this.#struct = memory.allocZeroed(STRUCT_BYTES);
    this.#lanes = Array.from({ length: lanes }, () => this.#makeLane());
    this.#list = new Region(memory);
    this.#scratch = new Region(memory);
    this.#output = new Region(memory);
    this.#nextChunk();
  }

  #makeLane(): Lane {
    const { memory } = this.#kernel;
    const learner = memory.allocZeroed(LEARNER_BYTES);
    const ring = memory.alloc(RING_BYTES);
    const table = memory.alloc(TABLE_BYTES);
    const places = memory.alloc(PLACES_BYTES);
    const words = memory.u32();
    words[learner / 4 + LEARNER.ring] = ring;
    words[learner / 4 + LEARNER.table] = table;
    words[learner / 4 + LEARNER.places] = places;
    return { learner, ring, table, places, blockPosition: GAP_BYTES };
  }

  /** Bytes of linear memory that grow with the number of series. */
  get byteLength(): number {
    return this.#headerCount * HEADER_WORDS * 4 + this.#chunks.length * this.#chunkBytes;
  }

  /**
   * Lists the series that the destination gets. Undefined when too few of them came before for stencils to be worth it: they
   * are to be written in full, and are known the next time.
   */
  select(columns: Columns, { view, slots }: StencilOptions): number | undefined {
    assert(slots === ALL_SLOTS || columns.hasSlots, 'slots are chosen only where they were computed');
    const { exports } = this.#kernel;
    const judged = view !== undefined && columns.plansPtr !== 0 ? columns.judge(view) : undefined;
    if (judged !== undefined && slots === ALL_SLOTS) {
      this.#listPtr = judged.list;
      this.#listed = judged.listed;
    } else {
      this.#listPtr = this.#list.reserve(columns.seriesCount * 4);
      const from = judged ?? { list: 0, listed: columns.seriesCount };
      this.#listed = exports.selectSeries(from.list, from.listed, columns.slotsPtr, slots, this.#listPtr);
    }
    exports.countKnown(this.#struct, columns.rowsPtr, this.#listPtr, this.#listed);
    const known = this.#kernel.result(0);
    this.#makeHeaders(this.#kernel.result(1));
    if (known * 2 >= this.#listed) return this.#listed;
    exports.noteSeries(this.#struct, columns.rowsPtr, this.#listPtr, this.#listed);
    return undefined;
  }

  /** The index of a listed series. */
  listed(nth: number): number {
    return this.#kernel.memory.u32()[this.#listPtr / 4 + nth]!;
  }

  /** Writes listed series from the nth on, behind `blockLength` uncompressed bytes of the lane's block at hand. */
  write(
    lane: number,
    columns: Columns,
    nth: number,
    blockLength: number,
    options: StencilOptions,
    limits: StencilLimits,
  ): Stenciled {
    const { exports } = this.#kernel;
    const { ownerAt, ownerBit, formAt } = options.view ?? EVERYTHING;
    const { round } = options;
    const { learner, blockPosition } = this.#lanes[lane]!;
    this.#set('learner', learner);
    this.#setPosition('position', blockPosition + blockLength);
    this.#setPosition('blockPosition', blockPosition);
    const valuesPtr = round === undefined ? columns.valuesPtr : columns.roundedValuesPtr(round);
    const scratch = this.#scratch.reserve(SCRATCH_BYTES);
    const output = this.#output.reserve(OUTPUT_BYTES);
    exports.stencilSeries(
      this.#struct,
      columns.rowsPtr,
      columns.timestampsPtr,
      valuesPtr,
      this.#listPtr,
      nth,
      this.#listed,
      options.view === undefined ? 0 : columns.plansPtr,
      ownerAt,
      ownerBit,
      formAt,
      omittedBy(options),
      options.suffixPtr,
      options.suffixLength,
      options.suffixLabels,
      scratch,
      SCRATCH_BYTES,
      output,
      OUTPUT_BYTES,
      asLimit(limits.rawBytes),
      asLimit(limits.rowsMax),
      asLimit(limits.labelsMax),
    );
    const result = (word: number) => this.#kernel.result(word);
    const stop = STOPS[result(8)]!;
    const stenciled = {
      ptr: output,
      length: result(0),
      rawLength: result(2),
      next: result(1),
      counts: {
        series: result(3),
        samples: result(4),
        histograms: result(5),
        exemplars: result(6),
        metadata: 0,
      },
      labels: result(7),
      stop: stop === 'codes' ? ('full' as const) : stop,
    };
    if (stop === 'codes') this.#nextChunk();
    return stenciled;
  }

  /**
   * Takes note of listed series that were written in full and in canonical form: those from the nth on and before the row
   * `end`, at `ptr`, behind `blockLength` uncompressed bytes of the lane's block at hand. Returns the place in the list of the next.
   */
  place(
    lane: number,
    columns: Columns,
    nth: number,
    end: number,
    ptr: number,
    blockLength: number,
    options: StencilOptions,
  ): number {
    return this.#kernel.exports.placeSeries(
      this.#struct,
      columns.rowsPtr,
      this.#listPtr,
      nth,
      this.#listed,
      end,
      columns.timestampsPtr,
      omittedBy(options),
      ptr,
      BigInt(this.#lanes[lane]!.blockPosition + blockLength),
    );
  }

  /** What was written so far belongs to another block than what comes next. */
  endBlock(lane: number, blockLength: number): void {
    const own = this.#lanes[lane]!;
    own.blockPosition += blockLength + GAP_BYTES;
    if (own.blockPosition > POSITION_MAX) this.#reset();
  }

  /** These refs belong to other series from now on. */
  forget(refs: Uint32Array): void {
    if (refs.length === 0) return;
    const words = this.#kernel.memory.u32();
    for (const ref of refs) {
      if (ref >= this.#headerCount) continue;
      const header = this.#headers / 4 + ref * HEADER_WORDS;
      const generation = (words[header + 1]! >>> 16) + 1;
      if (generation === GENERATIONS) {
        this.#reset();
        return;
      }
      if (words[header + HEADER_CODE]! >= CODE_MIN) {
        words[this.#struct / 4 + STRUCT.unused]! += this.#kernel.exports.codeSize(
          words[header + HEADER_CODE]!,
        );
      }
      words[header] = 0;
      words[header + 1] = generation << 16;
      words[header + HEADER_CODE] = 0;
    }
    // What they have of them would be taken for what is written of the others.
    this.#emptyLearners();
    if (words[this.#struct / 4 + STRUCT.codeEnd] === 0) this.#beginAnewIfUnused();
  }

  #emptyLearners(): void {
    const words = this.#kernel.memory.u32();
    for (const { learner } of this.#lanes) {
      words[learner / 4 + LEARNER.used] = 0;
      words[learner / 4 + LEARNER.count] = 0;
    }
  }

  /** Begins anew; headers may need the memory that codes had. */
  #reset(): void {
    const { memory } = this.#kernel;
    memory.bytes().fill(0, this.#headers, this.#headers + this.#headerCount * HEADER_WORDS * 4);
    this.#emptyLearners();
    for (const lane of this.#lanes) lane.blockPosition = GAP_BYTES;
    this.#set('unused', 0);
    for (const chunk of this.#chunks.splice(0)) memory.free(chunk, this.#chunkBytes);
    this.#nextChunk();
  }

  #makeHeaders(count: number): void {
    if (count <= this.#headerCount) return;
    const wanted = Math.max(1024, 2 ** Math.ceil(Math.log2(count)));
    const bytes = wanted * HEADER_WORDS * 4;
    const fits = () => bytes + this.#chunks.length * this.#chunkBytes <= this.#bytesMax;
    if (!fits()) this.#beginAnewIfUnused();
    if (!fits()) return;
    const { memory } = this.#kernel;
    const headers = memory.allocZeroed(bytes);
    const used = this.#headerCount * HEADER_WORDS * 4;
    memory.bytes().copyWithin(headers, this.#headers, this.#headers + used);
    if (used > 0) memory.free(this.#headers, used);
    this.#headers = headers;
    this.#headerCount = wanted;
    this.#set('headers', headers);
    this.#set('headerCount', wanted);
  }

  /** Room for more codes; when there is none, and most are in use, no more are made. */
  #nextChunk(): void {
    if (this.byteLength + this.#chunkBytes > this.#bytesMax) {
      this.#set('codeEnd', 0);
      this.#beginAnewIfUnused();
      return;
    }
    const chunk = this.#kernel.memory.alloc(this.#chunkBytes);
    this.#chunks.push(chunk);
    this.#set('code', chunk);
    this.#set('codeEnd', chunk + this.#chunkBytes);
  }

  #beginAnewIfUnused(): void {
    const unused = this.#kernel.memory.u32()[this.#struct / 4 + STRUCT.unused]!;
    if (unused * 2 > this.#chunks.length * this.#chunkBytes) this.#reset();
  }

  close(): void {
    const { memory } = this.#kernel;
    for (const chunk of this.#chunks) memory.free(chunk, this.#chunkBytes);
    if (this.#headerCount > 0) memory.free(this.#headers, this.#headerCount * HEADER_WORDS * 4);
    memory.free(this.#struct, STRUCT_BYTES);
    for (const { learner, ring, table, places } of this.#lanes) {
      memory.free(learner, LEARNER_BYTES);
      memory.free(ring, RING_BYTES);
      memory.free(table, TABLE_BYTES);
      memory.free(places, PLACES_BYTES);
    }
    for (const region of [this.#list, this.#scratch, this.#output]) region.free();
  }

  #set(name: keyof typeof STRUCT, value: number): void {
    this.#kernel.memory.u32()[this.#struct / 4 + STRUCT[name]] = value;
  }

  #setPosition(name: 'position' | 'blockPosition', value: number): void {
    const words = this.#kernel.memory.u32();
    words[this.#struct / 4 + STRUCT[name]] = value % 2 ** 32;
    words[this.#struct / 4 + STRUCT[name] + 1] = Math.floor(value / 2 ** 32);
  }
}
