/**
 * The way of a body through the engine, on one screen: unpack (decode, parse or expand, validate) → (series → shape) → blocks of every
 * group.
 * Engine thread only; no sockets, no files.
 */
import { isDeepStrictEqual } from 'node:util';
import { BODY_STEP, type FinishedBlock, GroupEncoder } from '../encode/group.ts';
import type { Lane } from '../encode/lane.ts';
import type { Parcel } from '../encode/parcel.ts';
import type { Columns, Identity, Kernel, WriteRequestFound } from '../kernel/kernel.ts';
import { Region } from '../kernel/memory.ts';
import { type Label, noCounts } from '../model/body.ts';
import { dropReasonOf, isHeldBack, OTHER_SHARD } from '../model/drops.ts';
import { Talkers } from '../series/talkers.ts';
import type { StateMemory } from '../transform/state/bytes.ts';
import { encodePair } from '../transform/state/label-pairs.ts';
import { assert } from '../util/assert.ts';
import { type Clock, systemClock } from '../util/clock.ts';
import { blockLimitsOf } from './bounds.ts';
import { DropTally } from './drop-tally.ts';
import { KnownSeries } from './known-series.ts';
import {
  type AggregationStats,
  type BlockMessage,
  type BodyRef,
  type Dropped,
  type EngineConfig,
  type EngineReport,
  type EngineResume,
  type EngineState,
  type EngineStats,
  type FromEngine,
  type Judged,
  type Progress,
  REROUTED,
  type Told,
} from './messages.ts';
import { placingOnly, type ShapeConfig } from './shape.ts';
import { Shaper } from './shaper.ts';
import { GLOBAL, type Outputs, Stages, stagesOf } from './stages.ts';
import { Unpacker } from './unpacker.ts';

const OUTPUT_MARK_BYTES = 5;

const NO_SHAPING = { planBytes: 0, decided: 0, futureSamples: 0, hourlySeries: 0, dailySeries: 0 };

export interface PipelineStart {
  readonly progress?: readonly (readonly Progress[])[] | undefined;
  readonly resume?: EngineResume | undefined;
  /** Wall time. */
  readonly nowMs?: number;
  /** Measures how long flushes take. */
  readonly clock?: Clock;
  /** Outputs of aggregation that go on at once. */
  readonly sliceOutputs?: number | undefined;
}

/** How long statistics of aggregation may be old. */
const STAGES_EVERY_MS = 500;

export class Pipeline {
  readonly #kernel: Kernel;
  readonly #columns: Columns;
  readonly #known: KnownSeries;
  readonly #lanes: Record<Lane, number> = { verbatim: 0, join: 0, column: 0 };
  #config: EngineConfig;
  #groups: GroupEncoder[] = [];
  #unpacker: Unpacker | undefined;
  #blocks: BlockMessage[] = [];
  readonly #scratch: Region;
  readonly #suffix: Region;
  /** Tells series that outputs are from series that came in. */
  readonly #outputMark: number;
  readonly #talkers: Talkers;
  readonly #clock: Clock;
  readonly #sliceOutputs: number | undefined;
  /** The number of the last body or output. */
  #reached = 0;
  readonly #countedTo: number;
  /** The state that this engine began with holds everything up to here. */
  readonly #takenTo: number;
  /** Undefined when nothing is aggregated or deduplicated. */
  #stages: Stages | undefined;
  /** A new configuration began with state of the old one: it is to be kept at once. */
  #wantsSave = false;
  #stagesToldMs = Number.NEGATIVE_INFINITY;
  #told: Told[] = [];
  /** Undefined when series go on as they come. */
  #shaper: Shaper | undefined;
  /** For bodies that were shaped before; made when the first one comes. */
  #placer: Shaper | undefined;
  readonly #dropped = new DropTally();
  /** The columns hold the body at hand. */
  #isScanned = false;
  /** The group in whose open block the body at hand was decoded. */
  #host: GroupEncoder | undefined;

  constructor(
    kernel: Kernel,
    config: EngineConfig,
    { progress, resume, nowMs = 0, clock = systemClock, sliceOutputs }: PipelineStart = {},
  ) {
    this.#kernel = kernel;
    this.#columns = kernel.createColumns();
    this.#known = new KnownSeries(kernel, config, (refs) => this.#forget(refs));
    this.#talkers = new Talkers(kernel);
    this.#config = config;
    this.#clock = clock;
    this.#sliceOutputs = sliceOutputs;
    this.#scratch = new Region(kernel.memory);
    this.#suffix = new Region(kernel.memory);
    this.#outputMark = kernel.memory.alloc(OUTPUT_MARK_BYTES);
    this.#takenTo = resume?.state?.at ?? 0;
    this.#reached = this.#takenTo;
    this.#countedTo = resume?.countedTo ?? 0;
    const stages = config.shape === undefined ? undefined : stagesOf(config.shape);
    if (stages !== undefined) this.#stages = new Stages(stages, clock, nowMs, sliceOutputs);
    if (resume?.state !== undefined) this.#stages?.load(resume.state.bytes);
    if (resume?.isFirst === true) this.#stages?.startAnew();
    this.#shape(config.shape);
    this.#wantsSave = this.#stages !== undefined && resume?.state === undefined;
    this.#build(progress);
  }

  #shape(shape: ShapeConfig | undefined): void {
    const before = this.#shaper;
    before?.close();
    this.#placer?.close();
    this.#placer = undefined;
    if (shape === undefined) this.#shaper = undefined;
    else {
      this.#shaper = new Shaper(this.#kernel, shape, {
        planBytesMax: this.#config.planBytesMax,
        limits: before?.limitsFor(shape),
        stages: this.#stages,
      });
    }
  }

  #build(progress?: readonly (readonly Progress[])[]): void {
    const limits = blockLimitsOf(this.#config);
    const keepsStarts = this.#config.groups.some(({ takesStarts }) => takesStarts);
    const sources = { protocolOptions: {}, ...this.#config, keepsStarts };
    this.#unpacker = new Unpacker(
      this.#kernel,
      sources,
      (length, isCompressed) => this.#target(length, isCompressed),
      this.#unpacker,
    );
    this.#groups = this.#config.groups.map((config, group) => {
      const options = { ...config, ...this.#shaper?.encodingOf(config) };
      return new GroupEncoder(this.#kernel, options, limits, progress?.[group], (block) =>
        this.#emit(group, block),
      );
    });
  }

  /**
   * Finishes every block of the old configuration; what comes next follows the new one. Rules of aggregation that say the
   * same as before go on, others end.
   */
  configure(config: EngineConfig, nowMs = 0): void {
    const isShapeNew = !isDeepStrictEqual(config.shape, this.#config.shape);
    if (isShapeNew) this.#restage(config.shape, nowMs);
    this.flush();
    if (isShapeNew) {
      this.#known.configure(config);
      this.#shape(config.shape);
    }
    for (const group of this.#groups) group.close();
    this.#config = config;
    this.#build();
  }

  #forget(refs: Uint32Array): void {
    this.#shaper?.forget(refs);
    this.#placer?.forget(refs);
    for (const group of this.#groups) group.forget(refs);
  }

  #restage(shape: ShapeConfig | undefined, nowMs: number): void {
    const before = this.#stages;
    const stages = shape === undefined ? undefined : stagesOf(shape);
    this.#wantsSave = stages !== undefined;
    // Destinations may come and go, and other rules change, without a word about these.
    if (isDeepStrictEqual(stages, before?.config)) return;
    const next = stages && new Stages(stages, this.#clock, nowMs, this.#sliceOutputs);
    before?.finish(next?.identities ?? new Set(), (outputs) => this.#emitOutputs(outputs));
    if (before !== undefined) next?.load(before.save());
    this.#stages = next;
  }

  /** `wire` is only read during the call. `nowMs` is monotonic. */
  accept(body: BodyRef, wire: Uint8Array, nowMs: number): Judged {
    const isRerouted = body.protocol === REROUTED;
    const isCrowded = this.#shaper?.isCrowded === true || this.#placer?.isCrowded === true;
    this.#known.forgetIdle(nowMs, isCrowded);
    // What was in the state that this engine began with is not taken again.
    const isTaken = body.isTaken === true || body.id <= this.#takenTo;
    // What is rerouted passes by, and brings no time along: requests of the journal may come after it.
    if (!isTaken && !isRerouted && body.arrivedMs !== undefined) this.advance(body.arrivedMs, false);
    this.#reached = Math.max(this.#reached, body.id);
    this.#host = undefined;
    const wantsElements = body.extraLabels.length === 0 && this.#groups.some((group) => group.takesElements);
    const suffix = this.#writeSuffix(body.extraLabels);
    this.#isScanned = false;
    const unpacked = this.#unpacker!.unpack(body, wire, wantsElements, (ptr, length) =>
      this.#check(ptr, length, suffix),
    );
    if ('error' in unpacked) return { id: body.id, ...unpacked };
    const { found, notes } = unpacked;
    // Copied first and whole: V8 does that at once, and anything else property by property.
    const parcel: Parcel = {
      ...unpacked,
      body: body.id,
      counts: found.counts,
      labels: found.labels + found.counts.series * body.extraLabels.length,
      everySeriesHasData: found.everySeriesHasData,
      suffixPtr: suffix.ptr,
      suffixLength: suffix.length,
      suffixLabels: body.extraLabels.length,
      isShaped: isRerouted,
    };
    this.#route(this.#settled(parcel, found), { ...body, isTaken }, nowMs);
    for (const group of this.#groups) group.compact();
    return { id: body.id, counts: found.counts, notes };
  }

  /** Validates and scans at once what has to be scanned anyway. */
  #check(ptr: number, length: number, suffix: Identity): WriteRequestFound | undefined {
    const needsColumns = this.#shaper !== undefined || suffix.length > 0 || this.#needsSlots;
    // Where a block may take it as it came, it may have to be moved first.
    if (!needsColumns || this.#host !== undefined) return undefined;
    const found = this.#columns.check(ptr, length, this.#known.table, this.#needsSlots, suffix);
    this.#isScanned = found !== undefined;
    return found;
  }

  get #needsSlots(): boolean {
    return this.#groups.some((group) => group.options.parallel > 1);
  }

  /** The parcel at a place where nothing is written while the groups look at it. */
  #settled(parcel: Parcel, found: WriteRequestFound): Parcel {
    const host = this.#host;
    if (host === undefined || host.takesInPlace(parcel)) return parcel;
    parcel.write?.();
    const rawPtr = this.#scratch.reserve(parcel.rawLength);
    this.#kernel.memory.bytes().copyWithin(rawPtr, parcel.rawPtr, parcel.rawPtr + parcel.rawLength);
    this.#kernel.validateWriteRequest(rawPtr, parcel.rawLength, found);
    return { ...parcel, rawPtr, write: undefined };
  }

  #route(parcel: Parcel, body: BodyRef, nowMs: number): void {
    const suffix = { ptr: parcel.suffixPtr, length: parcel.suffixLength };
    const columns = () => {
      if (!this.#isScanned) {
        parcel.write?.();
        this.#columns.scan(parcel.rawPtr, parcel.rawLength, this.#known.table, this.#needsSlots, suffix);
      }
      this.#isScanned = true;
      return this.#columns;
    };
    const shaper = parcel.isShaped ? this.#placing() : this.#shaper;
    if (shaper !== undefined) {
      const samples = shaper.dropFuture(columns(), body.arrivedMs ?? nowMs);
      if (samples > 0 && !body.isJudged)
        this.#dropped.add(undefined, 'too_far_in_future', { ...noCounts, samples });
      const isTaken = body.isTaken === true;
      shaper.shape(columns(), { id: body.id, added: body.extraLabels, suffix, isTaken }, nowMs);
      if (!body.isJudged) this.#countDrops(this.#columns, shaper, GLOBAL, isTaken);
    }
    // What is placed anew came long ago, and by other names perhaps.
    const isLookedAt = !parcel.isShaped && this.#talkers.note(parcel.counts.samples, nowMs);
    for (const group of this.#groups) this.#lanes[group.add(parcel, columns, nowMs)]++;
    if (parcel.isShaped) return;
    const { hasAll } = this.#known;
    if (this.#isScanned) this.#talkers.noteNew(hasAll ? this.#columns.addedCount : 0);
    // What is forwarded as it came leaves no trace in the series table.
    else if (isLookedAt) {
      parcel.write?.();
      this.#columns.scan(parcel.rawPtr, parcel.rawLength);
    }
    if (isLookedAt) this.#talkers.observe(this.#columns, nowMs, hasAll);
  }

  /** For people who ask; `nowMs` is monotonic. */
  report(nowMs: number): EngineReport {
    return { kind: 'report', talkers: this.#talkers.report(nowMs), lately: this.#talkers.lately };
  }

  /** Refs are the same for both shapers, plans are not: each has its own. This one knows nothing of aggregation. */
  #placing(): Shaper | undefined {
    const { shape, planBytesMax } = this.#config;
    if (shape !== undefined) this.#placer ??= new Shaper(this.#kernel, placingOnly(shape), { planBytesMax });
    return this.#placer;
  }

  /** Ends the windows that are over at this wall time; `isLate`: for the first time since a pause. */
  advance(nowMs: number, isLate: boolean): void {
    this.#stages?.advance(nowMs, isLate, (outputs) => this.#emitOutputs(outputs));
  }

  /** The state will not be kept: rules end, and tell what they tell at their end. */
  finish(): void {
    this.#stages?.finish(new Set(), (outputs) => this.#emitOutputs(outputs));
  }

  /** Outputs take the way that bodies take from the place that they come from. */
  #emitOutputs({ from, kind, request, samples }: Outputs): void {
    const shaper = this.#shaper;
    if (shaper === undefined) return;
    const nowMs = this.#clock.monotonicMs();
    // Never up to the next body, however long none comes.
    this.#reached = Math.min(this.#reached + BODY_STEP, Math.floor(this.#reached) + 1 - BODY_STEP);
    const rawPtr = this.#scratch.reserve(request.byteLength);
    this.#kernel.memory.bytes().set(request, rawPtr);
    const found = this.#kernel.validateWriteRequest(rawPtr, request.byteLength);
    assert(!('error' in found), 'outputs are well-formed');
    const slots = this.#needsSlots;
    if (shaper.changesOutputs(from)) {
      this.#columns.scan(rawPtr, request.byteLength, this.#known.table, slots, this.#markOf(from));
      shaper.shapeOutputs(this.#columns, from);
    } else this.#columns.scan(rawPtr, request.byteLength, undefined, slots);
    const parcel: Parcel = {
      body: this.#reached,
      rawPtr,
      rawLength: request.byteLength,
      elementsPtr: 0,
      elementsLength: 0,
      ...found,
      suffixPtr: 0,
      suffixLength: 0,
      suffixLabels: 0,
      isShaped: false,
    };
    const isCounted = this.#reached <= this.#countedTo;
    if (!isCounted && from === GLOBAL) this.#told.push({ group: undefined, kind, samples });
    if (!isCounted && shaper.changesOutputs(from)) this.#countDrops(this.#columns, shaper, from, false);
    for (const [index, group] of this.#groups.entries()) {
      if (from !== GLOBAL && (this.#config.groups[index]!.form ?? 0) !== from) continue;
      if (!isCounted && from !== GLOBAL) this.#told.push({ group: index, kind, samples });
      group.add(parcel, () => this.#columns, nowMs);
    }
    for (const group of this.#groups) group.compact();
  }

  #markOf(from: number): Identity {
    const bytes = this.#kernel.memory.bytes();
    // No label begins like that, so what clients add to their series is never the same.
    bytes[this.#outputMark] = 0xff;
    new DataView(bytes.buffer).setInt32(this.#outputMark + 1, from, true);
    return { ptr: this.#outputMark, length: OUTPUT_MARK_BYTES };
  }

  /** `from`: only groups that see outputs of this form; GLOBAL: all. */
  #countDrops(columns: Columns, shaper: Shaper, from: number, isTaken: boolean): void {
    for (const [group, config] of this.#config.groups.entries()) {
      if (from !== GLOBAL && (config.form ?? 0) !== from) continue;
      const { view } = shaper.encodingOf(config);
      for (const [judged, counts] of columns.judge(view).counts) {
        if (judged === 0) continue;
        // What is dropped before the destinations is the same for every group.
        const isForAll = judged < OTHER_SHARD;
        if (isForAll && group > 0) continue;
        const reason = isTaken && isHeldBack(judged) ? 'restored' : dropReasonOf(judged);
        this.#dropped.add(isForAll ? undefined : group, reason, counts);
      }
    }
  }

  /** What was dropped and told since the last call. */
  takeNews(): PipelineNews {
    const told = this.#told;
    if (told.length > 0) this.#told = [];
    return {
      dropped: this.#dropped.take(),
      told,
      problems: this.#stages?.takeProblems() ?? [],
      observed: this.#stages?.takeObservations() ?? [],
      examples: this.#shaper?.takeExamples() ?? [],
      reached: this.#reached,
    };
  }

  /** Whether the state of aggregation began anew or in another form, so that the last one that was saved is of no use. */
  get wantsSave(): boolean {
    return this.#wantsSave;
  }

  /** Finishes all blocks, and gives the state that goes with them; undefined when there is none. */
  save(memory?: StateMemory): EngineState | undefined {
    this.flush();
    this.#wantsSave = false;
    return this.#stages === undefined ? undefined : { bytes: this.#stages.save(memory), at: this.#reached };
  }

  /** Where a message is decoded to: straight into a block that will hold it, if there is one with room. */
  #target(rawLength: number, isCompressed: boolean): number {
    for (const group of this.#groups) {
      const place = group.decodeTarget(rawLength, isCompressed);
      if (place === undefined) continue;
      this.#host = group;
      return place;
    }
    this.#host = undefined;
    return this.#scratch.reserve(rawLength);
  }

  /** Encodes extra labels as label fields of a TimeSeries. */
  #writeSuffix(labels: readonly Label[]): { ptr: number; length: number } {
    if (labels.length === 0) return { ptr: 0, length: 0 };
    const bytes = Buffer.concat(labels.map(({ name, value }) => encodePair(name, value)));
    const ptr = this.#suffix.reserve(bytes.byteLength);
    this.#kernel.memory.bytes().set(bytes, ptr);
    return { ptr, length: bytes.byteLength };
  }

  flush(): void {
    this.flushBornBefore(Number.POSITIVE_INFINITY);
  }

  /** Finishes the blocks that were begun at or before this monotonic time. */
  flushBornBefore(monotonicMs: number): void {
    for (const group of this.#groups) group.flush(monotonicMs, this.#reached + BODY_STEP);
  }

  #emit(group: number, block: FinishedBlock): void {
    this.#blocks.push({ group, ...block });
  }

  /** The blocks that were finished since the last call. */
  takeBlocks(): BlockMessage[] {
    const blocks = this.#blocks;
    this.#blocks = [];
    return blocks;
  }

  get hasBlocks(): boolean {
    return this.#blocks.length > 0;
  }

  /** The first body of which something is in an unfinished block. */
  get heldFrom(): number | undefined {
    return least(this.#groups.map((group) => group.heldFrom));
  }

  /** When the oldest unfinished block was begun, in monotonic milliseconds. */
  get oldestBornMs(): number | undefined {
    return least(this.#groups.map((group) => group.oldestBornMs));
  }

  get stats(): EngineStats {
    return {
      memoryBytes: this.#kernel.memory.bytes().byteLength,
      seriesTableSize: this.#known.table.size,
      seriesTableCapacity: this.#known.table.capacity,
      pending: this.#groups.map((group) => group.pending),
      lanes: { ...this.#lanes },
      shaping: this.#shaper?.stats ?? NO_SHAPING,
      aggregation: this.#aggregationStats,
    };
  }

  get #aggregationStats(): AggregationStats | undefined {
    if (this.#stages === undefined) return undefined;
    const nowMs = this.#clock.monotonicMs();
    const isDue = nowMs - this.#stagesToldMs >= STAGES_EVERY_MS || this.oldestBornMs === undefined;
    if (isDue) this.#stagesToldMs = nowMs;
    return { nextFlushMs: this.#stages.nextEventMs, stages: isDue ? this.#stages.stats : undefined };
  }
}

export type PipelineNews = Required<
  Pick<FromEngine, 'told' | 'problems' | 'observed' | 'examples' | 'reached'>
> & {
  readonly dropped: readonly Dropped[];
};

function least(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}
