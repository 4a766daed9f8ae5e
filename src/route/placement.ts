/**
 * Which destinations get a series. Asked once a series, in the thread that makes its plan.
 *
 * Each mode gives an order of preference of all destinations; the first `replicas` of it own the series. When some are
 * not available, those after them take their place, so that only what they had moves. Where fewer are available than
 * there are copies, the copies that are left stay with their first choices, whose queues keep them.
 */
import type { Labels } from '../model/labels.ts';
import { assert } from '../util/assert.ts';
import type { Hash64 } from '../util/hash64.ts';
import { rendezvousOrder } from './rendezvous.ts';
import { ringOrder } from './ring.ts';
import type { LabelChoice } from './shard-key.ts';
import { vmagentOrder } from './vmagent-placement.ts';

export const placementModes = ['rendezvous', 'vmagent', 'ring'] as const;
export type PlacementMode = (typeof placementModes)[number];

/** Plain data: it can be posted to another thread. */
export interface PlacementSpec extends LabelChoice {
  readonly mode: PlacementMode;
  /** At least one. `vmagent` goes by place and URL, the other modes by name. */
  readonly destinations: readonly { readonly name: string; readonly url: string }[];
  /** Copies of each series; below 1 it means 1, above the number of destinations all of them. */
  readonly replicas: number;
  /** Points of a destination on the ring, at least 1; the other modes do without. */
  readonly virtualNodes: number;
}

/** Writes the first `count` destinations in order of preference into `out`, all different; `count` is not above their number. */
export type Order = (labels: Labels, count: number, out: number[]) => void;

export interface Placement {
  /** How many owners a series has. */
  readonly replicas: number;
  /**
   * Writes the indexes of the owners into `out`, all different, in order of preference. `available`: one item for each
   * destination; undefined means that all are.
   */
  owners(labels: Labels, available: readonly boolean[] | undefined, out: number[]): void;
}

export function createPlacement(spec: PlacementSpec, hash64: Hash64): Placement {
  const count = spec.destinations.length;
  assert(count > 0, 'a placement without destinations');
  const replicas = Math.max(1, Math.min(Math.trunc(spec.replicas), count));
  const order = orderOf(spec, replicas, hash64);
  return {
    replicas,
    owners(labels, available, out) {
      if (available === undefined || !available.includes(false)) {
        order(labels, replicas, out);
        return;
      }
      order(labels, count, out);
      preferAvailable(out, available);
      out.length = replicas;
    },
  };
}

function orderOf(spec: PlacementSpec, replicas: number, hash64: Hash64): Order {
  switch (spec.mode) {
    case 'rendezvous':
      return rendezvousOrder(spec, hash64);
    case 'vmagent':
      return vmagentOrder(spec, replicas, hash64);
    case 'ring':
      assert(spec.virtualNodes >= 1, 'a ring without points');
      return ringOrder(spec, hash64);
  }
}

/** Moves those that are available to the front; both parts keep their order. */
function preferAvailable(order: number[], available: readonly boolean[]): void {
  const others = order.filter((index) => available[index] === false);
  let to = 0;
  for (const index of order) if (available[index] !== false) order[to++] = index;
  for (const index of others) order[to++] = index;
}
