/**
 * A file system in memory that behaves as badly as POSIX allows: what was not synced may be lost at a crash, in any
 * part and any order, names too; operations fail on demand; bytes can be flipped.
 *
 * Contents and names are kept apart, as on a disk: a file's bytes are safe after `sync` of the file, its name after
 * `syncDirectory`. A crash keeps, for each file, its synced bytes and a random part of the later writes in units of
 * sectors, and a random subset of the later changes of names.
 */
import path from 'node:path';
import type { Fs, FsFile } from '../../src/queue/file/fs.ts';

const SECTOR_BYTES = 512;

class Inode {
  bytes: Buffer = Buffer.alloc(0);
  synced: Buffer = Buffer.alloc(0);
}

type Names = Map<string, Inode>;
/** A change of names that a crash may lose, but not halve: a rename is atomic. */
type NameChange = { readonly directory: string; readonly apply: (names: Names) => void };

export class MemoryFs implements Fs {
  readonly #names: Names = new Map();
  #safeNames: Names = new Map();
  #changes: NameChange[] = [];
  /** Called before every operation that can fail; may throw. */
  onOperation: (operation: string, file: string) => void = () => {};
  /** A place that cannot be read, as bytes from and to; reads that touch it fail. */
  unreadable: { readonly file: string; readonly from: number; readonly to: number } | undefined;
  /** Bytes that the disk has room for. */
  capacity = Number.POSITIVE_INFINITY;
  /** Grows at every crash: handles of an earlier life are dead. */
  #life = 0;

  get used(): number {
    let sum = 0;
    for (const inode of new Set(this.#names.values())) sum += inode.bytes.byteLength;
    return sum;
  }

  files(): string[] {
    return [...this.#names.keys()].sort();
  }

  bytesOf(file: string): Buffer {
    return this.#inode(file).bytes;
  }

  put(file: string, bytes: Uint8Array): void {
    const inode = new Inode();
    inode.bytes = Buffer.from(bytes);
    inode.synced = Buffer.from(bytes);
    this.#names.set(file, inode);
    this.#safeNames.set(file, inode);
  }

  flip(file: string, offset: number, mask = 1): void {
    const inode = this.#inode(file);
    inode.bytes = Buffer.from(inode.bytes);
    inode.bytes[offset]! ^= mask;
    inode.synced = Buffer.from(inode.bytes);
  }

  /** Everything that the kernel still holds goes to the disk. */
  writeBack(): void {
    for (const inode of this.#names.values()) inode.synced = Buffer.from(inode.bytes);
    this.#safeNames = new Map(this.#names);
    this.#changes = [];
  }

  /** The process is killed: what was written stays. */
  kill(): void {
    this.#life++;
  }

  /** Power is cut; `random` in [0, 1) decides what of the unsynced survives. */
  crash(random: () => number): void {
    this.#life++;
    const names = new Map(this.#safeNames);
    for (const { apply } of this.#changes) if (random() < 0.5) apply(names);
    this.#names.clear();
    for (const [name, inode] of names) {
      inode.bytes = survivor(inode, random);
      inode.synced = Buffer.from(inode.bytes);
      this.#names.set(name, inode);
    }
    this.#safeNames = new Map(this.#names);
    this.#changes = [];
  }

  #inode(file: string): Inode {
    const inode = this.#names.get(file);
    if (inode === undefined) throw Object.assign(new Error(`ENOENT: ${file}`), { code: 'ENOENT' });
    return inode;
  }

  #change(file: string, apply: (names: Names) => void): void {
    apply(this.#names);
    this.#changes.push({ directory: path.dirname(file), apply });
  }

  async makeDirectory(): Promise<void> {}

  async list(directory: string): Promise<string[]> {
    this.onOperation('list', directory);
    const inside = [...this.#names.keys()].filter((name) => name.startsWith(`${directory}/`));
    return [...new Set(inside.map((name) => name.slice(directory.length + 1).split('/')[0]!))];
  }

  async create(file: string): Promise<FsFile> {
    this.onOperation('create', file);
    if (this.#names.has(file)) throw Object.assign(new Error(`EEXIST: ${file}`), { code: 'EEXIST' });
    const inode = new Inode();
    this.#change(file, (names) => names.set(file, inode));
    return this.#handle(file, inode);
  }

  async open(file: string): Promise<FsFile> {
    this.onOperation('open', file);
    return this.#handle(file, this.#inode(file));
  }

  async size(file: string): Promise<number> {
    return this.#inode(file).bytes.byteLength;
  }

  async room(): Promise<number> {
    return Math.max(0, this.capacity - this.used);
  }

  async rename(from: string, to: string): Promise<void> {
    this.onOperation('rename', to);
    const inside = [...this.#names.keys()].filter((name) => name.startsWith(`${from}/`));
    for (const name of inside) await this.rename(name, `${to}${name.slice(from.length)}`);
    if (inside.length > 0) return;
    const inode = this.#inode(from);
    this.#change(to, (names) => {
      // A crash that lost the creation of `from` may still keep the new name.
      names.delete(from);
      names.set(to, inode);
    });
  }

  async unlink(file: string): Promise<void> {
    this.onOperation('unlink', file);
    this.#inode(file);
    this.#change(file, (names) => names.delete(file));
  }

  async syncDirectory(directory: string): Promise<void> {
    this.onOperation('syncDirectory', directory);
    const isHere = (change: NameChange) => change.directory === directory;
    for (const { apply } of this.#changes.filter(isHere)) apply(this.#safeNames);
    this.#changes = this.#changes.filter((change) => !isHere(change));
  }

  #handle(file: string, inode: Inode): FsFile {
    const life = this.#life;
    const check = (operation: string) => {
      if (life !== this.#life) throw new Error('a process that is dead does nothing');
      this.onOperation(operation, file);
    };
    return {
      write: async (chunks, position) => {
        let at = position;
        for (const chunk of chunks) {
          check('write');
          const room = Math.max(0, this.capacity - this.used);
          const grown = Math.max(0, at + chunk.byteLength - inode.bytes.byteLength);
          const taken = grown <= room ? chunk.byteLength : Math.max(0, chunk.byteLength - (grown - room));
          inode.bytes = written(inode.bytes, chunk.subarray(0, taken), at);
          if (taken < chunk.byteLength) throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' });
          at += chunk.byteLength;
        }
      },
      read: async (target, position) => {
        check('read');
        const { file: bad, from, to } = this.unreadable ?? { file: '', from: 0, to: 0 };
        if (bad === file && position < to && position + target.byteLength > from)
          throw Object.assign(new Error('EIO: read'), { code: 'EIO' });
        const bytes = inode.bytes.subarray(position, position + target.byteLength);
        target.set(bytes);
        return bytes.byteLength;
      },
      sync: async () => {
        check('sync');
        inode.synced = Buffer.from(inode.bytes);
      },
      truncate: async (length) => {
        check('truncate');
        inode.bytes = Buffer.from(inode.bytes.subarray(0, length));
      },
      close: async () => {},
    };
  }
}

function written(bytes: Buffer, chunk: Uint8Array, at: number): Buffer {
  const result = Buffer.alloc(Math.max(bytes.byteLength, at + chunk.byteLength));
  result.set(bytes);
  result.set(chunk, at);
  return result;
}

/** The synced bytes, with some sectors of what was written since, and a length between the two. */
function survivor({ bytes, synced }: Inode, random: () => number): Buffer {
  if (bytes.equals(synced)) return Buffer.from(bytes);
  const [low, high] = [synced.byteLength, bytes.byteLength].sort((a, b) => a - b) as [number, number];
  const length = random() < 0.5 ? high : low + Math.floor(random() * (high - low + 1));
  const result = Buffer.alloc(length);
  result.set(synced.subarray(0, length));
  for (let at = 0; at < length; at += SECTOR_BYTES) {
    if (random() < 0.5) result.set(bytes.subarray(at, Math.min(at + SECTOR_BYTES, length)), at);
  }
  return result;
}
