/** The parts of a destination's queue (`queue.ts` tells what each of them is), and what they hold together. */
import type { Counts } from '../model/body.ts';
import { assert } from '../util/assert.ts';
import { Backlog } from './backlog.ts';
import { type Entry, MemoryQueue } from './memory.ts';

export class Parts {
  readonly window = new MemoryQueue();
  readonly unloaded = new Backlog();
  readonly tail = new MemoryQueue();
  readonly fresh = new MemoryQueue();
  /** Safe elsewhere, and no business of the file. */
  readonly #ahead: MemoryQueue;

  constructor(ahead = new MemoryQueue()) {
    this.#ahead = ahead;
  }

  get #inMemory(): readonly MemoryQueue[] {
    return [this.#ahead, this.window, this.tail, this.fresh];
  }

  /** Compressed bytes. */
  get bytes(): number {
    return this.#inMemory.reduce((sum, { bytes }) => sum + bytes, this.unloaded.bytes);
  }

  get blocks(): number {
    return this.memoryBlocks + this.unloaded.blocks;
  }

  get memoryBlocks(): number {
    return this.#inMemory.reduce((sum, { length }) => sum + length, 0);
  }

  get counts(): Counts {
    const sum = { ...this.unloaded.counts };
    for (const part of this.#inMemory) part.addCountsTo(sum);
    return sum;
  }

  /** Monotonic milliseconds when the oldest block in memory came in; infinite when there is none. */
  get oldestBornMs(): number {
    const bornMs = [this.window, this.fresh].map(({ entries }) => entries[0]?.block.bornMs ?? Infinity);
    return Math.min(...bornMs);
  }

  /** The first request of which a block is in memory only. */
  get firstUnsafeBody(): number | undefined {
    let first = Number.POSITIVE_INFINITY;
    for (const { entries } of [this.window, this.tail, this.fresh]) {
      for (const { seq, block } of entries) if (seq === undefined) first = Math.min(first, block.firstBody);
    }
    return first === Number.POSITIVE_INFINITY ? undefined : first;
  }

  /** What may be taken out now: no sender has it, and it is not on its way to the file. */
  get unleased(): Entry[] {
    return [...this.window.unleased, ...this.fresh.unleased];
  }

  /**
   * After writing: what is in the file and not in the window leaves memory, from the window's end while it is too large.
   * Returns the first record that left the window; undefined when none did.
   */
  settle(isTooLarge: () => boolean): number | undefined {
    const from = this.unloaded.blocks === 0 ? this.#shrinkWindow(isTooLarge) : undefined;
    if (this.unloaded.blocks === 0) for (const entry of this.tail.take(() => true)) this.window.push(entry);
    else for (const entry of this.tail.take(({ seq }) => seq !== undefined)) this.#unload(entry);
    return from;
  }

  #shrinkWindow(isTooLarge: () => boolean): number | undefined {
    let from: number | undefined;
    while (isTooLarge()) {
      const last = this.window.entries.at(-1);
      if (last?.seq === undefined || last.leased) break;
      this.window.remove(last);
      from = last.seq;
      this.#unload(last);
    }
    return from;
  }

  #unload({ block, seq }: Entry): void {
    assert(seq !== undefined, 'what leaves memory is in the file');
    this.unloaded.add(seq, seq, block.bytes.byteLength, block.counts);
    block.memory?.release(block.bytes);
  }
}
