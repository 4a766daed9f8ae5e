/**
 * A consistent ring: every destination has `virtualNodes` points on a circle, and a series belongs to the destinations
 * whose points come next, clockwise. Names alone decide where points are. The name of the metric is always part of the
 * key. Shares are less even than with rendezvous (a deviation of about 1/√virtualNodes), and nothing moves less; it is
 * there for those who come from a ring.
 */
import type { Hash64 } from '../util/hash64.ts';
import type { Order, PlacementSpec } from './placement.ts';
import { sortedKey } from './shard-key.ts';

interface Point {
  readonly at: number;
  readonly name: string;
  readonly index: number;
}

/** The upper 53 bits of a hash: what a number holds exactly. */
const positionOf = (hash: bigint): number => Number(hash >> 11n);

export function ringOrder(spec: PlacementSpec, hash64: Hash64): Order {
  const keyOf = sortedKey(spec, { metricName: true });
  const points = spec.destinations
    .flatMap(({ name }, index) =>
      Array.from(
        { length: spec.virtualNodes },
        (_, node): Point => ({ at: positionOf(hash64(`${node}:${name}`)), name, index }),
      ),
    )
    .sort((a, b) => a.at - b.at || (a.name < b.name ? -1 : 1));
  const positions = Float64Array.from(points, ({ at }) => at);
  const owners = Int32Array.from(points, ({ index }) => index);
  return (labels, count, out) => {
    out.length = 0;
    let point = firstAtOrAfter(positions, positionOf(hash64(keyOf(labels))));
    while (out.length < count) {
      if (point === owners.length) point = 0;
      const owner = owners[point++]!;
      if (!out.includes(owner)) out.push(owner);
    }
  };
}

/** The index of the first position that is not below `at`; the length when all are. */
function firstAtOrAfter(positions: Float64Array, at: number): number {
  let low = 0;
  let high = positions.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (positions[middle]! < at) low = middle + 1;
    else high = middle;
  }
  return low;
}
