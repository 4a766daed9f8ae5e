/** Keeps requests that the engine died of, for the report to the developers. Main thread only. */
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Clock } from '../util/clock.ts';
import { messageOf } from '../util/error.ts';
import type { Logger } from '../util/logger.ts';

/** A client that repeats a bad request must not fill the disk. */
const FILES_MAX = 50;

export class Quarantine {
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #log: Logger;
  #writing: Promise<void> = Promise.resolve();

  constructor(directory: string, clock: Clock, log: Logger) {
    this.#directory = directory;
    this.#clock = clock;
    this.#log = log;
  }

  /** Writes the body as it came (compressed) in the background; never throws. */
  keep(body: Uint8Array, client: string): void {
    this.#writing = this.#writing.then(() => this.#write(body, client));
  }

  /** Resolves when everything is written. */
  idle(): Promise<void> {
    return this.#writing;
  }

  async #write(body: Uint8Array, client: string): Promise<void> {
    const time = new Date(this.#clock.nowMs()).toISOString().replaceAll(':', '-');
    const file = path.join(this.#directory, `${time}-${randomBytes(4).toString('hex')}.body`);
    try {
      await mkdir(this.#directory, { recursive: true, mode: 0o700 });
      if ((await readdir(this.#directory)).length >= FILES_MAX) {
        this.#log.error('a request was refused because the engine died of it; it was not kept', {
          client,
          cause: `there are ${FILES_MAX} files in ${this.#directory} already; report and remove them`,
        });
        return;
      }
      await writeFile(file, body, { mode: 0o600 });
      this.#log.error('a request was refused because the engine died of it; please report it', {
        client,
        file,
      });
    } catch (error) {
      this.#log.error('a request was refused because the engine died of it; it could not be kept', {
        client,
        file,
        error: messageOf(error),
      });
    }
  }
}
