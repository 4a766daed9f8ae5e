// biome-ignore-all lint/correctness/noPrecisionLoss: integers of AssemblyScript have 64 bits
// biome-ignore-all lint/complexity/noStaticOnlyClass: only methods can be decorated
/**
 * Samples in the text exposition format without escapes, and without blanks but before value and timestamp:
 * `../../protocol/prometheus-text.ts` reads all other lines, comments included.
 *
 *   settings: 0 timestamp i64, milliseconds, for lines without one
 */
import { copy, varintLength } from './bytes';
import * as decimal from './decimal';
import * as elements from './elements';
import * as recall from './line-recall';
import { Block, Same } from './same';
import {
  beginLabels,
  beginSeries,
  close,
  countLabels,
  endLabels,
  endSeries,
  hasRoom,
  knownEnd,
  labelBytes,
  labelIndex,
  lineEnd,
  NAME_HEAD_BYTES_MAX,
  NAN_BITS,
  noteLabel,
  open,
  putKnownLabels,
  putLabel,
  putNameHead,
  putSample,
  Quoted,
  SAMPLE_BYTES_MAX,
  SAMPLES_MAX,
  SERIES_HEAD_BYTES_MAX,
  SPACE,
} from './text';

const TAB: u32 = 0x09;
const QUOTE: u32 = 0x22;
const HASH: u32 = 0x23;
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

/** Where labels are written to. */
let out: usize = 0;

/** Writes the labels at `from` that are those of the line before; returns what follows them, `from` for none, or 0. */
function readKnown(from: usize): usize {
  const known = putKnownLabels(from, out);
  if (known === 0) return from;
  out = knownEnd;
  return out === 0 ? 0 : from + known;
}

/** Writes one label; returns what follows it, or 0. */
function readLabel(name: usize): usize {
  let p = Stop.name(name);
  if (p === name || (load<u16>(p) as u32) !== (EQUALS | (QUOTE << 8))) return 0;
  const nameLength = p - name;
  const text = p + 2;
  p = Quoted.end(text);
  if ((load<u8>(p) as u32) !== QUOTE) return 0;
  if (!hasRoom(out, labelBytes(nameLength, p - text))) return 0;
  const encoded = out;
  out = putLabel(out, name, nameLength, text, p - text);
  p++;
  noteLabel(name, p, encoded, out);
  return p;
}

/** Writes what stands from `from` to the closing brace; returns what follows it, or 0. */
function readLabels(from: usize): usize {
  let p = from;
  while ((load<u8>(p) as u32) !== CLOSE) {
    const known = readKnown(p);
    if (known === 0) return 0;
    p = known === p ? readLabel(p) : known;
    if (p === 0) return 0;
    const byte = load<u8>(p) as u32;
    if (byte === COMMA) p++;
    else if (byte !== CLOSE) return 0;
  }
  return p + 1;
}

/** Writes the name of the metric; returns what follows it, or 0. */
function readName(start: usize): usize {
  const end = Stop.metric(start);
  // What begins with a brace has its name in quotes, and what has a blank before the brace has it in its name.
  if (end === start) return 0;
  const length = end - start;
  if (!hasRoom(out, length + NAME_HEAD_BYTES_MAX)) return 0;
  const encoded = out;
  out = putNameHead(out, length);
  if (length < 64) Block.copy(out, start, length);
  else copy(out, start, length);
  out += length;
  noteLabel(start, end, encoded, out);
  return end;
}

/** Writes name and labels; returns what follows them, or 0. */
function readSeries(start: usize): usize {
  let p = readKnown(start);
  if (p === start) p = readName(start);
  if (p === 0) return 0;
  const byte = load<u8>(p) as u32;
  if (labelIndex === 1) return byte === OPEN ? readLabels(p + 1) : p;
  // The name came with labels: this is what follows the last of them.
  return byte === CLOSE ? p + 1 : readLabels(p + 1);
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

/** What stood behind a value, to the end of the line, and the timestamp that it means; length 0 for nothing. */
let endText: usize = 0;
let endLength: usize = 0;
let endTimestamp: i64 = 0;
const END_LENGTH_MAX: usize = 32;

/** What follows the value: a timestamp or none; returns where the next line begins, or 0. */
function readEnd(start: usize, valueEnd: usize): usize {
  if (endLength !== 0 && Same.text(valueEnd, endText, endLength)) {
    timestamp = endTimestamp;
    return valueEnd + endLength;
  }
  timestamp = defaultTimestamp;
  let p = skipBlanks(valueEnd);
  let next = lineEnd(start, p);
  if (next === 0) {
    if (p === valueEnd) return 0;
    p = readTimestamp(p);
    if (p === 0) return 0;
    next = lineEnd(start, skipBlanks(p));
    if (next === 0) return 0;
  }
  endText = valueEnd;
  endLength = next - valueEnd <= END_LENGTH_MAX ? next - valueEnd : 0;
  endTimestamp = timestamp;
  return next;
}

/** The value at `start`, its bits in `decimal.value`; returns its end, or 0. */
function readValue(start: usize): usize {
  const end = decimal.readNumber(start);
  return end === 0 ? readWord(start) : end;
}

/** All of a line's text up to the value. */
const ROW: u32 = recall.BEGINS | recall.ENDS;

/** Reads a line that came behind the one before last time as well; returns where the next one begins, or 0. */
function recallLine(start: usize, end: usize, dst: usize): usize {
  const record = recall.after(0);
  if (record === 0) return 0;
  const textEnd = recall.match(record, start, end);
  if (textEnd === 0) return 0;
  const valueEnd = readValue(skipBlanks(textEnd));
  if (valueEnd === 0) return 0;
  const bits = decimal.value;
  const next = readEnd(start, valueEnd);
  if (next === 0) return 0;
  const sampleLength: usize = 12 + varintLength(timestamp as u64);
  const at = dst - elements.message;
  recall.lookAhead(at);
  if (!recall.isUseful(record, sampleLength)) return 0;
  const to = recall.end();
  if (!hasRoom(dst, to - at)) return 0;
  recall.put(record, at, bits, timestamp as u64);
  recall.pass(record, start, at, to);
  countLabels(recall.labelsOf(record));
  out = elements.message + to;
  return next;
}

/** Reads a line and writes its series to `dst`; returns where the next one begins, 0 when it is left to the parser. */
function readLine(start: usize, dst: usize): usize {
  if (!hasRoom(dst, SERIES_HEAD_BYTES_MAX)) return 0;
  elements.write(dst);
  out = beginSeries(dst);
  const labels = out;
  beginLabels(start, out);
  let p = readSeries(start);
  if (p === 0) return 0;
  // A blank behind the text says that it ends there.
  const textEnd: usize = isBlank(load<u8>(p) as u32) ? p + 1 : 0;
  p = readValue(skipBlanks(p));
  if (p === 0) return 0;
  const bits = decimal.value;
  const next = readEnd(start, p);
  if (next === 0) return 0;
  if (!hasRoom(out, SAMPLE_BYTES_MAX)) return 0;
  const sample = out;
  out = putSample(out, bits, timestamp as u64);
  elements.noteSample(sample, bits, timestamp as u64, out);
  endLabels();
  const sampleLength = out - sample;
  const at = dst - elements.message;
  recall.decide(start, textEnd, ROW, at, labelIndex, sample - labels);
  out = endSeries(dst, out);
  recall.settle(at, out - dst - sampleLength, sampleLength, labelIndex);
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
  open(dst, dstEnd, NO_LIMIT);
  endLength = 0;
  let p = src;
  let written = dst;
  let series: u32 = 0;
  let lines: u32 = 0;
  while (p < end && series < SAMPLES_MAX) {
    let next = lineEnd(p, p);
    if (next === 0) {
      if ((load<u8>(p) as u32) === HASH) break;
      next = recallLine(p, end, written);
      if (next === 0) next = readLine(p, written);
      if (next === 0) {
        elements.abandon();
        break;
      }
      written = out;
      series++;
    }
    lines++;
    p = next;
  }
  close(dst, written, series, series, lines, series, p < end);
  return p;
}
