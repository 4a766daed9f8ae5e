/** The series table of an engine over time: series leave it that do not come any more, and it gets another size. */
import { isDeepStrictEqual } from 'node:util';
import type { Kernel } from '../kernel/kernel.ts';
import { SeriesTable, type SeriesTableOptions } from '../series/table.ts';
import { areStrangersCheap, tableOptionsOf } from './bounds.ts';
import type { EngineConfig } from './messages.ts';

/** The age of series is told in these. */
const EPOCH_MS = 60_000;
/** A series leaves the table when it was not seen for 60 to 70 epochs: an hour bridges a restart of its target. */
const SWEEP_EPOCHS = 10;
const EPOCHS_KEPT = 60;
/** While plans take more than their share of the memory: many series come once and never again. */
const EPOCHS_KEPT_CROWDED = 5;

export class KnownSeries {
  readonly #kernel: Kernel;
  readonly #forget: (refs: Uint32Array) => void;
  #options: SeriesTableOptions;
  #table: SeriesTable;
  #epochMs: number | undefined;
  /** Series that leave it make room for some that it had no room for: they are not new. */
  #wasFull = false;

  /** `forget`: whoever keeps something by ref lets go of it. */
  constructor(kernel: Kernel, config: EngineConfig, forget: (refs: Uint32Array) => void) {
    this.#kernel = kernel;
    this.#forget = forget;
    this.#options = tableOptionsOf(config);
    this.#table = new SeriesTable(kernel, this.#options);
    this.#table.mayPass = areStrangersCheap(config);
  }

  get table(): SeriesTable {
    return this.#table;
  }

  /** Series that the table adds are new: it has all that came before and lately. */
  get hasAll(): boolean {
    return !this.#wasFull;
  }

  /** With aggregation or without, another size is worth its memory: all series are met anew then. */
  configure(config: EngineConfig): void {
    const options = tableOptionsOf(config);
    if (!isDeepStrictEqual(options, this.#options)) {
      this.#forget(this.#table.sweep(this.#table.epoch + 1));
      this.#table.close();
      this.#options = options;
      this.#table = new SeriesTable(this.#kernel, options);
      this.#wasFull = false;
    }
    // Where series without a ref cost much, or what is known of some by ref is a part of the result, each is looked for.
    this.#table.mayPass = areStrangersCheap(config);
  }

  /** Series that were not seen for a while leave the table, so that churn does not fill it. `nowMs` is monotonic. */
  forgetIdle(nowMs: number, isCrowded: boolean): void {
    this.#epochMs ??= nowMs;
    if (nowMs - this.#epochMs < EPOCH_MS) return;
    this.#epochMs = nowMs;
    const epoch = ++this.#table.epoch;
    if (!isCrowded && epoch % SWEEP_EPOCHS !== 0) return;
    this.#wasFull ||= this.#table.full;
    this.#forget(this.#table.sweep(Math.max(0, epoch - (isCrowded ? EPOCHS_KEPT_CROWDED : EPOCHS_KEPT))));
  }
}
