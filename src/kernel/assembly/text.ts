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
import * as elements from './elements';
import * as recall from './line-recall';
import { RESULT } from './result';
import { Block } from './same';

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

/** Why a scan ended: a line was left, there is no room, or it took as much as may be in one piece. */
const LEFT: u32 = 1;
const FULL: u32 = 2;
const CUT: u32 = 3;

/** A scan ends behind so many samples, so that what it wrote fits into any block. */
export const SAMPLES_MAX: u32 = 1000;

/** Where the line at hand writes to, and where it must not. */
export let outEnd: usize = 0;
let isFull: bool = false;
let lineBytesMax: usize = 0;

/** A message begins; what was recalled is kept in so many bytes at `arena`, 0: nowhere. */
export function beginText(arena: usize, bytes: usize): void {
  elements.beginMessage();
  recall.begin(arena, bytes);
}

/** See `elements.open` and `recall.open`. */
export function openText(dst: usize, length: usize, src: usize, from: usize, context: u32): void {
  elements.open(dst, length, src, from);
  recall.open(dst === 0 ? 0 : context);
}

export function open(start: usize, end: usize, bytesMax: u32): void {
  elements.start(start);
  recall.start(start - elements.message);
  outEnd = end - SLACK;
  isFull = false;
  lineBytesMax = bytesMax as usize;
  beforeCount = 0;
  labelCount = 0;
}

/** Whether this many bytes and the slack can be written; if not, the line is not read on. */
export function hasRoom(out: usize, bytes: usize): bool {
  if ((out as u64) + (bytes as u64) <= (outEnd as u64)) return true;
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

/**
 * Result: bytes written, series, samples, lines, lines with a row, why the scan ended, labels, what `elements.ts` says, and series
 * that were recalled.
 */
export function close(
  start: usize,
  end: usize,
  series: u32,
  samples: u32,
  lines: u32,
  rows: u32,
  isLeft: bool,
): void {
  elements.finish(end);
  store<u32>(RESULT, recall.close(series), 36);
  store<u32>(RESULT, (end - start) as u32);
  store<u32>(RESULT, series, 4);
  store<u32>(RESULT, samples, 8);
  store<u32>(RESULT, lines, 12);
  store<u32>(RESULT, rows, 16);
  store<u32>(RESULT, isFull ? FULL : !isLeft ? 0 : samples >= SAMPLES_MAX ? CUT : LEFT, 20);
  store<u32>(RESULT, labelCount, 24);
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

/**
 * The labels of the line before: where each ends, in the text and encoded, counted from where its line and its series begin.
 * Behind each stands one byte more of text. Lines that follow each other have most of them in common, and comparing and
 * copying runs of them is cheaper than looking for their ends.
 */
const BEFORE_MAX: u32 = 64;
const BEFORE_BYTES: usize = 8;
const BEFORE: usize = memory.data(64 * 8, 16);
let beforeCount: u32 = 0;
/** Where the line at hand and its encoded labels begin. */
let lineText: usize = 0;
let lineEncoded: usize = 0;
/** Where they began in the line before. */
let textBefore: usize = 0;
let encodedBefore: usize = 0;
/** Where the label at the place at hand begins in the line before, in the same way. */
let textFrom: usize = 0;
let encodedFrom: usize = 0;
/** How many labels the line at hand has so far. */
export let labelIndex: u32 = 0;
let labelCount: u32 = 0;

export function beginLabels(text: usize, encoded: usize): void {
  textBefore = lineText;
  encodedBefore = lineEncoded;
  lineText = text;
  lineEncoded = encoded;
  textFrom = 0;
  encodedFrom = 0;
  labelIndex = 0;
}

/** All labels of the line were written; it is the line before of the next one. */
export function endLabels(): void {
  beforeCount = min(labelIndex, BEFORE_MAX);
  labelCount += labelIndex;
}

/** Where what `putKnownLabels` wrote ends; 0 when there was no room. */
export let knownEnd: usize = 0;

/**
 * Writes, to `dst`, the labels from `p` on that are the same as those at the same places of the line before, with the byte
 * behind them. Returns the length of their text without the last such byte; 0 when there are none.
 */
export function putKnownLabels(p: usize, dst: usize): usize {
  if (labelIndex >= beforeCount) return 0;
  const from = textBefore + textFrom;
  let entry = BEFORE + (labelIndex as usize) * BEFORE_BYTES;
  const last = BEFORE + ((beforeCount - 1) as usize) * BEFORE_BYTES;
  const limit = (load<u32>(last) as usize) + 1 - textFrom;
  let same: usize = 0;
  while (same < limit) {
    const differs = i8x16.bitmask(i8x16.ne(v128.load(p + same), v128.load(from + same)));
    if (differs !== 0) {
      same += ctz(differs) as usize;
      break;
    }
    same += 16;
  }
  const reached = textFrom + same;
  if ((load<u32>(entry) as usize) >= reached) return 0;
  const textShift = p - lineText - textFrom;
  const encodedShift = dst - lineEncoded - encodedFrom;
  const isShifted = (textShift | encodedShift) !== 0;
  let textEnd: usize = 0;
  let encodedEnd: usize = 0;
  do {
    textEnd = load<u32>(entry) as usize;
    encodedEnd = load<u32>(entry, 4) as usize;
    if (isShifted) {
      store<u32>(entry, (textEnd + textShift) as u32);
      store<u32>(entry, (encodedEnd + encodedShift) as u32, 4);
    }
    entry += BEFORE_BYTES;
  } while (entry <= last && (load<u32>(entry) as usize) < reached);
  const length = encodedEnd - encodedFrom;
  const taken = textEnd - textFrom;
  knownEnd = 0;
  if (hasRoom(dst, length + 16)) {
    const source = encodedBefore + encodedFrom;
    Block.copy(dst, source, length);
    elements.note(dst, source, length);
    knownEnd = dst + length;
  }
  labelIndex = ((entry - BEFORE) / BEFORE_BYTES) as u32;
  textFrom = textEnd + 1;
  encodedFrom = encodedEnd;
  return taken;
}

/** Notes a label that was written for the next line. */
export function noteLabel(text: usize, textEnd: usize, encoded: usize, encodedEnd: usize): void {
  const isAtPlace = labelIndex < beforeCount;
  const entry = BEFORE + (labelIndex as usize) * BEFORE_BYTES;
  const like: usize = isAtPlace ? encodedBefore + encodedFrom : 0;
  const likeEnd: usize = isAtPlace ? encodedBefore + load<u32>(entry, 4) : 0;
  elements.noteLabel(encoded, encodedEnd - encoded, elements.hashOf(text, textEnd - text), like, likeEnd);
  if (labelIndex < BEFORE_MAX) {
    if (isAtPlace) {
      textFrom = (load<u32>(entry) as usize) + 1;
      encodedFrom = load<u32>(entry, 4) as usize;
    }
    store<u32>(entry, (textEnd - lineText) as u32);
    store<u32>(entry, (encodedEnd - lineEncoded) as u32, 4);
  }
  labelIndex++;
}

/** Counts labels of lines that are not compared with those before them. */
export function countLabels(more: u32): void {
  labelCount += more;
}

/** Tag and length of the series before: the next one has as many bytes of it mostly. */
let headBytes: usize = 3;

/** Where the labels of a series at `dst` begin, before its length is known. */
export function beginSeries(dst: usize): usize {
  return dst + headBytes;
}

/** Puts tag and length before a series that was begun at `dst`; returns its end, which may have moved. */
export function endSeries(dst: usize, end: usize): usize {
  const length = end - dst - headBytes;
  const bytes: usize = varintLength(length as u64) + 1;
  if (bytes !== headBytes) {
    memory.copy(dst + bytes, dst + headBytes, length);
    headBytes = bytes;
    elements.forget();
    // What was noted of this line has moved.
    beforeCount = 0;
  }
  store<u8>(dst, 0x0a);
  putVarint(dst + 1, length as u64);
  elements.commit(dst, bytes, length);
  return dst + bytes + length;
}
