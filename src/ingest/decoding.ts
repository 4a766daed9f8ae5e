/**
 * What a compressed body says about its own size, read from its first bytes before anything is allocated for it.
 * The engine decodes and enforces the limit on what really comes out.
 */
import type { BodyEncoding } from '../model/body.ts';

/** RFC 8878, 3.1.1: `28 b5 2f fd`, read as a little-endian number. */
const ZSTD_MAGIC = 0xfd2fb528;
/** RFC 8878, 3.1.2: skippable frames begin with 0x184d2a50 … 0x184d2a5f. */
const SKIPPABLE_MAGIC = 0x184d2a50;
/** Frames looked at; a client that sends more skippable ones in front is left to the engine. */
const SKIPPED_FRAMES_MAX = 16;

/**
 * Bytes after decompression as declared by the body, for zstd by its first frame; undefined if it does not say or the
 * bytes make no sense (the engine then says where).
 */
export function declaredSize(bytes: Uint8Array, encoding: BodyEncoding): number | undefined {
  if (encoding === 'plain') return bytes.byteLength;
  if (encoding === 'gzip' || encoding === 'deflate') return undefined;
  // Whatever the header said: bytes with zstd's magic are never valid snappy (they would begin with a copy of
  // something before the start), and the engine tries both.
  return looksLikeZstd(bytes) ? zstdContentSize(bytes) : snappyLength(bytes);
}

/** Snappy's preamble: the decoded length as a varint of at most 32 bits. */
function snappyLength(bytes: Uint8Array): number | undefined {
  let length = 0;
  for (let index = 0; index < Math.min(5, bytes.byteLength); index++) {
    const byte = bytes[index]!;
    length += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return length < 2 ** 32 ? length : undefined;
  }
  return undefined;
}

function looksLikeZstd(bytes: Uint8Array): boolean {
  if (bytes.byteLength < 4) return false;
  const magic = viewOf(bytes).getUint32(0, true);
  return magic === ZSTD_MAGIC || isSkippable(magic);
}

function isSkippable(magic: number): boolean {
  return (magic & 0xfffffff0) === SKIPPABLE_MAGIC;
}

/** The Frame_Content_Size of the first frame that is not skippable. RFC 8878, 3.1.1.1. */
function zstdContentSize(bytes: Uint8Array): number | undefined {
  const view = viewOf(bytes);
  let offset = 0;
  for (let frames = 0; frames < SKIPPED_FRAMES_MAX && offset + 8 <= bytes.byteLength; frames++) {
    const magic = view.getUint32(offset, true);
    if (magic === ZSTD_MAGIC) return frameContentSize(view, offset + 4);
    if (!isSkippable(magic)) return undefined;
    offset += 8 + view.getUint32(offset + 4, true);
  }
  return undefined;
}

function frameContentSize(view: DataView, at: number): number | undefined {
  const descriptor = view.getUint8(at);
  const singleSegment = (descriptor & 0x20) !== 0;
  const sizeFlag = descriptor >> 6;
  if (sizeFlag === 0 && !singleSegment) return undefined;
  const windowBytes = singleSegment ? 0 : 1;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3]!;
  const sizeAt = at + 1 + windowBytes + dictionaryBytes;
  if (sizeAt + 2 ** sizeFlag > view.byteLength) return undefined;
  if (sizeFlag === 0) return view.getUint8(sizeAt);
  if (sizeFlag === 1) return view.getUint16(sizeAt, true) + 256;
  if (sizeFlag === 2) return view.getUint32(sizeAt, true);
  return Number(view.getBigUint64(sizeAt, true));
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
