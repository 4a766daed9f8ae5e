/** Runs relabel rules over the labels of one series, once a series; pure, for either thread. */
import { Labels } from '../../model/labels.ts';
import { type Apply, type RuleSpec, TooLarge } from './action.ts';
import { actions } from './actions/index.ts';
import { type Condition, compileCondition } from './condition.ts';

interface Step {
  readonly rule: RuleSpec;
  readonly condition: Condition | undefined;
  readonly keepsOnly: boolean;
  readonly apply: Apply;
}

/** What one rule did to a series, for those who write rules. */
export interface ExplainedStep {
  /** The rule as YAML, or what is done after the last one. */
  readonly rule: string;
  readonly inLabels: readonly (readonly [name: string, value: string])[];
  /** Empty when the series was dropped. */
  readonly outLabels: readonly (readonly [name: string, value: string])[];
  readonly dropped: boolean;
}

export interface ChainOptions {
  /** Labels that begin with `__` stay. */
  readonly keepsHidden?: boolean;
}

export class RelabelChain {
  readonly #steps: readonly Step[];
  readonly #isKept: (name: string, value: string) => boolean;

  /** The rules are those that `parseRules` made, perhaps in another thread. */
  constructor(rules: readonly RuleSpec[], { keepsHidden = false }: ChainOptions = {}) {
    this.#isKept = keepsHidden ? isFilled : isVisible;
    this.#steps = rules.map((rule) => {
      const action = actions.get(rule.action)!;
      return {
        rule,
        condition: rule.if.length === 0 ? undefined : compileCondition(rule.if),
        keepsOnly: action.keepsOnly ?? false,
        apply: action.compile(rule),
      };
    });
  }

  /**
   * Runs all rules, then takes away what no series has after a stage. False: the series is dropped, and `labels` is in
   * no defined state.
   */
  apply(labels: Labels): boolean {
    const steps = this.#steps;
    try {
      for (let index = 0; index < steps.length; index++) {
        if (!run(steps[index]!, labels)) return false;
      }
    } catch (error) {
      if (error instanceof TooLarge) return false;
      throw error;
    }
    if (!isFinished(labels, this.#isKept)) labels.filter(this.#isKept);
    return labels.length > 0;
  }

  /** The same in steps; `labels` stays as it is. Ends with the step that dropped the series. */
  explain(labels: Labels): ExplainedStep[] {
    const current = new Labels();
    current.copyFrom(labels);
    const explained: ExplainedStep[] = [];
    const explain = (rule: string, change: () => boolean): boolean => {
      const inLabels = current.pairs();
      const dropped = !change();
      explained.push({ rule, inLabels, outLabels: dropped ? [] : current.pairs(), dropped });
      return !dropped;
    };
    for (const step of this.#steps) {
      if (!explain(step.rule.text, () => runLimited(step, current))) return explained;
    }
    for (const [rule, keep] of afterwards) {
      if (current.pairs().every(([name, value]) => keep(name, value))) continue;
      const isLeft = explain(rule, () => {
        current.filter(keep);
        return current.length > 0;
      });
      if (!isLeft) return explained;
    }
    return explained;
  }
}

/** False: the series is dropped. */
function run({ condition, keepsOnly, apply }: Step, labels: Labels): boolean {
  if (condition !== undefined && !condition(labels)) return !keepsOnly;
  return apply(labels) && labels.length > 0;
}

function runLimited(step: Step, labels: Labels): boolean {
  try {
    return run(step, labels);
  } catch (error) {
    if (error instanceof TooLarge) return false;
    throw error;
  }
}

const afterwards = [
  ['remove empty labels', isFilled],
  [
    'remove labels that begin with __, except __name__ and __statsd_metric_type__',
    (name: string) => !isHidden(name),
  ],
] as const;

function isFilled(name: string, value: string): boolean {
  return name !== '' && value !== '';
}

function isVisible(name: string, value: string): boolean {
  return isFilled(name, value) && !isHidden(name);
}

function isFinished({ names, values }: Labels, isKept: (name: string, value: string) => boolean): boolean {
  for (let index = 0; index < names.length; index++) {
    if (!isKept(names[index]!, values[index]!)) return false;
  }
  return true;
}

const UNDERSCORE = 95;
/** The type of StatsD is what aggregation rules, which come after relabeling, pick by. */
const SHOWN: readonly string[] = ['__name__', '__statsd_metric_type__'];

function isHidden(name: string): boolean {
  return name.charCodeAt(0) === UNDERSCORE && name.charCodeAt(1) === UNDERSCORE && !SHOWN.includes(name);
}
