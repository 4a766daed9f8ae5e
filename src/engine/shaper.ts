/**
 * Decides what becomes of a series, once: relabeling, limits, owners, the form that each destination sees. Order:
 * docs/architecture.md. Engine thread only.
 */
import { NO_REF } from '../kernel/columns.ts';
import type { Columns, Kernel, PlanView, Round } from '../kernel/kernel.ts';
import type { Label } from '../model/body.ts';
import { drops, type Verdict } from '../model/drops.ts';
import { Labels } from '../model/labels.ts';
import { createPlacement, type Placement } from '../route/placement.ts';
import { LabelReader } from '../series/label-reader.ts';
import { type Decision, type Form, Plans } from '../series/plans.ts';
import { CardinalityLimits } from '../transform/limit/cardinality.ts';
import { checkLabels } from '../transform/limit/labels.ts';
import { usePromCompatibleNaming } from '../transform/naming.ts';
import { RelabelChain } from '../transform/relabel/chain.ts';
import { createRounder } from '../transform/round.ts';
import { loadHash64 } from '../util/hash64.ts';
import type { GroupConfig } from './messages.ts';
import { type FormConfig, hasGlobalRules, type ShapeConfig } from './shape.ts';

const hash64 = await loadHash64();

/** A series that was dropped, for the status page. */
export interface DropExample {
  readonly reason: Verdict;
  readonly series: string;
  readonly body: number;
}

interface Encoding {
  readonly view: PlanView;
  readonly round: Round | undefined;
}

/** Examples of each reason that are told at once; there may be thousands. */
const EXAMPLES_MAX = 3;
const EXAMPLE_LENGTH_MAX = 500;

class FormShaper {
  readonly #chain: RelabelChain | undefined;
  readonly #labels: FormConfig['labels'];
  readonly #work = new Labels();
  readonly round: Round | undefined;

  constructor({ rules, labels, rounding }: FormConfig) {
    this.round = createRounder(rounding);
    this.#chain = rules.length > 0 ? new RelabelChain(rules) : undefined;
    this.#labels = labels;
  }

  /** The labels are valid until the next call. */
  shape(labels: Labels): Labels | undefined {
    if (this.#chain === undefined && this.#labels.length === 0) return labels;
    this.#work.copyFrom(labels);
    if (this.#chain?.apply(this.#work) === false) return undefined;
    for (const [name, value] of this.#labels) this.#work.set(name, value);
    return this.#work;
  }
}

export class Shaper {
  readonly #config: ShapeConfig;
  readonly #reader: LabelReader;
  readonly #plans: Plans;
  readonly #chain: RelabelChain | undefined;
  readonly #forms: readonly FormShaper[];
  readonly #placement: Placement | undefined;
  readonly #limits: CardinalityLimits;
  readonly #labels = new Labels();
  readonly #decision: Decision = { verdict: 0, owners: [], forms: [] };
  #examples: DropExample[] = [];
  #decided = 0;

  constructor(kernel: Kernel, config: ShapeConfig, limits?: CardinalityLimits) {
    this.#config = config;
    this.#reader = new LabelReader(kernel);
    this.#plans = new Plans(kernel, this.#reader, {
      shards: config.placement?.destinations.length ?? 0,
      forms: config.forms.length,
    });
    this.#chain = hasGlobalRules(config) ? new RelabelChain(config.rules) : undefined;
    this.#forms = config.forms.map((form) => new FormShaper(form));
    this.#placement = config.placement === undefined ? undefined : createPlacement(config.placement, hash64);
    this.#limits = limits ?? new CardinalityLimits(config.maxHourlySeries, config.maxDailySeries);
  }

  /** Windows of the limits outlive a change of the rules. */
  limitsFor(config: ShapeConfig): CardinalityLimits | undefined {
    const isSame =
      config.maxHourlySeries === this.#config.maxHourlySeries &&
      config.maxDailySeries === this.#config.maxDailySeries;
    return isSame ? this.#limits : undefined;
  }

  get stats() {
    return {
      planBytes: this.#plans.byteLength,
      decided: this.#decided,
      hourlySeries: this.#limits.hourlySeries,
      dailySeries: this.#limits.dailySeries,
    };
  }

  /** What a group of destinations gets of a series. */
  encodingOf({ form = 0, shard }: Pick<GroupConfig, 'form' | 'shard'>): Encoding {
    return { view: this.#plans.view(form, shard), round: this.#forms[form]!.round };
  }

  /** Gives every scanned series its plan. `added` are the labels that the client's request adds to every series. */
  shape(columns: Columns, added: readonly Label[], body: number, nowMs: number): void {
    if (this.#limits.turn(nowMs)) this.#plans.clear();
    const missing = this.#plans.gather(columns);
    for (let nth = 0; nth < missing; nth++) {
      const series = columns.missing(nth);
      const ref = columns.ref(series);
      // It may have come earlier in the same body.
      const plan =
        (ref === NO_REF ? 0 : this.#plans.get(ref)) || this.#decide(columns, series, ref, added, body);
      columns.setPlan(series, plan);
    }
  }

  #decide(columns: Columns, series: number, ref: number, added: readonly Label[], body: number): number {
    this.#decided++;
    const labels = this.#labels;
    labels.clear();
    const own = this.#reader.read(columns, series, labels);
    for (const { name, value } of added) labels.push(name, value, labels.length);
    const count = labels.length;
    const decision = this.#decision;
    decision.owners.length = 0;
    decision.forms.length = 0;
    const verdict = this.#judge(labels);
    decision.verdict = drops.indexOf(verdict);
    if (verdict === 'none') {
      if (this.#config.placesForm !== true) this.#place(labels);
      for (const form of this.#forms) {
        const shaped = form.shape(labels);
        if (this.#config.placesForm === true) this.#place(shaped ?? labels);
        decision.forms.push(formOf(shaped, count));
      }
    } else this.#note(verdict, columns, series, added, body);
    return this.#plans.add(ref === NO_REF ? undefined : ref, decision, own);
  }

  #place(labels: Labels): void {
    this.#placement?.owners(labels, this.#config.available, this.#decision.owners);
  }

  #judge(labels: Labels): Verdict {
    const { promNaming, sortLabels, labelLimits, maxHourlySeries, maxDailySeries } = this.#config;
    if (this.#chain?.apply(labels) === false) return 'relabel';
    if (promNaming) usePromCompatibleNaming(labels);
    const verdict = checkLabels(labels, labelLimits);
    if (verdict !== 'none') return verdict;
    if (sortLabels) labels.sort();
    return maxHourlySeries === 0 && maxDailySeries === 0 ? 'none' : this.#limits.check(labels);
  }

  /** As the client sent it. */
  #note(reason: Verdict, columns: Columns, series: number, added: readonly Label[], body: number): void {
    if (this.#examples.filter((example) => example.reason === reason).length >= EXAMPLES_MAX) return;
    const labels = new Labels();
    this.#reader.read(columns, series, labels);
    for (const { name, value } of added) labels.push(name, value);
    this.#examples.push({ reason, series: labels.toString().slice(0, EXAMPLE_LENGTH_MAX), body });
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

function formOf(labels: Labels | undefined, count: number): Form {
  if (labels === undefined) return 'none';
  const { origins } = labels;
  return origins.length === count && origins.every((origin, index) => origin === index)
    ? 'as-it-came'
    : labels;
}
