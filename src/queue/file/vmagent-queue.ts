/**
 * Reads the persistent queue that a vmagent left, so that who replaces vmagent loses no backlog. Nothing of vmagent's
 * is changed. vmagent must be stopped first: it holds an flock on `flock.lock` (`flock.ts`).
 *
 * `persistent-queue/<n>_<16 HEX of xxhash64(URL without query and fragment)>/` holds `metainfo.json` with the global
 * offsets of reader and writer, and chunks named `%016X` after the global offset of their first byte. A chunk is a
 * sequence of records: 8-byte big-endian length, payload (a zstd frame or a snappy block). It ends when the largest
 * record would no longer fit; the next one starts at the next multiple of the chunk size.
 *
 * There is no checksum. What shows damage: offsets and lengths that cannot be right, and a block that ends elsewhere than
 * its record. The chunk is then searched for the next record that looks like one; vmagent would drop the rest of it.
 * Source: VictoriaMetrics, lib/persistentqueue; RFC 8878 (zstd); google/snappy, format_description.txt.
 */
import path from 'node:path';
import xxhash from 'xxhash-wasm';
import { messageOf } from '../../util/error.ts';
import type { Logger } from '../../util/logger.ts';
import type { Fs, FsFile } from './fs.ts';

const LENGTH_BYTES = 8;
/** Size of a full chunk: 16 of the largest records, whose payload is 32 MiB. */
export const CHUNK_BYTES = (32 * 1024 * 1024 + LENGTH_BYTES) * 16;
/** How much is looked through at a time for the next record behind damage. */
const SEARCH_BYTES = 1024 * 1024;
const ZSTD_MAGIC = 0x28b52ffd;
/** More than vmagent puts in one block. */
const DECODED_BYTES_MAX = 64 * 1024 * 1024;
/** A record's length and the part of its payload that tells a block: zstd's magic or snappy's varint. */
const HEAD_BYTES = LENGTH_BYTES + 5;
/** What every plausible length starts with: it is below 2^32. */
const LENGTH_START = Buffer.alloc(4);
const METAINFO_BYTES_MAX = 64 * 1024;

/** The part of the directory's name that vmagent makes of a URL: 16 upper-case hex digits. */
export async function vmagentQueueName(url: string): Promise<string> {
  const { h64 } = await xxhash();
  return h64(asGoPrints(url)).toString(16).toUpperCase().padStart(16, '0');
}

/**
 * The URL without query and fragment as Go's net/url prints it, for vmagent hashes it after parsing: the scheme is in
 * lower case, some characters of userinfo and path are escaped, a `?` with nothing behind it stays.
 */
function asGoPrints(url: string): string {
  const withoutFragment = url.replace(/#.*$/s, '');
  const bare = /^[^?]*\?$/s.test(withoutFragment) ? withoutFragment : withoutFragment.replace(/\?.*$/s, '');
  const parts = /^([a-z][a-z0-9+.-]*):\/\/(?:([^/?]*)@)?([^/?]*)([^?]*)(\??)$/is.exec(bare);
  if (parts === null) return bare;
  const [, scheme, userinfo, host, pathname, mark] = parts;
  // Only the first colon is not part of the password.
  const [, user, password] = /^([^:]*)(:.*)?$/s.exec(userinfo ?? '')!;
  const secret = password === undefined ? '' : `:${goEscaped(password.slice(1), '$&+,;=')}`;
  const credentials = userinfo === undefined ? '' : `${goEscaped(user!, '$&+,;=')}${secret}@`;
  const isPathKept = /^[\w.~!$&'()*+,;=:@[\]/%-]*$/.test(pathname!);
  const printed = isPathKept ? pathname : goEscaped(pathname!, '$&+,/:;=@');
  return `${scheme!.toLowerCase()}://${credentials}${host}${printed}${mark}`;
}

/** Escaped anew: all bytes but letters, digits, `-_.~` and those in `kept`. */
function goEscaped(text: string, kept: string): string {
  const bytes = Buffer.from(text).toString('latin1');
  const decoded = bytes.replace(/%([0-9a-f]{2})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return decoded.replace(/[^\w.~-]/g, (byte) =>
    kept.includes(byte) ? byte : `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}

/** A queue of vmagent on disk. */
export interface VmagentQueue {
  readonly directory: string;
  /** Bytes between vmagent's reader and writer, lengths of records and unused ends of chunks included. */
  readonly pendingBytes: number;
}

/** The directory of the queue for this URL in vmagent's data directory, whatever its index; undefined: there is none. */
export async function findVmagentQueue(
  fs: Fs,
  dataDirectory: string,
  url: string,
): Promise<string | undefined> {
  const parent = path.join(dataDirectory, 'persistent-queue');
  const pattern = new RegExp(`^\\d+_${await vmagentQueueName(url)}$`);
  const name = (await fs.list(parent)).sort().find((candidate) => pattern.test(candidate));
  return name === undefined ? undefined : path.join(parent, name);
}

interface Chunk {
  readonly file: string;
  /** Global offset of its first byte. */
  readonly start: number;
  readonly size: number;
}

/** Global offsets in metainfo.json. */
interface Offsets {
  readonly reader: number;
  readonly writer: number;
}

/** A part of a chunk that is read; `from` and `to` are offsets in the file. */
interface Stretch {
  readonly chunk: Chunk;
  readonly from: number;
  readonly to: number;
  /** Before vmagent's writer offset, where every byte belongs to a record. Behind it may be records, or remains of any. */
  readonly isRecorded: boolean;
}

interface OpenStretch {
  readonly stretch: Stretch;
  readonly file: FsFile;
}

/** Reads from where vmagent had come to. At most one payload (32 MiB) and one search window are in memory. */
export class VmagentQueueReader implements VmagentQueue {
  readonly directory: string;
  readonly pendingBytes: number;
  readonly #fs: Fs;
  readonly #log: Logger;
  readonly #chunkBytes: number;
  /** 32 MiB, unless chunks are small in a test. */
  readonly #payloadBytesMax: number;
  /** Where in a chunk the last record can start: behind it vmagent goes on in the next chunk. */
  readonly #lastStart: number;
  /** Unknown (infinite) without a usable metainfo.json. */
  readonly #writerOffset: number;
  readonly #stretches: Stretch[];
  #open: OpenStretch | undefined;
  #isClosed = false;
  #offset: number;
  #lostBytes = 0;

  private constructor(
    { fs, log }: { readonly fs: Fs; readonly log: Logger },
    directory: string,
    chunkBytes: number,
    chunks: readonly Chunk[],
    offsets: Offsets | undefined,
  ) {
    this.#fs = fs;
    this.#log = log;
    this.directory = directory;
    this.#chunkBytes = chunkBytes;
    this.#payloadBytesMax = Math.floor(chunkBytes / 16) - LENGTH_BYTES;
    this.#lastStart = chunkBytes - this.#payloadBytesMax - LENGTH_BYTES;
    this.#writerOffset = offsets?.writer ?? Number.POSITIVE_INFINITY;
    this.#offset = offsets?.reader ?? chunks[0]?.start ?? 0;
    this.#stretches = stretchesOf(chunks, offsets);
    const ends = chunks.map(({ start, size }) => start + size);
    const end = Number.isFinite(this.#writerOffset) ? this.#writerOffset : Math.max(0, ...ends);
    this.pendingBytes = Math.max(0, end - this.#offset);
  }

  /**
   * Without a usable metainfo.json everything is read from the start of the first chunk: duplicates are better than loss.
   * What is before global offset `from` was read by an earlier run. `chunkBytes` is for tests; the largest payload
   * follows from it. Rejects with Node's error when a chunk cannot be opened.
   */
  static async open(
    fs: Fs,
    directory: string,
    log: Logger,
    { from = 0, chunkBytes = CHUNK_BYTES }: { readonly from?: number; readonly chunkBytes?: number } = {},
  ): Promise<VmagentQueueReader> {
    const chunks = await findChunks(fs, directory, log, chunkBytes);
    const known = await readOffsets(fs, path.join(directory, 'metainfo.json'), chunks, chunkBytes, log);
    const offsets = from === 0 ? known : resumed(known, from);
    const reader = new VmagentQueueReader({ fs, log }, directory, chunkBytes, chunks, offsets);
    for (const { chunk, from, to, isRecorded } of reader.#stretches) {
      const fields = { file: chunk.file, offset: from, bytes: to - from };
      if (!isRecorded) log.warn('vmagent wrote more than it recorded; what is whole is read too', fields);
    }
    return reader;
  }

  /** Global offset behind the last payload, or behind what was lost after it. */
  get offset(): number {
    return this.#offset;
  }

  /**
   * Bytes that could not be read as records, their lengths included. A missing chunk counts from where it should start to
   * where the next one does, although up to 32 MiB of that may have been unused.
   */
  get lostBytes(): number {
    return this.#lostBytes;
  }

  /**
   * The next payload, in order; undefined at the end. A payload whose own bytes are damaged comes as it is when its place
   * is certain. Rejects with Node's error when a file cannot be read; the next call tries the same place again.
   */
  async next(): Promise<Uint8Array | undefined> {
    while (!this.#isClosed) {
      const open = this.#open ?? (await this.#openNext());
      if (open === undefined) break;
      const at = this.#offset - open.stretch.chunk.start;
      if (at >= open.stretch.to || at > this.#lastStart) {
        await this.#leave();
        continue;
      }
      const payload = await this.#payloadAt(open, at);
      if (payload !== undefined) {
        this.#offset += LENGTH_BYTES + payload.byteLength;
        return payload;
      }
      if (!(await this.#passDamage(open, at))) await this.#leave();
    }
    return undefined;
  }

  /** Nothing is read after this. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#leave();
  }

  async #leave(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    await open?.file.close();
  }

  async #openNext(): Promise<OpenStretch | undefined> {
    const [stretch] = this.#stretches;
    if (stretch === undefined) {
      if (Number.isFinite(this.#writerOffset)) this.#passGap(this.#writerOffset);
      return undefined;
    }
    const file = await this.#fs.open(stretch.chunk.file);
    this.#stretches.shift();
    this.#passGap(stretch.chunk.start + stretch.from);
    this.#open = { stretch, file };
    return this.#open;
  }

  /** Goes on at global offset `to`. What vmagent recorded between is lost, except for the unused end of a chunk. */
  #passGap(to: number): void {
    const inChunk = this.#offset % this.#chunkBytes;
    const expected = inChunk > this.#lastStart ? this.#offset - inChunk + this.#chunkBytes : this.#offset;
    const bytes = Math.min(to, this.#writerOffset) - expected;
    if (bytes > 0) {
      this.#lostBytes += bytes;
      const { directory } = this;
      this.#log.warn('a part of a vmagent queue is missing', { directory, offset: expected, bytes });
    }
    this.#offset = Math.max(this.#offset, to);
  }

  /** The payload of the record that starts at `at`; undefined when there is none. */
  async #payloadAt({ stretch, file }: OpenStretch, at: number): Promise<Buffer | undefined> {
    const length = this.#lengthIn(await headAt(file, at, stretch.to), at, stretch.to);
    if (length === undefined) return undefined;
    const payload = await bytesAt(file, at + LENGTH_BYTES, length);
    const end = payload && blockEnd(payload);
    if (end === length) return payload;
    // A block that ends sooner shows that the length is too large: what follows is another record.
    if (end !== undefined && end < length) return undefined;
    // Either the length or the payload is damaged; it is the payload if another record follows where it should.
    return (await this.#isPlausible(file, at + LENGTH_BYTES + length, stretch.to)) ? payload : undefined;
  }

  /** Moves on to the next record in the stretch; false when there is none. */
  async #passDamage(open: OpenStretch, from: number): Promise<boolean> {
    const { stretch, file } = open;
    if (!stretch.isRecorded) return false;
    const found = await this.#findRecord(open, from + 1);
    // What was written last may never have been whole, and then it is not lost.
    const mayBeTorn = this.#writerOffset === Number.POSITIVE_INFINITY && this.#stretches.length === 0;
    if (found === undefined && mayBeTorn && (await this.#isTorn(file, from, stretch.to))) return false;
    const to = found ?? stretch.to;
    this.#lostBytes += to - from;
    this.#offset += to - from;
    const fields = { file: stretch.chunk.file, offset: from, bytes: to - from };
    this.#log.warn('a part of a vmagent queue cannot be read', fields);
    return found !== undefined;
  }

  /** The first offset from `from` on where a record starts, as far as can be told. */
  async #findRecord({ stretch, file }: OpenStretch, from: number): Promise<number | undefined> {
    const { to } = stretch;
    const window = Buffer.allocUnsafeSlow(Math.min(SEARCH_BYTES, to - from + HEAD_BYTES));
    // Windows overlap, so that the head of every record is as a whole in one of them.
    for (let at = from; at < to && at <= this.#lastStart; at += window.byteLength - HEAD_BYTES) {
      const bytes = window.subarray(0, Math.min(await file.read(window, at), to - at));
      let index = bytes.indexOf(LENGTH_START);
      for (; index >= 0 && at + index <= this.#lastStart; index = bytes.indexOf(LENGTH_START, index + 1)) {
        const head = bytes.subarray(index, index + HEAD_BYTES);
        const length = this.#lengthIn(head, at + index, to);
        if (length === undefined || !startsLikeBlock(head.subarray(LENGTH_BYTES))) continue;
        if (await this.#isRecord(file, at + index + LENGTH_BYTES, length, to)) return at + index;
      }
    }
    return undefined;
  }

  /** Whether the payload at `at` is a whole block, and another record follows it if it is snappy's. */
  async #isRecord(file: FsFile, at: number, length: number, to: number): Promise<boolean> {
    const start = await bytesAt(file, at, Math.min(4, length));
    // A snappy block has no magic: short ones are found in any bytes.
    const isCertain = start !== undefined && isZstd(start);
    if (!isCertain && !(await this.#isPlausible(file, at + length, to))) return false;
    const payload = await bytesAt(file, at, length);
    return payload !== undefined && blockEnd(payload) === length;
  }

  /** Whether `at` is where a record may start or nothing is left. */
  async #isPlausible(file: FsFile, at: number, to: number): Promise<boolean> {
    if (at === to) return true;
    const head = await headAt(file, at, to);
    return this.#lengthIn(head, at, to) !== undefined && startsLikeBlock(head.subarray(LENGTH_BYTES));
  }

  /** Whether what starts at `at` is a record that was cut off. */
  async #isTorn(file: FsFile, at: number, to: number): Promise<boolean> {
    const head = await headAt(file, at, to);
    return head.byteLength < LENGTH_BYTES || this.#lengthIn(head, at, Number.POSITIVE_INFINITY) !== undefined;
  }

  /** The payload's length that `head`, found at `at`, declares; undefined if it cannot be or leads behind `to`. */
  #lengthIn(head: Buffer, at: number, to: number): number | undefined {
    if (head.byteLength < LENGTH_BYTES || head.readUInt32BE(0) !== 0) return undefined;
    const length = head.readUInt32BE(4);
    const isPossible = length >= 1 && length <= this.#payloadBytesMax && at + LENGTH_BYTES + length <= to;
    return isPossible ? length : undefined;
  }
}

/** The chunk files in order. Other files are none of vmagent's records; what only looks like a chunk is warned of. */
async function findChunks(fs: Fs, directory: string, log: Logger, chunkBytes: number): Promise<Chunk[]> {
  const chunks: Chunk[] = [];
  for (const name of (await fs.list(directory)).sort()) {
    if (!/^[0-9A-F]{16}$/.test(name)) continue;
    const start = Number.parseInt(name, 16);
    const file = path.join(directory, name);
    if (!Number.isSafeInteger(start) || start % chunkBytes !== 0)
      log.warn('a file of vmagent has an odd name and is not read', { file });
    else if (await isDirectory(fs, file)) log.warn('a directory in a vmagent queue is not read', { file });
    else chunks.push({ file, start, size: Math.min(await fs.size(file), chunkBytes) });
  }
  return chunks;
}

async function isDirectory(fs: Fs, name: string): Promise<boolean> {
  try {
    await (await fs.open(name)).close();
    return false;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EISDIR') return true;
    throw error;
  }
}

/** What metainfo.json says; undefined, with a warning, when that cannot be. */
async function readOffsets(
  fs: Fs,
  file: string,
  chunks: readonly Chunk[],
  chunkBytes: number,
  log: Logger,
): Promise<Offsets | undefined> {
  try {
    const { ReaderOffset: reader, WriterOffset: writer } = JSON.parse(await textOf(fs, file));
    const isPossible = Number.isSafeInteger(reader) && Number.isSafeInteger(writer) && reader >= 0;
    if (!isPossible || reader > writer)
      throw new Error(`ReaderOffset is ${reader}, WriterOffset is ${writer}`);
    const isPlace = ({ start }: Chunk) => start <= writer && reader < start + chunkBytes;
    if (chunks.length > 0 && !chunks.some(isPlace))
      throw new Error(`no file has what is from ${reader} to ${writer}`);
    return { reader, writer };
  } catch (error) {
    const fields = { file, error: messageOf(error) };
    log.warn('where vmagent had come to is not known; its whole queue is sent again', fields);
    return undefined;
  }
}

/** Goes on at `from`; the end stays unknown if it was. */
function resumed(known: Offsets | undefined, from: number): Offsets {
  const writer = known?.writer ?? Number.POSITIVE_INFINITY;
  return { reader: Math.min(Math.max(known?.reader ?? 0, from), writer), writer };
}

async function textOf(fs: Fs, name: string): Promise<string> {
  const file = await fs.open(name);
  try {
    const bytes = Buffer.alloc(METAINFO_BYTES_MAX);
    return bytes.toString('utf8', 0, await file.read(bytes, 0));
  } finally {
    await file.close();
  }
}

/** What is to be read of each chunk: from the reader to the writer, and then what is behind the writer. */
function stretchesOf(chunks: readonly Chunk[], offsets: Offsets | undefined): Stretch[] {
  const { reader, writer } = offsets ?? { reader: 0, writer: Number.POSITIVE_INFINITY };
  return chunks.flatMap((chunk) => {
    const { start, size } = chunk;
    const from = Math.max(0, reader - start);
    const recorded = Math.min(size, writer - start);
    const both = [
      { chunk, from, to: recorded, isRecorded: true },
      { chunk, from: Math.max(from, recorded), to: size, isRecorded: false },
    ];
    return both.filter((stretch) => stretch.from < stretch.to);
  });
}

/** The first bytes of what may be a record, none behind `to`. */
async function headAt(file: FsFile, at: number, to: number): Promise<Buffer> {
  const bytes = Buffer.alloc(Math.max(0, Math.min(HEAD_BYTES, to - at)));
  return bytes.subarray(0, await file.read(bytes, at));
}

async function bytesAt(file: FsFile, at: number, length: number): Promise<Buffer | undefined> {
  const bytes = Buffer.allocUnsafeSlow(length);
  return (await file.read(bytes, at)) === length ? bytes : undefined;
}

function isZstd(bytes: Buffer): boolean {
  return bytes.byteLength >= 4 && bytes.readUInt32BE(0) === ZSTD_MAGIC;
}

function startsLikeBlock(bytes: Buffer): boolean {
  return (
    isZstd(bytes) || (snappyPreamble(bytes)?.decodedBytes ?? Number.POSITIVE_INFINITY) <= DECODED_BYTES_MAX
  );
}

/**
 * Where the block that starts with `bytes` ends, by its structure alone: nothing is decompressed. Infinite if that is
 * behind the bytes, undefined if it is no block.
 */
function blockEnd(bytes: Buffer): number | undefined {
  const end = isZstd(bytes) ? zstdFrameEnd(bytes) : snappyBlockEnd(bytes);
  return end !== undefined && end > bytes.byteLength ? Number.POSITIVE_INFINITY : end;
}

/** RFC 8878, section 3.1.1: magic, descriptor, other fields of the header, blocks, and a checksum if there is one. */
function zstdFrameEnd(bytes: Buffer): number | undefined {
  const descriptor = bytes[4];
  if (descriptor === undefined) return Number.POSITIVE_INFINITY;
  if ((descriptor & 0x08) !== 0) return undefined; // reserved
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const contentSizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6]!;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3]!;
  const checksumBytes = (descriptor & 0x04) !== 0 ? 4 : 0;
  let at = 5 + (isSingleSegment ? 0 : 1) + dictionaryBytes + contentSizeBytes;
  for (let isLast = false; !isLast; ) {
    if (at + 3 > bytes.byteLength) return Number.POSITIVE_INFINITY;
    const header = bytes.readUIntLE(at, 3);
    const type = (header >> 1) & 3;
    if (type === 3) return undefined;
    // Type 1 is one byte repeated.
    at += 3 + (type === 1 ? 1 : header >> 3);
    isLast = (header & 1) !== 0;
  }
  return at + checksumBytes;
}

/** The length of the message in a snappy block, a varint, and where it ends. vmagent sends no empty message. */
function snappyPreamble(bytes: Buffer): { readonly decodedBytes: number; readonly end: number } | undefined {
  let decodedBytes = 0;
  for (let index = 0; index < Math.min(5, bytes.byteLength); index++) {
    const byte = bytes[index]!;
    decodedBytes += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return decodedBytes === 0 ? undefined : { decodedBytes, end: index + 1 };
  }
  return undefined;
}

/** Walks through literals and copies until the declared length has come together. */
function snappyBlockEnd(bytes: Buffer): number | undefined {
  const preamble = snappyPreamble(bytes);
  if (preamble === undefined) return undefined;
  let at = preamble.end;
  let decoded = 0;
  while (decoded < preamble.decodedBytes) {
    const tag = bytes[at];
    if (tag === undefined) return Number.POSITIVE_INFINITY;
    const kind = tag & 3;
    const extraBytes = kind === 0 ? Math.max(0, (tag >> 2) - 59) : [0, 1, 2, 4][kind]!;
    if (at + 1 + extraBytes > bytes.byteLength) return Number.POSITIVE_INFINITY;
    const extra = extraBytes === 0 ? 0 : bytes.readUIntLE(at + 1, extraBytes);
    at += 1 + extraBytes;
    if (kind === 0) {
      const literalBytes = (extraBytes === 0 ? tag >> 2 : extra) + 1;
      at += literalBytes;
      decoded += literalBytes;
    } else {
      const distance = kind === 1 ? ((tag >> 5) << 8) | extra : extra;
      if (distance === 0 || distance > decoded) return undefined;
      decoded += kind === 1 ? 4 + ((tag >> 2) & 7) : (tag >> 2) + 1;
    }
  }
  return decoded === preamble.decodedBytes ? at : undefined;
}
