/**
 * The blocks of one group of destinations: takes parcels in order, gives finished blocks. Engine thread only.
 *
 * A group with `parallel` = n fills n blocks side by side; lane l owns the slots s with s mod n = l, so that the lanes
 * have no series in common.
 */
import type { Columns, Encoded, EncodeOptions, Kernel, PlanView, Round } from '../kernel/kernel.ts';
import { Stencils } from '../kernel/stencils.ts';
import { ALL_SLOTS, type Codec, type SlotMask } from '../model/block.ts';
import { addCounts, type Counts, noCounts } from '../model/body.ts';
import { BlockBuilder, type BuiltBlock, SNAPPY_WINDOW_BYTES } from './builder.ts';
import { type BlockLimits, fitsOneBlock, isWorthVerbatim, type Lane, pickLane, slicesOf } from './lane.ts';
import type { Parcel } from './parcel.ts';

export interface GroupOptions {
  readonly codec: Codec;
  readonly level: number;
  readonly metadata: boolean;
  readonly withoutHistograms?: boolean;
  readonly withoutExemplars?: boolean;
  readonly parallel: number;
  /** What it gets by the plans of the series; absent when it gets everything as it came. */
  readonly view?: PlanView | undefined;
  readonly round?: Round | undefined;
  /** Series whose labels do not change go on byte for byte. */
  readonly spans?: boolean | undefined;
}

/**
 * Everything of the bodies before `body` is out, and of `body` all series before `series`, and its samples before `sample`.
 * What aggregation puts between two bodies has numbers between theirs.
 */
export interface LaneProgress {
  readonly body: number;
  readonly series: number;
  readonly sample: number;
}

/** From a body to what may come right behind it; small enough for a window with half a billion outputs. */
export const BODY_STEP = 2 ** -18;

function startOf(body: number): LaneProgress {
  return { body, series: 0, sample: 0 };
}

export interface FinishedBlock extends BuiltBlock {
  readonly lane: number;
  readonly codec: Codec;
  readonly slots: SlotMask;
  readonly progress: LaneProgress;
}

const SLOTS = 32;
/** Room for one sample, and for the head of its series, beside labels and native histograms. */
const SAMPLE_ROOM_BYTES = 64;

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
  /** Made when the first series are written one by one; none for codecs but snappy. */
  #stencils: Stencils | undefined;
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
    this.#progress = this.#builders.map((_, lane) => progress?.[lane] ?? startOf(0));
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

  /** When the oldest unfinished block was begun, in monotonic milliseconds. */
  get oldestBornMs(): number | undefined {
    const open = this.#builders.filter((builder) => !builder.empty).map((builder) => builder.bornMs);
    return open.length === 0 ? undefined : Math.min(...open);
  }

  /** Whether it may take a message in its compressed form. */
  get takesElements(): boolean {
    const { codec, parallel, view } = this.options;
    return codec === 'snappy' && parallel === 1 && view === undefined;
  }

  /**
   * Where the next body is best decoded, so that `join` need not copy it; undefined when the group would not join it
   * or has no room for it in the block that is open. Ask `takesInPlace` before anything is added.
   * @param isCompressed whether it came in snappy, and may go on in it.
   */
  decodeTarget(rawLength: number, isCompressed: boolean): number | undefined {
    const [first] = this.#builders;
    if (this.options.parallel !== 1 || this.options.view !== undefined || first === undefined)
      return undefined;
    if (isCompressed && this.options.codec === 'snappy' && isWorthVerbatim(rawLength)) return undefined;
    return rawLength <= first.room ? first.tailEnd : undefined;
  }

  /** Whether a parcel that lies at `decodeTarget` can stay there: it will be joined to the block that is open. */
  takesInPlace(parcel: Parcel): boolean {
    if (this.#laneOf(parcel) !== 'join' || this.#isOut(0, parcel)) return false;
    return fitsOneBlock(parcel, this.#limits) && this.#builders[0]!.fits(parcel);
  }

  #laneOf(parcel: Parcel): Lane {
    const begun = this.#progress.some((at) => at.body === parcel.body && (at.series > 0 || at.sample > 0));
    const config = { ...this.options, isShaped: this.options.view !== undefined };
    return begun ? 'column' : pickLane(config, this.#limits, parcel);
  }

  /** Whether the lane had put all of this body into blocks before the engine was started again. */
  #isOut(lane: number, parcel: Parcel): boolean {
    return parcel.body < this.#progress[lane]!.body;
  }

  /** Adds a body; `columns` scans it when single series have to be looked at. Returns the lane that was taken. */
  add(parcel: Parcel, columns: () => Columns, nowMs: number): Lane {
    const lane = this.#laneOf(parcel);
    if (lane === 'column') {
      for (let index = 0; index < this.#builders.length; index++) {
        if (!this.#isOut(index, parcel)) this.#addColumns(index, parcel, columns(), nowMs);
      }
      return lane;
    }
    if (this.#isOut(0, parcel)) return lane;
    if (lane === 'join') parcel.write?.();
    const builder = this.#builders[0]!;
    let series = 0;
    for (const slice of slicesOf(parcel, this.#limits)) {
      if (!builder.fits(slice)) this.#finish(0, { ...startOf(parcel.body), series });
      if (lane === 'verbatim') builder.addVerbatim(slice, nowMs);
      else builder.addMessage(slice, nowMs);
      series += slice.counts.series;
    }
    if (builder.full) this.#finish(0, startOf(parcel.body + BODY_STEP));
    return lane;
  }

  /** Writes the lane's share of the series of a body, over as many blocks as it takes. */
  #addColumns(lane: number, parcel: Parcel, columns: Columns, nowMs: number): void {
    const from = this.#progress[lane]!;
    let { series, sample } = parcel.body === from.body ? from : startOf(parcel.body);
    const builder = this.#builders[lane]!;
    if (lane === 0 && series === 0 && sample === 0 && this.options.metadata) {
      this.#addMetadata(parcel, columns, nowMs);
    }
    if (this.options.codec === 'snappy' && !parcel.isShaped && series === 0 && sample === 0) {
      series = this.#addStenciled(lane, parcel, columns, nowMs);
    }
    while (series < columns.seriesCount) {
      const before = { body: parcel.body, series, sample };
      if (builder.full) this.#finish(lane, before);
      // Only a series that does not even fit into an empty block is cut.
      const cut = builder.empty ? { firstSample: sample } : {};
      let step = this.#encode(builder, parcel, columns, before, { capacity: builder.room, ...cut });
      if (step.bytes === 0 && step.next === series && builder.empty) {
        // Nothing of it can be cut off: the labels or the native histograms alone are larger than a block should be.
        const { labelsLength, restLength } = columns.row(series);
        const room = labelsLength + restLength + parcel.suffixLength + SAMPLE_ROOM_BYTES;
        builder.makeRoom(room);
        step = this.#encode(builder, parcel, columns, before, { capacity: room, ...cut });
      }
      if (step.bytes > 0) builder.addTail(parcel.body, step.bytes, step.counts, step.labels, nowMs);
      series = step.next;
      sample = step.nextSample;
      if (series < columns.seriesCount) this.#finish(lane, { body: parcel.body, series, sample });
    }
    if (builder.full) this.#finish(lane, startOf(parcel.body + BODY_STEP));
  }

  /** Writes series that came before by their stencils; returns the one from which on the others are to be written in full. */
  #addStenciled(lane: number, parcel: Parcel, columns: Columns, nowMs: number): number {
    this.#stencils ??= new Stencils(this.#kernel, this.#builders.length, {
      bytesMax: this.#limits.stencilBytesMax,
    });
    const stencils = this.#stencils;
    const builder = this.#builders[lane]!;
    const { slots } = builder;
    const { suffixPtr, suffixLength, suffixLabels } = parcel;
    const options = { ...this.options, slots, suffixPtr, suffixLength, suffixLabels };
    const listed = stencils.select(columns, options);
    if (listed === undefined) return 0;
    for (let nth = 0; nth < listed; ) {
      const before = { body: parcel.body, series: stencils.listed(nth), sample: 0 };
      if (builder.full) this.#finish(lane, before);
      const missing = SNAPPY_WINDOW_BYTES - builder.rawLength;
      if (missing > 0) {
        // There is little yet that stencils could have parts of.
        const capacity = Math.min(missing, builder.room);
        const start = this.#encode(builder, parcel, columns, before, { capacity, spans: false });
        if (start.bytes > 0) {
          nth = stencils.place(lane, columns, nth, start.next, builder.tailEnd, builder.rawLength, options);
          builder.addTail(parcel.body, start.bytes, start.counts, start.labels, nowMs);
          continue;
        }
      }
      builder.seal();
      const { rowsLeft: rowsMax, labelsLeft: labelsMax, room: rawBytes } = builder;
      const limits = { rowsMax, labelsMax, rawBytes };
      const step = stencils.write(lane, columns, nth, builder.rawLength, options, limits);
      if (step.rawLength > 0) builder.addElements(parcel.body, step, step.counts, step.labels, nowMs);
      nth = step.next;
      if (step.stop === 'done' || step.stop === 'full') continue;
      const series = stencils.listed(nth);
      // In an empty block, it is alone larger than blocks should be.
      if (step.stop === 'too_long' || builder.empty) return series;
      this.#finish(lane, { body: parcel.body, series, sample: 0 });
    }
    return columns.seriesCount;
  }

  #encode(
    builder: BlockBuilder,
    parcel: Parcel,
    columns: Columns,
    { series }: LaneProgress,
    own: Pick<EncodeOptions, 'capacity' | 'spans' | 'firstSample'>,
  ): Encoded {
    return this.#kernel.encodeSeries(columns, {
      first: series,
      slots: builder.slots,
      view: this.options.view,
      round: parcel.isShaped ? undefined : this.options.round,
      spans: this.options.spans,
      withoutHistograms: this.options.withoutHistograms,
      withoutExemplars: this.options.withoutExemplars,
      suffixPtr: parcel.suffixPtr,
      suffixLength: parcel.suffixLength,
      suffixLabels: parcel.suffixLabels,
      dst: builder.tailEnd,
      rowsMax: builder.rowsLeft,
      labelsMax: builder.labelsLeft,
      ...own,
    });
  }

  #addMetadata(parcel: Parcel, columns: Columns, nowMs: number): void {
    const builder = this.#builders[0]!;
    for (let index = 0; index < columns.metadataCount; index++) {
      const { ptr, length } = columns.metadataField(index);
      if (builder.metadataLeft <= 0 || length > builder.room) {
        this.#finish(0, startOf(parcel.body));
        builder.makeRoom(length);
      }
      this.#kernel.memory.bytes().copyWithin(builder.tailEnd, ptr, ptr + length);
      builder.addTail(parcel.body, length, { ...noCounts, metadata: 1 }, 0, nowMs);
    }
  }

  /** After a body, when no group reads it any more. */
  compact(): void {
    for (const builder of this.#builders) builder.compact();
  }

  /** Finishes the blocks that were begun at or before `bornBeforeMs`. */
  flush(bornBeforeMs: number, nextBody: number): void {
    for (const [lane, builder] of this.#builders.entries()) {
      if (!builder.empty && builder.bornMs <= bornBeforeMs) this.#finish(lane, startOf(nextBody));
    }
  }

  /** Gives the memory of the blocks back; everything was flushed. */
  close(): void {
    for (const builder of this.#builders) builder.close();
    this.#stencils?.close();
  }

  /** These refs belong to other series from now on. */
  forget(refs: Uint32Array): void {
    this.#stencils?.forget(refs);
  }

  #finish(lane: number, progress: LaneProgress): void {
    this.#progress[lane] = progress;
    const builder = this.#builders[lane]!;
    if (builder.empty) return;
    const built = builder.take();
    this.#stencils?.endBlock(lane, built.rawLength);
    this.#emit({ ...built, lane, codec: this.options.codec, slots: builder.slots, progress });
  }
}
