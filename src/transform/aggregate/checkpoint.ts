/**
 * The state of rules and deduplication as bytes, to be found again after a restart. All integers are little-endian:
 *
 *     magic "SLAG" u32 | version u32 | length of what follows, u32 | checksum of it (CRC-32, IEEE 802.3) u32, or 0: none
 *     part*: length u32, id (UTF-8) | length u32, state
 *
 * A part is found by its id, which says what it is the state of (for a rule, everything that the rule says): what a
 * part holds is only read by code and rules that would write the same. A part whose owner is gone is left alone. Whoever
 * changes what a part holds raises the version.
 */
import { crc32 } from 'node:zlib';
import { messageOf } from '../../util/error.ts';
import { ByteReader, ByteWriter, DamagedState, STATE_BYTES_MAX, type StateMemory } from '../state/bytes.ts';

const MAGIC = 0x4741_4c53;
const VERSION = 3;
const HEADER_BYTES = 16;

export interface CheckpointPart {
  readonly id: string;
  readonly write: (to: ByteWriter) => void;
}

export interface EncodedCheckpoint {
  readonly bytes: Uint8Array;
  /** Parts that were left out because the checkpoint would be too large; their owners would begin anew. */
  readonly omitted: readonly string[];
}

export interface CheckpointOptions {
  readonly bytesMax?: number | undefined;
  /** The checkpoint's from now on. */
  readonly memory?: StateMemory | undefined;
  /** False: it never leaves the process, or whoever keeps it has a checksum. */
  readonly hasChecksum?: boolean;
}

export function encodeCheckpoint(
  parts: Iterable<CheckpointPart>,
  { bytesMax, memory, hasChecksum = true }: CheckpointOptions = {},
): EncodedCheckpoint {
  const to = new ByteWriter(bytesMax, memory);
  for (const word of [MAGIC, VERSION, 0, 0]) to.u32(word);
  const omitted: string[] = [];
  for (const { id, write } of parts) if (!to.entry(id, write)) omitted.push(id);
  const bytes = to.bytes();
  const content = bytes.subarray(HEADER_BYTES);
  const header = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
  header.setUint32(8, content.length, true);
  if (hasChecksum) header.setUint32(12, crc32(content), true);
  return { bytes, omitted };
}

export interface DecodedCheckpoint {
  /** By id; views into the bytes. Empty when there is a problem. */
  readonly parts: ReadonlyMap<string, Uint8Array>;
  /** Why nothing was read: a cause for a message. */
  readonly problem: string | undefined;
}

/** Never throws, whatever the bytes are. */
export function decodeCheckpoint(bytes: Uint8Array): DecodedCheckpoint {
  const parts = new Map<string, Uint8Array>();
  try {
    if (bytes.length > STATE_BYTES_MAX) throw new DamagedState('it is larger than a checkpoint can be');
    const from = new ByteReader(bytes);
    from.expect(MAGIC, 'the magic number');
    from.expect(VERSION, 'the version');
    from.expect(bytes.length - HEADER_BYTES, 'the length');
    const content = bytes.subarray(HEADER_BYTES);
    const checksum = from.u32();
    if (checksum !== 0 && checksum !== crc32(content)) throw new DamagedState('the checksum is another one');
    while (from.left > 0) parts.set(from.text(), from.blob());
    return { parts, problem: undefined };
  } catch (error) {
    return { parts: new Map(), problem: messageOf(error) };
  }
}

/** What became of parts. */
export interface Restored {
  /** Owners that go on where they were. */
  readonly restored: number;
  /** Owners that begin anew although there was a part for them: `where: cause`. */
  readonly problems: readonly string[];
}
