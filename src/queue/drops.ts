/** What was dropped because a queue was full: counted, and said now and then. */
import type { Block } from '../model/block.ts';
import type { Logger } from '../util/logger.ts';

const LOG_EVERY_MS = 5_000;

export class Drops {
  blocks = 0;
  /** Compressed. */
  bytes = 0;
  readonly #directory: string;
  readonly #log: Logger;

  constructor(directory: string, log: Logger) {
    this.#directory = directory;
    this.#log = log;
  }

  note(block: Block, pendingBytes: number): void {
    this.blocks++;
    this.bytes += block.bytes.byteLength;
    this.#log
      .limited(`full ${this.#directory}`, LOG_EVERY_MS)
      .error('the queue of a destination is full; blocks for it are dropped and counted', {
        queue: this.#directory,
        samples: block.counts.samples,
        pendingBytes,
        droppedBlocks: this.blocks,
      });
  }
}
