/**
 * Remote write 1.0 to 2.0, with the memory that it takes: `assembly/condense.ts` has the rules. One instance belongs to one
 * thread, as its kernel does.
 */
import { randomBytes } from 'node:crypto';
import { assert } from '../util/assert.ts';
import type { Columns } from './columns.ts';
import { KernelError } from './errors.ts';
import type { Kernel } from './kernel.ts';
import { Region } from './memory.ts';

const KEY_BYTES = 16;
const SYMBOL_BYTES = 40;
const TENANT_BYTES = 24;
const SYMBOLS_FIRST = 16 * 1024;
const TEXT_BYTES_FIRST = 64 * 1024;
/** Fields of a symbol (`assembly/symbols.ts`, `assembly/condense-symbols.ts`), in words. */
const SYMBOL_WORDS = SYMBOL_BYTES / 4;
const LENGTH = 1;
const NEXT_NAME = 5;
/** What a series takes at most beside labels, samples and the rest of it, and what a sample takes. */
const SERIES_BYTES_MAX = 128;
const SAMPLE_BYTES_MAX = 33;

/** What is known of a metric. */
export interface MetricMetadata {
  /** Number of the type, the same in 1.0 and 2.0. */
  readonly type: number;
  readonly help: string;
  readonly unit: string;
  /** Of series with these tenants in their labels; absent where all tenants say the same. */
  readonly tenants?: readonly TenantMetadata[];
}

export interface TenantMetadata extends MetricMetadata {
  /** Values of `vm_account_id` and `vm_project_id`. */
  readonly account: string;
  readonly project: string;
}

interface Described {
  readonly ref: number;
  readonly metadata: MetricMetadata | TenantMetadata;
}

export class Condenser {
  readonly #kernel: Kernel;
  readonly #key: number;
  readonly #symbols: Region;
  readonly #slots: Region;
  readonly #refs: Region;
  readonly #texts: Region;
  readonly #tenants: Region;
  readonly #series: Region;
  readonly #message: Region;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#symbols = new Region(kernel.memory);
    this.#slots = new Region(kernel.memory);
    this.#refs = new Region(kernel.memory);
    this.#texts = new Region(kernel.memory);
    this.#tenants = new Region(kernel.memory);
    this.#series = new Region(kernel.memory);
    this.#message = new Region(kernel.memory);
    this.#key = kernel.memory.alloc(KEY_BYTES);
    kernel.memory.bytes().set(randomBytes(KEY_BYTES), this.#key);
  }

  /**
   * The Request of the message of `length` bytes that the columns were scanned from; it is there until the next call.
   * `describe` is asked once for every metric name. What metadata the message has of its own is not in it.
   */
  condense(
    columns: Columns,
    ptr: number,
    length: number,
    describe: (name: string) => MetricMetadata | undefined,
  ): { readonly ptr: number; readonly length: number } {
    const { counts, labels } = this.#kernel.foundIn(ptr, length);
    const refs = this.#refs.reserve(4 * counts.series + 8 * labels);
    const series = SERIES_BYTES_MAX * counts.series + SAMPLE_BYTES_MAX * counts.samples;
    // A label becomes two references of 5 bytes at most; those of exemplars are first put together elsewhere.
    const bytes = (counts.exemplars === 0 ? 1 : 14) * length + series + 16 * labels + 1024;
    for (let symbols = SYMBOLS_FIRST; ; symbols *= 8) {
      const dst = this.#series.reserve(bytes);
      const isDone = this.#try(columns, symbols, refs, describe, dst, bytes);
      if (isDone) return this.#join(dst, this.#kernel.result(2));
      assert(this.#kernel.errorCode === KernelError.tooManySymbols, 'there is room for every series');
    }
  }

  #try(
    columns: Columns,
    symbolsMax: number,
    refs: number,
    describe: (name: string) => MetricMetadata | undefined,
    dst: number,
    capacity: number,
  ): boolean {
    const { exports } = this.#kernel;
    const { rowsPtr, seriesCount } = columns;
    const symbols = this.#symbols.reserve(symbolsMax * SYMBOL_BYTES);
    const slotCount = 2 * symbolsMax;
    const slots = this.#slots.reserve(4 * slotCount);
    if (
      exports.internLabels(rowsPtr, seriesCount, symbols, symbolsMax, slots, slotCount, this.#key, refs) === 0
    )
      return false;
    if (!this.#describe(symbols, this.#kernel.result(3), describe)) return false;
    const { timestampsPtr, valuesPtr } = columns;
    return exports.condenseSeries(rowsPtr, seriesCount, timestampsPtr, valuesPtr, refs, dst, capacity) !== 0;
  }

  /** Asks for every metric name, along their chain. */
  #describe(symbols: number, last: number, describe: (name: string) => MetricMetadata | undefined): boolean {
    const { memory } = this.#kernel;
    const known: Described[] = [];
    const words = memory.u32();
    for (let ref = last; ref !== 0; ) {
      const at = symbols / 4 + ref * SYMBOL_WORDS;
      const ptr = words[at]!;
      const name = Buffer.from(memory.bytes().buffer, ptr, words[at + LENGTH]!).toString();
      const metadata = describe(name);
      if (metadata !== undefined) {
        known.push({ ref, metadata });
        for (const own of metadata.tenants ?? []) known.push({ ref, metadata: own });
      }
      ref = words[at + NEXT_NAME]!;
    }
    return this.#tell(known);
  }

  #tell(known: readonly Described[]): boolean {
    const { memory, exports } = this.#kernel;
    const texts = known.map(({ metadata: { help, unit, ...rest } }) => {
      const tenant = 'account' in rest ? [rest.account, rest.project] : [];
      return [help, unit, ...tenant].map((text) => Buffer.from(text));
    });
    const bytes = texts.flat().reduce((sum, { byteLength }) => sum + byteLength, TEXT_BYTES_FIRST);
    let at = this.#texts.reserve(bytes);
    let room = this.#tenants.reserve(TENANT_BYTES * known.length);
    for (const [index, { ref, metadata }] of known.entries()) {
      const places = texts[index]!.map((text): [ptr: number, length: number] => {
        const ptr = at;
        memory.bytes().set(text, ptr);
        at += text.byteLength;
        return [ptr, text.byteLength];
      });
      const [help, unit, account, project] = places;
      const isTold =
        account === undefined
          ? exports.describeMetric(ref, metadata.type, ...help!, ...unit!)
          : exports.describeTenant(ref, room, ...account, ...project!, metadata.type, ...help!, ...unit!);
      if (isTold === 0) return false;
      room += TENANT_BYTES;
    }
    return true;
  }

  /** Symbols first: who reads a stream needs them first. */
  #join(series: number, seriesBytes: number): { readonly ptr: number; readonly length: number } {
    const { exports, memory } = this.#kernel;
    const symbolBytes = exports.symbolsLength() >>> 0;
    const ptr = this.#message.reserve(symbolBytes + seriesBytes);
    exports.condenseSymbols(ptr);
    memory.bytes().copyWithin(ptr + symbolBytes, series, series + seriesBytes);
    return { ptr, length: symbolBytes + seriesBytes };
  }
}
