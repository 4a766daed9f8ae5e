/** A regex and a template together: what becomes of a text. */
import type { Labels } from '../../model/labels.ts';
import { LABELS_MAX, TooLarge } from './action.ts';
import { Memo } from './cache.ts';
import { compilePattern, compileSearch, type Pattern } from './regex.ts';
import { expand, literalOf, parseTemplate, type Template } from './template.ts';

/** The replacement when the whole text matches, else null. Throws a RegexError while compiling. */
export function wholeTransform(
  regex: string | undefined,
  replacement: string,
): (text: string) => string | null {
  const pattern = compilePattern(regex);
  return patternTransform(pattern, parseTemplate(replacement, pattern.names, pattern.groupCount));
}

export function patternTransform(pattern: Pattern, template: Template): (text: string) => string | null {
  const literal = literalOf(template);
  if (literal !== undefined) return (text) => (pattern.matches(text) ? literal : null);
  if (pattern.isDefault && template.length === 1) return (text) => text;
  const transform = (text: string): string | null => {
    const groups = pattern.groups(text);
    return groups === undefined ? null : expand(template, text, groups);
  };
  if (pattern.isCheap) return transform;
  const known = new Memo(transform);
  return (text) => known.get(text);
}

/** The text with every match anywhere in it replaced. Throws a RegexError while compiling. */
export function searchTransform(regex: string | undefined, replacement: string): (text: string) => string {
  const search = compileSearch(regex);
  const template = parseTemplate(replacement, search.names, search.groupCount);
  const known = new Memo((text) => search.replace(text, (groups) => expand(template, text, groups)));
  return (text) => known.get(text);
}

/**
 * Appends or overwrites a label, which counts as another one even if its value stays: nobody read it. A rule that goes over all labels must not double
 * them without end.
 */
export function setLimited(labels: Labels, name: string, value: string): void {
  labels.overwrite(name, value);
  if (labels.length > LABELS_MAX) throw new TooLarge('a series got too many labels');
}
