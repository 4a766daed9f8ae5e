/**
 * What the outcome of relabel rules depends on besides the names of the labels: the values of some, and of others only what
 * tests say of them. Rules that copy, drop and rename labels by name look at no value.
 */
import type { RuleSpec } from './action.ts';
import { actions } from './actions/index.ts';
import { testsOf } from './condition.ts';

/** Says yes or no to the value of this label; a label that is missing is empty. */
export interface ValueTest {
  readonly label: string;
  readonly test: (value: string) => boolean;
}

export interface Reads {
  /** Labels whose values count, those that are overwritten among them: a value that stays the same is no change. */
  readonly values: readonly string[];
  readonly tests?: readonly ValueTest[] | undefined;
  /** More labels whose values count, by their names. */
  readonly matches?: ((name: string) => boolean) | undefined;
}

/** Of all rules, one item each at least; undefined when the value of any label may count. */
export function readsOfRules(rules: readonly RuleSpec[]): Reads[] | undefined {
  const all: Reads[] = [];
  for (const rule of rules) {
    const reads = actions.get(rule.action)!.reads?.(rule);
    if (reads === undefined) return undefined;
    all.push(reads, { values: [], tests: testsOf(rule.if) });
  }
  return all;
}
