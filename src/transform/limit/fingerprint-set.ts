/** A set of 128-bit fingerprints in flat memory: 16 bytes a place, open addressing, at most three quarters full. */
const WORDS = 4;
const FIRST_PLACES = 1024;
const LOAD_MAX = 0.75;

/** Fingerprints are taken for random and never all zeros, which marks an empty place. */
export class FingerprintSet {
  #words = new Uint32Array(FIRST_PLACES * WORDS);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  has(fingerprint: Uint32Array): boolean {
    return !this.#isEmpty(this.#find(this.#words, fingerprint));
  }

  add(fingerprint: Uint32Array): void {
    const at = this.#find(this.#words, fingerprint);
    if (!this.#isEmpty(at)) return;
    this.#words.set(fingerprint, at);
    this.#size++;
    if (this.#size > (this.#words.length / WORDS) * LOAD_MAX) this.#grow();
  }

  /** The place that holds it, or the empty one where it belongs. */
  #find(words: Uint32Array, fingerprint: Uint32Array): number {
    const mask = words.length / WORDS - 1;
    let place = fingerprint[0]! & mask;
    while (true) {
      const at = place * WORDS;
      const isEmpty = (words[at]! | words[at + 1]! | words[at + 2]! | words[at + 3]!) === 0;
      if (
        isEmpty ||
        (words[at] === fingerprint[0] &&
          words[at + 1] === fingerprint[1] &&
          words[at + 2] === fingerprint[2] &&
          words[at + 3] === fingerprint[3])
      ) {
        return at;
      }
      place = (place + 1) & mask;
    }
  }

  #isEmpty(at: number): boolean {
    const words = this.#words;
    return (words[at]! | words[at + 1]! | words[at + 2]! | words[at + 3]!) === 0;
  }

  #grow(): void {
    const before = this.#words;
    const after = new Uint32Array(before.length * 2);
    for (let at = 0; at < before.length; at += WORDS) {
      const fingerprint = before.subarray(at, at + WORDS);
      if (fingerprint.some((word) => word !== 0)) after.set(fingerprint, this.#find(after, fingerprint));
    }
    this.#words = after;
  }
}
