/** Keeps or drops series by the joined source; without a regex `drop` drops all that `if` matches. */
import { type Action, type RuleSpec, sourceOf, sourcesTested } from '../action.ts';
import { compilePattern } from '../regex.ts';

export const keep: Action = {
  requiredUnlessIf: ['source_labels'],
  keepsOnly: true,
  reads: tested,
  compile: (rule) => onMatch(rule, true),
};

export const drop: Action = {
  requiredUnlessIf: ['source_labels'],
  reads: tested,
  compile: (rule) => onMatch(rule, false),
};

/** The same for the metric name. */
export const keepMetrics: Action = {
  requiredUnlessIf: ['regex'],
  forbidden: ['source_labels'],
  keepsOnly: true,
  reads: (rule) => tested(ofName(rule)),
  compile: (rule) => onMatch(ofName(rule), true),
};

export const dropMetrics: Action = {
  requiredUnlessIf: ['regex'],
  forbidden: ['source_labels'],
  reads: (rule) => tested(ofName(rule)),
  compile: (rule) => onMatch(ofName(rule), false),
};

function ofName(rule: RuleSpec): RuleSpec {
  return { ...rule, sourceLabels: ['__name__'] };
}

function tested(rule: RuleSpec) {
  const pattern = compilePattern(rule.regex);
  return pattern.isDefault ? { values: [] } : sourcesTested(rule, pattern.matches);
}

function onMatch(rule: RuleSpec, kept: boolean) {
  const source = sourceOf(rule);
  const pattern = compilePattern(rule.regex);
  if (pattern.isDefault) return () => kept;
  return (labels: Parameters<typeof source>[0]) => pattern.matches(source(labels)) === kept;
}
