/** The contract of relabel actions, and what one rule says. An action is one file in `actions/` and one registry line. */
import type { Labels } from '../../model/labels.ts';
import type { Reads } from './reads.ts';

/** The fields of a rule beside `action` and `if`, as they are written. */
export const fields = [
  'source_labels',
  'separator',
  'target_label',
  'regex',
  'modulus',
  'replacement',
  'match',
  'labels',
] as const;
export type Field = (typeof fields)[number];

/** One checked rule: plain data that crosses threads. */
export interface RuleSpec {
  /** `file:line:col`. */
  readonly where: string;
  /** The rule as YAML, with the fields that were given. */
  readonly text: string;
  /** A key of the registry. */
  readonly action: string;
  /** The rule is for series that one of these selectors matches; for all when there is none. */
  readonly if: readonly string[];
  readonly sourceLabels: readonly string[];
  readonly separator: string;
  readonly targetLabel: string;
  /** RE2 syntax; undefined: everything matches, and group 1 is everything. */
  readonly regex: string | undefined;
  /** 0 when it was not given. */
  readonly modulus: bigint;
  readonly replacement: string;
  /** The template of the graphite action, and its labels. */
  readonly match: string;
  readonly labels: readonly (readonly [name: string, template: string])[];
}

/** What one rule does to a series. False: the series is dropped. Throws TooLarge and nothing else. */
export type Apply = (labels: Labels) => boolean;

export interface Complaint {
  readonly field: Field;
  /** Continues `rule 3: `. */
  readonly message: string;
  readonly hint: string;
}

export interface Action {
  /** Without these the rule is refused. */
  readonly required?: readonly Field[];
  /** Without these and without `if` too. */
  readonly requiredUnlessIf?: readonly Field[];
  /** With these the rule is refused; others that mean nothing to the action are let be, as in vmagent. */
  readonly forbidden?: readonly Field[];
  /** What else is wrong. */
  readonly check?: (rule: RuleSpec) => Complaint | undefined;
  /** Series that `if` does not match are dropped; other actions pass them on untouched. */
  readonly keepsOnly?: true;
  /** What a rule depends on besides label names; undefined, or absent: on the value of any label. */
  readonly reads?: (rule: RuleSpec) => Reads | undefined;
  /** Throws a RegexError when the regex cannot be used. */
  readonly compile: (rule: RuleSpec) => Apply;
}

/** Rules can double a value or the number of labels each, so something must end it; no store takes labels this long. */
export const TEXT_LENGTH_MAX = 1024 * 1024;
export const LABELS_MAX = 10_000;

/** What rules made of a series is too large to go on; the series is dropped. */
export class TooLarge extends Error {}

export function limited(text: string): string {
  if (text.length > TEXT_LENGTH_MAX) throw new TooLarge('a label became too long');
  return text;
}

/** For rules that make the target label of the source labels. */
export function sourcesAndTarget({ sourceLabels, targetLabel }: RuleSpec): Reads {
  return { values: [...sourceLabels, targetLabel] };
}

/** For rules that only say yes or no to the joined source. */
export function sourcesTested({ sourceLabels }: RuleSpec, test: (source: string) => boolean): Reads {
  const [label] = sourceLabels;
  return label !== undefined && sourceLabels.length === 1
    ? { values: [], tests: [{ label, test }] }
    : { values: sourceLabels };
}

/** The values of the source labels, joined; one label's value is given as it is. */
export function sourceOf({ sourceLabels, separator }: RuleSpec): (labels: Labels) => string {
  const [first, second] = sourceLabels;
  if (first === undefined) return () => '';
  if (second === undefined) return (labels) => labels.get(first);
  if (sourceLabels.length === 2) {
    return (labels) => limited(labels.get(first) + separator + labels.get(second));
  }
  return (labels) => {
    let joined = labels.get(first);
    for (let index = 1; index < sourceLabels.length; index++) {
      joined = limited(joined + separator + labels.get(sourceLabels[index]!));
    }
    return joined;
  };
}
