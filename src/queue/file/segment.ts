/** Reads one segment of a log: record by record, and past what is damaged. Bounded memory, whatever the bytes say. */

import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { BufferPool, CLASS_BYTES_MIN } from '../../util/buffer-pool.ts';
import {
  type Decoded,
  decodeRecordHeader,
  decodeSegmentHeader,
  encodeSegmentHeader,
  payloadMatches,
  RECORD_HEADER_BYTES,
  RECORD_MAGIC,
  RECORD_TRAILER_BYTES,
  type RecordHeader,
  recordLength,
  recordSeed,
  SEGMENT_HEADER_BYTES,
  SEGMENT_VERSION,
  type SegmentHeader,
  saltSeed,
} from './format.ts';
import type { Fs, FsFile } from './fs.ts';

/** One read fetches the headers of several small records; large payloads are jumped over and read apart. */
const READ_AHEAD_BYTES = 16 * 1024;
/** How much is looked through at a time for the next record behind damage. */
const SEARCH_BYTES = 256 * 1024;
/** What a disk loses at a time. */
const SECTOR_BYTES = 4096;
const COPY_BYTES = 1024 * 1024;
/** As much as pools keep. */
export const POOLED_BYTES_MAX = 16 * 1024 * 1024;
const MAGIC = Buffer.alloc(4);
MAGIC.writeUInt32LE(RECORD_MAGIC);

/** One file of a log. */
export interface Segment {
  readonly firstSeq: number;
  readonly path: string;
  size: number;
  /** How much of it is known to be safe from a power cut; what earlier runs wrote is not asked for. */
  syncedSize: number;
}

export interface CreatedSegment {
  readonly path: string;
  readonly file: FsFile;
  /** The seed for a record at a place. */
  readonly seedAt: (offset: number) => number;
}

export interface SegmentRecord {
  readonly header: RecordHeader;
  readonly offset: number;
  /** Where the next record starts. */
  readonly end: number;
}

export class SegmentReader {
  readonly header: SegmentHeader;
  readonly #file: FsFile;
  readonly #seed: number;
  #buffer = Buffer.allocUnsafeSlow(READ_AHEAD_BYTES);
  #ahead: Buffer = this.#buffer.subarray(0, 0);
  #aheadAt = 0;

  private constructor(file: FsFile, header: SegmentHeader) {
    this.#file = file;
    this.header = header;
    this.#seed = saltSeed(header.salt);
  }

  /** The reader, or what is wrong with the segment's header. */
  static async open(fs: Fs, name: string): Promise<Decoded<SegmentReader>> {
    const file = await fs.open(name);
    try {
      const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
      const header = decodeSegmentHeader(bytes.subarray(0, await file.read(bytes, 0)));
      if (header.status === 'ok') return { status: 'ok', value: new SegmentReader(file, header.value) };
      await file.close();
      return header;
    } catch (error) {
      await file.close().catch(() => {});
      throw error;
    }
  }

  /** The record that starts at `offset` and ends at or before `size`; undefined when there is no such thing. */
  async recordAt(offset: number, size: number): Promise<SegmentRecord | undefined> {
    const head = await this.#bytes(offset, RECORD_HEADER_BYTES, size);
    const header = decodeRecordHeader(head, recordSeed(this.#seed, offset, this.header.version));
    if (header.status !== 'ok') return undefined;
    const end = offset + recordLength(header.value.payloadLength);
    return end > size ? undefined : { header: header.value, offset, end };
  }

  /** The payload, in memory of `pool`; undefined when its bytes are not the ones that were written. */
  async payloadOf({ header, offset }: SegmentRecord, pool: BufferPool): Promise<Uint8Array | undefined> {
    const length = recordLength(header.payloadLength);
    // Thousands of small payloads may wait in memory, and a large one may have 1 GiB: neither takes more than its bytes.
    const isOwn = length < CLASS_BYTES_MIN / 2 || length > POOLED_BYTES_MAX;
    const memory = isOwn ? new ArrayBuffer(length) : pool.take(length);
    const bytes = Buffer.from(memory, 0, length);
    const isWhole = (await this.#file.read(bytes, offset)) === length;
    const payload = bytes.subarray(RECORD_HEADER_BYTES, length - RECORD_TRAILER_BYTES);
    const stored = bytes.readUInt32LE(length - RECORD_TRAILER_BYTES);
    if (isWhole && payloadMatches(bytes, payload, stored)) return payload;
    if (!isOwn) pool.give(memory);
    return undefined;
  }

  /** The first record that starts after `offset`: what damage left. */
  async recordAfter(offset: number, size: number): Promise<SegmentRecord | undefined> {
    let at = offset + 1;
    while (at + RECORD_HEADER_BYTES <= size) {
      const bytes = await this.#bytes(at, Math.min(SEARCH_BYTES, size - at), size);
      const found = bytes.indexOf(MAGIC);
      if (found < 0) {
        at += bytes.byteLength - MAGIC.byteLength + 1;
        continue;
      }
      const record = await this.recordAt(at + found, size);
      if (record !== undefined) return record;
      at += found + 1;
    }
    return undefined;
  }

  /** The first record behind a place that the disk does not read. Larger and larger steps: it may be one sector, or all. */
  async recordBehind(offset: number, size: number): Promise<SegmentRecord | undefined> {
    let at = offset;
    for (let step = SECTOR_BYTES; at + step < size; step *= 2) {
      at = Math.floor((at + step) / SECTOR_BYTES) * SECTOR_BYTES;
      const found = await this.recordAfter(at - 1, size).then(
        (record) => ({ record }),
        () => undefined,
      );
      if (found !== undefined) return found.record;
    }
    return undefined;
  }

  /** The bytes of a range, to be kept for a person to look at. */
  async range(from: number, to: number): Promise<Uint8Array> {
    const bytes = Buffer.allocUnsafeSlow(to - from);
    return bytes.subarray(0, await this.#file.read(bytes, from));
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  async #bytes(offset: number, length: number, size: number): Promise<Buffer> {
    const start = offset - this.#aheadAt;
    if (start >= 0 && start + length <= this.#ahead.byteLength) {
      return this.#ahead.subarray(start, start + length);
    }
    const wanted = Math.max(0, Math.min(Math.max(length, READ_AHEAD_BYTES), size - offset));
    if (wanted > this.#buffer.byteLength) this.#buffer = Buffer.allocUnsafeSlow(wanted);
    this.#ahead = this.#buffer.subarray(0, 0); // a read that fails leaves nothing to trust
    this.#ahead = this.#buffer.subarray(0, await this.#readAhead(wanted, length, offset));
    this.#aheadAt = offset;
    return this.#ahead.subarray(0, length);
  }

  /** A place behind what is needed that the disk does not read must not keep this from being read. */
  async #readAhead(wanted: number, needed: number, offset: number): Promise<number> {
    try {
      return await this.#file.read(this.#buffer.subarray(0, wanted), offset);
    } catch (error) {
      if (wanted <= needed) throw error;
      return this.#file.read(this.#buffer.subarray(0, needed), offset);
    }
  }
}

/**
 * A new segment with nothing in it, safe on the disk before it is given its name. A segment of the same number, which an
 * earlier failure left without a record that counts, is replaced.
 */
export async function createSegment(
  fs: Fs,
  directory: string,
  firstSeq: number,
  nowMs: number,
): Promise<CreatedSegment> {
  const target = path.join(directory, `${firstSeq.toString(16).padStart(16, '0')}.seg`);
  const temporary = `${target}.tmp`;
  const salt = randomBytes(8).readBigUInt64LE();
  const header = { version: SEGMENT_VERSION, firstSeq, salt, createdS: Math.floor(nowMs / 1000) };
  await fs.unlink(temporary).catch(() => {});
  const file = await fs.create(temporary);
  try {
    await file.write([encodeSegmentHeader(header)], 0);
    await file.sync();
    await fs.rename(temporary, target);
    await fs.syncDirectory(directory);
  } catch (error) {
    await file.close().catch(() => {});
    await fs.unlink(temporary).catch(() => {});
    await fs.unlink(target).catch(() => {});
    throw error;
  }
  const seed = saltSeed(salt);
  return { path: target, file, seedAt: (offset) => recordSeed(seed, offset) };
}

/**
 * Writes a segment anew, so that all of it is safe. Rejects when that is not possible, or when a record that `isNeeded` and
 * was not safe before is not what was written.
 */
export async function renewSegment(
  fs: Fs,
  segment: Segment,
  isNeeded: (seq: number) => boolean,
): Promise<void> {
  const { path: file, size } = segment;
  const opened = await SegmentReader.open(fs, file);
  if (opened.status !== 'ok') throw new Error(`the header of ${file} is damaged`);
  const reader = opened.value;
  const temporary = `${file}.tmp`;
  try {
    for (let at = segment.syncedSize; at < size; ) {
      const record = await reader.recordAt(at, size);
      const isWhole =
        record !== undefined &&
        (!isNeeded(record.header.seq) || (await reader.payloadOf(record, new BufferPool(0))) !== undefined);
      if (!isWhole) throw new Error(`${file} has lost what was written at ${at}`);
      at = record.end;
    }
    await fs.unlink(temporary).catch(() => {});
    const copy = await fs.create(temporary);
    try {
      for (let at = 0; at < size; at += COPY_BYTES) {
        await copy.write([await reader.range(at, Math.min(size, at + COPY_BYTES))], at);
      }
      await copy.sync();
    } finally {
      await copy.close();
    }
    await fs.rename(temporary, file);
    await fs.syncDirectory(path.dirname(file));
    segment.syncedSize = size;
  } catch (error) {
    await fs.unlink(temporary).catch(() => {});
    throw error;
  } finally {
    await reader.close();
  }
}
