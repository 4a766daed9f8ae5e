/**
 * Places series on destinations by their names: the best scores get the copies. The order of the destinations and their
 * URLs do not matter; one more takes its share from all, one less leaves its share to all.
 */
import type { Hash64 } from '../util/hash64.ts';
import type { Order, PlacementSpec } from './placement.ts';
import { Scores } from './scores.ts';
import { sortedKey } from './shard-key.ts';

export function rendezvousOrder(spec: PlacementSpec, hash64: Hash64): Order {
  const keyOf = sortedKey(spec, { metricName: false });
  // Sorted, so that two names of the same hash do not depend on the order either.
  const byName = spec.destinations
    .map(({ name }, index) => ({ name, index }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const scores = new Scores(byName.map(({ name }) => hash64(name)));
  const indexes = byName.map(({ index }) => index);
  return (labels, count, out) => {
    scores.best(hash64(keyOf(labels)), count, out);
    for (let place = 0; place < out.length; place++) out[place] = indexes[out[place]!]!;
  };
}
