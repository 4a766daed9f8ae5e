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

export class TopK {
  readonly #places: number;
  /** Where a key is held. */
  readonly #place = new Map<string, number>();
  readonly #keys: string[] = [];
  readonly #weights: Float64Array;
  readonly #errors: Float64Array;
  #total = 0;

  constructor(places: number) {
    this.#places = places;
    this.#weights = new Float64Array(places);
    this.#errors = new Float64Array(places);
  }

  /** All that was ever added. */
  get total(): number {
    return this.#total;
  }

  add(key: string, weight: number): void {
    this.#total += weight;
    const known = this.#place.get(key);
    if (known !== undefined) {
      this.#weights[known]! += weight;
      return;
    }
    const isFull = this.#keys.length === this.#places;
    const place = isFull ? this.#lightest() : this.#keys.length;
    const error = isFull ? this.#weights[place]! : 0;
    if (isFull) this.#place.delete(this.#keys[place]!);
    this.#place.set(key, place);
    this.#keys[place] = key;
    this.#weights[place] = error + weight;
    this.#errors[place] = error;
  }

  /** A walk over numbers: places are a few hundred, and what is added is a sample of the stream. */
  #lightest(): number {
    const weights = this.#weights;
    let found = 0;
    for (let place = 1; place < weights.length; place++) if (weights[place]! < weights[found]!) found = place;
    return found;
  }

  /** The `count` heaviest, the heaviest first. */
  top(count: number): Heavy[] {
    return this.#keys
      .map((key, place) => ({ key, weight: this.#weights[place]!, error: this.#errors[place]! }))
      .sort((a, b) => b.weight - a.weight || (a.key < b.key ? -1 : 1))
      .slice(0, count);
  }
}
