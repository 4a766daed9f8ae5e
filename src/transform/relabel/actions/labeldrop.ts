/** Takes labels away, or all others, by their names; `labelkeep` takes the metric name away too unless it matches. */
import type { Labels } from '../../../model/labels.ts';
import type { Action, RuleSpec } from '../action.ts';
import { compilePattern } from '../regex.ts';

export const labeldrop: Action = { compile: (rule) => onName(rule, false) };

export const labelkeep: Action = { compile: (rule) => onName(rule, true) };

function onName({ regex }: RuleSpec, kept: boolean) {
  const pattern = compilePattern(regex);
  const keeps = (name: string) => pattern.matches(name) === kept;
  return (labels: Labels) => {
    labels.filter(keeps);
    return true;
  };
}
