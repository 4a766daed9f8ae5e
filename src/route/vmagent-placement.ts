/**
 * Places series exactly as vmagent does: rendezvous over "<1-based index>:<URL as given>", and the further copies go to
 * the URLs that follow in the order of the flags. So another order or another query string moves series; with a
 * vmagent on the other side of a migration none does.
 *
 * vmagent keeps series on a shard that is down. Where Sluice is told to reroute, what would follow is not the next URL,
 * which would get the whole share, but the next best score.
 */
import type { Hash64 } from '../util/hash64.ts';
import type { Order, PlacementSpec } from './placement.ts';
import { Scores } from './scores.ts';
import { vmagentKey } from './shard-key.ts';

/** `replicas`: how many copies there are when all destinations are well. */
export function vmagentOrder(spec: PlacementSpec, replicas: number, hash64: Hash64): Order {
  const keyOf = vmagentKey(spec);
  const count = spec.destinations.length;
  const scores = new Scores(spec.destinations.map(({ url }, index) => hash64(`${index + 1}:${url}`)));
  const byScore: number[] = [];
  return (labels, wanted, out) => {
    scores.best(hash64(keyOf(labels)), wanted > replicas ? count : 1, byScore);
    const first = byScore[0]!;
    out.length = 0;
    for (let copy = 0; copy < Math.min(replicas, wanted); copy++) out.push((first + copy) % count);
    for (const index of byScore) {
      if (out.length >= wanted) return;
      if ((index - first + count) % count >= replicas) out.push(index);
    }
  };
}
