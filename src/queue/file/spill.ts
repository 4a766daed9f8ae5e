/**
 * What a clean stop leaves and the next start takes up: the unsent blocks of one destination, in segments of
 * `format.ts`, in the order of the queue. A segment appears whole or not at all (temporary name, fdatasync, rename,
 * fsync of the directory), and it is deleted only after every block in it has ended. Main thread only.
 */
import { randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, readFile, rename, unlink } from 'node:fs/promises';
import path from 'node:path';
import type { Block } from '../../model/block.ts';
import type { Clock } from '../../util/clock.ts';
import { messageOf, SluiceError } from '../../util/error.ts';
import {
  decodeRecordHeader,
  decodeSegmentHeader,
  encodeRecordFrame,
  encodeSegmentHeader,
  payloadMatches,
  RECORD_HEADER_BYTES,
  RECORD_TRAILER_BYTES,
  type RecordHeader,
  SEGMENT_HEADER_BYTES,
  SEGMENT_VERSION,
  saltSeed,
} from './format.ts';

/** A damaged byte costs its record; a segment of this size bounds what one unreadable file can cost. */
const SEGMENT_BYTES_MAX = 64 * 1024 * 1024;

export interface StoredRecord {
  readonly header: RecordHeader;
  readonly payload: Uint8Array;
}

export interface StoredSegment {
  readonly path: string;
  readonly records: readonly StoredRecord[];
  /** Records whose header is good and whose payload is not: what they held is known from the header. */
  readonly damaged: readonly RecordHeader[];
  /** Bytes that could not be told apart into records at all. */
  readonly lostBytes: number;
}

/** Writes the blocks and returns the paths of the new segments. Nothing is left behind when it fails. */
export async function writeSpill(
  directory: string,
  blocks: readonly Block[],
  firstSeq: number,
  clock: Clock,
): Promise<string[]> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const written: string[] = [];
  let seq = firstSeq;
  let rest = blocks;
  while (rest.length > 0) {
    const count = blocksOfOneSegment(rest);
    written.push(await writeSegment(directory, rest.slice(0, count), seq, clock));
    seq += count;
    rest = rest.slice(count);
  }
  await syncDirectory(directory);
  return written;
}

function blocksOfOneSegment(blocks: readonly Block[]): number {
  let bytes = 0;
  let count = 0;
  for (const block of blocks) {
    if (count > 0 && bytes + block.bytes.byteLength > SEGMENT_BYTES_MAX) break;
    bytes += block.bytes.byteLength;
    count++;
  }
  return count;
}

async function writeSegment(
  directory: string,
  blocks: readonly Block[],
  firstSeq: number,
  clock: Clock,
): Promise<string> {
  const target = path.join(directory, `${firstSeq.toString(16).padStart(16, '0')}.seg`);
  const temporary = `${target}.tmp`;
  const salt = randomBytes(8).readBigUInt64LE();
  const seed = saltSeed(salt);
  let file: FileHandle | undefined;
  try {
    file = await open(temporary, 'wx', 0o600);
    await file.writeFile(
      encodeSegmentHeader({
        version: SEGMENT_VERSION,
        firstSeq,
        salt,
        createdS: Math.floor(clock.nowMs() / 1000),
      }),
    );
    let seq = firstSeq;
    for (const block of blocks) {
      const { head, tail } = encodeRecordFrame(recordHeader(block, seq++, clock), block.bytes, seed);
      for (const chunk of [head, block.bytes, tail]) await file.writeFile(chunk);
    }
    await file.datasync();
    await file.close();
    file = undefined;
    await rename(temporary, target);
    return target;
  } catch (error) {
    await file?.close().catch(() => {});
    await unlink(temporary).catch(() => {});
    throw new SluiceError(
      'QUEUE_WRITE',
      `cannot write unsent blocks at ${target}: ${messageOf(error)}; make the directory writable and free disk space, then stop again`,
      { cause: error },
    );
  }
}

function recordHeader(block: Block, seq: number, clock: Clock): RecordHeader {
  return {
    seq,
    payloadLength: block.bytes.byteLength,
    counts: block.counts,
    rawLength: block.rawLength,
    slots: block.slots,
    codec: block.codec,
    writtenAtMs: clock.nowMs(),
  };
}

export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Reads every segment of a directory in order; a directory that does not exist has none. Files of others are left alone. */
export async function readSpill(directory: string): Promise<StoredSegment[]> {
  let names: string[];
  try {
    names = await readdir(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  const segments: StoredSegment[] = [];
  for (const name of names.filter((candidate) => /^[0-9a-f]{16}\.seg$/.test(candidate)).sort()) {
    segments.push(parseSegment(path.join(directory, name), await readFile(path.join(directory, name))));
  }
  return segments;
}

/** Splits a segment's bytes into records; a damaged record costs itself only. */
export function parseSegment(file: string, bytes: Buffer): StoredSegment {
  const header = decodeSegmentHeader(bytes);
  if (header.status === 'newer') {
    throw new SluiceError(
      'QUEUE_VERSION',
      `cannot read queue file at ${file}: it was written by a newer version of Sluice; start that version to drain it, or move the file away`,
    );
  }
  if (header.status !== 'ok') return { path: file, records: [], damaged: [], lostBytes: bytes.length };
  const seed = saltSeed(header.value.salt);
  const records: StoredRecord[] = [];
  const damaged: RecordHeader[] = [];
  let lostBytes = 0;
  let at = SEGMENT_HEADER_BYTES;
  while (at < bytes.length) {
    const head = bytes.subarray(at, at + RECORD_HEADER_BYTES);
    const record = decodeRecordHeader(head, seed);
    const end = record.status === 'ok' ? at + recordLength(record.value) : bytes.length + 1;
    if (record.status !== 'ok' || end > bytes.length) {
      const next = findRecord(bytes, at + 1, seed);
      lostBytes += next - at;
      at = next;
      continue;
    }
    const payload = bytes.subarray(at + RECORD_HEADER_BYTES, end - RECORD_TRAILER_BYTES);
    if (payloadMatches(head, payload, bytes.readUInt32LE(end - RECORD_TRAILER_BYTES))) {
      records.push({ header: record.value, payload });
    } else {
      damaged.push(record.value);
    }
    at = end;
  }
  return { path: file, records, damaged, lostBytes };
}

function recordLength(header: RecordHeader): number {
  return RECORD_HEADER_BYTES + header.payloadLength + RECORD_TRAILER_BYTES;
}

/** The next offset at or after `from` where a whole, valid record header of this segment starts, else the end. */
function findRecord(bytes: Buffer, from: number, seed: number): number {
  const magic = Buffer.from('SLBR', 'latin1');
  for (let at = bytes.indexOf(magic, from); at >= 0; at = bytes.indexOf(magic, at + 1)) {
    const record = decodeRecordHeader(bytes.subarray(at, at + RECORD_HEADER_BYTES), seed);
    if (record.status === 'ok' && at + recordLength(record.value) <= bytes.length) return at;
  }
  return bytes.length;
}
