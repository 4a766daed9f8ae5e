/** What of a queue's files fails now: told, and remembered until the same thing goes well again. */
import { messageOf } from '../util/error.ts';
import type { Logger } from '../util/logger.ts';

const LOG_EVERY_MS = 5_000;

const messages = {
  write: 'cannot write a queue file; blocks stay in memory, and it is tried again',
  read: 'cannot read a queue file; it is tried again',
  checkpoint: 'cannot note on disk what was sent; after a crash it would be sent again',
} as const;

export type FileTask = keyof typeof messages;

export class Failures {
  readonly #directory: string;
  readonly #log: Logger;
  readonly #causes = new Map<FileTask, string>();

  constructor(directory: string, log: Logger) {
    this.#directory = directory;
    this.#log = log;
  }

  /** The cause of one of them; undefined while there is none. */
  get cause(): string | undefined {
    return this.#causes.values().next().value;
  }

  note(task: FileTask, error: unknown): void {
    const cause = messageOf(error);
    this.#causes.set(task, cause);
    this.#log
      .limited(`file ${this.#directory}`, LOG_EVERY_MS)
      .error(messages[task], { queue: this.#directory, error: cause });
  }

  /** It went well. */
  clear(task: FileTask): void {
    this.#causes.delete(task);
  }
}
