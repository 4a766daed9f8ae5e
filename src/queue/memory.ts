/**
 * The memory part of a destination's queue: blocks in order of arrival, bounded in bytes. Main thread only.
 *
 * Order rule: a block may be leased when no earlier unfinished block has a slot in common with it. Walking from the
 * head and collecting the slots of everything passed decides that in one pass, which ends as soon as all 32 slots are
 * taken; so blocks that were forwarded whole (all slots) go one at a time, and blocks split by slot go side by side.
 */
import { ALL_SLOTS, type Block } from '../model/block.ts';
import { assert } from '../util/assert.ts';

export interface Entry {
  readonly block: Block;
  leased: boolean;
  /** Called once when the block has ended at this destination, so that its file can be given back. */
  readonly release: () => void;
}

export class MemoryQueue {
  readonly #entries: Entry[] = [];
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get length(): number {
    return this.#entries.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** A queue that holds anything is full from its bound on; an empty one takes a block of any size. */
  get full(): boolean {
    return this.#bytes >= this.#bytesMax;
  }

  get entries(): readonly Entry[] {
    return this.#entries;
  }

  push(entry: Entry): void {
    this.#entries.push(entry);
    this.#bytes += entry.block.bytes.byteLength;
  }

  /** The first block whose slots no earlier unfinished block holds; undefined when there is none now. */
  lease(): Entry | undefined {
    let taken = 0;
    for (const entry of this.#entries) {
      if (!entry.leased && (entry.block.slots & taken) === 0) {
        entry.leased = true;
        return entry;
      }
      taken |= entry.block.slots;
      if (taken >>> 0 === ALL_SLOTS) return undefined;
    }
    return undefined;
  }

  /** Takes a leased block out for good. */
  remove(entry: Entry): void {
    const index = this.#entries.indexOf(entry);
    assert(index >= 0 && entry.leased, 'only a leased block of this queue can be removed');
    this.#entries.splice(index, 1);
    this.#bytes -= entry.block.bytes.byteLength;
  }
}
