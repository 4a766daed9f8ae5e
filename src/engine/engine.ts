/** The engine: takes messages, runs the pipeline, answers. A failure inside is its end; the pool starts another. */
import { Kernel } from '../kernel/kernel.ts';
import type { ParseNotes } from '../model/body.ts';
import { createStateMemory, type StateMemory } from '../transform/state/bytes.ts';
import { assert } from '../util/assert.ts';
import type { Clock } from '../util/clock.ts';
import {
  BODY_FIELDS,
  type BodyFormat,
  type BodyRef,
  type EngineReport,
  type EngineStart,
  type FromEngine,
  IS_JUDGED,
  IS_TAKEN,
  type Refusal,
  type ToEngine,
} from './messages.ts';
import { droppedToNumbers, statsToNumbers } from './numbers.ts';
import { Pipeline } from './pipeline.ts';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type Answer = Mutable<FromEngine>;

/** What an answer to a message has of its own. */
type Answered = 'accepted' | 'noted' | 'refused' | 'batches' | 'tickets' | 'state' | 'saveMs';

/** What it has from its host: `answer` is called while it takes a message, or when the clock wakes it up. */
export interface EnginePorts extends EngineStart {
  readonly clock: Clock;
  /** The buffers belong to the main thread from then on. */
  readonly answer: (message: FromEngine | EngineReport, buffers: ArrayBuffer[]) => void;
}

export class Engine {
  readonly #ports: EnginePorts;
  readonly #kernel: Kernel;
  readonly #current: Float64Array;
  readonly #slabs = new Map<number, Uint8Array>();
  #pipeline: Pipeline | undefined;
  #flushIntervalMs = 1000;
  #generation = 0;
  #formats: readonly BodyFormat[] = [];
  #flushPlanned = false;

  constructor(ports: EnginePorts) {
    this.#ports = ports;
    this.#kernel = new Kernel(ports.module);
    this.#current = new Float64Array(ports.current);
  }

  take(message: ToEngine): void {
    switch (message.kind) {
      case 'slab':
        this.#slabs.set(message.index, new Uint8Array(message.memory));
        break;
      case 'forget-slab':
        this.#slabs.delete(message.index);
        break;
      case 'configure':
        this.#configure(message);
        break;
      case 'bodies':
        this.#accept(message);
        break;
      case 'flush':
        this.#flush(Number.POSITIVE_INFINITY);
        this.#answer({ tickets: [message.ticket] });
        break;
      case 'tick':
        this.#running.advance(message.nowMs, message.isLate);
        this.#answer({});
        break;
      case 'save':
        this.#save([message.ticket], message.memory);
        break;
      case 'finish':
        this.#running.finish();
        this.#answer({});
        break;
      case 'report':
        this.#ports.answer(this.#running.report(this.#ports.clock.monotonicMs()), []);
        break;
    }
  }

  get #running(): Pipeline {
    assert(this.#pipeline !== undefined, 'the engine is configured before it gets anything else');
    return this.#pipeline;
  }

  #configure({
    generation,
    config,
    progress,
    resume,
    nowMs,
  }: Extract<ToEngine, { kind: 'configure' }>): void {
    if (this.#pipeline === undefined) {
      const start = { progress, resume, nowMs, clock: this.#ports.clock };
      this.#pipeline = new Pipeline(this.#kernel, config, start);
    } else {
      this.#flush(Number.POSITIVE_INFINITY);
      this.#answer({});
      this.#pipeline.configure(config, nowMs);
    }
    // Blocks that were finished by the new configuration came from the old one.
    if (this.#pipeline.hasBlocks) this.#answer({});
    this.#generation = generation;
    this.#flushIntervalMs = config.flushIntervalMs;
    if (this.#pipeline.wantsSave) this.#save([]);
    else this.#answer({});
  }

  #save(tickets: number[], memory: StateMemory = createStateMemory()): void {
    this.#flush(Number.POSITIVE_INFINITY);
    const startMs = this.#ports.clock.monotonicMs();
    const state = this.#running.save(memory);
    const saveMs = this.#ports.clock.monotonicMs() - startMs;
    this.#answer(state === undefined ? { tickets } : { tickets, state, saveMs });
  }

  /** Wakes up when the oldest unfinished block has waited for a flush interval. */
  #planFlush(): void {
    const bornMs = this.#running.oldestBornMs;
    if (bornMs === undefined || this.#flushPlanned) return;
    this.#flushPlanned = true;
    const waitMs = Math.max(1, bornMs + this.#flushIntervalMs - this.#ports.clock.monotonicMs());
    this.#ports.clock.after(waitMs, () => {
      this.#flushPlanned = false;
      this.#flush(this.#ports.clock.monotonicMs() - this.#flushIntervalMs);
      this.#answer({});
    });
  }

  /** If a block cannot be finished, the first of its bodies is taken for the cause. */
  #flush(bornBeforeMs: number): void {
    this.#current[0] = Math.floor(this.#running.heldFrom ?? 0);
    this.#running.flushBornBefore(bornBeforeMs);
    this.#current[0] = 0;
  }

  #accept({ fields, formats = this.#formats }: Extract<ToEngine, { kind: 'bodies' }>): void {
    this.#formats = formats;
    const accepted: number[] = [];
    const noted: { readonly id: number; readonly notes: ParseNotes }[] = [];
    const refused: Refusal[] = [];
    for (let at = 0; at < fields.length; at += BODY_FIELDS) {
      const { encoding, protocol, extraLabels, tenant, arrival } = formats[fields[at + 4]!]!;
      const body: BodyRef = {
        id: fields[at]!,
        slab: fields[at + 1]!,
        offset: fields[at + 2]!,
        length: fields[at + 3]!,
        isJudged: (fields[at + 5]! & IS_JUDGED) !== 0,
        isTaken: (fields[at + 5]! & IS_TAKEN) !== 0,
        arrivedMs: fields[at + 6]!,
        encoding,
        protocol,
        extraLabels,
        tenant,
        arrival,
      };
      const slab = this.#slabs.get(body.slab);
      assert(slab !== undefined, `slab ${body.slab} was announced`);
      this.#current[0] = body.id;
      const wire = slab.subarray(body.offset, body.offset + body.length);
      const judged = this.#running.accept(body, wire, this.#ports.clock.monotonicMs());
      this.#current[0] = 0;
      if ('error' in judged) refused.push(judged);
      else {
        const { series, samples, histograms, exemplars, metadata } = judged.counts;
        accepted.push(body.id, series, samples, histograms, exemplars, metadata);
        if (judged.notes !== undefined) noted.push({ id: body.id, notes: judged.notes });
      }
    }
    const answer: Partial<Pick<Answer, Answered>> = { batches: 1 };
    if (accepted.length > 0) answer.accepted = accepted;
    if (noted.length > 0) answer.noted = noted;
    if (refused.length > 0) answer.refused = refused;
    this.#answer(answer);
  }

  #answer(news: Partial<Pick<FromEngine, Answered>>): void {
    const pipeline = this.#running;
    const blocks = pipeline.takeBlocks();
    const { dropped, told, problems, observed, examples, reached } = pipeline.takeNews();
    const { heldFrom, stats } = pipeline;
    const { aggregation } = stats;
    const message: Answer = {
      ...news,
      kind: 'done',
      reached,
      batches: news.batches ?? 0,
      generation: this.#generation,
      stats: statsToNumbers(stats),
    };
    if (heldFrom !== undefined) message.heldFrom = heldFrom;
    if (aggregation !== undefined) message.aggregation = aggregation;
    if (dropped.length > 0) message.dropped = droppedToNumbers(dropped);
    if (told.length > 0) message.told = told;
    if (problems.length > 0) message.problems = problems;
    if (observed.length > 0) message.observed = observed;
    if (examples.length > 0) message.examples = examples;
    if (blocks.length > 0) message.blocks = blocks;
    this.#ports.answer(
      message,
      blocks.map((block) => block.memory),
    );
    this.#planFlush();
  }
}
