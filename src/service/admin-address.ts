/** Where the admin socket is, in words that fit into a socket's address. */
import { type FileHandle, open } from 'node:fs/promises';
import path from 'node:path';

/** Of a socket's path in `sockaddr_un`. */
const PATH_BYTES_MAX = 107;

export class AdminAddress {
  readonly #directory: string;
  #handle: FileHandle | undefined;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** A path of the file in the directory; of one whose path is too long, good until `close`. Rejects with Node's error. */
  async pathOf(name: string): Promise<string> {
    const full = path.resolve(this.#directory, name);
    if (Buffer.byteLength(full) <= PATH_BYTES_MAX) return full;
    // The directory's descriptor makes it short.
    this.#handle ??= await open(this.#directory, 'r');
    return `/proc/self/fd/${this.#handle.fd}/${name}`;
  }

  async close(): Promise<void> {
    await this.#handle?.close();
    this.#handle = undefined;
  }
}
