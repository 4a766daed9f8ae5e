/**
 * A bounded file of JSON lines, for a first look without a database and for debugging. When the file would grow past its
 * limit it becomes `<path>.1`, in place of the older one; so at most twice the limit is on disk.
 */
import { type FileHandle, open, rename } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { options } from '../config/option.ts';
import { SluiceError } from '../util/error.ts';
import type { DestinationKind, Transport, WireBlock } from './destination.ts';
import { blockLines } from './json-lines.ts';
import { decodeBlock } from './recode.ts';

const MAX_BYTES = 'remoteWrite.file.maxBytes';

const fileOptions = options({
  [MAX_BYTES]: {
    kind: 'bytes',
    default: 64 * 1024 * 1024,
    min: 4096,
    ours: true,
    summary:
      'How large the file of a `file:` destination may get. A full one is renamed to <path>.1, in place of the one before.',
  },
});

/** `file:relative`, `file:/absolute` and `file:///absolute`. */
export function pathOf(url: string): string {
  return url.startsWith('file://') ? fileURLToPath(url) : url.slice('file:'.length);
}

export const file: DestinationKind = {
  name: 'file',
  summary: 'A bounded file of JSON lines, one per series: file:PATH.',
  options: fileOptions,
  codec: 'snappy',
  accepts: (url) => url.startsWith('file:'),
  check(url) {
    try {
      if (pathOf(url) !== '') return undefined;
    } catch {
      // Falls through: a file:// URL with a host, or with an encoded slash.
    }
    return {
      message: 'the URL names no file',
      hint: 'write file:PATH, for example file:data/samples.jsonl',
    };
  },
  open: (config) =>
    new FileTransport(
      pathOf(config.url),
      Number(config.options[MAX_BYTES] ?? fileOptions[MAX_BYTES].default),
    ),
};

class FileTransport implements Transport {
  readonly #path: string;
  readonly #bytesMax: number;
  #handle: FileHandle | undefined;
  #size = 0;
  /** The end of the line of writers: one block is written at a time, whole. */
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(path: string, bytesMax: number) {
    this.#path = path;
    this.#bytesMax = bytesMax;
  }

  async send(block: WireBlock, signal: AbortSignal): Promise<{ status: number; text: string }> {
    let lines: string[];
    try {
      lines = blockLines(await decodeBlock(block));
    } catch (error) {
      // Trying again cannot help: 400 lets the sender drop the block and account for it.
      return { status: 400, text: `cannot decode the block: ${String(error).slice(0, 200)}` };
    }
    const turn = this.#last.then(() => {
      signal.throwIfAborted();
      return this.#write(lines);
    });
    this.#last = turn.catch(() => {});
    await turn;
    return { status: 204, text: '' };
  }

  isDoneWith(): boolean {
    return true;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#last;
    await this.#handle?.close();
    this.#handle = undefined;
  }

  async #write(lines: readonly string[]): Promise<void> {
    try {
      let pending: string[] = [];
      let pendingBytes = 0;
      for (const line of lines) {
        const bytes = Buffer.byteLength(line);
        const handle = await this.#open();
        if (this.#size + pendingBytes > 0 && this.#size + pendingBytes + bytes > this.#bytesMax) {
          await this.#append(handle, pending);
          await this.#rotate();
          pending = [];
          pendingBytes = 0;
        }
        pending.push(line);
        pendingBytes += bytes;
      }
      if (pending.length > 0) await this.#append(await this.#open(), pending);
    } catch (cause) {
      // The file may have been moved or the disk may have been full: the next attempt starts from a fresh handle.
      await this.#handle?.close().catch(() => {});
      this.#handle = undefined;
      throw new SluiceError('file', `cannot write ${this.#path}: ${(cause as Error).message}`, { cause });
    }
  }

  /** Appends whole lines or nothing: what a failed write left is cut off. */
  async #append(handle: FileHandle, lines: readonly string[]): Promise<void> {
    const bytes = Buffer.from(lines.join(''));
    try {
      await handle.appendFile(bytes);
      this.#size += bytes.byteLength;
    } catch (error) {
      await handle.truncate(this.#size).catch(() => {});
      throw error;
    }
  }

  async #open(): Promise<FileHandle> {
    if (this.#closed) throw new Error('the destination is closed');
    if (this.#handle === undefined) {
      this.#handle = await open(this.#path, 'a', 0o640);
      this.#size = (await this.#handle.stat()).size;
    }
    return this.#handle;
  }

  async #rotate(): Promise<void> {
    await this.#handle?.close();
    this.#handle = undefined;
    await rename(this.#path, `${this.#path}.1`);
  }
}
