/**
 * What becomes of a series, on its labels alone: relabeling, limits, owners, the form that each destination sees. The
 * engine asks it once a series; `explain` tells the same step by step, without counting the series anywhere.
 */
import { drops, HELD_BACK, type Verdict } from '../model/drops.ts';
import { Labels } from '../model/labels.ts';
import { createPlacement, type Placement } from '../route/placement.ts';
import type { Decision, Form } from '../series/plans.ts';
import { CardinalityLimits } from '../transform/limit/cardinality.ts';
import { checkLabels } from '../transform/limit/labels.ts';
import { usePromCompatibleNaming } from '../transform/naming.ts';
import { type ExplainedStep, RelabelChain } from '../transform/relabel/chain.ts';
import { createRounder } from '../transform/round.ts';
import { loadHash64 } from '../util/hash64.ts';
import { type AggregationStage, type ExplainedStage, explainStage } from './aggregation-stage.ts';
import { type FormConfig, hasGlobalRules, type ShapeConfig } from './shape.ts';
import type { Stages } from './stages.ts';

const hash64 = await loadHash64();

/** What happens to a series on its way, for people. */
export interface Explanation {
  readonly steps: readonly ExplainedStep[];
  readonly verdict: Verdict;
  /** Behind rules, naming and sorting; empty when the series was dropped. */
  readonly labels: Labels;
  /** The shards that get it, the first choice first; undefined when every destination does. */
  readonly owners: readonly number[] | undefined;
  /** Aggregation and deduplication ahead of all destinations; undefined without them, or when the series was dropped. */
  readonly stage: ExplainedStage | undefined;
  /** One a form; empty when the series was dropped before. */
  readonly forms: readonly ExplainedForm[];
}

export interface ExplainedForm {
  readonly steps: readonly ExplainedStep[];
  readonly stage: ExplainedStage | undefined;
  /** Undefined when its rules drop the series. */
  readonly labels: Labels | undefined;
}

/** Asks a place of aggregation what becomes of a series; it may take samples at once. Index into `fates`. */
export type AskStage = (stage: AggregationStage, labels: Labels) => number;

class FormDecider {
  readonly #chain: RelabelChain | undefined;
  readonly #labels: FormConfig['labels'];
  readonly #stage: FormConfig['stage'];
  readonly #work = new Labels();
  readonly round: ((value: number) => number) | undefined;

  constructor({ rules, labels, rounding, stage }: FormConfig) {
    this.round = createRounder(rounding);
    this.#chain = rules.length > 0 ? new RelabelChain(rules) : undefined;
    this.#labels = labels;
    this.#stage = stage;
  }

  /** Behind the rules; undefined when they drop the series. The labels are valid until the next call. */
  relabel(labels: Labels): Labels | undefined {
    if (this.#chain === undefined) return labels;
    this.#work.copyFrom(labels);
    return this.#chain.apply(this.#work) ? this.#work : undefined;
  }

  /** With the labels that every series gets. */
  label(labels: Labels): Labels {
    if (this.#labels.length === 0) return labels;
    if (labels !== this.#work) this.#work.copyFrom(labels);
    for (const [name, value] of this.#labels) this.#work.set(name, value);
    return this.#work;
  }

  explain(labels: Labels): ExplainedForm {
    const steps = this.#chain?.explain(labels) ?? [];
    const relabeled = this.relabel(labels);
    if (relabeled === undefined) return { steps, stage: undefined, labels: undefined };
    const stage = this.#stage === undefined ? undefined : explainStage(this.#stage, relabeled);
    const own = new Labels();
    own.copyFrom(this.label(relabeled));
    return { steps, stage, labels: own };
  }
}

export class Decider {
  readonly #config: ShapeConfig;
  readonly #chain: RelabelChain | undefined;
  readonly forms: readonly FormDecider[];
  readonly #placement: Placement | undefined;
  readonly limits: CardinalityLimits;
  readonly #stages: Stages | undefined;

  constructor(config: ShapeConfig, limits?: CardinalityLimits, stages?: Stages) {
    this.#config = config;
    this.#stages = stages;
    this.#chain = hasGlobalRules(config) ? new RelabelChain(config.rules) : undefined;
    this.forms = config.forms.map((form) => new FormDecider(form));
    this.#placement = config.placement === undefined ? undefined : createPlacement(config.placement, hash64);
    this.limits = limits ?? new CardinalityLimits(config.maxHourlySeries, config.maxDailySeries);
  }

  /**
   * Decides into `decision`; `labels`, as they came, are changed, and the forms are valid until the next call. Places of
   * aggregation that do not get the series are not asked.
   */
  decide(labels: Labels, decision: Decision, ask: AskStage = () => 0): Verdict {
    const count = labels.length;
    const { maxHourlySeries, maxDailySeries } = this.#config;
    clear(decision);
    let verdict = this.#judge(labels);
    if (verdict === 'none' && (maxHourlySeries !== 0 || maxDailySeries !== 0)) {
      verdict = this.limits.check(labels);
    }
    decision.verdict = drops.indexOf(verdict);
    if (verdict !== 'none') return verdict;
    const stage = this.#stages?.global;
    if (stage !== undefined) {
      const fate = ask(stage, labels);
      if (fate > 0) decision.heldBack = HELD_BACK + fate - 1;
    }
    this.#spread(labels, count, decision, ask);
    return verdict;
  }

  /** The same for what aggregation ahead of the destinations lets go of. */
  decideOutput(labels: Labels, decision: Decision, ask: AskStage): void {
    clear(decision);
    this.#spread(labels, labels.length, decision, ask);
  }

  /** The same for what aggregation of a form lets go of: only destinations of this form get it. */
  decideOutputOf(form: number, labels: Labels, decision: Decision): void {
    clear(decision);
    const shard = this.#config.forms[form]!.stage?.shard;
    const count = labels.length;
    for (const [index, own] of this.forms.entries()) {
      decision.forms.push(index === form ? formOf(own.label(labels), count) : 'none');
      decision.fates.push(0);
    }
    // Without a shard of its own it aggregated for all of them together.
    if (shard === undefined) this.#place(this.forms[form]!.label(labels), decision.owners);
    else decision.owners.push(shard);
  }

  #spread(labels: Labels, count: number, decision: Decision, ask: AskStage): void {
    const { placesForm } = this.#config;
    if (placesForm !== true) this.#place(labels, decision.owners);
    for (const [index, form] of this.forms.entries()) {
      const relabeled = form.relabel(labels);
      const stage = this.#stages?.forms[index];
      const shard = stage?.config.shard;
      const isAsked =
        stage !== undefined &&
        relabeled !== undefined &&
        decision.heldBack === 0 &&
        (shard === undefined || decision.owners.includes(shard));
      decision.fates.push(isAsked ? ask(stage, relabeled) : 0);
      const shaped = relabeled === undefined ? undefined : form.label(relabeled);
      if (placesForm === true) this.#place(shaped ?? labels, decision.owners);
      decision.forms.push(formOf(shaped, count));
    }
  }

  #place(labels: Labels, owners: number[]): void {
    this.#placement?.owners(labels, this.#config.available, owners);
  }

  #judge(labels: Labels): Verdict {
    const { promNaming, sortLabels, labelLimits } = this.#config;
    if (this.#chain?.apply(labels) === false) return 'relabel';
    if (promNaming) usePromCompatibleNaming(labels);
    const verdict = checkLabels(labels, labelLimits);
    if (verdict === 'none' && sortLabels) labels.sort();
    return verdict;
  }

  /** `labels` stay as they are. Limits on the number of series are left out: they depend on what else comes. */
  explain(labels: Labels): Explanation {
    const steps = this.#chain?.explain(labels) ?? [];
    const own = new Labels();
    own.copyFrom(labels);
    const verdict = this.#judge(own);
    if (verdict !== 'none') {
      own.clear();
      return { steps, verdict, labels: own, owners: undefined, stage: undefined, forms: [] };
    }
    const { stage, placesForm } = this.#config;
    const forms = this.forms.map((form) => form.explain(own));
    const placed = placesForm === true ? forms[0]?.labels : undefined;
    const owners: number[] = [];
    this.#place(placed ?? own, owners);
    return {
      steps,
      verdict,
      labels: own,
      owners: this.#placement === undefined ? undefined : owners,
      stage: stage === undefined ? undefined : explainStage(stage, own),
      forms,
    };
  }
}

function clear(decision: Decision): void {
  decision.verdict = 0;
  decision.heldBack = 0;
  decision.owners.length = 0;
  decision.forms.length = 0;
  decision.fates.length = 0;
}

function formOf(labels: Labels | undefined, count: number): Form {
  if (labels === undefined) return 'none';
  const { origins } = labels;
  return origins.length === count && origins.every((origin, index) => origin === index)
    ? 'as-it-came'
    : labels;
}
