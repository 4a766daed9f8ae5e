/** Texts with references: `$1`, `${name}` to the groups of a match, as in Go's regexp, and `{{label}}` to labels. */
import type { Labels } from '../../model/labels.ts';
import { limited } from './action.ts';

/** Literal texts, and numbers of groups. */
export type Template = readonly (string | number)[];

/** `[start0, end0, start1, end1, …]` in UTF-16 units; -1 where a group did not take part. */
export type Groups = readonly number[];

/** The longest name counts: `$1x` is the group named 1x. Other `$` stand for themselves; `$$` is one. */
const REFERENCE = /\$(?:\$|([A-Za-z0-9_]+)|\{([A-Za-z0-9_]+)\})/g;

/** References to groups that the regex does not have are empty. */
export function parseTemplate(
  text: string,
  names: ReadonlyMap<string, number>,
  groupCount: number,
): Template {
  const parts: (string | number)[] = [];
  let literal = '';
  let from = 0;
  for (const match of text.matchAll(REFERENCE)) {
    literal += text.slice(from, match.index);
    from = match.index + match[0].length;
    const name = match[1] ?? match[2];
    if (name === undefined) {
      literal += '$';
      continue;
    }
    const group = groupOf(name, names, groupCount);
    if (group === undefined) continue;
    if (literal !== '') parts.push(literal);
    literal = '';
    parts.push(group);
  }
  literal += text.slice(from);
  if (literal !== '') parts.push(literal);
  return parts;
}

function groupOf(name: string, names: ReadonlyMap<string, number>, groupCount: number): number | undefined {
  if (!/^(0|[1-9]\d{0,8})$/.test(name)) return names.get(name);
  return Number(name) <= groupCount ? Number(name) : undefined;
}

/** The text of a template without references; undefined when it has some. */
export function literalOf(template: Template): string | undefined {
  if (template.length === 0) return '';
  const [only] = template;
  return template.length === 1 && typeof only === 'string' ? only : undefined;
}

export function expand(template: Template, source: string, groups: Groups): string {
  let text = '';
  for (const part of template) {
    if (typeof part === 'string') text += part;
    else if (groups[2 * part]! >= 0) text += source.slice(groups[2 * part]!, groups[2 * part + 1]!);
    limited(text);
  }
  return text;
}

/** Puts the values of labels in place of `{{name}}`; a label that is missing is empty, an unclosed `{{` is text. */
export function fillLabels(text: string, labels: Labels): string {
  let filled = '';
  let from = 0;
  for (;;) {
    const open = text.indexOf('{{', from);
    const close = open < 0 ? -1 : text.indexOf('}}', open + 2);
    if (close < 0) return limited(filled + text.slice(from));
    filled = limited(filled + text.slice(from, open) + labels.get(text.slice(open + 2, close)));
    from = close + 2;
  }
}
