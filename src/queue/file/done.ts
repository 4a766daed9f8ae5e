/** Which records of a log are done with: all before one, and some behind it. */
export class DoneRecords {
  #before = 1;
  readonly #apart = new Set<number>();

  /** Everything before it is done with. */
  get before(): number {
    return this.#before;
  }

  /** At the opening of a log. */
  start(before: number): void {
    this.#before = before;
  }

  has(seq: number): boolean {
    return seq < this.#before || this.#apart.has(seq);
  }

  add(seq: number): void {
    if (seq < this.#before) return;
    this.#apart.add(seq);
    while (this.#apart.delete(this.#before)) this.#before++;
  }
}
