/**
 * Remote write 2.0 to 1.0, with the memory that it takes: `assembly/expand.ts` has the rules. One instance belongs to one
 * thread, as its kernel does.
 */
import { KERNEL_ERRORS, KernelError } from './errors.ts';
import type { Kernel, Malformed } from './kernel.ts';
import { Region } from './memory.ts';

/** A request that a sender really makes has a few symbols a series; 40 bytes each. */
const SYMBOLS_MIN = 16 * 1024;
const SYMBOLS_MAX = 1_000_000;
/** Labels of one series. */
const LABELS_MAX = 4096;
const PAIR_BYTES = 12;
const SYMBOL_BYTES = 40;
/** What requests grow to: all labels are written in full. */
const GROWTH_FIRST = 8;
const MESSAGE_BYTES_MIN = 1024 * 1024;
/** A little less than a power of two, which is what linear memory is taken by. */
export const EXPANDED_BYTES_MAX = 256 * 1024 * 1024 - 64 * 1024;

/** A series that was left out. */
export interface Rejected {
  /** Its index among the series of the request. */
  readonly index: number;
  readonly error: string;
}

export interface Expanded {
  /** The WriteRequest; there until the next call. */
  readonly ptr: number;
  readonly length: number;
  readonly series: number;
  readonly rejectedSeries: number;
  /** Samples and histograms of those, one at least for each. */
  readonly rejectedRows: number;
  /** The first of them. */
  readonly rejected: Rejected | undefined;
  /** Created and start timestamps that were left out. */
  readonly startTimestamps: number;
}

export class Expander {
  readonly #kernel: Kernel;
  readonly #symbols: Region;
  readonly #pairs: Region;
  readonly #message: Region;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#symbols = new Region(kernel.memory);
    this.#pairs = new Region(kernel.memory);
    this.#message = new Region(kernel.memory);
  }

  /**
   * `bytesMax` bounds the WriteRequest. `too_large`: it would be larger, or there are too many symbols.
   * @param keepsStarts start timestamps go along, in a field that 1.0 does not know.
   */
  expand(
    ptr: number,
    length: number,
    bytesMax = EXPANDED_BYTES_MAX,
    keepsStarts = false,
  ): Expanded | Malformed | 'too_large' {
    const limit = Math.min(bytesMax, EXPANDED_BYTES_MAX);
    let symbols = SYMBOLS_MIN;
    let bytes = Math.min(limit, Math.max(MESSAGE_BYTES_MIN, GROWTH_FIRST * length));
    for (;;) {
      const pairs = this.#pairs.reserve(LABELS_MAX * PAIR_BYTES);
      const table = this.#symbols.reserve(symbols * SYMBOL_BYTES);
      const dst = this.#message.reserve(bytes);
      const isDone = this.#kernel.exports.expandRequest(
        ptr,
        length,
        table,
        symbols,
        pairs,
        LABELS_MAX,
        dst,
        bytes,
        keepsStarts ? 1 : 0,
      );
      if (isDone !== 0) return this.#found(dst);
      const { errorCode: code, errorAt: at } = this.#kernel;
      if (code === KernelError.tooManySymbols && symbols < SYMBOLS_MAX) {
        symbols = Math.min(SYMBOLS_MAX, symbols * 8);
      } else if (code === KernelError.outputTooLong && bytes < limit) bytes = Math.min(limit, bytes * 8);
      else if (code === KernelError.tooManySymbols || code === KernelError.outputTooLong) return 'too_large';
      else return { error: errorOf(code), code, at };
    }
  }

  #found(ptr: number): Expanded {
    const kernel = this.#kernel;
    const rejectedSeries = kernel.result(4);
    return {
      ptr,
      length: kernel.result(2),
      series: kernel.result(9),
      rejectedSeries,
      rejectedRows: kernel.result(5),
      rejected:
        rejectedSeries === 0 ? undefined : { index: kernel.result(7), error: errorOf(kernel.result(6)) },
      startTimestamps: kernel.result(8),
    };
  }
}

function errorOf(code: number): string {
  return KERNEL_ERRORS[code] ?? `error ${code}`;
}
