/** Takes labels out of a metric name with dots: `match: "a.*.b"`, `labels: {x: "$1"}`. */
import { type Action, limited } from '../action.ts';

export const graphite: Action = {
  required: ['match', 'labels'],
  forbidden: ['source_labels', 'target_label', 'regex', 'replacement'],
  reads: ({ labels }) => ({ values: ['__name__', ...labels.map(([name]) => name)] }),
  compile: ({ match, labels: templates }) => {
    const parts = match.split('*');
    return (labels) => {
      const found = matchParts(parts, labels.get('__name__'));
      if (found === undefined) return true;
      for (const [name, template] of templates) labels.set(name, fill(template, found));
      return true;
    };
  },
};

/**
 * The name and what each star stands for: as little as it can up to where the text after it begins, and no dot. What
 * was found first is not tried again further on. Two stars side by side match nothing.
 */
function matchParts(parts: readonly string[], name: string): string[] | undefined {
  const found = [name];
  if (!name.startsWith(parts[0]!)) return undefined;
  let at = parts[0]!.length;
  for (let index = 1; index < parts.length; index++) {
    const part = parts[index]!;
    const isLast = index === parts.length - 1;
    if (part === '' && !isLast) return undefined;
    const end = part === '' ? name.length : name.indexOf(part, at);
    if (end < 0 || name.slice(at, end).includes('.')) return undefined;
    found.push(name.slice(at, end));
    at = end + part.length;
  }
  return at === name.length ? found : undefined;
}

/** `$1` and `${1}`; `$0` is the whole name, and a number that there is not stays as it is. */
function fill(template: string, found: readonly string[]): string {
  const pieces = template.split(/(\$\d+|\$\{\d+\})/);
  let filled = '';
  for (const [index, piece] of pieces.entries()) {
    const number = index % 2 === 0 ? undefined : Number(piece.replace(/[${}]/g, ''));
    filled = limited(filled + (number === undefined ? piece : (found[number] ?? piece)));
  }
  return filled;
}
