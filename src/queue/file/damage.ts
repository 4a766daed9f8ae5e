/** Counts what could not be read, and keeps its bytes beside the log for a person to look at. */
import { messageOf } from '../../util/error.ts';
import type { Logger } from '../../util/logger.ts';
import type { Fs } from './fs.ts';
import type { SegmentReader } from './segment.ts';

/** What is larger is cut: it is kept for a look, not for use. */
const KEPT_BYTES_MAX = 16 * 1024 * 1024;

export class Damage {
  readonly #fs: Fs;
  readonly #log: Logger;
  /** Records that are lost. */
  records = 0;
  /** Bytes that are no whole record. */
  bytes = 0;

  constructor(fs: Fs, log: Logger) {
    this.#fs = fs;
    this.#log = log;
  }

  /** Bytes between records, or a record whose payload is not what was written. */
  async keep(reader: SegmentReader, segment: string, from: number, to: number): Promise<void> {
    this.bytes += to - from;
    const kept = await this.#copy(reader, segment, from, to);
    const fields = { file: segment, offset: from, bytes: to - from, kept };
    this.#log.error(
      'a queue file is damaged; the records that it touches are lost, the others are not',
      fields,
    );
  }

  /** What follows the last record: an append that was cut off, or damage that leaves nothing to tell. */
  async cutTail(reader: SegmentReader, segment: string, from: number, to: number): Promise<void> {
    this.bytes += to - from;
    const kept = await this.#copy(reader, segment, from, to);
    this.#log.warn('a queue file ends in the middle of a record; what was not whole is cut off', {
      file: segment,
      bytes: to - from,
      kept,
    });
    const file = await this.#fs.open(segment);
    try {
      await file.truncate(from);
      await file.sync();
    } finally {
      await file.close();
    }
  }

  /** A file whose header is gone: nothing in it can be told from noise. */
  async setAside(segment: string, bytes: number): Promise<void> {
    this.bytes += bytes;
    this.records++;
    await this.#fs.rename(segment, `${segment}.bad`);
    this.#log.error('the header of a queue file is damaged; the file is set aside', {
      file: `${segment}.bad`,
      bytes,
    });
  }

  /** The name of the copy, or why there is none. */
  async #copy(reader: SegmentReader, segment: string, from: number, to: number): Promise<string> {
    const kept = `${segment}.${from}.bad`;
    try {
      const bytes = await reader.range(from, Math.min(to, from + KEPT_BYTES_MAX));
      await this.#fs.unlink(kept).catch(() => {});
      const file = await this.#fs.create(kept);
      try {
        await file.write([bytes], 0);
      } finally {
        await file.close();
      }
      return kept;
    } catch (error) {
      return `could not be kept: ${messageOf(error)}`;
    }
  }
}
