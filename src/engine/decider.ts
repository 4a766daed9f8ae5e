/**
 * What becomes of a series, on its labels alone: relabeling, limits, owners, the form that each destination sees. The
 * engine asks it once a series; `explain` tells the same step by step, without counting the series anywhere.
 */
import { drops, type Verdict } from '../model/drops.ts';
import { Labels } from '../model/labels.ts';
import { createPlacement, type Placement } from '../route/placement.ts';
import type { Decision, Form } from '../series/plans.ts';
import { CardinalityLimits } from '../transform/limit/cardinality.ts';
import { checkLabels } from '../transform/limit/labels.ts';
import { usePromCompatibleNaming } from '../transform/naming.ts';
import { type ExplainedStep, RelabelChain } from '../transform/relabel/chain.ts';
import { createRounder } from '../transform/round.ts';
import { loadHash64 } from '../util/hash64.ts';
import { type FormConfig, hasGlobalRules, type ShapeConfig } from './shape.ts';

const hash64 = await loadHash64();

/** What happens to a series on its way, for people. */
export interface Explanation {
  readonly steps: readonly ExplainedStep[];
  readonly verdict: Verdict;
  /** Behind rules, naming and sorting; empty when the series was dropped. */
  readonly labels: Labels;
  /** The shards that get it, the first choice first; undefined when every destination does. */
  readonly owners: readonly number[] | undefined;
  /** One a form; empty when the series was dropped before. */
  readonly forms: readonly ExplainedForm[];
}

export interface ExplainedForm {
  readonly steps: readonly ExplainedStep[];
  /** Undefined when its rules drop the series. */
  readonly labels: Labels | undefined;
}

class FormDecider {
  readonly #chain: RelabelChain | undefined;
  readonly #labels: FormConfig['labels'];
  readonly #work = new Labels();
  readonly round: ((value: number) => number) | undefined;

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

  explain(labels: Labels): ExplainedForm {
    const steps = this.#chain?.explain(labels) ?? [];
    const shaped = this.shape(labels);
    if (shaped === undefined) return { steps, labels: undefined };
    const own = new Labels();
    own.copyFrom(shaped);
    return { steps, labels: own };
  }
}

export class Decider {
  readonly #config: ShapeConfig;
  readonly #chain: RelabelChain | undefined;
  readonly forms: readonly FormDecider[];
  readonly #placement: Placement | undefined;
  readonly limits: CardinalityLimits;

  constructor(config: ShapeConfig, limits?: CardinalityLimits) {
    this.#config = config;
    this.#chain = hasGlobalRules(config) ? new RelabelChain(config.rules) : undefined;
    this.forms = config.forms.map((form) => new FormDecider(form));
    this.#placement = config.placement === undefined ? undefined : createPlacement(config.placement, hash64);
    this.limits = limits ?? new CardinalityLimits(config.maxHourlySeries, config.maxDailySeries);
  }

  /** Decides into `decision`; `labels`, as they came, are changed, and the forms are valid until the next call. */
  decide(labels: Labels, decision: Decision): Verdict {
    const count = labels.length;
    decision.owners.length = 0;
    decision.forms.length = 0;
    const { maxHourlySeries, maxDailySeries } = this.#config;
    let verdict = this.#judge(labels);
    if (verdict === 'none' && (maxHourlySeries !== 0 || maxDailySeries !== 0)) {
      verdict = this.limits.check(labels);
    }
    decision.verdict = drops.indexOf(verdict);
    if (verdict !== 'none') return verdict;
    const { placesForm } = this.#config;
    if (placesForm !== true) this.#place(labels, decision.owners);
    for (const form of this.forms) {
      const shaped = form.shape(labels);
      if (placesForm === true) this.#place(shaped ?? labels, decision.owners);
      decision.forms.push(formOf(shaped, count));
    }
    return verdict;
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
      return { steps, verdict, labels: own, owners: undefined, forms: [] };
    }
    const forms = this.forms.map((form) => form.explain(own));
    const placed = this.#config.placesForm === true ? forms[0]?.labels : undefined;
    const owners: number[] = [];
    this.#place(placed ?? own, owners);
    return {
      steps,
      verdict,
      labels: own,
      owners: this.#placement === undefined ? undefined : owners,
      forms,
    };
  }
}

function formOf(labels: Labels | undefined, count: number): Form {
  if (labels === undefined) return 'none';
  const { origins } = labels;
  return origins.length === count && origins.every((origin, index) => origin === index)
    ? 'as-it-came'
    : labels;
}
