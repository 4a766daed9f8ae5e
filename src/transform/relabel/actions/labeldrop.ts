/** Takes labels away, or all others, by their names; `labelkeep` takes the metric name away too unless it matches. */
import type { Labels } from '../../../model/labels.ts';
import type { Action, RuleSpec } from '../action.ts';
import { PlaceMemo } from '../cache.ts';
import { compilePattern } from '../regex.ts';

/** Names are all that counts. */
const reads = () => ({ values: [] });

export const labeldrop: Action = { reads, compile: (rule) => onName(rule, false) };

export const labelkeep: Action = { reads, compile: (rule) => onName(rule, true) };

function onName({ regex }: RuleSpec, kept: boolean) {
  const pattern = compilePattern(regex);
  const known = new PlaceMemo((name) => pattern.matches(name) === kept);
  const keeps = (name: string, _: string, index: number) => known.get(index, name);
  return (labels: Labels) => {
    labels.filter(keeps);
    return true;
  };
}
