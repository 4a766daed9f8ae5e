// biome-ignore-all lint/correctness/noPrecisionLoss: integers of AssemblyScript have 64 bits
/**
 * The snappy elements of a message, made while scanners write it: whoever writes a series knows what of it stands before
 * in the same bytes, so nobody has to look for it. What is noted of a series counts when all of it is written (`commit`).
 *
 * References go back to `base` at most, so a message can be cut there.
 *
 * What was recalled (`line-recall.ts`) comes as elements that were kept, and is not written to the message before somebody wants
 * it: `write` decodes it.
 * https://github.com/google/snappy/blob/main/format_description.txt
 */
import { putVarint, varintLength } from './bytes';
import { RESULT } from './result';
import { Block, Same } from './same';
import * as section from './section';
import { decodeElements } from './snappy-decode';
import * as put from './snappy-put';

const OFFSET_MAX: usize = 65535;
/** What is shorter costs as much as a literal. */
const COPY_BYTES_MIN: usize = 4;

/** What a series has in common with what stands before it: where, since where, how long. A series with more gives up. */
const COPIES_MAX: u32 = 8192;
const COPY_BYTES: usize = 12;
const COPIES: usize = memory.data(8192 * 12, 16);

/** Where a label with this hash was written last. */
const LABEL_BITS: u64 = 11;
const LABELS: usize = memory.data(2048 * 4, 16);
/** Shorter labels are not looked for. */
const LABEL_BYTES_MIN: usize = 8;

/** A sample as it is written. */
const SAMPLE: usize = memory.data(48, 16);

/** Where the message begins. */
export let message: usize = 0;
/** Whether what follows `unwrittenFrom` of it is only in the elements from `unwrittenElements` on, both counted from the beginning. */
let hasUnwritten: bool = false;
let unwrittenFrom: usize = 0;
let unwrittenElements: usize = 0;
let region: usize = 0;
/** Whether the line at hand has put labels into the table. */
let hasNoted: bool = false;

let isOn: bool = false;
let isLost: bool = false;
let base: usize = 0;
let begin: usize = 0;
let out: usize = 0;
let copyCount: u32 = 0;

// The elements up to here are written, but for the copy that may still become longer.
let literalFrom: usize = 0;
let copyFrom: usize = 0;
let copyEnd: usize = 0;
let copyOffset: usize = 0;

/** Where the last series and the last sample stand; 0: nowhere. */
let seriesBefore: usize = 0;
let lengthBefore: usize = 0;
let sampleBefore: usize = 0;
let sampleLength: usize = 0;
let bitsBefore: u64 = 0;
let timestampBefore: u64 = 0;

/** A message begins. */
export function beginMessage(): void {
  hasUnwritten = false;
  forgetLabels();
}

/**
 * Elements of the next scan go behind the first `length` of those at `dst`, where there is room for what it writes and an eighth
 * more; `dst` of 0: nowhere. The message begins at `src`, they may refer to it from `from` on.
 */
export function open(dst: usize, length: usize, src: usize, from: usize): void {
  isOn = dst !== 0;
  region = dst;
  begin = dst + length;
  out = begin;
  base = from;
  if (src !== message) forgetLabels();
  message = src;
}

/** Labels that were written before are not looked for any more: what stands there may not be them. */
function forgetLabels(): void {
  memory.fill(LABELS, 0, 4 << (LABEL_BITS as usize));
  hasNoted = false;
}

/** The line at hand is given up: what it has written will be written over. */
export function abandon(): void {
  copyCount = 0;
  if (hasNoted) forgetLabels();
}

/** The scan writes its series from here on. */
export function start(at: usize): void {
  isLost = false;
  copyCount = 0;
  hasNoted = false;
  literalFrom = at;
  copyFrom = at;
  copyEnd = at;
  copyOffset = 0;
  seriesBefore = 0;
  lengthBefore = 0;
  sampleBefore = 0;
}

/** Result, behind that of the scan: how many bytes of elements there are, and whether they are of no use. */
export function finish(end: usize): void {
  if (isOn) {
    flush();
    putLiteral(end);
  }
  store<u32>(RESULT, (out - begin) as u32, 28);
  store<u32>(RESULT, isLost ? 1 : 0, 32);
  isOn = false;
}

/** These bytes, of the series that is being written, are the same as those from `from` on. Each is behind the one before. */
export function note(at: usize, from: usize, length: usize): void {
  if (!isOn || at - from > OFFSET_MAX) return;
  if (copyCount !== 0) {
    const last = COPIES + ((copyCount - 1) as usize) * COPY_BYTES;
    const lastAt = load<u32>(last) as usize;
    const lastLength = load<u32>(last, 8) as usize;
    if (lastAt + lastLength === at && lastAt - (load<u32>(last, 4) as usize) === at - from) {
      store<u32>(last, (lastLength + length) as u32, 8);
      return;
    }
  }
  if (copyCount === COPIES_MAX) {
    isLost = true;
    return;
  }
  const copy = COPIES + (copyCount as usize) * COPY_BYTES;
  store<u32>(copy, at as u32);
  store<u32>(copy, from as u32, 4);
  store<u32>(copy, length as u32, 8);
  copyCount++;
}

/**
 * A label was written that is not the one at the same place before. Perhaps another series had it; or it begins like that
 * one, which stands from `like` to `likeEnd`, if that is not 0. The hash is that of its text: what was just written is read slowly.
 */
export function noteLabel(at: usize, length: usize, hash: usize, like: usize, likeEnd: usize): void {
  if (!isOn || length < LABEL_BYTES_MIN) return;
  const slot = LABELS + (hash << 2);
  const found = load<u32>(slot) as usize;
  store<u32>(slot, at as u32);
  hasNoted = true;
  // A message may be cut between them.
  if (found >= base && found + length <= at && at - found <= OFFSET_MAX && Same.bytes(at, found, length)) {
    note(at, found, length);
  } else if (like !== 0) notePrefix(at, min(length, likeEnd - like), like);
}

/** Of the length and the last bytes, in which labels differ mostly. */
export function hashOf(text: usize, length: usize): usize {
  if (!isOn) return 0;
  let hash = (length as u64) * 0x9e3779b185ebca87;
  if (length < 8) hash = mix(hash ^ (load<u64>(text) & ((1 << ((length as u64) << 3)) - 1)));
  else {
    const last = text + length - 8;
    hash = mix(hash ^ load<u64>(last));
    hash = mix(hash ^ load<u64>(max(text, last - 8)));
    if (length >= 24) hash = mix(hash ^ load<u64>(last - 16));
  }
  return (hash >> (64 - LABEL_BITS)) as usize;
}

function mix(hash: u64): u64 {
  const product = hash * 0xc2b2ae3d27d4eb4f;
  return product ^ (product >> 32);
}

/** Its length may be another, and is the second byte. */
function notePrefix(at: usize, length: usize, like: usize): void {
  let same: usize = load<u8>(at, 1) === load<u8>(like, 1) ? 0 : 2;
  const from = same;
  for (; same < length; same += 8) {
    const differs = load<u64>(at + same) ^ load<u64>(like + same);
    if (differs !== 0) {
      same += (ctz(differs) >> 3) as usize;
      break;
    }
  }
  same = min(same, length);
  if (same >= from + COPY_BYTES_MIN) note(at + from, like + from, same - from);
}

/** A sample was written from `at` to `end`: what it has in common with the one before. */
export function noteSample(at: usize, bits: u64, timestamp: u64, end: usize): void {
  if (!isOn) return;
  const before = sampleBefore;
  const length = end - at;
  const value = bits ^ bitsBefore;
  const isLike = before !== 0 && length === sampleLength;
  const isSameTime = timestamp === timestampBefore;
  sampleBefore = at;
  sampleLength = length;
  bitsBefore = bits;
  timestampBefore = timestamp;
  if (!isLike) return;
  if (value === 0) {
    note(at, before, isSameTime ? length : 12);
    return;
  }
  note(at, before, 3 + ((ctz(value) >> 3) as usize));
  const last = (clz(value) >> 3) as usize;
  note(end - (length - 11) - last, before + 11 - last, last + (isSameTime ? length - 11 : 1));
}

/** The series at hand was moved to another place: nothing that was noted of it holds. */
export function forget(): void {
  copyCount = 0;
  sampleBefore = 0;
  section.refuse();
  forgetLabels();
}

/** A series was written, with a head of so many bytes and so many behind it. */
export function commit(at: usize, head: usize, length: usize): void {
  if (!isOn) return;
  // The head of the series that the first copy comes from, or that of the series before.
  let like: usize = length === lengthBefore ? seriesBefore : 0;
  if (copyCount !== 0 && (load<u32>(COPIES) as usize) === at + head) {
    const first = (load<u32>(COPIES, 4) as usize) - head;
    if (first !== seriesBefore && first >= base && isHead(first, length, head)) like = first;
  }
  if (like !== 0) putCopy(at, like, head);
  if (section.isWanted) section.keep(at, like, head, COPIES, copyCount);
  seriesBefore = at;
  lengthBefore = length;
  hasNoted = false;
  const end = COPIES + (copyCount as usize) * COPY_BYTES;
  for (let copy = COPIES; copy < end; copy += COPY_BYTES) {
    putCopy(load<u32>(copy) as usize, load<u32>(copy, 4) as usize, load<u32>(copy, 8) as usize);
  }
  copyCount = 0;
}

/** Whether the head of a series of this length stands here. */
function isHead(at: usize, length: usize, head: usize): bool {
  if ((load<u8>(at) as u32) !== 0x0a) return false;
  let p = at + 1;
  let rest = length;
  for (; p < at + head - 1; p++) {
    if ((load<u8>(p) as usize) !== ((rest & 127) | 128)) return false;
    rest >>= 7;
  }
  return (load<u8>(p) as usize) === rest;
}

function putCopy(at: usize, from: usize, length: usize): void {
  if (at === copyEnd && at - from === copyOffset) {
    copyEnd += length;
    return;
  }
  flush();
  if (at - from > OFFSET_MAX) return;
  copyFrom = at;
  copyEnd = at + length;
  copyOffset = at - from;
}

/** Writes the copy that waits, and the literal before it. */
function flush(): void {
  const length = copyEnd - copyFrom;
  if (length >= COPY_BYTES_MIN) {
    putLiteral(copyFrom);
    out = put.copies(out, copyOffset, length);
    literalFrom = copyEnd;
  }
  copyFrom = copyEnd;
}

function putLiteral(to: usize): void {
  out = put.literal(out, literalFrom, to);
  literalFrom = to;
}

/** Whether elements at this place, counted from the beginning of the message, may refer to so many bytes before it. */
export function reaches(reach: usize, at: usize): bool {
  return isOn && !isLost && message + at >= base + reach;
}

/** Nothing waits that has to be read from the message: at most a copy that ends here. */
function settle(at: usize): void {
  if (copyEnd !== at || copyEnd - copyFrom < COPY_BYTES_MIN) {
    flush();
    putLiteral(at);
    copyFrom = copyEnd = at;
  } else if (literalFrom !== copyFrom) putLiteral(copyFrom);
}

/** Puts elements that were kept: those of the section of `length` bytes at `at`, which is not written, before a sample. */
export function putSection(
  kept: usize,
  keptBytes: usize,
  at: usize,
  length: usize,
  sampleBytes: usize,
): void {
  settle(at);
  if (!hasUnwritten) {
    hasUnwritten = true;
    unwrittenFrom = copyFrom - message;
    unwrittenElements = out - region;
  }
  seriesBefore = 0;
  const first = kept + section.KEPT_FIRST;
  const firstLength = load<u16>(first) as usize;
  if (firstLength !== 0) {
    const offset = load<u16>(first, 2) as usize;
    if (firstLength >= COPY_BYTES_MIN || (copyEnd !== copyFrom && copyOffset === offset)) {
      putCopy(at, at - offset, firstLength);
    } else putHead(at, firstLength, length - firstLength + sampleBytes);
  }
  const end = kept + section.KEPT_LAST;
  const lastLength = load<u16>(end) as usize;
  const last = at + length - lastLength;
  const between = keptBytes - section.KEPT_HEAD;
  if (between !== 0) {
    flush();
    Block.copy(out, kept + section.KEPT_HEAD, between);
    out += between;
    literalFrom = copyFrom = copyEnd = last;
  }
  if (lastLength !== 0) putCopy(last, last - (load<u16>(end, 2) as usize), lastLength);
}

/** Puts tag and length of a series as a literal. */
function putHead(at: usize, head: usize, length: usize): void {
  flush();
  store<u8>(out, (head - 1) << 2);
  store<u8>(out, 0x0a, 1);
  putVarint(out + 2, length as u64);
  out += head + 1;
  literalFrom = copyFrom = copyEnd = at + head;
}

/** Puts the elements of the sample at `at`, behind a section that was put. */
export function putSample(at: usize, bits: u64, timestamp: u64): void {
  const before = sampleBefore;
  const length: usize = 12 + varintLength(timestamp);
  const value = bits ^ bitsBefore;
  const distance = at - before;
  const isLike = before !== 0 && length === sampleLength && distance <= OFFSET_MAX;
  const isSameTime = timestamp === timestampBefore;
  sampleBefore = at;
  sampleLength = length;
  bitsBefore = bits;
  timestampBefore = timestamp;
  // What the sample before has as well, at either end: only what can be a copy.
  let prefix: usize = 0;
  let suffix: usize = 0;
  if (isLike) {
    if (value === 0) prefix = isSameTime ? length : 12;
    else {
      prefix = 3 + ((ctz(value) >> 3) as usize);
      // With another time behind it, what the values have in common at their end is not at the end of the sample.
      if (isSameTime) suffix = ((clz(value) >> 3) as usize) + length - 11;
    }
    const goesOn = copyEnd !== copyFrom && copyOffset === distance;
    if (prefix < COPY_BYTES_MIN && !goesOn) prefix = 0;
    if (suffix < COPY_BYTES_MIN) suffix = 0;
  }
  if (prefix !== 0) putCopy(at, before, prefix);
  const end = at + length - suffix;
  const n = length - prefix - suffix;
  if (n !== 0) {
    flush();
    store<u8>(out, (n - 1) << 2);
    if (prefix >= 3 && suffix >= length - 11) store<u64>(out, bits >> (((prefix - 3) << 3) as u64), 1);
    else {
      store<u8>(SAMPLE, 0x12);
      store<u8>(SAMPLE, (length - 2) as u8, 1);
      store<u8>(SAMPLE, 0x09, 2);
      store<u64>(SAMPLE, bits, 3);
      store<u8>(SAMPLE, 0x10, 11);
      putVarint(SAMPLE + 12, timestamp);
      Block.copy(out + 1, SAMPLE + prefix, n);
    }
    out += n + 1;
    literalFrom = copyFrom = copyEnd = end;
  }
  if (suffix !== 0) putCopy(end, end - distance, suffix);
}

/** Before a series is written at `at`: what it may be compared with is written. */
export function write(at: usize): void {
  if (!hasUnwritten) return;
  flush();
  decodeUnwritten(out, at);
}

/** Writes what of the message is only in its elements; both are complete, and end here. */
export function writeElements(dst: usize, dstEnd: usize, src: usize, srcEnd: usize): void {
  region = dst;
  message = src;
  if (hasUnwritten) decodeUnwritten(dstEnd, srcEnd);
}

function decodeUnwritten(end: usize, messageEnd: usize): void {
  hasUnwritten = false;
  decodeElements(region + unwrittenElements, end, message, message + unwrittenFrom, messageEnd);
}
