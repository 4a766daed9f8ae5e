/** Series and destinations for the tests of placement, and what owners are by definition. */
import fc from 'fast-check';
import { Labels } from '../../src/model/labels.ts';
import type { Placement, PlacementSpec } from '../../src/route/placement.ts';
import { randomFrom } from '../support/random.ts';

export type Pairs = (readonly [name: string, value: string])[];

export const labelPairs = (text = fc.string({ unit: 'binary', maxLength: 8 })): fc.Arbitrary<Pairs> =>
  fc.array(fc.tuple(text, text), { maxLength: 6 });

export const specOf = (names: readonly string[], rest: Partial<PlacementSpec> = {}): PlacementSpec => ({
  mode: 'rendezvous',
  destinations: names.map((name) => ({ name, url: `http://${name}:8428/api/v1/write` })),
  replicas: 1,
  labels: [],
  ignoreLabels: [],
  virtualNodes: 150,
  ...rest,
});

/** `count` different series that look like real ones. */
export function someSeries(count: number, seed = 1): Labels[] {
  const random = randomFrom(seed);
  return Array.from({ length: count }, (_, index) =>
    Labels.of([
      ['__name__', `metric_${Math.floor(random() * 50)}_total`],
      ['instance', `10.0.${Math.floor(random() * 20)}.${Math.floor(random() * 250)}:9100`],
      ['job', 'node'],
      ['series', String(index)],
    ]),
  );
}

/** Names `a1`, `a2` …, of one family or another. */
export const namesOf = (count: number, family = 'a'): string[] =>
  Array.from({ length: count }, (_, index) => `${family}${index + 1}`);

export function ownersOf(placement: Placement, labels: Labels, available?: readonly boolean[]): number[] {
  const out: number[] = [];
  placement.owners(labels, available, out);
  return out;
}

const MASK = (1n << 64n) - 1n;

/** The score of a node for a key, with integers of any size. */
export function scoreOf(node: bigint, key: bigint): bigint {
  let x = node ^ key;
  x ^= x >> 12n;
  x = (x ^ (x << 25n)) & MASK;
  x ^= x >> 27n;
  return (x * 2685821657736338717n) & MASK;
}

/** All indexes by their score, best first; the lower index first among equals. */
export function rankedBy(nodes: readonly bigint[], key: bigint): number[] {
  const scores = nodes.map((node) => scoreOf(node, key));
  return nodes
    .map((_, index) => index)
    .sort((a, b) => (scores[a]! === scores[b]! ? a - b : scores[a]! > scores[b]! ? -1 : 1));
}
