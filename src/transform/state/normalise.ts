import type { Labels } from '../../model/labels.ts';

/** In place: drops labels without a value, and sorts the rest by name. Labels of one name keep their order. */
export function normalise(labels: Labels): void {
  labels.filter((_, value) => value !== '');
  let sorted = true;
  for (let index = 1; index < labels.length; index++) {
    if (labels.names[index - 1]! > labels.names[index]!) sorted = false;
  }
  if (sorted) return;
  const pairs = labels.pairs().sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  labels.clear();
  for (const [name, value] of pairs) labels.push(name, value);
}
