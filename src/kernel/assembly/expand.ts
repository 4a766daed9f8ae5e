// biome-ignore-all lint/correctness/noPrecisionLoss: integers of AssemblyScript have 64 bits
// biome-ignore-all lint/complexity/noStaticOnlyClass: only methods can be decorated
/**
 * A remote write 2.0 Request (`proto/remote2.proto`) as the WriteRequest that everything else reads: every series with its
 * labels in full and in order, in the canonical form of `scan.ts`.
 *
 * What is wrong with the bytes refuses the request; what is wrong with one series leaves that series out, and the first of
 * them is told. Labels with an empty value are none. Metadata becomes entries of its own, by metric family, each once.
 * Created and start timestamps have no place in a WriteRequest. Where somebody takes them, the one of all samples of a series
 * goes on in a field of the series that 1.0 does not know, right behind the samples (`TimeSeries` field 6, the number that
 * created_timestamp had in 2.0); `condense.ts` reads it. Others are counted and left out, but for those of native histograms,
 * which go on byte for byte.
 */
import { copy, putVarint, varintLength } from './bytes';
import { Fast, MARGIN } from './fast';
import * as request from './request-2';
import {
  clearError,
  errorCode,
  fail,
  NO_EMPTY_SYMBOL,
  OK,
  OUTPUT_TOO_LONG,
  REF_PAST_END,
  RESULT,
  storeError,
} from './result';
import { equalBytes, SYMBOL_BYTES, symbolLength, symbolPtr } from './symbols';
import * as wire from './wire';
import { xxh64 } from './xxh64';

const START: u32 = 3;
/** Of a series of the WriteRequest: a varint. */
const SERIES_START_TAG: u8 = 0x30;
/** Tag and length of most series: 128 to 16383 bytes. */
const HEAD_BYTES: usize = 3;
/** The longest sample field: `12 L 09 value 10 timestamp`. */
const SAMPLE_BYTES_MAX: usize = 2 + 1 + 8 + 1 + 10;
const START_BYTES_MAX: usize = 1 + 10;
/** Value and timestamp of an exemplar, and the metadata's type. */
const NUMBERS_BYTES_MAX: usize = 1 + 8 + 1 + 10;
const HISTOGRAM_TYPE: u32 = 3;
const GAUGE_HISTOGRAM_TYPE: u32 = 4;
const SUMMARY_TYPE: u32 = 5;

const BUCKET = memory.data<u8>([0x5f, 0x62, 0x75, 0x63, 0x6b, 0x65, 0x74]); // _bucket
const COUNT = memory.data<u8>([0x5f, 0x63, 0x6f, 0x75, 0x6e, 0x74]); // _count
const GCOUNT = memory.data<u8>([0x5f, 0x67, 0x63, 0x6f, 0x75, 0x6e, 0x74]); // _gcount
const SUM = memory.data<u8>([0x5f, 0x73, 0x75, 0x6d]); // _sum
const GSUM = memory.data<u8>([0x5f, 0x67, 0x73, 0x75, 0x6d]); // _gsum

/** Name and value of a label that has one byte for each length. */
const SHORT_LABEL: usize = 124;
const SHORT_LABEL_ROOM: usize = 160;

/** What metadata was written, by a hash: the series of a family all carry it. */
const WRITTEN_SLOTS: usize = 512;
const WRITTEN = memory.data(4096, 8);
const HASHED: u64 = 1 << 63;

let out: usize = 0;
let outEnd: usize = 0;
let firstByte: usize = 0;
let keepsStarts: bool = false;
// The series at hand: when its samples began to count, whether all say the same, and in how many fields.
let seriesStart: u64 = 0;
let hasStart: bool = false;
let startsAgree: bool = true;
let startFields: u32 = 0;
// What was left out.
let rejectedSeries: u32 = 0;
let rejectedRows: u32 = 0;
let rejectCode: u32 = OK;
let rejectIndex: u32 = 0;

function hasRoom(bytes: usize, at: usize): bool {
  if (bytes <= outEnd - out) return true;
  fail(OUTPUT_TOO_LONG, at);
  return false;
}

/** A method, because the compiler inlines what is decorated, and decorators belong to methods. */
class Short {
  /** Copies a symbol to where 16 bytes more may be written. */
  @inline
  static put(dst: usize, symbol: usize, length: usize): void {
    if (load<u32>(symbol, request.IS_SHORT) !== 0) v128.store(dst, v128.load(symbolPtr(symbol)));
    else copy(dst, symbolPtr(symbol), length);
  }
}

/** A label with both strings. */
function putLabel(name: usize, value: usize, at: usize): bool {
  const n = symbolLength(name);
  const v = symbolLength(value);
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
  const end = request.pairs + ((count as usize) << 3);
  const table = request.symbols;
  const stop = outEnd - out > SHORT_LABEL_ROOM ? outEnd - SHORT_LABEL_ROOM : 0;
  let d = out;
  for (let pair = request.pairs; pair < end; pair += 8) {
    const name = table + (request.nameRef(pair) as usize) * SYMBOL_BYTES;
    const value = table + (request.valueRef(pair) as usize) * SYMBOL_BYTES;
    const n = symbolLength(name);
    const v = symbolLength(value);
    if (v === 0) continue;
    if (n + v >= SHORT_LABEL || d > stop) {
      out = d;
      if (!putLabel(name, value, at)) return false;
      d = out;
      continue;
    }
    // All lengths have one byte.
    store<u32>(d, (((n << 24) | ((n + v + 4) << 8)) as u32) | 0x000a000a);
    d += 4;
    Short.put(d, name, n);
    d += n;
    store<u16>(d, (0x12 | (v << 8)) as u16);
    d += 2;
    Short.put(d, value, v);
    d += v;
  }
  out = d;
  return true;
}

/** What a sample says of its start; 0: nothing, so what the series says counts. */
function noteStart(own: u64): void {
  const start = own === 0 ? request.created : own;
  if (hasStart && start !== seriesStart) startsAgree = false;
  seriesStart = start;
  hasStart = true;
}

/** A sample message that was checked, in its canonical form; its start timestamp has no place there. */
function putSample(start: usize, end: usize): void {
  let value: u64 = 0;
  let timestamp: u64 = 0;
  let own: u64 = 0;
  let p = start;
  while (p < end) {
    const next = wire.readTag(p, end);
    const tag = wire.tag;
    if (tag === 0x09) value = load<u64>(next);
    p = wire.checkField(wire.SAMPLE_2, p, end);
    if (tag === 0x10) {
      wire.readVarint(next, end);
      timestamp = wire.varint;
    } else if (tag >> 3 === START) {
      wire.readVarint(next, end);
      own = wire.varint;
      startFields++;
    }
  }
  noteStart(own);
  store<u16>(out, 0x12);
  store<u8>(out, 0x09, 2);
  store<u64>(out, value, 3);
  store<u8>(out, 0x10, 11);
  const d = putVarint(out + 12, timestamp);
  store<u8>(out, (d - out - 2) as u8, 1);
  out = d;
}

function putSamples(start: usize, end: usize, fastEnd: usize): bool {
  seriesStart = 0;
  hasStart = false;
  startsAgree = true;
  startFields = 0;
  if (request.runSamples === request.seriesSamples) {
    seriesStart = request.created;
    const length: usize = request.runSamples === 0 ? 0 : request.runEnd - request.runStart;
    if (!hasRoom(length, start)) return false;
    copy(out, request.runStart, length);
    out += length;
    return true;
  }
  const stop = min(end, fastEnd);
  let p = start;
  while (p < end) {
    if (p < stop && Fast.isSample(p) && Fast.end(p) <= end) {
      const length = Fast.end(p) - p;
      if (!hasRoom(length, p)) return false;
      copy(out, p, length);
      out += length;
      p += length;
      noteStart(0);
      continue;
    }
    const at = p;
    p = wire.checkField(wire.SERIES_2, p, end);
    if (wire.tag >> 3 !== request.SAMPLES) continue;
    wire.readLength(wire.readTag(at, p), p);
    if (!hasRoom(SAMPLE_BYTES_MAX, at)) return false;
    putSample(wire.payload, p);
  }
  return true;
}

/** The start of the samples, if it is the same for all and somebody takes it. */
function putStart(at: usize): bool {
  const fields = startFields + request.createdFields;
  if (fields === 0) return true;
  if (!keepsStarts || request.seriesSamples === 0 || !startsAgree || seriesStart === 0) {
    request.leaveOutStarts(fields);
    return true;
  }
  if (!hasRoom(START_BYTES_MAX, at)) return false;
  store<u8>(out, SERIES_START_TAG);
  out = putVarint(out + 1, seriesStart);
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

/** Native histograms as they came, exemplars with their labels in full. The labels of the series are written already. */
function putOthers(start: usize, end: usize): bool {
  let p = start;
  while (p < end) {
    const at = p;
    p = wire.checkField(wire.SERIES_2, p, end);
    const field = wire.tag >> 3;
    if (field !== request.HISTOGRAMS && field !== request.EXEMPLARS) continue;
    wire.readLength(wire.readTag(at, p), p);
    const from = wire.payload;
    const length = p - from;
    if (field === request.HISTOGRAMS) {
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
    request.readExemplarLabels(from, p);
    if (!putLabels(request.refs >> 1, at) || !putExemplarNumbers(from, p, at)) return false;
    if (!closeField(0x1a, begin, at)) return false;
  }
  return true;
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
  const length = request.metadataEnd - request.metadataStart;
  const isShort = length > 0 && length <= 8 && request.metadataEnd - 8 >= firstByte;
  const told = isShort ? load<u64>(request.metadataEnd - 8) >> ((64 - (length << 3)) as u64) : 0;
  // Most series of a request have the metric of another one.
  if (isShort && load<u64>(metricName, request.TOLD) === told) return OK;
  let type: u32 = 0;
  let help: u32 = 0;
  let unit: u32 = 0;
  let p = request.metadataStart;
  while (p < request.metadataEnd) {
    const next = wire.readTag(p, request.metadataEnd);
    const tag = wire.tag;
    p = wire.checkField(wire.METADATA_2, p, request.metadataEnd);
    if (tag !== 0x08 && tag !== 0x18 && tag !== 0x20) continue;
    wire.readVarint(next, request.metadataEnd);
    const value = wire.varint as u32;
    if (tag === 0x08) type = value;
    else if (tag === 0x18) help = value;
    else unit = value;
  }
  if (help >= request.symbolCount || unit >= request.symbolCount) return REF_PAST_END;
  if (isShort) store<u64>(metricName, told, request.TOLD);
  const helpSymbol = request.symbolOf(help);
  const unitSymbol = request.symbolOf(unit);
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
  rejectedRows += max<u32>(1, request.seriesSamples + request.seriesHistograms);
  return true;
}

/** One series; false when the request as a whole cannot be taken. */
function expandSeries(index: u32, at: usize, start: usize, end: usize, fastEnd: usize): bool {
  if (!request.readSeries(start, end, fastEnd)) return false;
  const hasOthers = request.seriesHistograms + request.seriesExemplars !== 0;
  const wrong = request.checkLabels();
  if (wrong !== OK) return reject(wrong, index);
  const count = request.refs >> 1;
  const metricName = request.symbolOf(request.valueRef(request.pairs + ((request.nameAt as usize) << 3)));
  const begin = out;
  if (!hasRoom(HEAD_BYTES, at)) return false;
  out += HEAD_BYTES;
  if (!putLabels(count, at) || !putSamples(start, end, fastEnd) || !putStart(at)) return false;
  // From here on the room for references is used for those of exemplars.
  if (hasOthers) {
    const others = request.checkOthers(start, end);
    if (others !== OK) {
      out = begin;
      return reject(others, index);
    }
    if (!putOthers(start, end)) return false;
  }
  const isEmpty = request.seriesSamples + request.seriesHistograms + request.seriesExemplars === 0;
  if (isEmpty) out = begin;
  else if (!closeField(0x0a, begin, at)) return false;
  if (request.metadataStart !== 0) {
    const others = putMetadata(metricName, at);
    if (others !== OK) {
      out = begin;
      return reject(others, index);
    }
  }
  return errorCode === OK;
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
  withStarts: bool,
): bool {
  clearError();
  keepsStarts = withStarts;
  request.beginRequest(symbolTable, pairTable, labelsMax);
  out = dst;
  outEnd = dst + capacity;
  firstByte = src;
  rejectedSeries = 0;
  rejectedRows = 0;
  rejectCode = OK;
  rejectIndex = 0;
  memory.fill(WRITTEN, 0, WRITTEN_SLOTS << 3);
  const end = src + n;
  const fastEnd = n > MARGIN ? end - MARGIN : src;
  let series: u32 = 0;
  let p = request.readSymbols(src, end, symbolsMax) ? src : end;
  // A WriteRequest that is sent as a Request has none, and nothing else that is known: it must not be taken for empty.
  if (request.symbolCount === 0 && n !== 0 && errorCode === OK) {
    fail(NO_EMPTY_SYMBOL, src);
    p = end;
  }
  while (p < end) {
    const at = p;
    const short = request.shortField(p, end);
    let start = request.content;
    if (short === 0x22) {
      p = request.contentEnd;
      continue;
    }
    if (short === 0x2a) p = request.contentEnd;
    else {
      const next = wire.readTag(p, end);
      if (wire.tag !== 0x2a) {
        p = wire.checkField(wire.REQUEST_2, p, end);
        continue;
      }
      p = wire.readLength(next, end);
      start = wire.payload;
    }
    if (!expandSeries(series, at, start, p, fastEnd)) break;
    series++;
  }
  storeError(src);
  store<u32>(RESULT, (out - dst) as u32, 8);
  store<u32>(RESULT, request.symbolCount, 12);
  store<u32>(RESULT, rejectedSeries, 16);
  store<u32>(RESULT, rejectedRows, 20);
  store<u32>(RESULT, rejectCode, 24);
  store<u32>(RESULT, rejectIndex, 28);
  store<u32>(RESULT, request.startTimestamps, 32);
  store<u32>(RESULT, series, 36);
  return errorCode === OK;
}
