// biome-ignore-all lint/correctness/noPrecisionLoss: integers of AssemblyScript have 64 bits
// biome-ignore-all lint/complexity/noStaticOnlyClass: only methods can be decorated
/**
 * What the scanners of text protocols share: they read lines as senders really write them, and write the series of a
 * WriteRequest, byte for byte what the parsers of `../../protocol` write. Any other line ends the scan: the parser reads
 * it, and says what is wrong with it. So there is nothing of errors here.
 *
 * A line end stands behind the text, so no search has to ask where the text ends. What a line has written counts when all
 * of it was read. Up to `SLACK` bytes behind what is written are overwritten, and read behind the text.
 */
import { copy, putVarint, varintLength } from './bytes';
import { RESULT } from './result';

export const NEWLINE: u32 = 0x0a;
export const RETURN: u32 = 0x0d;
export const SPACE: u32 = 0x20;

export const SLACK: usize = 512;
/** The quiet NaN that text protocols write; see `series-sink.ts`. */
export const NAN_BITS: u64 = 0x7ff8000000000001;
/** `12 L 09 value 10 timestamp`. */
export const SAMPLE_BYTES_MAX: usize = 22;
/** `0a L 0a 08 __name__ 12 L`, with lengths of up to five bytes. */
export const NAME_HEAD_BYTES_MAX: usize = 21;
const NAME: u64 = 0x5f5f656d616e5f5f; // `__name__`
const NAME_FIELD: usize = 10;
export const SERIES_HEAD_BYTES_MAX: usize = 6;

export class Quoted {
  /** The quote behind a text, or what makes it no simple one. */
  @inline
  static end(from: usize): usize {
    let p = from - 16;
    let mask: i32 = 0;
    while (mask === 0) {
      p += 16;
      const bytes = v128.load(p);
      const ends = v128.or(
        v128.or(i8x16.eq(bytes, i8x16.splat(0x22)), i8x16.eq(bytes, i8x16.splat(0x5c))),
        i8x16.eq(bytes, i8x16.splat(0x0a)),
      );
      mask = i8x16.bitmask(ends);
    }
    return p + (ctz(mask) as usize);
  }
}

/** Why a scan ended. */
const LEFT: u32 = 1;
const FULL: u32 = 2;

/** Where the line at hand writes to, and where it must not. */
export let outEnd: usize = 0;
let isFull: bool = false;
let lineBytesMax: usize = 0;

export function open(end: usize, bytesMax: u32): void {
  outEnd = end - SLACK;
  isFull = false;
  lineBytesMax = bytesMax as usize;
  beforeCount = 0;
  labelCount = 0;
}

/** Whether this many bytes and the slack can be written; if not, the line is not read on. */
export function hasRoom(out: usize, bytes: usize): bool {
  if (out + bytes <= outEnd) return true;
  isFull = true;
  return false;
}

/** Whether the line from `start` ends at `p`; returns where the next one begins, else 0. */
export function lineEnd(start: usize, p: usize): usize {
  if (p - start > lineBytesMax) return 0;
  const byte = load<u8>(p) as u32;
  if (byte === NEWLINE) return p + 1;
  return byte === RETURN && (load<u8>(p, 1) as u32) === NEWLINE ? p + 2 : 0;
}

/** Result: bytes written, series, samples, lines, lines with a row, and why the scan ended. */
export function close(written: usize, series: u32, samples: u32, lines: u32, rows: u32, isLeft: bool): void {
  store<u32>(RESULT, written as u32);
  store<u32>(RESULT, series, 4);
  store<u32>(RESULT, samples, 8);
  store<u32>(RESULT, lines, 12);
  store<u32>(RESULT, rows, 16);
  store<u32>(RESULT, isFull ? FULL : isLeft ? LEFT : 0, 20);
  store<u32>(RESULT, labelCount, 24);
}

/** Copies by sixteen bytes: up to fifteen more are written. */
export class Block {
  @inline
  static copy(dst: usize, src: usize, length: usize): void {
    v128.store(dst, v128.load(src));
    for (let at: usize = 16; at < length; at += 16) v128.store(dst + at, v128.load(src + at));
  }
}

/** Whether there is room for this label; see `putLabel`. */
export function labelBytes(nameLength: usize, valueLength: usize): usize {
  return nameLength + valueLength + 16;
}

/** A label with a name; the value may be empty, and is left out then. Needs room for `labelBytes`. */
export function putLabel(dst: usize, name: usize, nameLength: usize, text: usize, textLength: usize): usize {
  const inner = nameLength + textLength + 4;
  if (inner < 128 && textLength !== 0) {
    store<u32>(dst, 0x0a000a | ((inner as u32) << 8) | ((nameLength as u32) << 24));
    Block.copy(dst + 4, name, nameLength);
    const at = dst + 4 + nameLength;
    store<u16>(at, 0x12 | ((textLength as u32) << 8));
    Block.copy(at + 2, text, textLength);
    return at + 2 + textLength;
  }
  const nameField = nameLength + varintLength(nameLength as u64) + 1;
  const textField: usize = textLength === 0 ? 0 : textLength + varintLength(textLength as u64) + 1;
  store<u8>(dst, 0x0a);
  let at = putVarint(dst + 1, (nameField + textField) as u64);
  store<u8>(at, 0x0a);
  at = putVarint(at + 1, nameLength as u64);
  copy(at, name, nameLength);
  at += nameLength;
  if (textLength === 0) return at;
  store<u8>(at, 0x12);
  at = putVarint(at + 1, textLength as u64);
  copy(at, text, textLength);
  return at + textLength;
}

/** How long the label of a metric name is. */
export function nameBytes(length: usize): usize {
  const inner = NAME_FIELD + 1 + varintLength(length as u64) + length;
  return 1 + varintLength(inner as u64) + inner;
}

/** Counts the labels of a line that was read. */
export function countLabels(more: u32): void {
  labelCount += more;
}

/** What stands before the metric name, which is not empty, in its label; returns where the name goes. */
export function putNameHead(dst: usize, length: usize): usize {
  store<u8>(dst, 0x0a);
  const at = putVarint(dst + 1, (NAME_FIELD + 1 + varintLength(length as u64) + length) as u64);
  store<u16>(at, 0x080a);
  store<u64>(at, NAME, 2);
  store<u8>(at, 0x12, 10);
  return putVarint(at + 11, length as u64);
}

export function putSample(dst: usize, bits: u64, timestamp: u64): usize {
  store<u8>(dst, 0x12);
  store<u8>(dst, 0x09, 2);
  store<u64>(dst, bits, 3);
  store<u8>(dst, 0x10, 11);
  const end = putVarint(dst + 12, timestamp);
  store<u8>(dst, (end - dst - 2) as u8, 1);
  return end;
}

/** Whether two texts of this length, which is not 0, are the same. Reads up to fifteen bytes more. */
export class Same {
  @inline
  static bytes(a: usize, b: usize, length: usize): bool {
    if (length < 16) {
      const differs = i8x16.bitmask(i8x16.ne(v128.load(a), v128.load(b)));
      return (differs & ((1 << (length as i32)) - 1)) === 0;
    }
    const last = length - 16;
    let differs = v128.xor(v128.load(a + last), v128.load(b + last));
    for (let at: usize = 0; at < last; at += 16) {
      differs = v128.or(differs, v128.xor(v128.load(a + at), v128.load(b + at)));
    }
    return !v128.any_true(differs);
  }
}

/**
 * The labels of the lines before, by their place in the line: where one stands in the text, and where it is encoded, with
 * both lengths. Lines that follow each other have most of them in common, and copying is cheaper than looking for their ends.
 */
const BEFORE_MAX: u32 = 48;
/** Longer ones are not noted: a comparison may read so far behind the text. */
const NOTED_BYTES_MAX: usize = SLACK - 16;
const BEFORE_BYTES: usize = 16;
const BEFORE: usize = memory.data(48 * 16, 16);
let beforeCount: u32 = 0;
/** Of the line at hand: how many labels it has so far, and whether one of them was noted. */
let labelIndex: u32 = 0;
let isNoted: bool = false;
export let labelCount: u32 = 0;

export function beginLabels(): void {
  labelIndex = 0;
  isNoted = false;
}

/** The length of the text at `p` if it is the label at the same place of a line before, else 0. */
export function knownLabel(p: usize): usize {
  if (labelIndex >= beforeCount) return 0;
  const entry = BEFORE + (labelIndex as usize) * BEFORE_BYTES;
  const length = load<u32>(entry, 4) as usize;
  return Same.bytes(p, load<u32>(entry) as usize, length) ? length : 0;
}

/** Writes the label that `knownLabel` found; returns its end, 0 when there is no room. */
export function putKnownLabel(dst: usize): usize {
  const entry = BEFORE + (labelIndex as usize) * BEFORE_BYTES;
  const length = load<u32>(entry, 12) as usize;
  if (!hasRoom(dst, length + 16)) return 0;
  Block.copy(dst, load<u32>(entry, 8) as usize, length);
  labelIndex++;
  return dst + length;
}

/** Notes a label for the lines to come. */
export function noteLabel(text: usize, textLength: usize, encoded: usize, encodedLength: usize): void {
  if (labelIndex < BEFORE_MAX && labelIndex <= beforeCount && textLength <= NOTED_BYTES_MAX) {
    const entry = BEFORE + (labelIndex as usize) * BEFORE_BYTES;
    store<u32>(entry, text as u32);
    store<u32>(entry, textLength as u32, 4);
    store<u32>(entry, encoded as u32, 8);
    store<u32>(entry, encodedLength as u32, 12);
    if (labelIndex === beforeCount) beforeCount++;
    isNoted = true;
  }
  labelIndex++;
}

/** Two bytes for the length: most series have 128 to 16383. */
const HEAD_BYTES: usize = 3;

/** Where the labels of a series at `dst` begin, before its length is known. */
export function beginSeries(dst: usize): usize {
  return dst + HEAD_BYTES;
}

/** Puts tag and length before a series that was begun at `dst`; returns its end, which may have moved. */
export function endSeries(dst: usize, end: usize): usize {
  const length = end - dst - HEAD_BYTES;
  const bytes = varintLength(length as u64);
  if (bytes !== HEAD_BYTES - 1) {
    memory.copy(dst + 1 + bytes, dst + HEAD_BYTES, length);
    if (isNoted) beforeCount = 0;
  }
  store<u8>(dst, 0x0a);
  return putVarint(dst + 1, length as u64) + length;
}
