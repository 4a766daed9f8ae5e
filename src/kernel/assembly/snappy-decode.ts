/**
 * Snappy's block format: a varint with the decoded length, then elements: literals, and copies of bytes that were
 * decoded before. https://github.com/google/snappy/blob/main/format_description.txt
 */
import { copy } from './bytes';
import {
  BAD_COPY,
  clearError,
  errorCode,
  fail,
  LENGTH_PAST_END,
  NO_LENGTH,
  OK,
  OUTPUT_TOO_LONG,
  OUTPUT_TOO_SHORT,
  storeError,
  TRUNCATED,
} from './result';

/** Bytes of input that an element may look at in the fast loop: tag, and a short literal in 16-byte moves. */
const SRC_MARGIN: usize = 1 + 64;
/** Bytes of output that an element may write in the fast loop: 64, and what the last 16-byte move writes too much. */
const DST_MARGIN: usize = 64 + 16;

/** Shuffles that repeat the first `offset` bytes of a vector over all 16, for the offsets 0 (unused) to 15. */
// biome-ignore format: a row per offset
const REPEAT = memory.data<u8>([
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1,
  0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0,
  0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3,
  0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0,
  0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5, 0, 1, 2, 3,
  0, 1, 2, 3, 4, 5, 6, 0, 1, 2, 3, 4, 5, 6, 0, 1,
  0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7,
  0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 2, 3, 4, 5, 6,
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 5,
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0, 1, 2, 3, 4,
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 0, 1, 2, 3,
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0, 1, 2,
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 0, 1,
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0,
]);
/** How far one such vector gets: the largest multiple of the offset up to 16. */
const REPEAT_STEP = memory.data<u8>([0, 16, 16, 15, 16, 15, 12, 14, 16, 9, 10, 11, 12, 13, 14, 15]);

/** Where the elements begin; set by `decodedLength`. */
let elements: usize = 0;

/** The length that the block declares, or -1 when it does not begin with a varint below 2^32. */
export function decodedLength(src: usize, n: usize): f64 {
  let length: u32 = 0;
  for (let i: usize = 0; i < 5 && i < n; i++) {
    const byte = load<u8>(src + i) as u32;
    if (i === 4 && byte > 15) return -1;
    length |= (byte & 127) << ((i * 7) as u32);
    if (byte < 128) {
      elements = src + i + 1;
      return length as f64;
    }
  }
  return -1;
}

/** Where the element behind the one that `decodeElement` has decoded begins. */
let nextElement: usize = 0;

/** One element, with every bound checked; returns the new end of the output, or 0. */
function decodeElement(s: usize, sEnd: usize, dst: usize, d: usize, dEnd: usize): usize {
  const tag = load<u8>(s) as usize;
  const kind = tag & 3;
  let at = s + 1;
  let length = (tag >> 2) + 1;
  if (kind === 0) {
    if (length > 60) {
      const bytes = length - 60;
      if (bytes > sEnd - at) return fail(TRUNCATED, s);
      length = 0;
      for (let i: usize = 0; i < bytes; i++) length |= (load<u8>(at + i) as usize) << (i << 3);
      at += bytes;
      // Before one is added: the largest length would wrap around to 0.
      if (length >= sEnd - at) return fail(LENGTH_PAST_END, s);
      length++;
    } else if (length > sEnd - at) return fail(LENGTH_PAST_END, s);
    if (length > dEnd - d) return fail(OUTPUT_TOO_LONG, s);
    copy(d, at, length);
    nextElement = at + length;
    return d + length;
  }
  let offset: usize = 0;
  if (kind === 1) {
    if (at >= sEnd) return fail(TRUNCATED, s);
    length = 4 + ((tag >> 2) & 7);
    offset = ((tag >> 5) << 8) | (load<u8>(at) as usize);
    at += 1;
  } else if (kind === 2) {
    if (sEnd - at < 2) return fail(TRUNCATED, s);
    offset = load<u16>(at);
    at += 2;
  } else {
    if (sEnd - at < 4) return fail(TRUNCATED, s);
    offset = load<u32>(at);
    at += 4;
  }
  // An offset of 0 wraps around to the largest number.
  if (offset - 1 >= d - dst) return fail(BAD_COPY, s);
  if (length > dEnd - d) return fail(OUTPUT_TOO_LONG, s);
  // The copy may overlap itself, and then repeats what it has just written.
  for (let i: usize = 0; i < length; i++) store<u8>(d + i, load<u8>(d - offset + i));
  nextElement = at;
  return d + length;
}

/** Returns the decoded length, or -1 with the error in the result. */
export function decode(src: usize, n: usize, dst: usize, capacity: usize): f64 {
  clearError();
  const declared = decodedLength(src, n);
  if (declared < 0) fail(NO_LENGTH, src);
  else if (declared > (capacity as f64)) fail(OUTPUT_TOO_LONG, src);
  else decodeElements(elements, src + n, dst, dst, dst + (declared as usize));
  storeError(src);
  return errorCode === OK ? declared : -1;
}

/** Decodes the elements from `from` to `sEnd` to what goes from `to` to `dEnd`; they may refer to what stands before, from `dst` on. */
export function decodeElements(from: usize, sEnd: usize, dst: usize, to: usize, dEnd: usize): void {
  let s = from;
  let d = to;
  while (s < sEnd) {
    while (sEnd - s >= SRC_MARGIN && dEnd - d >= DST_MARGIN) {
      const tag = load<u8>(s) as usize;
      let length: usize = 0;
      let offset: usize = 0;
      if ((tag & 3) === 0) {
        length = (tag >> 2) + 1;
        if (length > 60) break;
        v128.store(d, v128.load(s, 1));
        if (length > 16) {
          v128.store(d, v128.load(s, 17), 16);
          if (length > 32) {
            v128.store(d, v128.load(s, 33), 32);
            v128.store(d, v128.load(s, 49), 48);
          }
        }
        s += length + 1;
        d += length;
        continue;
      }
      if ((tag & 3) === 1) {
        length = 4 + ((tag >> 2) & 7);
        offset = ((tag >> 5) << 8) | (load<u8>(s, 1) as usize);
        s += 2;
      } else if ((tag & 3) === 2) {
        length = (tag >> 2) + 1;
        offset = load<u16>(s, 1);
        s += 3;
      } else break;
      if (offset - 1 >= d - dst) {
        fail(BAD_COPY, s - 1 - (tag & 3));
        return;
      }
      const source = d - offset;
      if (offset >= 16) {
        v128.store(d, v128.load(source));
        if (length > 16) {
          v128.store(d, v128.load(source, 16), 16);
          if (length > 32) {
            v128.store(d, v128.load(source, 32), 32);
            v128.store(d, v128.load(source, 48), 48);
          }
        }
        d += length;
      } else {
        const pattern = v128.swizzle(v128.load(source), v128.load(REPEAT + (offset << 4)));
        const step = load<u8>(REPEAT_STEP + offset) as usize;
        const end = d + length;
        for (let at = d; at < end; at += step) v128.store(at, pattern);
        d = end;
      }
    }
    if (s >= sEnd) break;
    d = decodeElement(s, sEnd, dst, d, dEnd);
    if (d === 0) return;
    s = nextElement;
  }
  if (d !== dEnd) fail(OUTPUT_TOO_SHORT, sEnd);
}
