/**
 * The heaviest keys of a stream in bounded memory: the Space-Saving algorithm (Metwally, Agrawal, El Abbadi: Efficient
 * Computation of Frequent and Top-k Elements in Data Streams, 2005). A key that weighs more than the total divided by the
 * number of places is surely held; a weight is too high by `error` at most, and never too low.
 */
export interface Heavy {
  readonly key: string;
  readonly weight: number;
  readonly error: number;
}

interface Place {
  weight: number;
  error: number;
}

export class TopK {
  readonly #places: number;
  readonly #held = new Map<string, Place>();
  #total = 0;

  constructor(places: number) {
    this.#places = places;
  }

  /** All that was ever added. */
  get total(): number {
    return this.#total;
  }

  add(key: string, weight: number): void {
    this.#total += weight;
    const place = this.#held.get(key);
    if (place !== undefined) {
      place.weight += weight;
      return;
    }
    if (this.#held.size < this.#places) {
      this.#held.set(key, { weight, error: 0 });
      return;
    }
    const [lightest, { weight: error }] = this.#lightest();
    this.#held.delete(lightest);
    this.#held.set(key, { weight: error + weight, error });
  }

  /** A walk: places are a few hundred, and what is added is a sample of the stream. */
  #lightest(): [string, Place] {
    let found: [string, Place] | undefined;
    for (const entry of this.#held)
      if (found === undefined || entry[1].weight < found[1].weight) found = entry;
    return found!;
  }

  /** The `count` heaviest, the heaviest first. */
  top(count: number): Heavy[] {
    return [...this.#held]
      .map(([key, { weight, error }]) => ({ key, weight, error }))
      .sort((a, b) => b.weight - a.weight || (a.key < b.key ? -1 : 1))
      .slice(0, count);
  }
}
