/**
 * Blocks from elsewhere that go before everything in a queue: the backlog of a vmagent, read from its own files while new
 * blocks already come in. They are not written to this queue's files, since they are safe where they are.
 */
import type { Block } from '../model/block.ts';
import { type Entry, MemoryQueue, newEntry } from './memory.ts';

export class Ahead {
  readonly blocks = new MemoryQueue();
  readonly #waiting = new Map<Entry, (hasEnded: boolean) => void>();
  readonly #onChange: () => void;
  #isHolding = false;
  #isClosed = false;

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  /** Whether what is in the queue itself must wait. */
  get isHolding(): boolean {
    return this.#isHolding;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  hold(isHolding: boolean): void {
    this.#isHolding = isHolding;
    this.#onChange();
  }

  has(entry: Entry): boolean {
    return this.#waiting.has(entry);
  }

  /** Resolves when the block has ended: to true, or to false when the queue was closed before. */
  send(block: Block): Promise<boolean> {
    if (this.#isClosed) return Promise.resolve(false);
    const entry = newEntry(block);
    this.blocks.push(entry);
    const ended = new Promise<boolean>((resolve) => this.#waiting.set(entry, resolve));
    this.#onChange();
    return ended;
  }

  /** The block has ended; tells whether it was one of these. */
  end(entry: Entry): boolean {
    const resolve = this.#waiting.get(entry);
    if (resolve === undefined) return false;
    this.#waiting.delete(entry);
    this.blocks.remove(entry);
    resolve(true);
    return true;
  }

  close(): void {
    this.#isClosed = true;
    for (const resolve of this.#waiting.values()) resolve(false);
    this.#waiting.clear();
  }
}
