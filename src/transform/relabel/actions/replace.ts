/** Sets a label to the replacement when the joined source matches; an empty value removes it at the end of the stage. */
import {
  type Action,
  type Apply,
  type RuleSpec,
  sourceOf,
  sourcesAndTarget,
  sourcesTested,
} from '../action.ts';
import { compilePattern, type Pattern } from '../regex.ts';
import { expand, fillLabels, literalOf, parseTemplate } from '../template.ts';
import { patternTransform } from '../transform.ts';

export const replace: Action = {
  required: ['target_label'],
  reads: (rule) => {
    const pattern = compilePattern(rule.regex);
    if (!isSimple(rule, pattern)) return undefined;
    const isConstant = literalOf(templateOf(rule.replacement, pattern)) !== undefined;
    if (!isConstant) return sourcesAndTarget(rule);
    const { values, tests } = sourcesTested(rule, pattern.matches);
    return { values: [...values, rule.targetLabel], tests };
  },
  compile: (rule) => {
    const pattern = compilePattern(rule.regex);
    if (!isSimple(rule, pattern)) return general(rule, pattern);
    const source = sourceOf(rule);
    const transform = patternTransform(pattern, templateOf(rule.replacement, pattern));
    return (labels) => {
      const value = transform(source(labels));
      if (value !== null) labels.set(rule.targetLabel, value);
      return true;
    };
  },
};

/** One target, and nothing but what was captured in its value. */
function isSimple({ targetLabel, replacement }: RuleSpec, pattern: Pattern): boolean {
  return literalOf(templateOf(targetLabel, pattern)) === targetLabel && !replacement.includes('{{');
}

/** With groups in the name of the target, or labels in the replacement. */
function general(rule: RuleSpec, pattern: Pattern): Apply {
  const source = sourceOf(rule);
  const target = templateOf(rule.targetLabel, pattern);
  const hasReferences = rule.replacement.includes('$');
  return (labels) => {
    const text = source(labels);
    const groups = pattern.groups(text);
    if (groups === undefined) return true;
    // Labels are put in first, so a $1 in the value of one is a reference, as in vmagent; unless nothing is captured at all.
    const filled = fillLabels(rule.replacement, labels);
    const isText = pattern.isDefault && !hasReferences && !rule.targetLabel.includes('$');
    const value = isText ? filled : expand(templateOf(filled, pattern), text, groups);
    labels.set(expand(target, text, groups), value);
    return true;
  };
}

function templateOf(text: string, { names, groupCount }: Pattern) {
  return parseTemplate(text, names, groupCount);
}
