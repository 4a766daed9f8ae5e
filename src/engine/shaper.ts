/**
 * Gives every scanned series its plan: asks what becomes of it once, and keeps the answer where the kernels follow it.
 * Engine thread only.
 */
import { NO_REF } from '../kernel/columns.ts';
import type { Columns, Kernel, PlanView, Round } from '../kernel/kernel.ts';
import type { Label } from '../model/body.ts';
import type { Verdict } from '../model/drops.ts';
import { Labels } from '../model/labels.ts';
import { LabelReader } from '../series/label-reader.ts';
import { type Decision, Plans } from '../series/plans.ts';
import type { CardinalityLimits } from '../transform/limit/cardinality.ts';
import { Decider } from './decider.ts';
import type { GroupConfig, ShapingStats } from './messages.ts';
import type { ShapeConfig } from './shape.ts';

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
}

const PLAN_BYTES_MAX = 512 * 1024 * 1024;
const CROWDED = 0.8;
/** Examples of each reason that are told at once; there may be thousands. */
const EXAMPLES_MAX = 3;
const EXAMPLE_LENGTH_MAX = 500;

export class Shaper {
  readonly #config: ShapeConfig;
  readonly #decider: Decider;
  readonly #reader: LabelReader;
  readonly #plans: Plans;
  readonly #planBytesMax: number;
  readonly #labels = new Labels();
  readonly #decision: Decision = { verdict: 0, owners: [], forms: [] };
  #examples: DropExample[] = [];
  #decided = 0;
  #future = 0;

  constructor(
    kernel: Kernel,
    config: ShapeConfig,
    { planBytesMax = PLAN_BYTES_MAX, limits }: ShaperOptions = {},
  ) {
    this.#config = config;
    this.#planBytesMax = planBytesMax;
    this.#decider = new Decider(config, limits);
    this.#reader = new LabelReader(kernel);
    this.#plans = new Plans(kernel, this.#reader, {
      shards: config.placement?.destinations.length ?? 0,
      forms: config.forms.length,
    });
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

  /** Gives every scanned series its plan. `added` are the labels that the client's request adds to every series. */
  shape(columns: Columns, added: readonly Label[], body: number, nowMs: number): void {
    if (this.#decider.limits.turn(nowMs)) this.#plans.clear();
    const missing = this.#plans.gather(columns);
    for (let nth = 0; nth < missing; nth++) {
      const series = columns.missing(nth);
      const ref = columns.ref(series);
      // It may have come earlier in the same body.
      const known = ref === NO_REF ? 0 : this.#plans.get(ref);
      columns.setPlan(series, known || this.#decide(columns, series, ref, added, body));
    }
  }

  #decide(columns: Columns, series: number, ref: number, added: readonly Label[], body: number): number {
    this.#decided++;
    const own = this.#read(columns, series, added);
    const verdict = this.#decider.decide(this.#labels, this.#decision);
    if (verdict !== 'none') this.#note(verdict, columns, series, added, body);
    // Without room a series is decided anew each time: slow, and no memory more.
    const isKept = ref !== NO_REF && this.#plans.byteLength < this.#planBytesMax;
    return this.#plans.add(isKept ? ref : undefined, this.#decision, own);
  }

  /** As the client sent it; returns the number of labels without the added ones. */
  #read(columns: Columns, series: number, added: readonly Label[]): number {
    const labels = this.#labels;
    const own = this.#reader.read(columns, series, labels);
    for (const { name, value } of added) labels.push(name, value, labels.length);
    return own;
  }

  #note(reason: Verdict, columns: Columns, series: number, added: readonly Label[], body: number): void {
    if (this.#examples.filter((example) => example.reason === reason).length >= EXAMPLES_MAX) return;
    this.#read(columns, series, added);
    this.#examples.push({ reason, series: this.#labels.toString().slice(0, EXAMPLE_LENGTH_MAX), body });
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
  }

  close(): void {
    this.#plans.close();
  }
}
