/**
 * Which labels of a series its group is told with; the rest tells the series of a group apart. And the names of outputs.
 */
import type { Labels } from '../../model/labels.ts';
import type { AggregationRuleSpec } from './rule.ts';

const METRIC_NAME = '__name__';

export class Grouping {
  /** Whether every series is a group of its own. */
  readonly isIdentity: boolean;
  readonly #by: ReadonlySet<string>;
  readonly #without: ReadonlySet<string>;

  constructor({ by, without }: Pick<AggregationRuleSpec, 'by' | 'without'>) {
    this.#by = new Set(by.length > 0 ? [...by, METRIC_NAME] : []);
    this.#without = new Set(without);
    this.isIdentity = by.length === 0 && without.length === 0;
  }

  /** Whether the label is one of the group. */
  isOfGroup(name: string): boolean {
    return this.#by.size > 0 ? this.#by.has(name) : !this.#without.has(name);
  }
}

/** What comes after the metric name: `:1m_by_job_sum_samples`; empty when names are kept. */
export function suffixOf(
  { intervalText, by, without, keepMetricNames }: AggregationRuleSpec,
  output: string,
): string {
  if (keepMetricNames) return '';
  const list = (word: string, names: readonly string[]) => {
    const told = names.filter((name) => name !== METRIC_NAME);
    return told.length === 0 ? '' : `_${word}_${told.join('_')}`;
  };
  return `:${intervalText}${list('by', by)}${list('without', without)}_${output}`;
}

/** Puts the suffix to the first metric name; without one the suffix becomes the name. */
export function addSuffix(labels: Labels, suffix: string): void {
  if (suffix === '') return;
  const index = labels.indexOf(METRIC_NAME);
  if (index < 0) labels.push(METRIC_NAME, suffix);
  else labels.set(METRIC_NAME, labels.values[index]! + suffix);
}
