/**
 * The part of a destination's queue whose bytes are in memory: blocks in order of arrival. Main thread only.
 *
 * Order rule: a block may be leased when no earlier unfinished block has a slot in common with it. Walking from the
 * head and collecting the slots of everything passed decides that in one pass, which ends as soon as all 32 slots are
 * taken; so blocks that were forwarded whole (all slots) go one at a time, and blocks split by slot go side by side.
 */
import { ALL_SLOTS, type Block } from '../model/block.ts';
import { addCounts, type Counts } from '../model/body.ts';
import { assert } from '../util/assert.ts';

export interface Entry {
  readonly block: Block;
  leased: boolean;
  /** It has left the queue, though it may still be on its way to the file. */
  ended: boolean;
  /** Its number in the file; undefined while it is in memory only. */
  seq: number | undefined;
  /** Its bytes were read from the file: no other destination has them. */
  readonly wasRead: boolean;
  /** It is among the fresh blocks, which do not wait for older ones. */
  isFresh: boolean;
  /** A fresh block that must not be in memory only any more. */
  isAged: boolean;
}

export function newEntry(block: Block, over: Partial<Entry> = {}): Entry {
  return {
    block,
    leased: false,
    ended: false,
    seq: undefined,
    wasRead: false,
    isFresh: false,
    isAged: false,
    ...over,
  };
}

export class MemoryQueue {
  readonly #entries: Entry[] = [];
  #bytes = 0;

  get length(): number {
    return this.#entries.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get entries(): readonly Entry[] {
    return this.#entries;
  }

  /** Those that no sender has. */
  get unleased(): Entry[] {
    return this.#entries.filter(({ leased }) => !leased);
  }

  addCountsTo(sum: Counts): void {
    for (const { block } of this.#entries) addCounts(sum, block.counts);
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
        entry.block.memory?.pin();
        return entry;
      }
      taken |= entry.block.slots;
      if (taken >>> 0 === ALL_SLOTS) return undefined;
    }
    return undefined;
  }

  /** The first block that nobody has, whatever its slots; undefined when there is none. */
  next(): Entry | undefined {
    const entry = this.#entries.find(({ leased }) => !leased);
    if (entry !== undefined) entry.leased = true;
    return entry;
  }

  /** Takes entries from the head for as long as they are wanted. */
  take(isWanted: (entry: Entry) => boolean): Entry[] {
    const end = this.#entries.findIndex((entry) => !isWanted(entry));
    const taken = this.#entries.splice(0, end < 0 ? this.#entries.length : end);
    for (const { block } of taken) this.#bytes -= block.bytes.byteLength;
    return taken;
  }

  remove(entry: Entry): void {
    const index = this.#entries.indexOf(entry);
    assert(index >= 0, 'only a block of this queue can be removed');
    this.#entries.splice(index, 1);
    this.#bytes -= entry.block.bytes.byteLength;
  }
}
