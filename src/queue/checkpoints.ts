/** Notes on disk, once a second, how much of a queue's file was sent: as much is sent again after a crash. */
import type { Failures } from './failures.ts';
import type { Fs } from './file/fs.ts';
import type { SegmentLog } from './file/log.ts';

const EVERY_MS = 1_000;

export class Checkpoints {
  readonly #fs: Fs;
  readonly #directory: string;
  readonly #failures: Failures;
  #lastMs = 0;
  #making: Promise<void> | undefined;
  #diskRoom: number | undefined;

  constructor(fs: Fs, directory: string, failures: Failures) {
    this.#fs = fs;
    this.#directory = directory;
    this.#failures = failures;
  }

  /** Bytes that the disk had room for at the last one; undefined before. */
  get diskRoom(): number | undefined {
    return this.#diskRoom;
  }

  /** Makes one in the background when it is time; call it regularly. */
  maintain(file: SegmentLog, nowMs: number): void {
    if (this.#making !== undefined || nowMs - this.#lastMs < EVERY_MS) return;
    this.#lastMs = nowMs;
    this.#making = this.#make(file).finally(() => {
      this.#making = undefined;
    });
  }

  /** Resolves when none is under way. */
  async idle(): Promise<void> {
    await this.#making;
  }

  async #make(file: SegmentLog): Promise<void> {
    try {
      this.#diskRoom = await this.#fs.room(this.#directory);
      await file.sync();
      await file.checkpoint();
      this.#failures.clear('checkpoint');
    } catch (error) {
      this.#failures.note('checkpoint', error);
    }
  }
}
