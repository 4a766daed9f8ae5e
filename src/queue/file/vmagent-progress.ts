/**
 * How much of a vmagent's queue is safe in ours, in a file beside its directory, so that a take-over that was cut short goes
 * on there: `<directory>.progress`, JSON.
 */
import type { Fs } from './fs.ts';
import type { Offsets } from './vmagent-queue.ts';
import { writeWhole } from './whole-file.ts';

const BYTES_MAX = 4096;

interface Progress extends Offsets {
  readonly offset: number;
}

export class VmagentProgress {
  readonly #fs: Fs;
  readonly #file: string;

  constructor(fs: Fs, directory: string) {
    this.#fs = fs;
    this.#file = `${directory}.progress`;
  }

  /**
   * Where to go on; undefined to begin at the beginning. A vmagent that has run meanwhile has changed what it `recorded`, and
   * then the note means nothing any more.
   */
  async read(recorded: Offsets | undefined): Promise<number | undefined> {
    if (recorded === undefined) return undefined;
    try {
      const { reader, writer, offset }: Progress = JSON.parse(await this.#text());
      const isOfIt = reader === recorded.reader && writer === recorded.writer;
      return isOfIt && Number.isSafeInteger(offset) && offset >= reader ? offset : undefined;
    } catch {
      return undefined;
    }
  }

  async #text(): Promise<string> {
    const file = await this.#fs.open(this.#file);
    try {
      const bytes = Buffer.alloc(BYTES_MAX);
      return bytes.toString('utf8', 0, await file.read(bytes, 0));
    } finally {
      await file.close();
    }
  }

  /** Everything before `offset` is safe. */
  async write(recorded: Offsets | undefined, offset: number): Promise<void> {
    if (recorded === undefined) return;
    const progress: Progress = { ...recorded, offset };
    await writeWhole(this.#fs, this.#file, [Buffer.from(JSON.stringify(progress))]);
  }

  async remove(): Promise<void> {
    await this.#fs.unlink(this.#file).catch((error) => {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    });
  }
}
