/**
 * All places of the pipeline that aggregate or deduplicate, and their time. Time is the time of events: of requests, when
 * they came, and of the main thread's ticks. Windows end at their own time, one after another, before the first event that is
 * not before it; so the same events always give the same outputs in the same places, and a new engine can do again what a
 * dead one had done. Engine thread only.
 */
import { decodeCheckpoint, encodeCheckpoint } from '../transform/aggregate/checkpoint.ts';
import type { SampleBatch } from '../transform/state/samples.ts';
import type { Clock } from '../util/clock.ts';
import {
  AggregationStage,
  type Observation,
  type StageConfig,
  type StageSink,
  type StageStats,
} from './aggregation-stage.ts';
import { OutputWriter } from './output-writer.ts';

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
  readonly kind: 'aggregated_out' | 'deduplicated_out';
  readonly request: Uint8Array;
  readonly samples: number;
}

/** Places as they are numbered in what is told of them: 0 is the global one, then the forms. */
export interface StageObservation extends Observation {
  readonly scope: string;
}

/** Outputs that go on together. */
const SERIES_PER_REQUEST = 10_000;
const BYTES_PER_REQUEST = 4 * 1024 * 1024;
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

  constructor(config: StagesConfig, clock: Clock, nowMs: number) {
    this.config = config;
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

  get nextFlushMs(): number {
    return this.#all.reduce((next, [, stage]) => Math.min(next, stage.nextFlushMs), Number.POSITIVE_INFINITY);
  }

  /**
   * Ends the windows that are over at the time of an event. After a pause (`isLate`) each rule ends one window, and those
   * that would have been empty since are skipped.
   */
  advance(toMs: number, isLate: boolean, emit: (outputs: Outputs) => void): void {
    if (toMs < this.#clock.ms - SET_BACK_MS) {
      // Those whose windows end too far ahead now begin anew.
      this.#clock.ms = toMs;
      for (const [from, stage] of this.#all) this.#collect(from, emit, (sink) => stage.flushDue(sink));
    }
    for (let step = 0; step < STEPS_MAX && this.nextFlushMs <= toMs; step++) {
      this.#clock.ms = isLate ? toMs : this.nextFlushMs;
      this.#flushDue(emit);
    }
    this.#clock.ms = toMs;
    if (this.nextFlushMs <= toMs) this.#flushDue(emit);
  }

  #flushDue(emit: (outputs: Outputs) => void): void {
    for (const [from, stage] of this.#all) {
      if (stage.nextFlushMs <= this.#clock.ms) this.#collect(from, emit, (sink) => stage.flushDue(sink));
    }
  }

  /** Ends all rules but those that `except` names. */
  finish(except: ReadonlySet<string>, emit: (outputs: Outputs) => void): void {
    for (const [from, stage] of this.#all) this.#collect(from, emit, (sink) => stage.finish(sink, except));
  }

  #collect(from: number, emit: (outputs: Outputs) => void, run: (sink: StageSink) => void): void {
    const writer = this.#writer;
    let kind: Outputs['kind'] = 'aggregated_out';
    const letGo = () => {
      const samples = writer.seriesCount;
      if (samples > 0) emit({ from, kind, request: writer.take(), samples });
    };
    const add =
      (own: Outputs['kind']): StageSink['aggregated'] =>
      (labels, timestampMs, low, high) => {
        if (own !== kind) letGo();
        kind = own;
        writer.add(labels, timestampMs, low, high);
        if (writer.seriesCount >= SERIES_PER_REQUEST || writer.byteLength >= BYTES_PER_REQUEST) letGo();
      };
    run({ aggregated: add('aggregated_out'), deduplicated: add('deduplicated_out') });
    letGo();
  }

  /** `isOutput`: it comes from the global place and goes on behind it. */
  push(batch: SampleBatch, isOutput: boolean): void {
    if (!isOutput) this.global?.push(batch);
    for (const stage of this.forms) stage?.push(batch);
  }

  forget(refs: Uint32Array): void {
    for (const [, stage] of this.#all) stage.forget(refs);
  }

  /** The whole state. What is too much for it is told by `takeProblems`. */
  save(): Uint8Array<ArrayBuffer> {
    const { bytes, omitted } = encodeCheckpoint(this.#all.flatMap(([, stage]) => stage.save()));
    if (omitted.length > 0) {
      this.#problems = omitted.map((id) => `${id} is too large to be saved, and would begin anew`);
    }
    return Uint8Array.from(bytes);
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
