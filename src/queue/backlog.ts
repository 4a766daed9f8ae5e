/** The part of a destination's queue that is in its file only: a range of records, and what they hold. */
import { addCounts, type Counts, noCounts, subtractCounts } from '../model/body.ts';
import type { RecordHeader } from './file/format.ts';

export class Backlog {
  /** The next record to be read. */
  #from = 0;
  /** The first number behind it. */
  #end = 0;
  #bytes = 0;
  readonly #counts: Counts = { ...noCounts };

  get blocks(): number {
    return Math.max(0, this.#end - this.#from);
  }

  /** Compressed bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  get counts(): Readonly<Counts> {
    return this.#counts;
  }

  /** What a log held at its opening. */
  start(from: number, end: number, bytes: number, counts: Readonly<Counts>): void {
    this.#from = from;
    this.#end = end;
    this.#bytes = bytes;
    addCounts(this.#counts, counts);
  }

  /** A block left memory; an empty backlog begins with `from`. */
  add(from: number, seq: number, bytes: number, counts: Readonly<Counts>): void {
    if (this.blocks === 0) this.#from = from;
    this.#from = Math.min(this.#from, from);
    this.#end = Math.max(this.#end, seq + 1);
    this.#bytes += bytes;
    addCounts(this.#counts, counts);
  }

  /** A record was read, and reading goes on at `next`. */
  take(next: number, header: RecordHeader | undefined): void {
    this.#from = next;
    if (header === undefined) return;
    this.#bytes -= header.payloadLength;
    subtractCounts(this.#counts, header.counts);
  }

  /** Everything was read: returns what is still counted, which was in records that damage made unreadable. */
  settle(): Counts {
    const lost = { ...this.#counts };
    subtractCounts(this.#counts, lost);
    this.#bytes = 0;
    return lost;
  }
}
