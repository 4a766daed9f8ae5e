/**
 * Gives every scanned series its plan: asks what becomes of it once, and keeps the answer where the kernels follow it.
 * Engine thread only.
 */
import { NO_IDENTITY, NO_REF } from '../kernel/columns.ts';
import type { Columns, Identity, Kernel, PlanView, Round } from '../kernel/kernel.ts';
import type { Label } from '../model/body.ts';
import type { Verdict } from '../model/drops.ts';
import { Labels } from '../model/labels.ts';
import { LabelReader } from '../series/label-reader.ts';
import { Outlines } from '../series/outlines.ts';
import { type Decision, Plans } from '../series/plans.ts';
import type { CardinalityLimits } from '../transform/limit/cardinality.ts';
import type { AggregationStage } from './aggregation-stage.ts';
import { Decider } from './decider.ts';
import { lookedAt } from './looked.ts';
import type { GroupConfig, ShapingStats } from './messages.ts';
import type { ShapeConfig } from './shape.ts';
import { GLOBAL, type Stages } from './stages.ts';

/** A series that was dropped, for the status page. */
export interface DropExample {
  readonly reason: Verdict;
  readonly series: string;
  readonly body: number;
}

interface Encoding {
  readonly view: PlanView;
  readonly round: Round | undefined;
  readonly spans: boolean;
}

export interface ShaperOptions {
  readonly planBytesMax?: number | undefined;
  /** Windows of the limits that go on. */
  readonly limits?: CardinalityLimits | undefined;
  /** What aggregates and deduplicates; by the places of the configuration. */
  readonly stages?: Stages | undefined;
}

/** A scanned body that series are shaped of. */
export interface ShapedBody {
  readonly id: number;
  /** Labels that the client's request adds to every series; `suffix` is what they are as bytes. */
  readonly added: readonly Label[];
  readonly suffix: Identity;
  /** Aggregation has its samples already. */
  readonly isTaken: boolean;
}

const OUTPUTS: ShapedBody = { id: 0, added: [], suffix: NO_IDENTITY, isTaken: false };

const PLAN_BYTES_MAX = 512 * 1024 * 1024;
const CROWDED = 0.8;
/** Examples of each reason that are told at once; there may be thousands. */
const EXAMPLES_MAX = 3;
const EXAMPLE_LENGTH_MAX = 500;
/** They are looked for among so many series a second: where the table is full, all are decided again with each sample. */
const LOOKED_THROUGH_MAX = 20_000;
const LOOKED_THROUGH_MS = 1_000;

export class Shaper {
  readonly #config: ShapeConfig;
  readonly #decider: Decider;
  readonly #reader: LabelReader;
  readonly #plans: Plans;
  /** Undefined when series have to be decided one by one. */
  readonly #outlines: Outlines | undefined;
  readonly #planBytesMax: number;
  readonly #labels = new Labels();
  readonly #decision: Decision = { verdict: 0, heldBack: 0, owners: [], forms: [], fates: [] };
  readonly #stages: Stages | undefined;
  /** The series that is being decided. */
  #series = { ref: NO_REF, row: 0, isTaken: false };
  #columns: Columns | undefined;
  readonly #asked: AggregationStage[] = [];
  #examples: DropExample[] = [];
  /** How many series may still be looked through since when. */
  #toLookThrough = LOOKED_THROUGH_MAX;
  #lookedSinceMs = Number.NEGATIVE_INFINITY;
  #decided = 0;
  #future = 0;

  constructor(
    kernel: Kernel,
    config: ShapeConfig,
    { planBytesMax = PLAN_BYTES_MAX, limits, stages }: ShaperOptions = {},
  ) {
    this.#config = config;
    this.#stages = stages;
    this.#planBytesMax = planBytesMax;
    this.#decider = new Decider(config, limits, stages);
    this.#reader = new LabelReader(kernel);
    this.#plans = new Plans(kernel, {
      shards: config.placement?.destinations.length ?? 0,
      forms: config.forms.length,
    });
    const looked = lookedAt(config);
    if (looked !== undefined) this.#outlines = new Outlines(kernel, this.#plans, looked);
  }

  /** Windows of the limits outlive a change of the rules. */
  limitsFor(config: ShapeConfig): CardinalityLimits | undefined {
    const isSame =
      config.maxHourlySeries === this.#config.maxHourlySeries &&
      config.maxDailySeries === this.#config.maxDailySeries;
    return isSame ? this.#decider.limits : undefined;
  }

  /** Plans take most of the memory that they may have. */
  get isCrowded(): boolean {
    return this.#plans.byteLength > this.#planBytesMax * CROWDED;
  }

  get stats(): ShapingStats {
    const { hourlySeries, dailySeries } = this.#decider.limits;
    const planBytes = this.#plans.byteLength;
    return { planBytes, decided: this.#decided, futureSamples: this.#future, hourlySeries, dailySeries };
  }

  /** What a group of destinations gets of a series. */
  encodingOf({ form = 0, shard }: Pick<GroupConfig, 'form' | 'shard'>): Encoding {
    const { round } = this.#decider.forms[form]!;
    // Samples that change or go are written from the columns.
    const spans = round === undefined && this.#config.future?.drop !== true;
    return { view: this.#plans.view(form, shard), round, spans };
  }

  /** Counts samples of the future, and drops them if that is configured; returns how many were dropped. */
  dropFuture(columns: Columns, wallMs: number): number {
    const { future } = this.#config;
    if (future === undefined) return 0;
    const found = columns.futureSamples(Math.floor(wallMs + future.afterMs), future.drop);
    this.#future += found;
    return future.drop ? found : 0;
  }

  /** Gives every scanned series its plan, and aggregation its samples. */
  shape(columns: Columns, body: ShapedBody, nowMs: number): void {
    if (this.#decider.limits.turn(nowMs)) this.#plans.clear();
    if (nowMs - this.#lookedSinceMs >= LOOKED_THROUGH_MS) {
      this.#lookedSinceMs = nowMs;
      this.#toLookThrough = LOOKED_THROUGH_MAX;
    }
    this.#gather(columns, body, (series) => {
      const own = this.#read(columns, series, body.added);
      this.#decider.decide(this.#labels, this.#decision, this.#ask);
      return own;
    });
    if (!body.isTaken) this.#push(columns, false);
  }

  /** Whether outputs from there can come out differently from how they came in; if not, nothing is kept of their series. */
  changesOutputs(from: number): boolean {
    const { forms, placement } = this.#config;
    if (placement !== undefined) return true;
    // Rounding is done where blocks are written.
    if (from !== GLOBAL) return forms[from]!.labels.length > 0;
    return forms.some(({ rules, labels, stage }) => rules.length + labels.length > 0 || stage !== undefined);
  }

  /** The same for outputs of aggregation and deduplication, from GLOBAL or of a form. */
  shapeOutputs(columns: Columns, from: number): void {
    this.#gather(columns, OUTPUTS, (series) => {
      const own = this.#read(columns, series, []);
      if (from === GLOBAL) this.#decider.decideOutput(this.#labels, this.#decision, this.#ask);
      else this.#decider.decideOutputOf(from, this.#labels, this.#decision);
      return own;
    });
    if (from === GLOBAL) this.#push(columns, true);
  }

  /** `decide` reads the labels of a series and decides on them; it returns how many the series brought along. */
  #gather(columns: Columns, body: ShapedBody, decide: (series: number) => number): void {
    const missing = this.#plans.gather(columns);
    if (missing === 0) return;
    this.#columns = columns;
    this.#outlines?.begin();
    let dropped = 0;
    for (let nth = 0; nth < missing; nth++) {
      // Without room a series is decided anew each time: slow, and no memory more.
      const keeps = this.#plans.byteLength < this.#planBytesMax;
      if (this.#outlines !== undefined) {
        const planned = this.#outlines.plan(columns, nth, missing, keeps, body.suffix);
        dropped += planned.dropped;
        nth = planned.next;
        if (nth === missing) break;
      }
      const series = columns.missing(nth);
      const ref = columns.ref(series);
      // It may have come earlier in the same body.
      const known = ref === NO_REF ? 0 : this.#plans.get(ref);
      if (known !== 0) {
        columns.setPlan(series, known);
        continue;
      }
      this.#series = { ref, row: series, isTaken: body.isTaken };
      this.#decided++;
      this.#asked.length = 0;
      const own = decide(series);
      this.#forgetElsewhere(ref);
      const plan = this.#plans.add(keeps && ref !== NO_REF ? ref : undefined, this.#decision, own);
      columns.setPlan(series, plan);
      if (keeps) this.#outlines?.remember(plan);
      else this.#outlines?.forget();
      if (this.#decision.verdict !== 0) dropped++;
    }
    if (dropped > 0) this.#noteDropped(columns, missing, body);
  }

  readonly #ask = (stage: AggregationStage, labels: Labels): number => {
    const { ref, row, isTaken } = this.#series;
    this.#asked.push(stage);
    if (ref !== NO_REF) return stage.plan(ref, labels);
    const { sampleStart, sampleCount } = this.#columns!.row(row);
    return stage.take(labels, this.#columns!.samples, sampleStart, isTaken ? 0 : sampleCount);
  };

  /** It may have been planned before, under other rules. */
  #forgetElsewhere(ref: number): void {
    if (this.#stages === undefined || ref === NO_REF) return;
    for (const stage of [this.#stages.global, ...this.#stages.forms]) {
      if (stage !== undefined && !this.#asked.includes(stage)) stage.forget([ref]);
    }
  }

  #push(columns: Columns, isOutput: boolean): void {
    if (this.#stages === undefined) return;
    const batch = { seriesCount: columns.seriesCount, ...columns.spans, ...columns.samples };
    this.#stages.push(batch, isOutput);
  }

  /** As the client sent it; returns the number of labels without the added ones. */
  #read(columns: Columns, series: number, added: readonly Label[]): number {
    const labels = this.#labels;
    const own = this.#reader.read(columns, series, labels);
    for (const { name, value } of added) labels.push(name, value, labels.length);
    return own;
  }

  /** Tells about some of the series that got their plan just now, and are dropped by it. */
  #noteDropped(columns: Columns, missing: number, { id, added }: ShapedBody): void {
    const noted = new Map<Verdict, number>();
    for (const { reason } of this.#examples) noted.set(reason, (noted.get(reason) ?? 0) + 1);
    for (let nth = 0; nth < missing && this.#toLookThrough > 0; nth++) {
      this.#toLookThrough--;
      const series = columns.missing(nth);
      const reason = this.#plans.verdictOf(columns.plan(series));
      const count = noted.get(reason) ?? 0;
      if (reason === 'none' || count >= EXAMPLES_MAX) continue;
      noted.set(reason, count + 1);
      this.#read(columns, series, added);
      this.#examples.push({ reason, series: this.#labels.toString().slice(0, EXAMPLE_LENGTH_MAX), body: id });
    }
  }

  /** The drops that were noted since the last call. */
  takeExamples(): DropExample[] {
    if (this.#examples.length === 0) return this.#examples;
    const examples = this.#examples;
    this.#examples = [];
    return examples;
  }

  forget(refs: Uint32Array): void {
    this.#plans.forget(refs);
    this.#outlines?.forget();
    this.#stages?.forget(refs);
  }

  close(): void {
    this.#outlines?.close();
    this.#plans.close();
  }
}
