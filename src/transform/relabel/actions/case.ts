/** Sets a label to the joined source in small or capital letters. */
import { type Action, limited, type RuleSpec, sourceOf, sourcesAndTarget } from '../action.ts';

export const lowercase: Action = {
  required: ['source_labels', 'target_label'],
  reads: sourcesAndTarget,
  compile: (rule) => withCase(rule, lower),
};

export const uppercase: Action = {
  required: ['source_labels', 'target_label'],
  reads: sourcesAndTarget,
  compile: (rule) => withCase(rule, upper),
};

function withCase(rule: RuleSpec, change: (text: string) => string) {
  const source = sourceOf(rule);
  return (labels: Parameters<typeof source>[0]) => {
    labels.set(rule.targetLabel, limited(change(source(labels))));
    return true;
  };
}

const NOT_ASCII = /[\u0080-\uffff]/;

/**
 * Go changes each code point alone and to one code point; JavaScript makes two of some letters (SS of ß), and looks at
 * the neighbours of others (Σ at the end of a word).
 */
function lower(text: string): string {
  if (!NOT_ASCII.test(text)) return text.toLowerCase();
  // Of İ JavaScript makes an i and a dot.
  return mapCodePoints(text, (one) => [...one.toLowerCase()][0]!);
}

function upper(text: string): string {
  if (!NOT_ASCII.test(text)) return text.toUpperCase();
  return mapCodePoints(text, (one) => {
    const capital = one.toUpperCase();
    return [...capital].length === 1 ? capital : greekTitle(one);
  });
}

function mapCodePoints(text: string, change: (one: string) => string): string {
  let changed = '';
  for (const one of text) changed += change(one);
  return changed;
}

/** Letters like ᾳ have a capital of one code point, 8 or 9 places on; other letters whose capital is two have none. */
function greekTitle(one: string): string {
  const code = one.codePointAt(0)!;
  for (const offset of [8, 9, 12]) {
    const title = String.fromCodePoint(code + offset);
    if (title !== one && title.toLowerCase() === one) return title;
  }
  return one;
}
