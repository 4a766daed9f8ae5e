// biome-ignore-all lint/correctness/noPrecisionLoss: integers of AssemblyScript have 64 bits
// biome-ignore-all lint/complexity/noStaticOnlyClass: only methods can be decorated
/**
 * Samples in the text exposition format without escapes, and without blanks but before value and timestamp:
 * `../../protocol/prometheus-text.ts` reads all other lines, comments included.
 *
 *   settings: 0 timestamp i64, milliseconds, for lines without one
 */
import { copy } from './bytes';
import * as decimal from './decimal';
import {
  Block,
  beginLabels,
  beginSeries,
  close,
  countLabels,
  endSeries,
  hasRoom,
  knownLabel,
  labelBytes,
  lineEnd,
  NAME_HEAD_BYTES_MAX,
  NAN_BITS,
  noteLabel,
  open,
  putKnownLabel,
  putLabel,
  putNameHead,
  putSample,
  Quoted,
  SAMPLE_BYTES_MAX,
  SERIES_HEAD_BYTES_MAX,
  SPACE,
} from './text';

const TAB: u32 = 0x09;
const QUOTE: u32 = 0x22;
const COMMA: u32 = 0x2c;
const EQUALS: u32 = 0x3d;
const OPEN: u32 = 0x7b;
const CLOSE: u32 = 0x7d;
const MINUS: u32 = 0x2d;
const PLUS: u32 = 0x2b;

const INFINITY_BITS: u64 = 0x7ff0000000000000;
const SIGN: u64 = 0x8000000000000000;
/** `nan` and `inf` in lower case, and what makes letters lower case. */
const WORD_NAN: u32 = 0x6e616e;
const WORD_INF: u32 = 0x666e69;
const WORD_MASK: u32 = 0xffffff;
const LOWER: u32 = 0x202020;

const INT32_LIMIT: f64 = 2147483648.0;
const INT64_LIMIT: f64 = 9223372036854775808.0;
const NO_LIMIT: u32 = 0xffffffff;

let timestamp: i64 = 0;
let defaultTimestamp: i64 = 0;

class Stop {
  /** Where the first byte stands that may end a metric name; `#` may begin a comment. */
  @inline
  static metric(from: usize): usize {
    let p = from - 16;
    let mask: i32 = 0;
    while (mask === 0) {
      p += 16;
      const bytes = v128.load(p);
      const ends = v128.or(
        v128.or(i8x16.eq(bytes, i8x16.splat(0x7b)), i8x16.eq(bytes, i8x16.splat(0x20))),
        v128.or(i8x16.eq(bytes, i8x16.splat(0x09)), i8x16.eq(bytes, i8x16.splat(0x0a))),
      );
      mask = i8x16.bitmask(ends);
    }
    return p + (ctz(mask) as usize);
  }

  /** The same for the name of a label: a blank, quote, comma or brace in it is the parser's business. */
  @inline
  static name(from: usize): usize {
    let p = from - 16;
    let mask: i32 = 0;
    while (mask === 0) {
      p += 16;
      const bytes = v128.load(p);
      const ends = v128.or(
        v128.or(
          v128.or(i8x16.eq(bytes, i8x16.splat(0x3d)), i8x16.eq(bytes, i8x16.splat(0x20))),
          v128.or(i8x16.eq(bytes, i8x16.splat(0x09)), i8x16.eq(bytes, i8x16.splat(0x0a))),
        ),
        v128.or(
          v128.or(i8x16.eq(bytes, i8x16.splat(0x22)), i8x16.eq(bytes, i8x16.splat(0x2c))),
          i8x16.eq(bytes, i8x16.splat(0x7d)),
        ),
      );
      mask = i8x16.bitmask(ends);
    }
    return p + (ctz(mask) as usize);
  }
}

function isBlank(byte: u32): bool {
  return byte === SPACE || byte === TAB;
}

function skipBlanks(from: usize): usize {
  let p = from;
  while (isBlank(load<u8>(p) as u32)) p++;
  return p;
}

// Where labels are written to, and how many the line has.
let out: usize = 0;
let labelCount: u32 = 0;

/** Writes what stands between the braces; returns what follows the closing one, or 0. */
function readLabels(from: usize): usize {
  let p = from;
  let labels: u32 = 1; // the name of the metric
  beginLabels();
  while ((load<u8>(p) as u32) !== CLOSE) {
    const known = knownLabel(p);
    if (known !== 0) {
      out = putKnownLabel(out);
      if (out === 0) return 0;
      p += known;
    } else {
      const name = p;
      p = Stop.name(name);
      if (p === name || (load<u16>(p) as u32) !== (EQUALS | (QUOTE << 8))) return 0;
      const nameLength = p - name;
      const text = p + 2;
      p = Quoted.end(text);
      if ((load<u8>(p) as u32) !== QUOTE) return 0;
      if (!hasRoom(out, labelBytes(nameLength, p - text))) return 0;
      const encoded = out;
      out = putLabel(out, name, nameLength, text, p - text);
      p++;
      noteLabel(name, p - name, encoded, out - encoded);
    }
    labels++;
    const byte = load<u8>(p) as u32;
    if (byte === COMMA) p++;
    else if (byte !== CLOSE) return 0;
  }
  labelCount = labels;
  return p + 1;
}

/** `nan`, or `inf` with a sign or without, in `decimal.value`; returns its end, or 0. */
function readWord(start: usize): usize {
  const sign = load<u8>(start) as u32;
  const p = start + ((sign === MINUS || sign === PLUS) as usize);
  const word = (load<u32>(p) & WORD_MASK) | LOWER;
  if (word === WORD_NAN) decimal.setValue(NAN_BITS);
  else if (word === WORD_INF) decimal.setValue(sign === MINUS ? INFINITY_BITS | SIGN : INFINITY_BITS);
  else return 0;
  return p + 3;
}

/** The timestamp at `p`, which may have a fraction; returns its end, or 0. */
function readTimestamp(p: usize): usize {
  const end = decimal.readNumber(p);
  if (end === 0) return 0;
  const given = reinterpret<f64>(decimal.value);
  const isSeconds = given >= -INT32_LIMIT && given < INT32_LIMIT;
  const milliseconds = trunc(isSeconds ? given * 1000 : given);
  if (abs(milliseconds) >= INT64_LIMIT) return 0;
  if (milliseconds !== 0) timestamp = milliseconds as i64;
  return end;
}

/** Reads a line and writes its series to `dst`; returns where the next one begins, 0 when it is left to the parser. */
function readLine(start: usize, dst: usize): usize {
  const first = load<u8>(start) as u32;
  let p = Stop.metric(start);
  // What begins with a brace has its name in quotes, and what has a blank before the brace has it in its name.
  if (p === start || first === 0x23) return 0;
  const nameLength = p - start;
  if (!hasRoom(dst, nameLength + NAME_HEAD_BYTES_MAX + SERIES_HEAD_BYTES_MAX + SAMPLE_BYTES_MAX)) return 0;
  out = putNameHead(beginSeries(dst), nameLength);
  if (nameLength < 64) Block.copy(out, start, nameLength);
  else copy(out, start, nameLength);
  out += nameLength;
  labelCount = 1;
  if ((load<u8>(p) as u32) === OPEN) {
    p = readLabels(p + 1);
    if (p === 0) return 0;
  }
  const valueStart = skipBlanks(p);
  p = decimal.readNumber(valueStart);
  if (p === 0) p = readWord(valueStart);
  if (p === 0) return 0;
  const bits = decimal.value;
  const valueEnd = p;
  timestamp = defaultTimestamp;
  p = skipBlanks(p);
  let next = lineEnd(start, p);
  if (next === 0) {
    if (p === valueEnd) return 0;
    p = readTimestamp(p);
    if (p === 0) return 0;
    next = lineEnd(start, skipBlanks(p));
    if (next === 0) return 0;
  }
  if (!hasRoom(out, SAMPLE_BYTES_MAX)) return 0;
  out = endSeries(dst, putSample(out, bits, timestamp as u64));
  countLabels(labelCount);
  return next;
}

/** Scans lines from `src` to `end`, where a line end stands; returns where the first line begins that was not taken. */
export function scanPrometheusText(
  settings: usize,
  src: usize,
  end: usize,
  dst: usize,
  dstEnd: usize,
): usize {
  defaultTimestamp = load<i64>(settings);
  open(dstEnd, NO_LIMIT);
  let p = src;
  let written = dst;
  let series: u32 = 0;
  let lines: u32 = 0;
  while (p < end) {
    let next = lineEnd(p, p);
    if (next === 0) {
      next = readLine(p, written);
      if (next === 0) break;
      written = out;
      series++;
    }
    lines++;
    p = next;
  }
  close(written - dst, series, series, lines, series, p < end);
  return p;
}
