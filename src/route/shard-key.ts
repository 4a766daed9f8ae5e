/**
 * The text that a series is placed by. Which labels count is the same for both forms:
 * - `vmagent`: names and values in the order of the series, nothing between them. So `m{a,b}` and `m{b,a}` may part, and
 *   `{a="bc"}` and `{ab="c"}` do not: exact matters more here than good.
 * - `sorted`: by name, each text with its length before it. The order of the labels does not matter, and different labels
 *   never give the same text.
 * Labels are texts, so bytes that are no valid UTF-8 count as U+FFFD; vmagent hashes them as they are.
 */
import type { Labels } from '../model/labels.ts';

export interface LabelChoice {
  /** Only these labels count; empty: all do. */
  readonly labels: readonly string[];
  /** These labels do not count. Used when `labels` is empty. */
  readonly ignoreLabels: readonly string[];
}

export type ShardKey = (labels: Labels) => string;

/** The key as vmagent makes it. Without any label that counts it is the empty text. */
export function vmagentKey(choice: LabelChoice): ShardKey {
  const counts = counting(choice);
  return ({ names, values }) => {
    let key = '';
    for (let index = 0; index < names.length; index++) {
      const name = names[index]!;
      if (counts === undefined || counts(name)) key += name + values[index]!;
    }
    return key;
  };
}

/** The key that no order of labels changes. With `metricName` the name of the metric counts whatever is chosen. */
export function sortedKey(choice: LabelChoice, { metricName }: { readonly metricName: boolean }): ShardKey {
  const chosen = counting(choice);
  const counts = (name: string) =>
    chosen === undefined || chosen(name) || (metricName && name === '__name__');
  /** Places of the labels that count; used again for each series. */
  const places: number[] = [];
  return ({ names, values }) => {
    places.length = 0;
    let isSorted = true;
    let last = '';
    for (let index = 0; index < names.length; index++) {
      const name = names[index]!;
      if (!counts(name)) continue;
      // Not `<`: labels of the same name are put in order by their values.
      if (places.length > 0 && name <= last) isSorted = false;
      last = name;
      places.push(index);
    }
    if (!isSorted) places.sort((a, b) => compare(names[a]!, names[b]!) || compare(values[a]!, values[b]!));
    let key = '';
    for (const place of places) key += withLength(names[place]!) + withLength(values[place]!);
    return key;
  };
}

/** Undefined when every label counts. */
function counting({ labels, ignoreLabels }: LabelChoice): ((name: string) => boolean) | undefined {
  if (labels.length > 0) {
    const kept = new Set(labels);
    return (name) => kept.has(name);
  }
  if (ignoreLabels.length === 0) return undefined;
  const ignored = new Set(ignoreLabels);
  return (name) => !ignored.has(name);
}

/** `0:`, `1:` … for the lengths that almost all labels have; making them anew took a quarter of the time of a key. */
const prefixes = Array.from({ length: 128 }, (_, length) => `${length}:`);

const withLength = (text: string): string => (prefixes[text.length] ?? `${text.length}:`) + text;

/** By UTF-16 units, the same in every locale. */
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
