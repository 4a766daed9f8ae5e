/** What a change of destinations does to the places of series: counted over given series, not estimated. */
import type { Labels } from '../model/labels.ts';
import type { Hash64 } from '../util/hash64.ts';
import { createPlacement, type Placement, type PlacementSpec } from './placement.ts';

export interface DestinationMovement {
  readonly name: string;
  /** Copies of series that it has. */
  readonly before: number;
  readonly after: number;
  /** Copies that it has after, and had not before; and the other way round. */
  readonly arriving: number;
  readonly leaving: number;
}

export interface Movement {
  readonly series: number;
  /** Series × replicas. */
  readonly copiesBefore: number;
  readonly copiesAfter: number;
  /** Copies that are at a destination where their series was not before. */
  readonly moved: number;
  /** By name; a destination is the same before and after when its name is. First those before, then those that are new. */
  readonly destinations: readonly DestinationMovement[];
}

export class MovementCount {
  readonly #before: Side;
  readonly #after: Side;
  readonly #rows: { name: string; before: number; after: number; arriving: number; leaving: number }[];
  #series = 0;

  /** Names must differ within each side. */
  constructor(before: PlacementSpec, after: PlacementSpec, hash64: Hash64) {
    const names = [...new Set([...before.destinations, ...after.destinations].map(({ name }) => name))];
    this.#rows = names.map((name) => ({ name, before: 0, after: 0, arriving: 0, leaving: 0 }));
    this.#before = new Side(before, names, hash64);
    this.#after = new Side(after, names, hash64);
  }

  add(labels: Labels): void {
    this.#series++;
    const had = this.#before.rowsOf(labels);
    const has = this.#after.rowsOf(labels);
    for (const index of had) {
      const row = this.#rows[index]!;
      row.before++;
      if (!has.includes(index)) row.leaving++;
    }
    for (const index of has) {
      const row = this.#rows[index]!;
      row.after++;
      if (!had.includes(index)) row.arriving++;
    }
  }

  result(): Movement {
    return {
      series: this.#series,
      copiesBefore: this.#series * this.#before.replicas,
      copiesAfter: this.#series * this.#after.replicas,
      moved: this.#rows.reduce((sum, { arriving }) => sum + arriving, 0),
      destinations: this.#rows,
    };
  }
}

/** One of the two placements, in terms of the rows that both share. */
class Side {
  readonly #placement: Placement;
  readonly #rows: readonly number[];
  readonly #owners: number[] = [];

  constructor(spec: PlacementSpec, names: readonly string[], hash64: Hash64) {
    this.#placement = createPlacement(spec, hash64);
    this.#rows = spec.destinations.map(({ name }) => names.indexOf(name));
  }

  get replicas(): number {
    return this.#placement.replicas;
  }

  /** Valid until the next call. */
  rowsOf(labels: Labels): readonly number[] {
    this.#placement.owners(labels, undefined, this.#owners);
    for (const [place, owner] of this.#owners.entries()) this.#owners[place] = this.#rows[owner]!;
    return this.#owners;
  }
}
