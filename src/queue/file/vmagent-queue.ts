/**
 * Reads the persistent queue that a vmagent left, so that who replaces vmagent loses no backlog. vmagent must be stopped.
 * Nothing in the directory is changed.
 *
 * `persistent-queue/<n>_<16 HEX of xxhash64(URL without query and fragment)>/` holds `metainfo.json` with the offsets of
 * reader and writer, and chunks named `%016X` after their global offset, each a sequence of records: 8-byte big-endian
 * length, payload (a zstd or snappy block). There is no checksum, so offsets that cannot be right and lengths that lead
 * out of a chunk are all that shows damage; a chunk is then searched for the next block that looks like one.
 * Source: VictoriaMetrics, lib/persistentqueue.
 */
import path from 'node:path';
import xxhash from 'xxhash-wasm';
import { messageOf } from '../../util/error.ts';
import type { Logger } from '../../util/logger.ts';
import type { Fs, FsFile } from './fs.ts';

const BLOCK_BYTES_MAX = 32 * 1024 * 1024;
const LENGTH_BYTES = 8;
export const CHUNK_BYTES = (BLOCK_BYTES_MAX + LENGTH_BYTES) * 16;
const SEARCH_BYTES = 1024 * 1024;
const ZSTD_MAGIC = 0x28b52ffd;

/** The part of the directory's name that vmagent makes of a URL: 16 upper-case hex digits. */
export async function vmagentQueueName(url: string): Promise<string> {
  const { h64 } = await xxhash();
  const bare = url.replace(/[?#].*$/s, '');
  return h64(bare).toString(16).toUpperCase().padStart(16, '0');
}

/** The directory of the queue for this URL in vmagent's data directory, whatever its position was. */
export async function findVmagentQueue(
  fs: Fs,
  dataDirectory: string,
  url: string,
): Promise<string | undefined> {
  const parent = path.join(dataDirectory, 'persistent-queue');
  const hash = await vmagentQueueName(url);
  const name = (await fs.list(parent)).find((candidate) => new RegExp(`^\\d+_${hash}$`).test(candidate));
  return name === undefined ? undefined : path.join(parent, name);
}

interface Chunk {
  readonly file: string;
  readonly start: number;
  readonly size: number;
}

export class VmagentQueueReader {
  readonly #fs: Fs;
  readonly #log: Logger;
  #chunks: Chunk[] = [];
  #open: { readonly chunk: Chunk; readonly file: FsFile } | undefined;
  /** In the open chunk. */
  #at = 0;
  #lostBytes = 0;

  private constructor(fs: Fs, log: Logger) {
    this.#fs = fs;
    this.#log = log;
  }

  static async open(
    fs: Fs,
    directory: string,
    log: Logger,
    chunkBytes = CHUNK_BYTES,
  ): Promise<VmagentQueueReader> {
    const reader = new VmagentQueueReader(fs, log);
    for (const name of (await fs.list(directory)).sort()) {
      if (!/^[0-9A-F]{16}$/.test(name)) continue;
      const start = Number.parseInt(name, 16);
      const file = path.join(directory, name);
      if (start % chunkBytes !== 0) log.warn('a file of vmagent has an odd name and is not read', { file });
      else reader.#chunks.push({ file, start, size: await fs.size(file) });
    }
    await reader.#seek(path.join(directory, 'metainfo.json'));
    return reader;
  }

  /** Bytes that are left to read. */
  get pendingBytes(): number {
    const open = this.#open === undefined ? 0 : this.#open.chunk.size - this.#at;
    return open + this.#chunks.reduce((sum, { size }) => sum + size, 0);
  }

  /** Bytes that were no whole blocks. */
  get lostBytes(): number {
    return this.#lostBytes;
  }

  /** The next block, in order; undefined when everything was read. */
  async next(): Promise<Uint8Array | undefined> {
    for (;;) {
      const open = this.#open ?? (await this.#openNext());
      if (open === undefined) return undefined;
      const payload = await this.#recordAt(open, this.#at);
      if (payload !== undefined) {
        this.#at += LENGTH_BYTES + payload.byteLength;
        return payload;
      }
      if (!(await this.#skipDamage(open))) await this.close();
    }
  }

  async close(): Promise<void> {
    await this.#open?.file.close();
    this.#open = undefined;
  }

  /** Starts where vmagent had come to; at the very beginning if that is not known, for duplicates are better than loss. */
  async #seek(metainfo: string): Promise<void> {
    const offset = await this.#readerOffset(metainfo);
    if (offset === undefined) return;
    this.#chunks = this.#chunks.filter(({ start, size }) => start + size > offset);
    const [first] = this.#chunks;
    if (first === undefined || offset <= first.start) return;
    const open = await this.#openNext();
    if (open !== undefined) this.#at = offset - first.start;
  }

  async #readerOffset(metainfo: string): Promise<number | undefined> {
    try {
      const file = await this.#fs.open(metainfo);
      const bytes = Buffer.alloc(64 * 1024);
      const length = await file.read(bytes, 0);
      await file.close();
      const { ReaderOffset } = JSON.parse(bytes.toString('utf8', 0, length));
      if (Number.isSafeInteger(ReaderOffset) && ReaderOffset >= 0) return ReaderOffset;
      throw new Error(`ReaderOffset is ${ReaderOffset}`);
    } catch (error) {
      this.#log.warn('where vmagent had come to is not known; its whole queue is sent again', {
        file: metainfo,
        error: messageOf(error),
      });
      return undefined;
    }
  }

  async #openNext() {
    const chunk = this.#chunks.shift();
    if (chunk === undefined) return undefined;
    this.#open = { chunk, file: await this.#fs.open(chunk.file) };
    this.#at = 0;
    return this.#open;
  }

  async #recordAt(
    { chunk, file }: { chunk: Chunk; file: FsFile },
    at: number,
  ): Promise<Uint8Array | undefined> {
    const head = Buffer.alloc(LENGTH_BYTES);
    if ((await file.read(head, at)) < LENGTH_BYTES) return undefined;
    const length = plausibleLength(head);
    if (length === undefined || at + LENGTH_BYTES + length > chunk.size) return undefined;
    const payload = Buffer.allocUnsafeSlow(length);
    return (await file.read(payload, at + LENGTH_BYTES)) === length ? payload : undefined;
  }

  /** Moves on to the next zstd block in the chunk; false when there is none. */
  async #skipDamage({ chunk, file }: { chunk: Chunk; file: FsFile }): Promise<boolean> {
    const from = this.#at;
    const found = from < chunk.size ? await this.#findBlock(chunk, file, from + 1) : undefined;
    const to = found ?? chunk.size;
    // The last record of the last chunk may have been cut off in writing: it never was whole.
    const isTornTail = found === undefined && this.#chunks.length === 0;
    if (to > from) {
      if (!isTornTail) this.#lostBytes += to - from;
      this.#log.warn('a part of a vmagent queue cannot be read', {
        file: chunk.file,
        offset: from,
        bytes: to - from,
      });
    }
    this.#at = to;
    return found !== undefined;
  }

  async #findBlock(chunk: Chunk, file: FsFile, from: number): Promise<number | undefined> {
    const bytes = Buffer.alloc(SEARCH_BYTES);
    for (let at = from; at < chunk.size; at += SEARCH_BYTES - 16) {
      const length = await file.read(bytes, at);
      for (let index = 0; index + LENGTH_BYTES + 4 <= length; index++) {
        if (bytes.readUInt32BE(index + LENGTH_BYTES) !== ZSTD_MAGIC) continue;
        const record = plausibleLength(bytes.subarray(index));
        if (record !== undefined && at + index + LENGTH_BYTES + record <= chunk.size) return at + index;
      }
    }
    return undefined;
  }
}

function plausibleLength(head: Buffer): number | undefined {
  const length = head.readBigUInt64BE(0);
  return length >= 1n && length <= BigInt(BLOCK_BYTES_MAX) ? Number(length) : undefined;
}
