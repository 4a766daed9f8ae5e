/** Replaces every match anywhere in the joined source; the target is written only when that changed the text. */
import { type Action, sourceOf, sourcesAndTarget } from '../action.ts';
import { searchTransform } from '../transform.ts';

export const replaceAll: Action = {
  required: ['source_labels', 'target_label'],
  reads: sourcesAndTarget,
  compile: (rule) => {
    const source = sourceOf(rule);
    const transform = searchTransform(rule.regex, rule.replacement);
    return (labels) => {
      const text = source(labels);
      const replaced = transform(text);
      if (replaced !== text) labels.set(rule.targetLabel, replaced);
      return true;
    };
  },
};
