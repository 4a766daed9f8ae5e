/** Keeps or drops series whose target label contains the value of every source label; every text contains the empty one. */
import type { Labels } from '../../../model/labels.ts';
import { type Action, type RuleSpec, sourcesAndTarget } from '../action.ts';

export const keepIfContains: Action = {
  required: ['source_labels', 'target_label'],
  forbidden: ['regex'],
  reads: sourcesAndTarget,
  compile: (rule) => onContained(rule, true),
};

export const dropIfContains: Action = {
  required: ['source_labels', 'target_label'],
  forbidden: ['regex'],
  reads: sourcesAndTarget,
  compile: (rule) => onContained(rule, false),
};

function onContained({ sourceLabels, targetLabel }: RuleSpec, kept: boolean) {
  return (labels: Labels) => {
    const target = labels.get(targetLabel);
    return sourceLabels.every((name) => target.includes(labels.get(name))) === kept;
  };
}
