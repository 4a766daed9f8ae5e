// biome-ignore-all lint/correctness/noPrecisionLoss: integers of AssemblyScript have 64 bits
// biome-ignore-all lint/complexity/noStaticOnlyClass: only methods can be decorated
/**
 * InfluxDB line protocol without escapes, quotes and words: `../../protocol/influx.ts` reads all other lines.
 *
 *   settings, 64 bytes
 *    0 now u64           milliseconds, for lines without a timestamp
 *    8 trim u64          timestamps are rounded down to a multiple of this
 *   16 divisor u64       how a timestamp becomes milliseconds;
 *   24 factor u64        0: its size tells
 *   32 flags u32         of the names, below
 *   36 lineBytesMax u32
 *   40 separator u32     between measurement and field: pointer and length
 *   48 dbKey u32         the tag that takes the place of the database's label: pointer and length
 *   56 db u32            that label, encoded: pointer and length; length 0 for none
 */
import { copy, putVarint, varintLength } from './bytes';
import * as decimal from './decimal';
import * as elements from './elements';
import * as recall from './line-recall';
import { Block } from './same';
import {
  close,
  countLabels,
  hasRoom,
  labelBytes,
  lineEnd,
  NAME_HEAD_BYTES_MAX,
  nameBytes,
  open,
  putLabel,
  putNameHead,
  putSample,
  SAMPLE_BYTES_MAX,
  SAMPLES_MAX,
  SERIES_HEAD_BYTES_MAX,
  SPACE,
} from './text';

const COMMA: u32 = 0x2c;
const EQUALS: u32 = 0x3d;
const HASH: u32 = 0x23;
const MINUS: u32 = 0x2d;
const LOWER_I: u32 = 0x69;
const LOWER_U: u32 = 0x75;

const SKIP_MEASUREMENT: u32 = 1;
const SKIP_SINGLE_FIELD: u32 = 2;

const INT64_MAX: u64 = 0x7fffffffffffffff;
const EXACT_MAX: u64 = 1 << 53;

/** The encoded tags of a line; longer ones are left to the parser. */
const TAGS_BYTES: usize = 8192;
const TAGS: usize = memory.data(8192 + 64, 16);
/** Where each of the tags ends in it; the first ones only. */
const TAG_ENDS_MAX: u32 = 64;
const TAG_ENDS: usize = memory.data(64 * 4, 16);
/** The fields of a line: where the key stands, its length, and the bits of the value; if they are recalled, the record and nothing. */
const FIELDS_MAX: u32 = 512;
const FIELD_BYTES: usize = 16;
const FIELDS: usize = memory.data(512 * 16, 16);

let settings: usize = 0;

class Stop {
  /** Where the first byte stands that may end a measurement or the value of a tag. */
  @inline
  static text(from: usize): usize {
    let p = from - 16;
    let mask: i32 = 0;
    while (mask === 0) {
      p += 16;
      const bytes = v128.load(p);
      const ends = v128.or(
        v128.or(
          v128.or(i8x16.eq(bytes, i8x16.splat(0x2c)), i8x16.eq(bytes, i8x16.splat(0x20))),
          v128.or(i8x16.eq(bytes, i8x16.splat(0x5c)), i8x16.eq(bytes, i8x16.splat(0x0a))),
        ),
        i8x16.eq(bytes, i8x16.splat(0x22)),
      );
      mask = i8x16.bitmask(ends);
    }
    return p + (ctz(mask) as usize);
  }

  /** The same for the key of a tag or field. */
  @inline
  static key(from: usize): usize {
    let p = from - 16;
    let mask: i32 = 0;
    while (mask === 0) {
      p += 16;
      const bytes = v128.load(p);
      const ends = v128.or(
        v128.or(
          v128.or(i8x16.eq(bytes, i8x16.splat(0x2c)), i8x16.eq(bytes, i8x16.splat(0x20))),
          v128.or(i8x16.eq(bytes, i8x16.splat(0x5c)), i8x16.eq(bytes, i8x16.splat(0x0a))),
        ),
        v128.or(i8x16.eq(bytes, i8x16.splat(0x22)), i8x16.eq(bytes, i8x16.splat(0x3d))),
      );
      mask = i8x16.bitmask(ends);
    }
    return p + (ctz(mask) as usize);
  }
}

// What the line at hand amounts to.
let measurementEnd: usize = 0;
let tagsEnd: usize = 0;
let tagCount: u32 = 0;
let fieldCount: u32 = 0;
/** The lengths of the keys of all fields together. */
let keysLength: usize = 0;
let timestamp: u64 = 0;

function isDbKey(key: usize, length: usize): bool {
  if (length !== (load<u32>(settings, 52) as usize)) return false;
  return memory.compare(key, load<u32>(settings, 48) as usize, length) === 0;
}

function noteTagEnd(end: usize): void {
  if (tagCount < TAG_ENDS_MAX) store<u32>(TAG_ENDS + ((tagCount as usize) << 2), end as u32);
  tagCount++;
}

/** Encodes the tags behind the measurement; returns where the fields begin, or 0. */
function readTags(start: usize): usize {
  let p = start;
  let out = TAGS;
  tagCount = 0;
  let hasDb = load<u32>(settings, 60) === 0;
  while ((load<u8>(p) as u32) === COMMA) {
    const key = p + 1;
    const keyEnd = Stop.key(key);
    if ((load<u8>(keyEnd) as u32) !== EQUALS) return 0;
    p = Stop.text(keyEnd + 1);
    const keyLength = keyEnd - key;
    const length = p - keyEnd - 1;
    if (keyLength === 0 || length === 0) continue;
    if (out + labelBytes(keyLength, length) > TAGS + TAGS_BYTES) return 0;
    out = putLabel(out, key, keyLength, keyEnd + 1, length);
    noteTagEnd(out);
    if (!hasDb) hasDb = isDbKey(key, keyLength);
  }
  if (!hasDb) {
    const length = load<u32>(settings, 60) as usize;
    if (out + length > TAGS + TAGS_BYTES) return 0;
    copy(out, load<u32>(settings, 56) as usize, length);
    out += length;
    noteTagEnd(out);
  }
  tagsEnd = out;
  return p;
}

/** The value at `p`, its bits in `decimal.value`; returns where it ends, or 0. */
function readValue(p: usize): usize {
  const end = decimal.readNumber(p);
  if (end === 0) return 0;
  const last = load<u8>(end) as u32;
  if (last !== LOWER_I && last !== LOWER_U) return end;
  const isNegative = (load<u8>(p) as u32) === MINUS;
  if (isNegative && last === LOWER_U) return 0;
  if (decimal.readDigits(p + (isNegative as usize)) !== end || decimal.value > INT64_MAX) return 0;
  const number = decimal.value as f64;
  decimal.setValue(reinterpret<u64>(isNegative && number !== 0 ? -number : number));
  return end + 1;
}

function readFields(start: usize): usize {
  let p = start - 1;
  fieldCount = 0;
  keysLength = 0;
  do {
    const key = p + 1;
    p = Stop.key(key);
    if ((load<u8>(p) as u32) !== EQUALS || p === key || fieldCount === FIELDS_MAX) return 0;
    const field = FIELDS + (fieldCount as usize) * FIELD_BYTES;
    store<u32>(field, key as u32);
    store<u32>(field, (p - key) as u32, 4);
    keysLength += p - key;
    p = readValue(p + 1);
    if (p === 0) return 0;
    store<u64>(field, decimal.value, 8);
    fieldCount++;
  } while ((load<u8>(p) as u32) === COMMA);
  return p;
}

/** The digits at `p` as milliseconds, in `timestamp`; returns where they end, or 0. */
function readTimestamp(p: usize): usize {
  const end = decimal.readDigits(p);
  if (end === 0 || decimal.value > INT64_MAX) return 0;
  const given = decimal.value;
  if (given === 0) {
    timestamp = load<u64>(settings);
    return end;
  }
  const factor = load<u64>(settings, 24);
  let milliseconds: u64;
  if (factor !== 0) {
    const units = given / load<u64>(settings, 16);
    if (units > EXACT_MAX / factor) return 0;
    milliseconds = units * factor;
  } else if (given < 100000000000) milliseconds = given * 1000;
  else if (given < 100000000000000) milliseconds = given;
  else if (given < 100000000000000000) milliseconds = given / 1000;
  else milliseconds = given / 1000000;
  if (milliseconds > EXACT_MAX) return 0;
  const trim = load<u64>(settings, 8);
  timestamp = trim === 1 ? milliseconds : milliseconds - (milliseconds % trim);
  return end;
}

/** Reads a line; returns where the next one begins, 0 when it is left to the parser. */
function readLine(start: usize): usize {
  if ((load<u8>(start) as u32) === HASH) return 0;
  let p = Stop.text(start);
  if (p === start) return 0;
  measurementEnd = p;
  p = readTags(p);
  if (p === 0 || (load<u8>(p) as u32) !== SPACE) return 0;
  while ((load<u8>(p) as u32) === SPACE) p++;
  p = readFields(p);
  return p === 0 ? 0 : readEnd(start, p);
}

/** What follows the fields: a timestamp or none; returns where the next line begins, or 0. */
function readEnd(start: usize, fieldsEnd: usize): usize {
  let p = fieldsEnd;
  while ((load<u8>(p) as u32) === SPACE) p++;
  timestamp = load<u64>(settings);
  const next = lineEnd(start, p);
  if (next !== 0) return next;
  if (p === fieldsEnd) return 0;
  p = readTimestamp(p);
  return p === 0 ? 0 : lineEnd(start, p);
}

/** Reads a line whose fields came behind those before last time as well, and writes it; returns where the next one begins, or 0. */
function recallLine(start: usize, end: usize, dst: usize): usize {
  let p = start;
  let record: usize = 0;
  let flags: u32 = recall.BEGINS;
  fieldCount = 0;
  do {
    record = recall.after(record);
    if (record === 0 || fieldCount === FIELDS_MAX) return 0;
    p = recall.match(record, p, end);
    if (p === 0) return 0;
    p = readValue(p);
    if (p === 0) return 0;
    if ((load<u8>(p) as u32) !== COMMA) flags |= recall.ENDS;
    // It may be another one when it is the only field.
    if (recall.flagsOf(record) !== flags) return 0;
    const field = FIELDS + (fieldCount as usize) * FIELD_BYTES;
    store<u32>(field, record as u32);
    store<u64>(field, decimal.value, 8);
    fieldCount++;
    flags &= ~recall.BEGINS;
  } while ((flags & recall.ENDS) === 0);
  const next = readEnd(start, p);
  if (next === 0) return 0;
  const sampleLength: usize = 12 + varintLength(timestamp);
  let at = dst - elements.message;
  recall.lookAhead(at);
  const fieldsEnd = FIELDS + (fieldCount as usize) * FIELD_BYTES;
  for (let field = FIELDS; field < fieldsEnd; field += FIELD_BYTES) {
    if (!recall.isUseful(load<u32>(field) as usize, sampleLength)) return 0;
  }
  if (!hasRoom(dst, recall.end() - at)) return 0;
  for (let field = FIELDS; field < fieldsEnd; field += FIELD_BYTES) {
    record = load<u32>(field) as usize;
    recall.put(record, at, load<u64>(field, 8), timestamp);
    const to = at + recall.sectionLengthOf(record) + sampleLength;
    recall.pass(record, start, at, to);
    countLabels(recall.labelsOf(record));
    at = to;
  }
  return next;
}

/** The tags were written here; perhaps lines before had some of them. */
function noteTags(at: usize): void {
  let tag = TAGS;
  const count = min(tagCount, TAG_ENDS_MAX);
  for (let index: u32 = 0; index < count; index++) {
    const end = load<u32>(TAG_ENDS + ((index as usize) << 2)) as usize;
    const length = end - tag;
    elements.noteLabel(at + (tag - TAGS), length, elements.hashOf(tag, length), 0, 0);
    tag = end;
  }
}

/** A series for each field; returns their end, 0 when there is no room. */
function write(out: usize, line: usize): usize {
  const flags = load<u32>(settings, 32);
  const separator = load<u32>(settings, 40) as usize;
  const separatorLength = load<u32>(settings, 44) as usize;
  const measurementLength: usize = flags & SKIP_MEASUREMENT ? 0 : measurementEnd - line;
  const isAlone = fieldCount === 1 && (flags & SKIP_SINGLE_FIELD) !== 0 && measurementLength > 0;
  const prefixLength =
    isAlone || measurementLength === 0 ? measurementLength : measurementLength + separatorLength;
  const tagsLength = tagsEnd - TAGS;
  const timestampBytes = varintLength(timestamp);
  // For all of the line: what is written counts at once.
  const each = SERIES_HEAD_BYTES_MAX + NAME_HEAD_BYTES_MAX + prefixLength + tagsLength + SAMPLE_BYTES_MAX;
  if (!hasRoom(out, (fieldCount as usize) * each + keysLength)) return 0;
  elements.write(out);
  let at = out;
  const measurementHash = elements.hashOf(line, measurementLength);
  let labelBefore: usize = 0;
  let labelEndBefore: usize = 0;
  let tagsBefore: usize = 0;
  for (let index: u32 = 0; index < fieldCount; index++) {
    const field = FIELDS + (index as usize) * FIELD_BYTES;
    const fieldLength: usize = isAlone ? 0 : (load<u32>(field, 4) as usize);
    const nameLength = prefixLength + fieldLength;
    const length = nameBytes(nameLength) + tagsLength + 12 + timestampBytes;
    const key = load<u32>(field) as usize;
    const bits = load<u64>(field, 8);
    const start = at;
    store<u8>(at, 0x0a);
    const label = putVarint(at + 1, length as u64);
    at = putNameHead(label, nameLength);
    if (measurementLength > 0) {
      copy(at, line, measurementLength);
      if (!isAlone) copy(at + measurementLength, separator, separatorLength);
      at += prefixLength;
    }
    if (fieldLength > 0) copy(at, key, fieldLength);
    at += fieldLength;
    const hash = elements.hashOf(key, fieldLength) ^ measurementHash;
    elements.noteLabel(label, at - label, hash, labelBefore, labelEndBefore);
    labelBefore = label;
    labelEndBefore = at;
    if (tagsLength > 0) {
      Block.copy(at, TAGS, tagsLength);
      if (index > 0) elements.note(at, tagsBefore, tagsLength);
      else noteTags(at);
    }
    tagsBefore = at;
    const sample = at + tagsLength;
    at = putSample(sample, bits, timestamp);
    elements.noteSample(sample, bits, timestamp, at);
    // The first field stands behind the tags, the others behind a comma.
    const flags = (index === 0 ? recall.BEGINS : 0) | (index === fieldCount - 1 ? recall.ENDS : 0);
    const text = index === 0 ? line : key - 1;
    const place = start - elements.message;
    recall.decide(text, key + load<u32>(field, 4) + 1, flags, place, tagCount + 1, sample - label);
    elements.commit(start, label - start, length);
    recall.settle(place, sample - start, at - sample, tagCount + 1);
  }
  countLabels(fieldCount * (tagCount + 1));
  return at;
}

/** Scans lines from `src` to `end`, where a line end stands; returns where the first line begins that was not taken. */
export function scanInflux(given: usize, src: usize, end: usize, dst: usize, dstEnd: usize): usize {
  settings = given;
  open(dst, dstEnd, load<u32>(given, 36));
  let p = src;
  let out = dst;
  let series: u32 = 0;
  let lines: u32 = 0;
  let rows: u32 = 0;
  while (p < end && series < SAMPLES_MAX) {
    let next = lineEnd(p, p);
    if (next === 0) {
      next = recallLine(p, end, out);
      if (next !== 0) out = elements.message + recall.end();
      else {
        next = readLine(p);
        if (next === 0) break;
        const written = write(out, p);
        if (written === 0) break;
        out = written;
      }
      series += fieldCount;
      rows++;
    }
    lines++;
    p = next;
  }
  close(dst, out, series, series, lines, rows, p < end);
  return p;
}
