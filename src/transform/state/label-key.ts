/**
 * Label sets as texts: equal texts are equal label sets in equal order, and the labels can be had back. Each name and
 * value is preceded by its length, so that no character needs a meaning and ASCII stays at one byte a character.
 */
import { hash } from 'node:crypto';
import type { Labels } from '../../model/labels.ts';

export function labelKey(labels: Labels): string {
  let key = '';
  for (let index = 0; index < labels.length; index++)
    key += labelPart(labels.names[index]!, labels.values[index]!);
  return key;
}

export function labelPart(name: string, value: string): string {
  return `${name.length}:${name}${value.length}:${value}`;
}

/** Puts the labels of a key into `labels`, in place of what was there. */
export function readLabelKey(key: string, labels: Labels): void {
  labels.clear();
  let at = 0;
  const next = (): string => {
    const colon = key.indexOf(':', at);
    const start = colon + 1;
    at = colon < 0 ? key.length : start + Number(key.slice(at, colon));
    return key.slice(start, at);
  };
  while (at < key.length) labels.push(next(), next());
}

/**
 * 16 bytes (as latin-1) in place of a key that need not be had back: SHA-256 cut to 128 bits, so that no two series share
 * one, not even on purpose, and the same series has the same one after a restart.
 */
export function fingerprint(key: string): string {
  return hash('sha256', key, 'buffer').toString('latin1', 0, 16);
}

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
