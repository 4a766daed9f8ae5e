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

export const SLACK: usize = 64;
/** The quiet NaN that text protocols write; see `series-sink.ts`. */
export const NAN_BITS: u64 = 0x7ff8000000000001;
/** `12 L 09 value 10 timestamp`. */
export const SAMPLE_BYTES_MAX: usize = 22;
/** `0a L 0a 08 __name__ 12 L`, with lengths of up to five bytes. */
export const NAME_HEAD_BYTES_MAX: usize = 21;
const NAME: u64 = 0x5f5f656d616e5f5f; // `__name__`
const NAME_FIELD: usize = 10;
export const SERIES_HEAD_BYTES_MAX: usize = 6;

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
  if (bytes !== HEAD_BYTES - 1) memory.copy(dst + 1 + bytes, dst + HEAD_BYTES, length);
  store<u8>(dst, 0x0a);
  return putVarint(dst + 1, length as u64) + length;
}
