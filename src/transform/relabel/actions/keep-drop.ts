/** Keeps or drops series by the joined source; without a regex `drop` drops all that `if` matches. */
import { type Action, type RuleSpec, sourceOf } from '../action.ts';
import { compilePattern } from '../regex.ts';

export const keep: Action = {
  requiredUnlessIf: ['source_labels'],
  keepsOnly: true,
  compile: (rule) => onMatch(rule, true),
};

export const drop: Action = {
  requiredUnlessIf: ['source_labels'],
  compile: (rule) => onMatch(rule, false),
};

/** The same for the metric name. */
export const keepMetrics: Action = {
  requiredUnlessIf: ['regex'],
  forbidden: ['source_labels'],
  keepsOnly: true,
  compile: (rule) => onMatch({ ...rule, sourceLabels: ['__name__'] }, true),
};

export const dropMetrics: Action = {
  requiredUnlessIf: ['regex'],
  forbidden: ['source_labels'],
  compile: (rule) => onMatch({ ...rule, sourceLabels: ['__name__'] }, false),
};

function onMatch(rule: RuleSpec, kept: boolean) {
  const source = sourceOf(rule);
  const pattern = compilePattern(rule.regex);
  if (pattern.isDefault) return () => kept;
  return (labels: Parameters<typeof source>[0]) => pattern.matches(source(labels)) === kept;
}
