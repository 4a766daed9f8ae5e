/** The cursor file of a log (`format.ts`): how much of it is done with. A hint; without it the log is read from its start. */
import path from 'node:path';
import type { Logger } from '../../util/logger.ts';
import { CURSOR_SLOT_BYTES, decodeCursor, encodeCursor } from './format.ts';
import type { Fs, FsFile } from './fs.ts';

export class CursorFile {
  readonly #fs: Fs;
  readonly #directory: string;
  readonly #path: string;
  #file: FsFile | undefined;
  #generation = 0;

  constructor(fs: Fs, directory: string) {
    this.#fs = fs;
    this.#directory = directory;
    this.#path = path.join(directory, 'cursor');
  }

  /** Everything before it is done with; undefined when nothing is known. */
  async read(log: Logger): Promise<number | undefined> {
    const file = await this.#openExisting();
    if (file === undefined) return undefined;
    const bytes = Buffer.alloc(2 * CURSOR_SLOT_BYTES);
    const cursor = decodeCursor(bytes.subarray(0, await file.read(bytes, 0)));
    await file.close();
    if (cursor === undefined) {
      log.warn('the cursor of a queue is damaged; what the queue holds is sent again', { file: this.#path });
    }
    this.#generation = cursor?.generation ?? 0;
    return cursor?.seq;
  }

  /** Resolves when it is on the disk. The slot that is written is never the valid one. */
  async write(seq: number): Promise<void> {
    const generation = this.#generation + 1;
    const isNew = this.#file === undefined;
    const file = this.#file ?? (await this.#openExisting()) ?? (await this.#fs.create(this.#path));
    try {
      await file.write([encodeCursor({ generation, seq })], (generation % 2) * CURSOR_SLOT_BYTES);
      await file.sync();
      if (isNew) await this.#fs.syncDirectory(this.#directory);
    } catch (error) {
      this.#file = undefined;
      await file.close().catch(() => {});
      throw error;
    }
    this.#file = file;
    this.#generation = generation;
  }

  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
  }

  async #openExisting(): Promise<FsFile | undefined> {
    try {
      return await this.#fs.open(this.#path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }
}
