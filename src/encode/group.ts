/**
 * The blocks of one group of destinations: takes parcels in order, gives finished blocks. Engine thread only.
 *
 * A group with `parallel` = n fills n blocks side by side; lane l owns the slots s with s mod n = l, so that the lanes
 * have no series in common.
 */
import type { Columns, Kernel } from '../kernel/kernel.ts';
import { ALL_SLOTS, type Codec, type SlotMask } from '../model/block.ts';
import { addCounts, type Counts, noCounts } from '../model/body.ts';
import { BlockBuilder, type BuiltBlock } from './builder.ts';
import { type BlockLimits, type Lane, pickLane } from './lane.ts';
import type { Parcel } from './parcel.ts';

export interface GroupOptions {
  readonly codec: Codec;
  readonly level: number;
  readonly metadata: boolean;
  readonly parallel: number;
}

/** Everything of the bodies before `body`, and of `body` all series before `series`, is out. */
export interface LaneProgress {
  readonly body: number;
  readonly series: number;
}

export interface FinishedBlock extends BuiltBlock {
  readonly lane: number;
  readonly codec: Codec;
  readonly slots: SlotMask;
  readonly progress: LaneProgress;
}

const SLOTS = 32;

function slotsOfLane(lane: number, parallel: number): SlotMask {
  if (parallel === 1) return ALL_SLOTS;
  let mask = 0;
  for (let slot = lane; slot < SLOTS; slot += parallel) mask |= 1 << slot;
  return mask >>> 0;
}

export class GroupEncoder {
  readonly options: GroupOptions;
  readonly #kernel: Kernel;
  readonly #limits: BlockLimits;
  readonly #builders: BlockBuilder[];
  readonly #progress: LaneProgress[];
  readonly #emit: (block: FinishedBlock) => void;

  constructor(
    kernel: Kernel,
    options: GroupOptions,
    limits: BlockLimits,
    progress: readonly LaneProgress[] | undefined,
    emit: (block: FinishedBlock) => void,
  ) {
    this.options = options;
    this.#kernel = kernel;
    this.#limits = limits;
    this.#emit = emit;
    this.#builders = Array.from(
      { length: options.parallel },
      (_, lane) =>
        new BlockBuilder(kernel, options.codec, options.level, slotsOfLane(lane, options.parallel), limits),
    );
    this.#progress = this.#builders.map((_, lane) => progress?.[lane] ?? { body: 0, series: 0 });
  }

  /** What waits in unfinished blocks. */
  get pending(): Counts {
    const sum = { ...noCounts };
    for (const builder of this.#builders) addCounts(sum, builder.counts);
    return sum;
  }

  /** The smallest body id that has something in an unfinished block. */
  get heldFrom(): number | undefined {
    const open = this.#builders.filter((builder) => !builder.empty).map((builder) => builder.firstBody);
    return open.length === 0 ? undefined : Math.min(...open);
  }

  /**
   * Where the next body is best decoded, so that `join` need not copy it; undefined when the group would not join it
   * or has no room for it in the block that is open.
   */
  decodeTarget(rawLength: number): number | undefined {
    const [first] = this.#builders;
    if (this.options.codec !== 'zstd' || this.options.parallel !== 1 || first === undefined) return undefined;
    return rawLength <= first.room ? first.tailEnd : undefined;
  }

  /** Adds a body; `columns` scans it when single series have to be looked at. Returns the lane that was taken. */
  add(parcel: Parcel, columns: () => Columns, nowMs: number): Lane {
    const lane = this.#progress.every((at) => at.body < parcel.body || at.series === 0)
      ? pickLane(this.options, this.#limits, parcel)
      : 'column';
    if (lane === 'column') {
      for (let index = 0; index < this.#builders.length; index++) {
        this.#addColumns(index, parcel, columns(), nowMs);
      }
      return lane;
    }
    if (parcel.body < this.#progress[0]!.body) return lane;
    const builder = this.#builders[0]!;
    if (!builder.fits(parcel)) this.#finish(0, { body: parcel.body, series: 0 });
    if (lane === 'verbatim') builder.addVerbatim(parcel, nowMs);
    else builder.addMessage(parcel, nowMs);
    if (builder.full) this.#finish(0, { body: parcel.body + 1, series: 0 });
    return lane;
  }

  /** Writes the lane's share of the series of a body, over as many blocks as it takes. */
  #addColumns(lane: number, parcel: Parcel, columns: Columns, nowMs: number): void {
    const from = this.#progress[lane]!;
    if (parcel.body < from.body) return;
    let series = parcel.body === from.body ? from.series : 0;
    const builder = this.#builders[lane]!;
    if (lane === 0 && series === 0 && this.options.metadata) this.#addMetadata(parcel, columns, nowMs);
    while (series < columns.seriesCount) {
      if (builder.full) this.#finish(lane, { body: parcel.body, series });
      const step = this.#kernel.encodeSeries(columns, {
        first: series,
        slots: builder.slots,
        suffixPtr: parcel.suffixPtr,
        suffixLength: parcel.suffixLength,
        suffixLabels: parcel.suffixLabels,
        dst: builder.tailEnd,
        capacity: builder.room,
        rowsMax: builder.rowsLeft,
        labelsMax: builder.labelsLeft,
      });
      if (step.bytes > 0) builder.addTail(parcel.body, step.bytes, step.counts, step.labels, nowMs);
      series = step.next;
      if (series < columns.seriesCount) this.#finish(lane, { body: parcel.body, series });
    }
    if (builder.full) this.#finish(lane, { body: parcel.body + 1, series: 0 });
  }

  #addMetadata(parcel: Parcel, columns: Columns, nowMs: number): void {
    const builder = this.#builders[0]!;
    for (let index = 0; index < columns.metadataCount; index++) {
      const { ptr, length } = columns.metadataField(index);
      if (builder.metadataLeft <= 0 || length > builder.room) {
        this.#finish(0, { body: parcel.body, series: 0 });
      }
      this.#kernel.memory.bytes().copyWithin(builder.tailEnd, ptr, ptr + length);
      builder.addTail(parcel.body, length, { ...noCounts, metadata: 1 }, 0, nowMs);
    }
  }

  /** Finishes the blocks that were begun at or before `bornBeforeMs`. */
  flush(bornBeforeMs: number, nextBody: number): void {
    for (const [lane, builder] of this.#builders.entries()) {
      if (!builder.empty && builder.bornMs <= bornBeforeMs) this.#finish(lane, { body: nextBody, series: 0 });
    }
  }

  #finish(lane: number, progress: LaneProgress): void {
    this.#progress[lane] = progress;
    const builder = this.#builders[lane]!;
    if (builder.empty) return;
    this.#emit({ ...builder.take(), lane, codec: this.options.codec, slots: builder.slots, progress });
  }
}
