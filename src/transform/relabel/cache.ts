/**
 * Results by text, kept while they are in use: with many new series the same values come again and again, and a Map is
 * faster than a regex. Bounded by two generations: what was asked for since the last turn is young; when the young are
 * too many, the old ones go and the young become old.
 */

/** Of each generation. The values of one label seldom have more that are in use at once. */
const ENTRIES_MAX = 4_096;
/** Of each generation, keys and results together: 1 MiB a memo at most, and a rule has one memo. */
const CHARACTERS_MAX = 256 * 1024;
/** Longer texts are computed anew: they would push out many others, and do not come again. */
const KEY_LENGTH_MAX = 4_096;

export class Memo<Result extends string | boolean | null> {
  readonly #compute: (text: string) => Result;
  #young = new Map<string, Result>();
  #old = new Map<string, Result>();
  #characters = 0;

  /** `compute` is pure. */
  constructor(compute: (text: string) => Result) {
    this.#compute = compute;
  }

  get(text: string): Result {
    const young = this.#young.get(text);
    return young === undefined ? this.#older(text) : young;
  }

  /** Entries in both generations. */
  get size(): number {
    return this.#young.size + this.#old.size;
  }

  #older(text: string): Result {
    const old = this.#old.get(text);
    const result = old === undefined ? this.#compute(text) : old;
    if (text.length > KEY_LENGTH_MAX) return result;
    const characters = text.length + (typeof result === 'string' ? result.length : 0);
    if (this.#young.size >= ENTRIES_MAX || this.#characters + characters > CHARACTERS_MAX) this.#turn();
    if (characters <= CHARACTERS_MAX) {
      this.#young.set(text, result);
      this.#characters += characters;
    }
    return result;
  }

  #turn(): void {
    this.#old = this.#young;
    this.#young = new Map();
    this.#characters = 0;
  }
}
