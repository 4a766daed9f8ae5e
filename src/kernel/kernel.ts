/**
 * The typed face of the byte kernels (`assembly/`, compiled to `kernel.wasm`). Pointers are byte offsets in the linear
 * memory of one instance; one instance belongs to one thread. The kernels read and write nothing outside the regions
 * they are given, whatever the bytes are.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ALL_SLOTS, type SlotMask } from '../model/block.ts';
import type { Counts } from '../model/body.ts';
import { assert } from '../util/assert.ts';
import { messageOf, SluiceError } from '../util/error.ts';
import { Columns, type Round } from './columns.ts';
import { KERNEL_ERRORS } from './errors.ts';
import type { KernelExports } from './exports.ts';
import { KernelMemory } from './memory.ts';

export type { Columns, Identity, Interner, Round } from './columns.ts';

const KERNEL_FILE = new URL('./kernel.wasm', import.meta.url);

/** Compiles the kernels; the module can be sent to worker threads. Throws a SluiceError when they were not built. */
export function compileKernel(file: URL = KERNEL_FILE): WebAssembly.Module {
  let code: Buffer<ArrayBuffer>;
  try {
    code = readFileSync(file);
  } catch (cause) {
    throw new SluiceError(
      'KERNEL_MISSING',
      `cannot load the kernels at ${fileURLToPath(file)}: ${messageOf(cause)}; run \`npm run build:kernel\``,
      { cause },
    );
  }
  return new WebAssembly.Module(code);
}

/** What `validateWriteRequest` found in a well-formed message. */
export interface WriteRequestFound {
  readonly counts: Counts;
  /** Labels of all series together. */
  readonly labels: number;
  readonly seriesWithSamples: number;
  /** Every series holds a sample, a histogram or an exemplar. */
  readonly everySeriesHasData: boolean;
}

/** What is wrong with a message and at which byte of it. */
export interface Malformed {
  readonly error: string;
  readonly code: number;
  readonly at: number;
}

/** Where in a plan it says what a destination gets; byte offsets. `ownerBit` 0: it gets every series. */
export interface PlanView {
  readonly ownerAt: number;
  readonly ownerBit: number;
  readonly formAt: number;
}

export const EVERYTHING: PlanView = { ownerAt: 0, ownerBit: 0, formAt: 0 };

export interface EncodeOptions {
  /** Index of the series to begin with. */
  readonly first: number;
  /** Only series in these slots; anything but ALL_SLOTS needs columns that were scanned with slots. */
  readonly slots: SlotMask;
  /** What this destination gets by the plans of the columns; without it plans are not looked at. */
  readonly view?: PlanView | undefined;
  readonly round?: Round | undefined;
  /** Series whose labels do not change go on byte for byte, instead of in their canonical form. */
  readonly spans?: boolean | undefined;
  /** Kinds that are left out. */
  readonly withoutHistograms?: boolean | undefined;
  readonly withoutExemplars?: boolean | undefined;
  /** Encoded label fields that follow the labels of every series. */
  readonly suffixPtr: number;
  readonly suffixLength: number;
  readonly suffixLabels: number;
  readonly dst: number;
  readonly capacity: number;
  /** No series is begun once this many rows (samples and histograms) or labels are written. */
  readonly rowsMax: number;
  readonly labelsMax: number;
  /**
   * Set (to 0, or to `nextSample` of the call before) to let a series that is alone longer than `capacity` be cut: its
   * labels and as many samples as fit are written, and the next call goes on with the rest of it.
   */
  readonly firstSample?: number;
}

export interface Encoded {
  readonly bytes: number;
  /** The series to go on with. When it is `first` and `bytes` is 0, that series does not fit into `capacity` at all. */
  readonly next: number;
  /** Its first sample that is not written; above 0 only after a cut. */
  readonly nextSample: number;
  readonly counts: Counts;
  /** Labels of the series that were written, one set a series. */
  readonly labels: number;
}

export class Kernel {
  readonly memory: KernelMemory;
  readonly exports: KernelExports;
  /** Word index of the kernels' result area. */
  readonly #result: number;
  #validated: { ptr: number; length: number; found: WriteRequestFound } | undefined;

  constructor(module: WebAssembly.Module) {
    this.exports = new WebAssembly.Instance(module).exports as unknown as KernelExports;
    this.memory = new KernelMemory(this.exports.memory, this.exports.heapBase() >>> 0);
    this.#result = (this.exports.resultPtr() >>> 0) / 4;
  }

  /** Word `index` of what the last kernel reported. */
  result(index: number): number {
    return this.memory.u32()[this.#result + index]!;
  }

  /** Code of the last `snappyDecode`, `validateWriteRequest` or scan; 0 when it succeeded. */
  get errorCode(): number {
    return this.result(0);
  }

  /** Offset of the wrong byte in the input of that call. */
  get errorAt(): number {
    return this.result(1);
  }

  get #errorText(): string {
    return KERNEL_ERRORS[this.errorCode] ?? `error ${this.errorCode}`;
  }

  /** The length that a snappy block declares, below 2^32; -1 when it does not begin with one. Check it before allocating. */
  snappyDecodedLength(src: number, length: number): number {
    return this.exports.snappyDecodedLength(src, length);
  }

  /** Decodes a snappy block; returns the decoded length, or -1 (see `snappyError`) with `dst` in an undefined state. */
  snappyDecode(src: number, length: number, dst: number, capacity: number): number {
    return this.exports.snappyDecode(src, length, dst, capacity);
  }

  /** What was wrong with the last `snappyDecode`, and where. */
  snappyError(): string {
    return `${this.#errorText} at byte ${this.errorAt}`;
  }

  /** Room that `snappyEncode` needs for this input at most. */
  snappyMaxLength(length: number): number {
    return 32 + length + Math.ceil(length / 6);
  }

  /** Encodes a snappy block to `dst`, with room for `snappyMaxLength(length)`; returns the encoded length. */
  snappyEncode(src: number, length: number, dst: number): number {
    return this.exports.snappyEncode(src, length, dst) >>> 0;
  }

  /**
   * Checks a remote-write 1.0 WriteRequest at every level and counts. Like protobufjs' decode of `proto/remote.proto`,
   * but a known field with another wire type, a group, an unknown varint of more than ten bytes and a series with both
   * samples and histograms are errors, and strings need not be UTF-8.
   * @param known what is in a message that was made here, which is not looked at.
   */
  validateWriteRequest(
    ptr: number,
    length: number,
    known?: WriteRequestFound,
  ): WriteRequestFound | Malformed {
    this.#validated = known && { ptr, length, found: known };
    if (known !== undefined) return known;
    if (this.exports.validateWriteRequest(ptr, length) === 0) {
      return { error: this.#errorText, code: this.errorCode, at: this.errorAt };
    }
    const series = this.result(2);
    const found = {
      counts: {
        series,
        samples: this.result(4),
        histograms: this.result(5),
        exemplars: this.result(6),
        metadata: this.result(7),
      },
      labels: this.result(8),
      seriesWithSamples: this.result(3),
      everySeriesHasData: this.result(9) === series,
    };
    this.#validated = { ptr, length, found };
    return found;
  }

  /** What the message holds that was validated last; a message that was not is validated here and must be well-formed. */
  foundIn(ptr: number, length: number): WriteRequestFound {
    const last = this.#validated;
    if (last !== undefined && last.ptr === ptr && last.length === length) return last.found;
    const found = this.validateWriteRequest(ptr, length);
    assert(!('error' in found), 'a message is validated before it is scanned');
    return found;
  }

  createColumns(): Columns {
    return new Columns(this);
  }

  /**
   * Appends series as TimeSeries fields of a WriteRequest, in order and in canonical form: labels, suffix labels,
   * samples (value and timestamp with their exact bits, also when 0), and the untouched rest (histograms, exemplars,
   * unknown fields). Series without any data are left out. Stops before a series that does not fit into `capacity`.
   */
  encodeSeries(columns: Columns, options: EncodeOptions): Encoded {
    assert(options.slots === ALL_SLOTS || columns.hasSlots, 'slots are chosen only where they were computed');
    const { ownerAt, ownerBit, formAt } = options.view ?? EVERYTHING;
    const valuesPtr =
      options.round === undefined ? columns.valuesPtr : columns.roundedValuesPtr(options.round);
    this.exports.encodeSeries(
      columns.rowsPtr,
      columns.timestampsPtr,
      valuesPtr,
      columns.slotsPtr,
      options.first,
      columns.seriesCount,
      options.slots,
      options.view === undefined ? 0 : columns.plansPtr,
      ownerAt,
      ownerBit,
      formAt,
      options.spans === true ? 1 : 0,
      omittedBy(options),
      options.suffixPtr,
      options.suffixLength,
      options.suffixLabels,
      options.dst,
      options.capacity,
      asLimit(options.rowsMax),
      asLimit(options.labelsMax),
      options.firstSample ?? 0,
      options.firstSample === undefined ? 0 : 1,
    );
    return {
      bytes: this.result(0),
      next: this.result(1),
      nextSample: this.result(2),
      counts: {
        series: this.result(3),
        samples: this.result(4),
        histograms: this.result(5),
        exemplars: this.result(6),
        metadata: 0,
      },
      labels: this.result(7),
    };
  }

  /** xxHash64 with seed 0. */
  xxh64(ptr: number, length: number): bigint {
    return BigInt.asUintN(64, this.exports.xxh64(ptr, length));
  }
}

/** Kinds that are left out, as the kernels take them. */
export function omittedBy(options: Pick<EncodeOptions, 'withoutHistograms' | 'withoutExemplars'>): number {
  return (options.withoutHistograms === true ? 1 : 0) + (options.withoutExemplars === true ? 2 : 0);
}

/** A limit as the kernels take it: a number beyond 32 bits would wrap around, down to nothing. */
export function asLimit(limit: number): number {
  return Math.min(Math.max(0, limit), 0xffffffff);
}
