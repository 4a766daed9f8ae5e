/**
 * All places of the pipeline that aggregate or deduplicate, and their time. Time is the time of events: of requests, when
 * they came, and of the main thread's ticks. Windows end at their own time, one after another, before the first event that is
 * not before it; so the same events always give the same outputs in the same places, and a new engine can do again what a
 * dead one had done.
 *
 * What a window tells is fixed at its end, and goes on in slices that have times of their own, a few milliseconds apart: requests
 * that come meanwhile go between them, by their times as well. All of it is out before the next window of the same rule ends,
 * and, where it may go into the aggregation of a destination, before a window there ends. Engine thread only.
 */
import {
  type CheckpointPart,
  decodeCheckpoint,
  encodeCheckpoint,
} from '../transform/aggregate/checkpoint.ts';
import { ByteReader, type StateMemory } from '../transform/state/bytes.ts';
import { OutputWriter } from '../transform/state/output-writer.ts';
import type { SampleBatch } from '../transform/state/samples.ts';
import type { Clock } from '../util/clock.ts';
import {
  AggregationStage,
  type Observation,
  type OutputKind,
  type StageConfig,
  type StageStats,
} from './aggregation-stage.ts';

export interface StagesConfig {
  readonly global: StageConfig | undefined;
  /** One a form that destinations see series in. */
  readonly forms: readonly (StageConfig | undefined)[];
}

/** Outputs go on at the destinations: those of the place ahead of all, as if they had come in there. */
export const GLOBAL = -1;

/** Outputs of one place as a WriteRequest, which is only read during the call. */
export interface Outputs {
  /** GLOBAL, or the form whose destinations get them. */
  readonly from: number;
  readonly kind: OutputKind;
  readonly request: Uint8Array;
  readonly samples: number;
}

/** Places as they are numbered in what is told of them: 0 is the global one, then the forms. */
export interface StageObservation extends Observation {
  readonly scope: string;
}

/** Outputs that go on together, a slice: some 2 ms of work. */
const SLICE_OUTPUTS = 2_000;
const SLICE_BYTES = 1024 * 1024;
/** From slice to slice; there is time for requests between them. */
const SLICE_EVERY_MS = 4;
/** The part of a checkpoint that says when the next slice goes on. */
const SLICES = 'slices';
/** A clock that goes back by less than this is waited for. */
const SET_BACK_MS = 60_000;
/** More ends of windows than that at one event: the machine slept, or the clock was set. */
const STEPS_MAX = 1000;

class EventClock implements Clock {
  readonly #base: Clock;
  ms: number;

  constructor(base: Clock, ms: number) {
    this.#base = base;
    this.ms = ms;
  }

  nowMs(): number {
    return this.ms;
  }

  monotonicMs(): number {
    return this.#base.monotonicMs();
  }

  after(): () => void {
    throw new Error('nothing waits for the time of events');
  }
}

export class Stages {
  readonly config: StagesConfig;
  readonly global: AggregationStage | undefined;
  readonly forms: readonly (AggregationStage | undefined)[];
  /** What could not be restored, and why. */
  #problems: readonly string[] = [];
  readonly #clock: EventClock;
  readonly #all: readonly (readonly [from: number, stage: AggregationStage])[];
  readonly #writer = new OutputWriter();
  readonly #sliceOutputs: number;
  /** When the next slice goes on; Infinity when nothing waits. */
  #nextSliceMs = Number.POSITIVE_INFINITY;

  /** `sliceOutputs`: outputs that go on at once. */
  constructor(config: StagesConfig, clock: Clock, nowMs: number, sliceOutputs: number = SLICE_OUTPUTS) {
    this.config = config;
    this.#sliceOutputs = sliceOutputs;
    this.#clock = new EventClock(clock, nowMs);
    const create = (stage: StageConfig | undefined) =>
      stage === undefined ? undefined : new AggregationStage(stage, this.#clock);
    this.global = create(config.global);
    this.forms = config.forms.map(create);
    this.#all = [this.global, ...this.forms].flatMap((stage, index) =>
      stage === undefined ? [] : [[index + GLOBAL, stage] as const],
    );
  }

  /** Rules that say the same as those that the state was saved of go on where they were. Before the first series. */
  load(state: Uint8Array): void {
    const { parts, problem } = decodeCheckpoint(state);
    this.#problems = problem === undefined ? this.#all.flatMap(([, stage]) => stage.load(parts)) : [problem];
    const slices = parts.get(SLICES);
    if (slices !== undefined && this.untold > 0) this.#nextSliceMs = new ByteReader(slices).f64();
  }

  /** What was loaded is the state of another process: counts begin at 0. */
  startAnew(): void {
    for (const [, stage] of this.#all) stage.startAnew();
  }

  takeProblems(): readonly string[] {
    const problems = this.#problems;
    if (problems.length > 0) this.#problems = [];
    return problems;
  }

  /** The time of the last event. */
  get nowMs(): number {
    return this.#clock.ms;
  }

  get identities(): ReadonlySet<string> {
    return new Set(this.#all.flatMap(([, stage]) => stage.identities));
  }

  /** When the next window ends, or the next slice of one that has ended goes on. */
  get nextEventMs(): number {
    return Math.min(this.#nextFlushMs, this.#nextSliceMs);
  }

  get #nextFlushMs(): number {
    return this.#all.reduce((next, [, stage]) => Math.min(next, stage.nextFlushMs), Number.POSITIVE_INFINITY);
  }

  /** Outputs of windows that ended, and that wait for their slices. */
  get untold(): number {
    return this.#all.reduce((sum, [, stage]) => sum + stage.untold, 0);
  }

  /**
   * Ends the windows that are over at the time of an event. After a pause (`isLate`) each rule ends one window, and those
   * that would have been empty since are skipped.
   */
  advance(toMs: number, isLate: boolean, emit: (outputs: Outputs) => void): void {
    if (toMs < this.#clock.ms - SET_BACK_MS) {
      // Those whose windows end too far ahead now begin anew.
      this.#tellAll(emit);
      this.#clock.ms = toMs;
      for (const [, stage] of this.#all) stage.flushDue();
    }
    for (let step = 0; step < STEPS_MAX && this.nextEventMs <= toMs; ) {
      if (this.#nextSliceMs <= this.#nextFlushMs) {
        this.#clock.ms = this.#nextSliceMs;
        this.#tellSlice(emit);
        continue;
      }
      step++;
      this.#clock.ms = isLate ? toMs : this.#nextFlushMs;
      this.#flushDue(emit);
    }
    this.#clock.ms = toMs;
    if (this.#nextFlushMs <= toMs) this.#flushDue(emit);
    if (isLate) this.#tellAll(emit);
  }

  #flushDue(emit: (outputs: Outputs) => void): void {
    for (const [from, stage] of this.#all) {
      if (stage.nextFlushMs > this.#clock.ms) continue;
      // What it aggregates of the global outputs belongs into the window that ends.
      if (from !== GLOBAL && this.global !== undefined) this.#tell(GLOBAL, this.global, emit);
      while (stage.overdue > 0) this.#tellOnce(from, stage, emit, true);
      stage.flushDue();
    }
    // Most windows are told with their first slice.
    if (this.#nextSliceMs === Number.POSITIVE_INFINITY) this.#tellSlice(emit);
  }

  /** One slice, of the first places that have something to tell. */
  #tellSlice(emit: (outputs: Outputs) => void): void {
    let left = this.#sliceOutputs;
    for (const [from, stage] of this.#all) {
      for (let before = stage.untold; left > 0 && before > 0; before = stage.untold) {
        this.#tellOnce(from, stage, emit, false, left);
        left -= before - stage.untold;
      }
    }
    this.#nextSliceMs = this.untold > 0 ? this.#clock.ms + SLICE_EVERY_MS : Number.POSITIVE_INFINITY;
  }

  #tell(from: number, stage: AggregationStage, emit: (outputs: Outputs) => void): void {
    while (stage.untold > 0) this.#tellOnce(from, stage, emit, false);
  }

  #tellAll(emit: (outputs: Outputs) => void): void {
    for (const [from, stage] of this.#all) this.#tell(from, stage, emit);
    this.#nextSliceMs = Number.POSITIVE_INFINITY;
  }

  /** Up to `outputsMax` outputs of one kind. */
  #tellOnce(
    from: number,
    stage: AggregationStage,
    emit: (outputs: Outputs) => void,
    isOverdue: boolean,
    outputsMax = this.#sliceOutputs,
  ): void {
    const writer = this.#writer;
    const kind = stage.tell(writer, outputsMax, SLICE_BYTES, isOverdue);
    const samples = writer.seriesCount;
    if (samples > 0) emit({ from, kind, request: writer.take(), samples });
  }

  /** Tells what waits, and ends all rules but those that `except` names. */
  finish(except: ReadonlySet<string>, emit: (outputs: Outputs) => void): void {
    for (const [from, stage] of this.#all) stage.finish(() => this.#tell(from, stage, emit), except);
    this.#nextSliceMs = Number.POSITIVE_INFINITY;
  }

  /** `isOutput`: it comes from the global place and goes on behind it. */
  push(batch: SampleBatch, isOutput: boolean): void {
    if (!isOutput) this.global?.push(batch);
    for (const stage of this.forms) stage?.push(batch);
  }

  forget(refs: Uint32Array): void {
    for (const [, stage] of this.#all) stage.forget(refs);
  }

  /** The whole state, in `memory` if there is some. What is too much for it is told by `takeProblems`. */
  save(memory?: StateMemory): Uint8Array {
    const slices: CheckpointPart = { id: SLICES, write: (to) => to.f64(this.#nextSliceMs) };
    const parts = this.#all.flatMap(([, stage]) => stage.save());
    const { bytes, omitted } = encodeCheckpoint([slices, ...parts], { memory, hasChecksum: false });
    if (omitted.length > 0) {
      this.#problems = omitted.map((id) => `${id} is too large to be saved, and would begin anew`);
    }
    return bytes;
  }

  get stats(): readonly StageStats[] {
    return this.#all.map(([, stage]) => stage.stats);
  }

  takeObservations(): readonly StageObservation[] {
    return this.#all.flatMap(([, stage]) =>
      stage.takeObservations().map((observation) => ({ scope: stage.config.scope, ...observation })),
    );
  }
}

/** The places of a configuration; undefined when nothing is aggregated or deduplicated. */
export function stagesOf(shape: {
  readonly stage?: StageConfig | undefined;
  readonly forms: readonly { readonly stage?: StageConfig | undefined }[];
}): StagesConfig | undefined {
  const config = { global: shape.stage, forms: shape.forms.map(({ stage }) => stage) };
  return config.global === undefined && config.forms.every((stage) => stage === undefined)
    ? undefined
    : config;
}

export function isAggregating(shape: Parameters<typeof stagesOf>[0] | undefined): boolean {
  return shape !== undefined && stagesOf(shape) !== undefined;
}
