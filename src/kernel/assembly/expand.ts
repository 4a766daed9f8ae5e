// biome-ignore-all lint/correctness/noPrecisionLoss: integers of AssemblyScript have 64 bits
/**
 * A remote write 2.0 Request (`proto/remote2.proto`) as the WriteRequest that everything else reads: every series with its
 * labels in full and in order, in the canonical form of `scan.ts`.
 *
 * What is wrong with the bytes refuses the request; what is wrong with one series leaves that series out, and the first of
 * them is told. Labels with an empty value are none. Metadata becomes entries of its own, by metric family, each once.
 * Created and start timestamps have no place in a WriteRequest: they are counted and left out (but for those of native
 * histograms, which go on byte for byte).
 */
import { copy, putVarint, varintLength } from './bytes';
import { Fast, MARGIN } from './fast';
import { isSound } from './histogram';
import {
  clearError,
  DOUBLE_LABEL,
  EMPTY_LABEL_NAME,
  errorCode,
  fail,
  MIXED_SERIES,
  NO_EMPTY_SYMBOL,
  NO_METRIC_NAME,
  ODD_REFS,
  OK,
  OUTPUT_TOO_LONG,
  REF_PAST_END,
  RESULT,
  storeError,
  TOO_MANY_LABELS,
  TOO_MANY_SYMBOLS,
  UNSOUND_HISTOGRAM,
} from './result';
import {
  equalBytes,
  pairOrder,
  putSymbol,
  SYMBOL_BYTES,
  sortPairs,
  symbolLength,
  symbolPtr,
} from './symbols';
import * as wire from './wire';
import { xxh64 } from './xxh64';

const SYMBOLS_FIELD: u32 = 4;
const SERIES_FIELD: u32 = 5;
const LABEL_REFS: u32 = 1;
const SAMPLES: u32 = 2;
const HISTOGRAMS: u32 = 3;
const EXEMPLARS: u32 = 4;
const METADATA: u32 = 5;
const CREATED: u32 = 6;
const START: u32 = 3;
const BYTES: u32 = 2;
/** Tag and length of most series: 128 to 16383 bytes. */
const HEAD_BYTES: usize = 3;
/** The longest sample field: `12 L 09 value 10 timestamp`. */
const SAMPLE_BYTES_MAX: usize = 2 + 1 + 8 + 1 + 10;
/** Value and timestamp of an exemplar, and the metadata's type. */
const NUMBERS_BYTES_MAX: usize = 1 + 8 + 1 + 10;
const HISTOGRAM_TYPE: u32 = 3;
const GAUGE_HISTOGRAM_TYPE: u32 = 4;
const SUMMARY_TYPE: u32 = 5;

const NAME = memory.data<u8>([0x5f, 0x5f, 0x6e, 0x61, 0x6d, 0x65, 0x5f, 0x5f]); // __name__
const NAME_BYTES: usize = 8;
const BUCKET = memory.data<u8>([0x5f, 0x62, 0x75, 0x63, 0x6b, 0x65, 0x74]); // _bucket
const COUNT = memory.data<u8>([0x5f, 0x63, 0x6f, 0x75, 0x6e, 0x74]); // _count
const GCOUNT = memory.data<u8>([0x5f, 0x67, 0x63, 0x6f, 0x75, 0x6e, 0x74]); // _gcount
const SUM = memory.data<u8>([0x5f, 0x73, 0x75, 0x6d]); // _sum
const GSUM = memory.data<u8>([0x5f, 0x67, 0x73, 0x75, 0x6d]); // _gsum

/** What a symbol holds behind what `symbols.ts` keeps: whether 16 bytes can be read there, and the metadata of a metric. */
const IS_SHORT: usize = 16;
const TOLD: usize = 24;
const SHORT_BYTES: usize = 16;
/** Name and value of a label that has one byte for each length. */
const SHORT_LABEL: usize = 124;

/** What metadata was written, by a hash: the series of a family all carry it. */
const WRITTEN_SLOTS: usize = 512;
const WRITTEN = memory.data(4096, 8);
const HASHED: u64 = 1 << 63;

let symbols: usize = 0;
let symbolCount: u32 = 0;
/** References of the labels of the series at hand, name and value, 8 bytes a label. */
let pairs: usize = 0;
let pairsMax: u32 = 0;
/** How many references there are. */
let refs: u32 = 0;
let out: usize = 0;
let outEnd: usize = 0;
let firstByte: usize = 0;

// The last series whose names were in order: most series of a request have the names of the one before.
let knownNames: usize = 0;
let knownCount: u32 = 0;
let knownNameAt: u32 = 0;

// The series at hand.
let seriesSamples: u32 = 0;
let seriesHistograms: u32 = 0;
let seriesExemplars: u32 = 0;
let metadataStart: usize = 0;
let metadataEnd: usize = 0;
/** Which of its labels is the metric name. */
let nameAt: u32 = 0;

// What was left out.
let rejectedSeries: u32 = 0;
let rejectedRows: u32 = 0;
let rejectCode: u32 = OK;
let rejectIndex: u32 = 0;
let startTimestamps: u32 = 0;

/**
 * The references of a field `0a L …` with a short length; returns its end, or 0 when there is anything unusual, and then they are
 * read again from the beginning.
 */
function readShortRefs(p: usize, end: usize): usize {
  const length = load<u8>(p, 1) as usize;
  const stop = p + 2 + length;
  if (length > 127 || stop > end || refs !== 0) return 0;
  let q = p + 2;
  let to = pairs;
  while (q < stop) {
    let ref = load<u8>(q++) as u32;
    if (ref > 127) {
      const more = load<u8>(q++) as u32;
      if (more > 127) return 0;
      ref = (ref & 127) | (more << 7);
    }
    store<u32>(to, ref);
    to += 4;
  }
  if (q !== stop) return 0;
  refs = ((to - pairs) >> 2) as u32;
  return stop;
}

function pushRef(ref: u64): void {
  if (refs < pairsMax << 1) store<u32>(pairs + ((refs as usize) << 2), ref as u32);
  refs++;
}

/** The references of a field that was checked, packed or a single one. */
function pushRefs(next: usize, end: usize, wireType: u32): void {
  let p = next;
  let stop = end;
  if (wireType === BYTES) {
    stop = wire.readLength(next, end);
    p = wire.payload;
  }
  while (p < stop) {
    const byte = load<u8>(p) as u64;
    if (byte < 128) {
      pushRef(byte);
      p++;
      continue;
    }
    p = wire.readVarint(p, stop);
    // Decoders of a uint32 take the lower bits.
    pushRef(wire.varint);
  }
}

/** A field `2a L [08 type] [18 help] [20 unit]` with small numbers: returns its end, 0 for any other. */
function readShortMetadata(p: usize, end: usize): usize {
  const length = load<u8>(p, 1) as usize;
  const stop = p + 2 + length;
  if (length > 12 || stop > end) return 0;
  let q = p + 2;
  while (q < stop) {
    const tag = load<u8>(q) as u32;
    if (tag !== 0x08 && tag !== 0x18 && tag !== 0x20) return 0;
    if (load<u8>(q, 1) < 128) q += 2;
    else if (load<u8>(q, 2) < 128) q += 3;
    else return 0;
  }
  if (q !== stop) return 0;
  metadataStart = p + 2;
  metadataEnd = stop;
  return stop;
}

/** Field by field: counts, and collects the references. False when the message is malformed. */
function readSeries(start: usize, end: usize, fastEnd: usize): bool {
  refs = 0;
  seriesSamples = 0;
  seriesHistograms = 0;
  seriesExemplars = 0;
  metadataStart = 0;
  const stop = min(end, fastEnd);
  let p = start;
  while (p < end) {
    if (p < stop && Fast.isSample(p) && Fast.end(p) <= end) {
      seriesSamples++;
      p = Fast.end(p);
      continue;
    }
    if (p < stop && (load<u8>(p) as u32) === 0x0a) {
      const next = readShortRefs(p, end);
      if (next !== 0) {
        p = next;
        continue;
      }
    }
    if (p < stop && (load<u8>(p) as u32) === 0x2a) {
      const next = readShortMetadata(p, end);
      if (next !== 0) {
        p = next;
        continue;
      }
    }
    const at = p;
    p = wire.checkField(wire.SERIES_2, p, end);
    if (p === 0) return false;
    const tag = wire.tag;
    const field = tag >> 3;
    if (field === SAMPLES) seriesSamples++;
    else if (field === HISTOGRAMS) seriesHistograms++;
    else if (field === EXEMPLARS) seriesExemplars++;
    else if (field === CREATED) startTimestamps++;
    else if (field === LABEL_REFS || field === METADATA) {
      const next = wire.readTag(at, p);
      if (field === LABEL_REFS) pushRefs(next, p, tag & 7);
      else {
        metadataEnd = wire.readLength(next, p);
        metadataStart = wire.payload;
      }
    }
  }
  return true;
}

function nameRef(pair: usize): u32 {
  return load<u32>(pair);
}

function valueRef(pair: usize): u32 {
  return load<u32>(pair, 4);
}

function symbolOf(ref: u32): usize {
  return symbols + (ref as usize) * SYMBOL_BYTES;
}

/** Whether the names are those of the series before, in the same order. */
function namesAreKnown(count: u32): bool {
  if (count !== knownCount) return false;
  for (let i: usize = 0; i < (count as usize); i++) {
    if (nameRef(pairs + (i << 3)) !== load<u32>(knownNames + (i << 2))) return false;
  }
  return true;
}

function isMetricName(symbol: usize): bool {
  return symbolLength(symbol) === NAME_BYTES && equalBytes(symbolPtr(symbol), NAME, NAME_BYTES);
}

/** Brings the names into order and finds the metric's. */
function orderNames(count: u32): u32 {
  const order = pairOrder(pairs, count, symbols);
  if (order === 0) return DOUBLE_LABEL;
  if (order > 0) {
    sortPairs(pairs, count, symbols);
    if (pairOrder(pairs, count, symbols) === 0) return DOUBLE_LABEL;
  }
  if (symbolLength(symbolOf(nameRef(pairs))) === 0) return EMPTY_LABEL_NAME;
  for (nameAt = 0; nameAt < count; nameAt++) {
    if (isMetricName(symbolOf(nameRef(pairs + ((nameAt as usize) << 3))))) break;
  }
  if (nameAt === count) return NO_METRIC_NAME;
  if (order > 0) return OK;
  knownCount = count;
  knownNameAt = nameAt;
  for (let i: usize = 0; i < (count as usize); i++) {
    store<u32>(knownNames + (i << 2), nameRef(pairs + (i << 3)));
  }
  return OK;
}

/** What is wrong with the labels of the series at hand; brings them into order. */
function checkLabels(): u32 {
  if (refs & 1) return ODD_REFS;
  const count = refs >> 1;
  if (count === 0) return NO_METRIC_NAME;
  if (count > pairsMax) return TOO_MANY_LABELS;
  for (let i: usize = 0; i < (refs as usize); i++) {
    if (load<u32>(pairs + (i << 2)) >= symbolCount) return REF_PAST_END;
  }
  if (namesAreKnown(count)) nameAt = knownNameAt;
  else {
    const wrong = orderNames(count);
    if (wrong !== OK) return wrong;
  }
  return symbolLength(symbolOf(valueRef(pairs + ((nameAt as usize) << 3)))) === 0 ? NO_METRIC_NAME : OK;
}

function hasRoom(bytes: usize, at: usize): bool {
  if (bytes <= outEnd - out) return true;
  fail(OUTPUT_TOO_LONG, at);
  return false;
}

/** Copies a symbol to where 16 bytes more may be written. */
function putShort(dst: usize, symbol: usize, length: usize): void {
  if (load<u32>(symbol, IS_SHORT) !== 0) v128.store(dst, v128.load(symbolPtr(symbol)));
  else copy(dst, symbolPtr(symbol), length);
}

/** A label with both strings, as a field of this tag; nothing where the value is empty. */
function putLabel(name: usize, value: usize, at: usize): bool {
  const n = symbolLength(name);
  const v = symbolLength(value);
  if (v === 0) return true;
  if (n + v < SHORT_LABEL && SHORT_LABEL + 32 <= outEnd - out) {
    // All lengths have one byte.
    store<u32>(out, (((n << 24) | ((n + v + 4) << 8)) as u32) | 0x000a000a);
    let d = out + 4;
    putShort(d, name, n);
    d += n;
    store<u16>(d, (0x12 | (v << 8)) as u16);
    d += 2;
    putShort(d, value, v);
    out = d + v;
    return true;
  }
  const inner: usize = varintLength(n as u64) + n + varintLength(v as u64) + v + 2;
  if (!hasRoom(6 + inner, at)) return false;
  store<u8>(out, 0x0a);
  let d = putVarint(out + 1, inner as u64);
  store<u8>(d, 0x0a);
  d = putVarint(d + 1, n as u64);
  copy(d, symbolPtr(name), n);
  d += n;
  store<u8>(d, 0x12);
  d = putVarint(d + 1, v as u64);
  copy(d, symbolPtr(value), v);
  out = d + v;
  return true;
}

function putLabels(count: u32, at: usize): bool {
  const end = pairs + ((count as usize) << 3);
  for (let pair = pairs; pair < end; pair += 8) {
    if (!putLabel(symbolOf(nameRef(pair)), symbolOf(valueRef(pair)), at)) return false;
  }
  return true;
}

/** A sample message that was checked, in its canonical form; its start timestamp has no place there. */
function putSample(start: usize, end: usize): void {
  let value: u64 = 0;
  let timestamp: u64 = 0;
  let p = start;
  while (p < end) {
    const next = wire.readTag(p, end);
    const tag = wire.tag;
    if (tag === 0x09) value = load<u64>(next);
    p = wire.checkField(wire.SAMPLE_2, p, end);
    if (tag === 0x10) {
      wire.readVarint(next, end);
      timestamp = wire.varint;
    } else if (tag >> 3 === START) startTimestamps++;
  }
  store<u16>(out, 0x12);
  store<u8>(out, 0x09, 2);
  store<u64>(out, value, 3);
  store<u8>(out, 0x10, 11);
  const d = putVarint(out + 12, timestamp);
  store<u8>(out, (d - out - 2) as u8, 1);
  out = d;
}

function putSamples(start: usize, end: usize, fastEnd: usize): bool {
  const stop = min(end, fastEnd);
  let p = start;
  while (p < end) {
    if (p < stop && Fast.isSample(p) && Fast.end(p) <= end) {
      const length = Fast.end(p) - p;
      if (!hasRoom(length, p)) return false;
      copy(out, p, length);
      out += length;
      p += length;
      continue;
    }
    const at = p;
    p = wire.checkField(wire.SERIES_2, p, end);
    if (wire.tag >> 3 !== SAMPLES) continue;
    wire.readLength(wire.readTag(at, p), p);
    if (!hasRoom(SAMPLE_BYTES_MAX, at)) return false;
    putSample(wire.payload, p);
  }
  return true;
}

/** Gives a field that was begun with `HEAD_BYTES` free before it its tag and length. */
function closeField(tag: u8, begin: usize, at: usize): bool {
  const length = out - begin - HEAD_BYTES;
  const head: usize = varintLength(length as u64) + 1;
  if (head !== HEAD_BYTES) {
    if (!hasRoom(4, at)) return false;
    memory.copy(begin + head, begin + HEAD_BYTES, length);
    out = begin + head + length;
  }
  store<u8>(begin, tag);
  putVarint(begin + 1, length as u64);
  return true;
}

function putExemplarNumbers(start: usize, end: usize, at: usize): bool {
  if (!hasRoom(NUMBERS_BYTES_MAX, at)) return false;
  let p = start;
  let value: u64 = 0;
  let timestamp: u64 = 0;
  while (p < end) {
    const next = wire.readTag(p, end);
    const tag = wire.tag;
    if (tag === 0x11) value = load<u64>(next);
    p = wire.checkField(wire.EXEMPLAR_2, p, end);
    if (tag === 0x18) {
      wire.readVarint(next, end);
      timestamp = wire.varint;
    }
  }
  store<u8>(out, 0x11);
  store<u64>(out, value, 1);
  store<u8>(out, 0x18, 9);
  out = putVarint(out + 10, timestamp);
  return true;
}

/** Collects the label references of an exemplar that was checked: what is wrong with them. */
function readExemplarLabels(start: usize, end: usize): u32 {
  refs = 0;
  let p = start;
  while (p < end) {
    const next = wire.readTag(p, end);
    const tag = wire.tag;
    p = wire.checkField(wire.EXEMPLAR_2, p, end);
    if (tag >> 3 === LABEL_REFS) pushRefs(next, p, tag & 7);
  }
  if (refs & 1) return ODD_REFS;
  if (refs >> 1 > pairsMax) return TOO_MANY_LABELS;
  for (let i: usize = 0; i < (refs as usize); i++) {
    if (load<u32>(pairs + (i << 2)) >= symbolCount) return REF_PAST_END;
  }
  return OK;
}

/** Native histograms as they came, exemplars with their labels in full. The labels of the series are written already. */
function putOthers(start: usize, end: usize): bool {
  let p = start;
  while (p < end) {
    const at = p;
    p = wire.checkField(wire.SERIES_2, p, end);
    const field = wire.tag >> 3;
    if (field !== HISTOGRAMS && field !== EXEMPLARS) continue;
    wire.readLength(wire.readTag(at, p), p);
    const from = wire.payload;
    const length = p - from;
    if (field === HISTOGRAMS) {
      if (!hasRoom(6 + length, at)) return false;
      store<u8>(out, 0x22);
      out = putVarint(out + 1, length as u64);
      copy(out, from, length);
      out += length;
      continue;
    }
    const begin = out;
    if (!hasRoom(HEAD_BYTES, at)) return false;
    out += HEAD_BYTES;
    readExemplarLabels(from, p);
    if (!putLabels(refs >> 1, at) || !putExemplarNumbers(from, p, at)) return false;
    if (!closeField(0x1a, begin, at)) return false;
  }
  return true;
}

/** What is wrong with histograms and exemplars. Uses the room for references. */
function checkOthers(start: usize, end: usize): u32 {
  if (seriesSamples !== 0 && seriesHistograms !== 0) return MIXED_SERIES;
  let p = start;
  while (p < end) {
    const at = p;
    p = wire.checkField(wire.SERIES_2, p, end);
    const field = wire.tag >> 3;
    if (field !== HISTOGRAMS && field !== EXEMPLARS) continue;
    wire.readLength(wire.readTag(at, p), p);
    const from = wire.payload;
    if (field === HISTOGRAMS) {
      if (!isSound(from, p)) return UNSOUND_HISTOGRAM;
      continue;
    }
    const wrong = readExemplarLabels(from, p);
    if (wrong !== OK) return wrong;
  }
  return OK;
}

function endsWith(ptr: usize, length: usize, suffix: usize, bytes: usize): bool {
  return length > bytes && equalBytes(ptr + length - bytes, suffix, bytes);
}

/** Bytes of the metric family in the name of one of its series. */
function familyLength(ptr: usize, length: usize, type: u32): usize {
  if (type === HISTOGRAM_TYPE || type === GAUGE_HISTOGRAM_TYPE) {
    if (endsWith(ptr, length, BUCKET, 7)) return length - 7;
  }
  if (type === GAUGE_HISTOGRAM_TYPE) {
    if (endsWith(ptr, length, GCOUNT, 7)) return length - 7;
    if (endsWith(ptr, length, GSUM, 5)) return length - 5;
  }
  if (type === HISTOGRAM_TYPE || type === SUMMARY_TYPE) {
    if (endsWith(ptr, length, COUNT, 6)) return length - 6;
    if (endsWith(ptr, length, SUM, 4)) return length - 4;
  }
  return length;
}

function putText(tag: u8, ptr: usize, length: usize): void {
  if (length === 0) return;
  store<u8>(out, tag);
  out = putVarint(out + 1, length as u64);
  copy(out, ptr, length);
  out += length;
}

/** The metadata of the series at hand as an entry of its own, if it says anything and was not told yet. */
function putMetadata(metricName: usize, at: usize): u32 {
  const length = metadataEnd - metadataStart;
  const isShort = length > 0 && length <= 8 && metadataEnd - 8 >= firstByte;
  const told = isShort ? load<u64>(metadataEnd - 8) >> ((64 - (length << 3)) as u64) : 0;
  // Most series of a request have the metric of another one.
  if (isShort && load<u64>(metricName, TOLD) === told) return OK;
  let type: u32 = 0;
  let help: u32 = 0;
  let unit: u32 = 0;
  let p = metadataStart;
  while (p < metadataEnd) {
    const next = wire.readTag(p, metadataEnd);
    const tag = wire.tag;
    p = wire.checkField(wire.METADATA_2, p, metadataEnd);
    if (tag !== 0x08 && tag !== 0x18 && tag !== 0x20) continue;
    wire.readVarint(next, metadataEnd);
    const value = wire.varint as u32;
    if (tag === 0x08) type = value;
    else if (tag === 0x18) help = value;
    else unit = value;
  }
  if (help >= symbolCount || unit >= symbolCount) return REF_PAST_END;
  if (isShort) store<u64>(metricName, told, TOLD);
  const helpSymbol = symbolOf(help);
  const unitSymbol = symbolOf(unit);
  const helpLength = symbolLength(helpSymbol);
  const unitLength = symbolLength(unitSymbol);
  if (type === 0 && helpLength === 0 && unitLength === 0) return OK;
  const name = symbolPtr(metricName);
  const family = familyLength(name, symbolLength(metricName), type);
  // Never 0, which is an empty slot.
  const hash = ((xxh64(name, family) ^ (((help as u64) << 32) | unit)) * 0x9e3779b185ebca87 + type) | HASHED;
  const slot = WRITTEN + (((hash as usize) & (WRITTEN_SLOTS - 1)) << 3);
  if (load<u64>(slot) === hash) return OK;
  const begin = out;
  if (!hasRoom(HEAD_BYTES + 24 + family + helpLength + unitLength, at)) return OK;
  store<u64>(slot, hash);
  out += HEAD_BYTES;
  if (type !== 0) {
    store<u8>(out, 0x08);
    out = putVarint(out + 1, type as u64);
  }
  putText(0x12, name, family);
  putText(0x22, symbolPtr(helpSymbol), helpLength);
  putText(0x2a, symbolPtr(unitSymbol), unitLength);
  closeField(0x1a, begin, at);
  return OK;
}

function reject(code: u32, index: u32): bool {
  if (rejectedSeries === 0) {
    rejectCode = code;
    rejectIndex = index;
  }
  rejectedSeries++;
  rejectedRows += max<u32>(1, seriesSamples + seriesHistograms);
  return true;
}

/** One series; false when the request as a whole cannot be taken. */
function expandSeries(index: u32, at: usize, start: usize, end: usize, fastEnd: usize): bool {
  if (!readSeries(start, end, fastEnd)) return false;
  const hasOthers = seriesHistograms + seriesExemplars !== 0;
  const wrong = checkLabels();
  if (wrong !== OK) return reject(wrong, index);
  const count = refs >> 1;
  const metricName = symbolOf(valueRef(pairs + ((nameAt as usize) << 3)));
  const begin = out;
  if (!hasRoom(HEAD_BYTES, at)) return false;
  out += HEAD_BYTES;
  if (!putLabels(count, at) || !putSamples(start, end, fastEnd)) return false;
  // From here on the room for references is used for those of exemplars.
  if (hasOthers) {
    const others = checkOthers(start, end);
    if (others !== OK) {
      out = begin;
      return reject(others, index);
    }
    if (!putOthers(start, end)) return false;
  }
  const isEmpty = seriesSamples + seriesHistograms + seriesExemplars === 0;
  if (isEmpty) out = begin;
  else if (!closeField(0x0a, begin, at)) return false;
  if (metadataStart !== 0) {
    const others = putMetadata(metricName, at);
    if (others !== OK) {
      out = begin;
      return reject(others, index);
    }
  }
  return errorCode === OK;
}

function addSymbol(ptr: usize, length: usize, end: usize): void {
  const symbol = symbolOf(symbolCount);
  putSymbol(symbol, ptr, length);
  if (length <= SHORT_BYTES && SHORT_BYTES <= end - ptr) store<u32>(symbol, 1, IS_SHORT);
  symbolCount++;
}

function readSymbols(src: usize, end: usize, symbolsMax: u32): bool {
  let p = src;
  while (p < end) {
    // A symbol, or a series, with a length of one or two bytes.
    if (end - p > 3) {
      const head = load<u32>(p);
      const isLong = (head & 0x8000) !== 0;
      const length = (isLong ? ((head >> 8) & 0x7f) | ((head >> 9) & 0x3f80) : (head >> 8) & 0x7f) as usize;
      const content = p + (isLong ? 3 : 2);
      if ((head & 0x808000) !== 0x808000 && length <= end - content) {
        if ((head & 0xff) === 0x2a) {
          p = content + length;
          continue;
        }
        if ((head & 0xff) === 0x22 && symbolCount !== 0 && symbolCount < symbolsMax) {
          addSymbol(content, length, end);
          p = content + length;
          continue;
        }
      }
    }
    const next = wire.readTag(p, end);
    if (next === 0) return false;
    const own = wire.tag;
    if (own >> 3 === SERIES_FIELD && (own & 7) === BYTES) {
      // Its content is looked at later.
      p = wire.readLength(next, end);
      if (p === 0) return false;
      continue;
    }
    const at = p;
    p = wire.checkField(wire.REQUEST_2, p, end);
    if (p === 0) return false;
    if (own >> 3 !== SYMBOLS_FIELD) continue;
    if (symbolCount >= symbolsMax) return fail(TOO_MANY_SYMBOLS, at) !== 0;
    wire.readLength(next, p);
    const length = p - wire.payload;
    if (symbolCount === 0 && length !== 0) return fail(NO_EMPTY_SYMBOL, at) !== 0;
    addSymbol(wire.payload, length, end);
  }
  return true;
}

/**
 * Returns 1 when `dst` holds the WriteRequest. Result: code, position, bytes written, symbols, series that were left out, rows in
 * them, why the first of them was, its index, timestamps that were left out, series.
 */
export function expandRequest(
  src: usize,
  n: usize,
  symbolTable: usize,
  symbolsMax: u32,
  pairTable: usize,
  labelsMax: u32,
  dst: usize,
  capacity: usize,
): bool {
  clearError();
  symbols = symbolTable;
  symbolCount = 0;
  pairs = pairTable;
  knownNames = pairTable + ((labelsMax as usize) << 3);
  knownCount = 0;
  pairsMax = labelsMax;
  out = dst;
  outEnd = dst + capacity;
  firstByte = src;
  rejectedSeries = 0;
  rejectedRows = 0;
  rejectCode = OK;
  rejectIndex = 0;
  startTimestamps = 0;
  memory.fill(WRITTEN, 0, WRITTEN_SLOTS << 3);
  const end = src + n;
  const fastEnd = n > MARGIN ? end - MARGIN : src;
  let series: u32 = 0;
  let p = readSymbols(src, end, symbolsMax) ? src : end;
  // A WriteRequest that is sent as a Request has none, and nothing else that is known: it must not be taken for empty.
  if (symbolCount === 0 && n !== 0 && errorCode === OK) {
    fail(NO_EMPTY_SYMBOL, src);
    p = end;
  }
  while (p < end) {
    const next = wire.readTag(p, end);
    const own = wire.tag;
    const at = p;
    if (own !== 0x2a) {
      p = wire.checkField(wire.REQUEST_2, p, end);
      continue;
    }
    p = wire.readLength(next, end);
    if (!expandSeries(series, at, wire.payload, p, fastEnd)) break;
    series++;
  }
  storeError(src);
  store<u32>(RESULT, (out - dst) as u32, 8);
  store<u32>(RESULT, symbolCount, 12);
  store<u32>(RESULT, rejectedSeries, 16);
  store<u32>(RESULT, rejectedRows, 20);
  store<u32>(RESULT, rejectCode, 24);
  store<u32>(RESULT, rejectIndex, 28);
  store<u32>(RESULT, startTimestamps, 32);
  store<u32>(RESULT, series, 36);
  return errorCode === OK;
}
