/**
 * Writes the elements of `stencil.ts`: what is between two sections, and sections by their codes. One stream at a time, from
 * `beginElements` on.
 */
import { putLiteral } from './snappy-encode';
import {
  CODE_HEAD_BYTES,
  CODE_LAST,
  CODE_LENGTH,
  CODE_SOURCES,
  DISTANCE_MAX,
  GENERATION_SHIFT,
  HEADER_BYTES,
  POSITION_MASK,
  SAMPLE_BYTES,
  SOURCE_BYTES,
} from './stencil-layout';
import { putCopyElement } from './stencil-learn';

const COPY_MAX: usize = 64;
/** The longest literal whose length is in its tag. */
const LITERAL_MAX: usize = 60;
const SHORT_COPY_MAX: usize = 11;
const SHORT_DISTANCE_MAX: u64 = 2047;
/** At n: the indices that shift 16 bytes down by n. */
const SHIFTS: usize = memory.data<u8>([
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
  255, 255, 255, 255, 255,
]);

// The 16 bytes between the last two sections, and between the two before; the bytes of the last series' length.
let between: v128 = i64x2.splat(0);
let before: v128 = i64x2.splat(0);
let beforePosition: u64 = 0;
export let hasBetween: bool = false;
let hasBefore: bool = false;
let lastLength: usize = 0;
// The element that the last section ended with, if that is a copy, and the one that the bytes between ended with: neighbours
// that go on with the same copy, or literal, become one. 0 for none.
let tailAt: usize = 0;
let tailBytes: usize = 0;
let tailDistance: u64 = 0;
let headAt: usize = 0;
let headLiteral: usize = 0;
let headCopy: usize = 0;
let headDistance: u64 = 0;
/** The second byte of the length is that of the length before. */
let isSameHigh: bool = false;
let lastTimestamp: u64 = 0;
let lastTimestampBytes: u64 = 0;

export function beginElements(): void {
  hasBetween = false;
  hasBefore = false;
}

/** The sample of the section that was written last; it goes out with the next head, or by `putLast`. */
export function setSample(value: u64, timestamp: u64): void {
  between = i64x2.replace_lane(i64x2.splat(value), 1, timestampBytes(timestamp));
  hasBetween = true;
}

/** Tag and bytes of a timestamp, and the tag of the next series: the upper half of what is between sections. */
function timestampBytes(timestamp: u64): u64 {
  if (timestamp === lastTimestamp) return lastTimestampBytes;
  let bytes: u64 = 0;
  for (let at: u64 = 0; at < 6; at++) {
    const more: u64 = at < 5 ? 0x80 : 0;
    bytes |= (((timestamp >> (7 * at)) & 0x7f) | more) << (8 * at);
  }
  lastTimestamp = timestamp;
  lastTimestampBytes = 0x10 | (bytes << 8) | (0x0a << 56);
  return lastTimestampBytes;
}

/** A copy of 4 to 18 bytes. */
function putShortCopy(d: usize, distance: u64, length: usize): usize {
  if (length <= SHORT_COPY_MAX && distance <= SHORT_DISTANCE_MAX) {
    store<u16>(
      d,
      (((distance as u32) & 0xff) << 8) | (((distance as u32) >> 8) << 5) | (((length as u32) - 4) << 2) | 1,
    );
    return d + 2;
  }
  store<u8>(d, ((length - 1) << 2) | 2);
  store<u16>(d, distance as u16, 1);
  return d + 3;
}

/** Of the 16 bytes between, those from `from` on, as a literal. */
function putBetween(d: usize, from: usize, length: usize): usize {
  store<u8>(d, (length - 1) << 2);
  v128.store(d, i8x16.swizzle(between, v128.load(SHIFTS + from)), 1);
  return d + 1 + length;
}

/** The bytes of the last series that are still to be written, when no other follows. */
export function putLast(d: usize): usize {
  if (!hasBetween) return d;
  hasBetween = false;
  hasBefore = false;
  return putBetween(d, 0, SAMPLE_BYTES);
}

/** Ends the bytes between with a literal of `length` bytes that was written up to `d`. */
function endsLiteral(d: usize, length: usize): usize {
  headAt = d - length - 1;
  headLiteral = length;
  headCopy = 0;
  return d;
}

/** Copies the first of the bytes between: by the copy that the last section ended with, if they are equally far. */
function putLead(d: usize, distance: u64, length: usize): usize {
  if (tailAt === 0 || tailDistance !== distance || tailBytes + length > COPY_MAX) {
    headAt = d;
    headCopy = length;
    return putShortCopy(d, distance, length);
  }
  headAt = tailAt;
  headCopy = tailBytes + length;
  store<u8>(tailAt, ((headCopy - 1) << 2) | 2);
  store<u16>(tailAt, distance as u16, 1);
  return tailAt + 3;
}

/** What is between the last section and the next one, with the next one's length; `position` is where the former ends. */
export function putHead(dst: usize, length: usize, position: u64): usize {
  const lengthBytes: usize = length < 128 ? 1 : 2;
  const encoded: u32 =
    length < 128 ? (length as u32) : (((length & 127) | 128) as u32) | (((length as u32) >> 7) << 8);
  const isSameLength = hasBefore && length === lastLength;
  isSameHigh = hasBefore && lengthBytes === 2 && lastLength >> 7 === length >> 7;
  lastLength = length;
  if (!hasBetween) {
    store<u8>(dst, lengthBytes << 2);
    store<u8>(dst, 0x0a, 1);
    store<u16>(dst, encoded as u16, 2);
    return endsLiteral(dst + 2 + lengthBytes, 1 + lengthBytes);
  }
  const distance = position - beforePosition;
  let differing: u32 = 0xffff;
  if (hasBefore && distance <= DISTANCE_MAX) {
    differing = ~i8x16.bitmask(i8x16.eq(between, before)) & 0xffff;
  }
  before = between;
  beforePosition = position;
  hasBefore = true;
  headDistance = distance;
  headLiteral = 0;
  let d = dst;
  if (differing === 0) {
    if (isSameLength) return putLead(d, distance, 16 + lengthBytes);
    d = putLead(d, distance, 16);
  } else {
    const lead = ctz(differing) as usize;
    let from: usize = 0;
    if (
      lead >= 4 ||
      (lead > 0 && tailAt !== 0 && tailDistance === distance && tailBytes + lead <= COPY_MAX)
    ) {
      d = putLead(d, distance, lead);
      from = lead;
    }
    const trail = (clz(differing) - 16) as usize;
    const copied = trail + (isSameLength ? lengthBytes : 0);
    if (copied < 4) {
      // The length belongs to the same literal.
      d = putBetween(d, from, 16 - from);
      store<u8>(d - (16 - from) - 1, (16 - from - 1 + lengthBytes) << 2);
      store<u16>(d, encoded as u16);
      return endsLiteral(d + lengthBytes, 16 - from + lengthBytes);
    }
    d = putBetween(d, from, 16 - from - trail);
    headAt = d;
    headCopy = copied;
    d = putShortCopy(d, distance, copied);
    if (isSameLength) return d;
  }
  store<u8>(d, (lengthBytes - 1) << 2);
  store<u16>(d, encoded as u16, 1);
  return endsLiteral(d + 1 + lengthBytes, lengthBytes);
}

/** Writes a code as it is, but for its first element, which may go on with the one before. */
export function putCode(dst: usize, code: usize): usize {
  let from = code + CODE_HEAD_BYTES + (load<u8>(code, CODE_SOURCES) as usize) * SOURCE_BYTES;
  let bytes = load<u16>(code, CODE_LENGTH) as usize;
  const tag = load<u8>(from) as usize;
  const length = (tag >> 2) + 1;
  let d = dst;
  let more: usize = 0;
  if ((tag & 3) === 0) {
    if (headLiteral !== 0 && headLiteral + length <= LITERAL_MAX) {
      store<u8>(headAt, (headLiteral + length - 1) << 2);
      from++;
      bytes--;
    }
  } else if ((tag & 3) === 2 && (load<u16>(from, 1) as u64) === headDistance) {
    if (headLiteral === 0) {
      if (headCopy + length <= COPY_MAX) {
        d = headAt;
        more = headCopy;
      }
    } else if (isSameHigh && length < COPY_MAX) {
      store<u8>(headAt, (headLiteral - 2) << 2);
      d--;
      more = 1;
    }
  }
  for (let at: usize = 0; at < bytes; at += 16) v128.store(d + at, v128.load(from + at));
  if (more !== 0) store<u8>(d, tag + (more << 2));
  d += bytes;
  const last = load<u8>(code, CODE_LAST) as usize;
  tailAt = 0;
  if (last === 3) {
    tailAt = d - 3;
    tailBytes = ((load<u8>(tailAt) as usize) >> 2) + 1;
    tailDistance = load<u16>(tailAt, 1) as u64;
  } else if (last === 2) {
    tailAt = d - 2;
    const first = load<u8>(tailAt) as usize;
    tailBytes = ((first >> 2) & 7) + 4;
    tailDistance = (((first >> 5) << 8) as u64) | (load<u8>(tailAt, 1) as u64);
  }
  return d;
}

/** Whether all sources of a code are where they were when it was made, seen from this position. */
export function isInPlace(code: usize, headers: usize, position: u64): bool {
  const end = code + CODE_HEAD_BYTES + (load<u8>(code, CODE_SOURCES) as usize) * SOURCE_BYTES;
  for (let source = code + CODE_HEAD_BYTES; source < end; source += SOURCE_BYTES) {
    const expected =
      ((load<u16>(source, 6) as u64) << GENERATION_SHIFT) | (position - (load<u16>(source, 4) as u64));
    if (load<u64>(headers + (load<u32>(source) as usize) * HEADER_BYTES) !== expected) return false;
  }
  return true;
}

/** How far before this position a source is; 0 when it is out of reach. */
function distanceTo(source: usize, headers: usize, position: u64): u64 {
  const at = load<u64>(headers + (load<u32>(source) as usize) * HEADER_BYTES);
  if (at >> GENERATION_SHIFT !== (load<u16>(source, 6) as u64) || (at & POSITION_MASK) === 0) return 0;
  const distance = position - (at & POSITION_MASK);
  return distance > DISTANCE_MAX ? 0 : distance;
}

export let missed: bool = false;

/** Writes a code whose sources have moved; `section` are the bytes that it stands for. Sets `missed` when one is out of reach. */
export function putMoved(dst: usize, code: usize, headers: usize, position: u64, section: usize): usize {
  const sources = code + CODE_HEAD_BYTES;
  let p = sources + (load<u8>(code, CODE_SOURCES) as usize) * SOURCE_BYTES;
  const end = p + (load<u16>(code, CODE_LENGTH) as usize);
  let source = end;
  let d = dst;
  let s = section;
  missed = false;
  tailAt = 0;
  while (p < end) {
    const tag = load<u8>(p) as usize;
    let length = (tag >> 2) + 1;
    if ((tag & 3) === 0) {
      p++;
      if (length === 61) {
        length = (load<u8>(p) as usize) + 1;
        p++;
      } else if (length === 62) {
        length = (load<u16>(p) as usize) + 1;
        p += 2;
      }
      d = putLiteral(d, s, length, false);
      p += length;
    } else {
      let distance: u64;
      if ((tag & 3) === 1) {
        length = ((tag >> 2) & 7) + 4;
        distance = (((tag as u64) >> 5) << 8) | (load<u8>(p, 1) as u64);
        p += 2;
      } else {
        distance = load<u16>(p, 1) as u64;
        p += 3;
      }
      const from = sources + (load<u8>(source++) as usize) * SOURCE_BYTES;
      const now = distanceTo(from, headers, position);
      const moved = distance - (load<u16>(from, 4) as u64) + now;
      if (now !== 0 && moved <= DISTANCE_MAX) d = putCopyElement(d, moved as usize, length);
      else {
        missed = true;
        d = putLiteral(d, s, length, false);
      }
    }
    s += length;
  }
  return d;
}
