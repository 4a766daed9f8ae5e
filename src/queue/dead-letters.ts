/**
 * What a destination refused for good: one file each, so that people can look at them with what they have at hand.
 * Bounded: the oldest go when there are too many. Safe to read by another process while the relay runs.
 *
 * `<13 digits of wall time in ms>-<4 digits>.letter`, rising: one line of JSON (`LetterInfo`), then the block's compressed bytes,
 * whose CRC-32, after that of the rest of the line, the line tells. A file appears whole or not at all.
 */
import path from 'node:path';
import { crc32 } from 'node:zlib';
import type { Codec } from '../model/block.ts';
import { type Counts, noCounts } from '../model/body.ts';
import type { Clock } from '../util/clock.ts';
import { messageOf, SluiceError } from '../util/error.ts';
import type { Logger } from '../util/logger.ts';
import type { Fs } from './file/fs.ts';
import { writeWhole } from './file/whole-file.ts';

const NAME = /^\d{13}-\d{4}\.letter$/;
/** Files, whatever their size: a directory stays usable. */
const LETTERS_MAX = 10_000;
/** The line of JSON is shorter, whatever a destination says. */
const INFO_BYTES_MAX = 64 * 1024;
const NEWLINE = 10;
const NTH_MAX = 9_999;

export interface LetterInfo {
  /** ISO 8601. */
  readonly at: string;
  readonly destination: string;
  readonly status: number;
  /** The destination's words. */
  readonly message: string;
  /** The first series in it. */
  readonly series: string;
  readonly counts: Readonly<Counts>;
  readonly codec: Codec;
  readonly rawLength: number;
  readonly bytes: number;
  readonly crc: number;
}

export interface Letter {
  /** The file's name without its ending. */
  readonly id: string;
  readonly info: LetterInfo;
  /** Compressed, in `info.codec`. */
  readonly block: Uint8Array;
}

export type NewLetter = Omit<LetterInfo, 'at' | 'bytes' | 'crc'> & { readonly block: Uint8Array };

export interface DeadLettersConfig {
  readonly directory: string;
  readonly bytesMax: number;
}

export interface DeadLettersPorts {
  readonly fs: Fs;
  readonly clock: Clock;
  readonly log: Logger;
}

export class DeadLetters {
  readonly #config: DeadLettersConfig;
  readonly #ports: DeadLettersPorts;
  /** Sizes of the files by name, the oldest first. */
  #files = new Map<string, number>();
  #last = { ms: 0, nth: 0 };
  #dropped = 0;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(config: DeadLettersConfig, ports: DeadLettersPorts) {
    this.#config = config;
    this.#ports = ports;
  }

  get directory(): string {
    return this.#config.directory;
  }

  get count(): number {
    return this.#files.size;
  }

  get bytes(): number {
    return [...this.#files.values()].reduce((sum, size) => sum + size, 0);
  }

  /** Letters that had to go to make room. */
  get dropped(): number {
    return this.#dropped;
  }

  async open(): Promise<void> {
    const { fs } = this.#ports;
    const { directory } = this.#config;
    for (const name of await lettersIn(fs, directory)) {
      this.#files.set(name, await fs.size(path.join(directory, name)));
      // A wall clock that was set back must not make new letters the oldest, or give them names that are taken.
      this.#last = { ms: Number(name.slice(0, 13)), nth: Number(name.slice(14, 18)) };
    }
  }

  /** Resolves when it is safe from a power cut; rejects when it cannot be kept. */
  park(letter: NewLetter): Promise<void> {
    const turn = this.#turn.then(() => this.#park(letter));
    this.#turn = turn.catch(() => {});
    return turn;
  }

  async #park({ block, ...known }: NewLetter): Promise<void> {
    const { fs, clock } = this.#ports;
    const { directory } = this.#config;
    const at = new Date(clock.nowMs()).toISOString();
    const told = { at, ...known, bytes: block.byteLength };
    const info: LetterInfo = { ...told, crc: checksum(told, block) };
    const line = Buffer.from(`${JSON.stringify(info)}\n`);
    const name = this.#nextName(clock.nowMs());
    await writeWhole(fs, path.join(directory, name), [line, block]);
    this.#files.set(name, line.byteLength + block.byteLength);
    await this.#makeRoom();
  }

  #nextName(ms: number): string {
    const { ms: lastMs, nth } = this.#last;
    if (ms > lastMs) this.#last = { ms, nth: 0 };
    else if (nth < NTH_MAX) this.#last = { ms: lastMs, nth: nth + 1 };
    else this.#last = { ms: lastMs + 1, nth: 0 };
    return `${String(this.#last.ms).padStart(13, '0')}-${String(this.#last.nth).padStart(4, '0')}.letter`;
  }

  async #makeRoom(): Promise<void> {
    while (this.#files.size > 1 && (this.bytes > this.#config.bytesMax || this.#files.size > LETTERS_MAX)) {
      const [oldest] = this.#files.keys();
      await this.remove(oldest!.replace('.letter', ''));
      this.#dropped++;
      this.#ports.log
        .limited(`letters ${this.#config.directory}`, 5_000)
        .warn('there are too many dead letters; the oldest are dropped', {
          directory: this.#config.directory,
          dropped: this.#dropped,
        });
    }
  }

  async remove(id: string): Promise<void> {
    this.#files.delete(`${id}.letter`);
    await this.#ports.fs.unlink(path.join(this.#config.directory, `${id}.letter`)).catch((error) => {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    });
  }
}

async function lettersIn(fs: Fs, directory: string): Promise<string[]> {
  return (await fs.list(directory)).filter((name) => NAME.test(name)).sort();
}

/** The letters of a directory, the oldest first; what cannot be read is told by `onDamaged`. */
export async function* readLetters(
  fs: Fs,
  directory: string,
  onDamaged: (file: string, why: string) => void = () => {},
): AsyncGenerator<Letter> {
  for (const name of await lettersIn(fs, directory)) {
    const file = path.join(directory, name);
    try {
      yield await readLetter(fs, file, name.replace('.letter', ''));
    } catch (error) {
      onDamaged(file, messageOf(error));
    }
  }
}

async function readLetter(fs: Fs, name: string, id: string): Promise<Letter> {
  const file = await fs.open(name);
  try {
    const bytes = Buffer.alloc(await fs.size(name));
    await file.read(bytes, 0);
    const end = bytes.subarray(0, INFO_BYTES_MAX).indexOf(NEWLINE);
    if (end < 0) throw new SluiceError('bad_letter', 'its first line has no end');
    const info: LetterInfo = JSON.parse(bytes.toString('utf8', 0, end));
    const block = bytes.subarray(end + 1);
    const { crc, ...told } = Object(info);
    // Once it was of the block alone.
    const isWhole = crc === checksum(told, block) || (crc === crc32(block) && canBeSent(info, block));
    if (!isWhole) throw new SluiceError('bad_letter', 'its bytes are not what was written');
    return { id, info, block };
  } finally {
    await file.close();
  }
}

/** Of the line of JSON without it, and of the block. */
function checksum(told: Omit<LetterInfo, 'crc'>, block: Uint8Array): number {
  return crc32(block, crc32(JSON.stringify(told)));
}

/** Whether a queue can take what the line says. */
function canBeSent({ codec, counts, rawLength }: LetterInfo, { byteLength }: Uint8Array): boolean {
  const numbers = [rawLength, ...Object.keys(noCounts).map((kind) => counts?.[kind as keyof Counts])];
  const areCounts = numbers.every((count) => Number.isInteger(count) && count! >= 0 && count! < 2 ** 32);
  return (codec === 'snappy' || codec === 'zstd') && areCounts && byteLength > 0;
}
