/** Keeps or drops series by labels that are equal; a label that is missing is empty. */
import type { Labels } from '../../../model/labels.ts';
import { type Action, type Complaint, type RuleSpec, sourceOf, sourcesAndTarget } from '../action.ts';

/** The joined source and the target label. */
export const keepequal: Action = {
  required: ['target_label'],
  forbidden: ['regex'],
  reads: sourcesAndTarget,
  compile: (rule) => onTarget(rule, true),
};

export const dropequal: Action = {
  required: ['target_label'],
  forbidden: ['regex'],
  reads: sourcesAndTarget,
  compile: (rule) => onTarget(rule, false),
};

/** All the source labels. */
export const keepIfEqual: Action = {
  required: ['source_labels'],
  forbidden: ['target_label', 'regex'],
  check: atLeastTwo,
  reads: ({ sourceLabels }) => ({ values: sourceLabels }),
  compile: (rule) => onSources(rule, true),
};

export const dropIfEqual: Action = {
  required: ['source_labels'],
  forbidden: ['target_label', 'regex'],
  check: atLeastTwo,
  reads: ({ sourceLabels }) => ({ values: sourceLabels }),
  compile: (rule) => onSources(rule, false),
};

function onTarget(rule: RuleSpec, kept: boolean) {
  const source = sourceOf(rule);
  return (labels: Labels) => (source(labels) === labels.get(rule.targetLabel)) === kept;
}

function onSources({ sourceLabels }: RuleSpec, kept: boolean) {
  return (labels: Labels) => {
    const value = labels.get(sourceLabels[0]!);
    return sourceLabels.every((name) => labels.get(name) === value) === kept;
  };
}

function atLeastTwo({ sourceLabels }: RuleSpec): Complaint | undefined {
  if (sourceLabels.length !== 1) return undefined;
  return {
    field: 'source_labels',
    message: 'there is one source label, and nothing to compare it with',
    hint: 'name at least two',
  };
}
