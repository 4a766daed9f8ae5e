/** The segments of a log, in order. */
import type { Segment } from './segment.ts';

export class Segments {
  #all: readonly Segment[];

  constructor(all: readonly Segment[] = []) {
    this.#all = all;
  }

  get all(): readonly Segment[] {
    return this.#all;
  }

  /** Of all files. */
  get bytes(): number {
    return this.#all.reduce((sum, { size }) => sum + size, 0);
  }

  /** Adds one at the end; it may have taken the place of one of the same name. */
  add(segment: Segment): void {
    this.#all = [...this.#all.filter(({ path }) => path !== segment.path), segment];
  }

  remove(segment: Segment): void {
    this.#all = this.#all.filter((other) => other !== segment);
  }

  /** The one that a record is in, or the next one. */
  with(seq: number): Segment | undefined {
    return this.#all.findLast(({ firstSeq }) => firstSeq <= seq) ?? this.#all[0];
  }

  /** The first number that is not in a segment; `nextSeq` is the log's next one. */
  endOf(segment: Segment, nextSeq: number): number {
    return this.#all[this.#all.indexOf(segment) + 1]?.firstSeq ?? nextSeq;
  }
}
