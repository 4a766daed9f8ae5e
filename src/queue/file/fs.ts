/**
 * The file operations that queues need, as a port: tests put a file system there that forgets what was not synced, is
 * full, or fails. Every operation rejects with Node's error (`code` is ENOSPC, EIO, …).
 */
import { type FileHandle, mkdir, open, readdir, rename, stat, statfs, unlink } from 'node:fs/promises';
import path from 'node:path';

export interface FsFile {
  /** Writes all chunks one after another from `position` on; rejects when not every byte was taken. */
  write(chunks: readonly Uint8Array[], position: number): Promise<void>;
  /** Fills `target` from `position` on; resolves to the number of bytes, fewer only at the end of the file. */
  read(target: Uint8Array, position: number): Promise<number>;
  /** Makes the contents safe from a power cut (fdatasync). After a failure nothing is known of what was written. */
  sync(): Promise<void>;
  truncate(length: number): Promise<void>;
  close(): Promise<void>;
}

export interface Fs {
  /** Makes the directory and those above it, for the owner only; their names are safe from a power cut then. */
  makeDirectory(directory: string): Promise<void>;
  /** Names in a directory; none when it does not exist. */
  list(directory: string): Promise<string[]>;
  /** A new file for the owner only; rejects with EEXIST when there is one. */
  create(file: string): Promise<FsFile>;
  /** An existing file, for reading and writing. */
  open(file: string): Promise<FsFile>;
  size(file: string): Promise<number>;
  /** Bytes that the file system of a directory has room for. */
  room(directory: string): Promise<number>;
  rename(from: string, to: string): Promise<void>;
  unlink(file: string): Promise<void>;
  /** Makes creations, renames and removals in the directory safe from a power cut. */
  syncDirectory(directory: string): Promise<void>;
}

class NodeFile implements FsFile {
  readonly #handle: FileHandle;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  async write(chunks: readonly Uint8Array[], position: number): Promise<void> {
    let rest = [...chunks];
    let at = position;
    while (rest.length > 0) {
      // writev(2) takes 1,024 buffers at most, and a full disk may take a part of what it gets.
      const { bytesWritten } = await this.#handle.writev(rest.slice(0, 1_024), at);
      if (bytesWritten === 0) throw Object.assign(new Error('no byte was taken'), { code: 'ENOSPC' });
      at += bytesWritten;
      rest = withoutFirst(rest, bytesWritten);
    }
  }

  async read(target: Uint8Array, position: number): Promise<number> {
    let filled = 0;
    while (filled < target.byteLength) {
      const { bytesRead } = await this.#handle.read(
        target,
        filled,
        target.byteLength - filled,
        position + filled,
      );
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return filled;
  }

  sync(): Promise<void> {
    return this.#handle.datasync();
  }

  truncate(length: number): Promise<void> {
    return this.#handle.truncate(length);
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}

function withoutFirst(chunks: readonly Uint8Array[], bytes: number): Uint8Array[] {
  let skip = bytes;
  let first = 0;
  while (first < chunks.length && skip >= chunks[first]!.byteLength) skip -= chunks[first++]!.byteLength;
  const rest = chunks.slice(first);
  if (skip > 0) rest[0] = rest[0]!.subarray(skip);
  return rest;
}

export const nodeFs: Fs = {
  async makeDirectory(directory) {
    const first = await mkdir(directory, { recursive: true, mode: 0o700 });
    if (first === undefined) return;
    const above = path.dirname(path.resolve(first));
    for (let made = path.resolve(directory); made !== above; made = path.dirname(made)) {
      await this.syncDirectory(path.dirname(made));
    }
  },
  async list(directory) {
    try {
      return await readdir(directory);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
  },
  async create(file) {
    return new NodeFile(await open(file, 'wx+', 0o600));
  },
  async open(file) {
    return new NodeFile(await open(file, 'r+'));
  },
  async size(file) {
    return (await stat(file)).size;
  },
  async room(directory) {
    const { bavail, bsize } = await statfs(directory);
    return bavail * bsize;
  },
  rename,
  unlink,
  async syncDirectory(directory) {
    const handle = await open(directory, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
};
