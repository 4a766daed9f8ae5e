/**
 * What a block of a vmagent looks like from outside: zstd frames and snappy blocks. Sources: RFC 8878 (zstd);
 * google/snappy, format_description.txt.
 */

const ZSTD_MAGIC = 0x28b52ffd;
/** More than vmagent puts in one block. */
const DECODED_BYTES_MAX = 64 * 1024 * 1024;

export function isZstd(bytes: Buffer): boolean {
  return bytes.byteLength >= 4 && bytes.readUInt32BE(0) === ZSTD_MAGIC;
}

export function startsLikeBlock(bytes: Buffer): boolean {
  return (
    isZstd(bytes) || (snappyPreamble(bytes)?.decodedBytes ?? Number.POSITIVE_INFINITY) <= DECODED_BYTES_MAX
  );
}

/**
 * Where the block that starts with `bytes` ends, by its structure alone: nothing is decompressed. Infinite if that is
 * behind the bytes, undefined if it is no block.
 */
export function blockEnd(bytes: Buffer): number | undefined {
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
