/**
 * Scanned series as a remote write 2.0 Request (`proto/remote2.proto`), in steps: `condense-symbols.ts` finds the strings and
 * the metadata of metrics, `condenseSeries` and `condenseSymbols` write the two halves of the message.
 *
 * Labels go out in order and without those that have no value, as 2.0 has it. Fields of a series that 1.0 does not know are left
 * out, but for the start of its samples, which `expand.ts` puts there: every sample gets it.
 */
import { copy, putVarint, varintLength } from './bytes';
import {
  accountRef,
  HELP,
  IS_NAME,
  intern,
  nameRef,
  PAIR_BYTES,
  projectRef,
  symbolCount,
  symbolOf,
  symbols,
  TENANT_ACCOUNT,
  TENANT_HELP,
  TENANT_PROJECT,
  TENANT_TYPE,
  TENANT_UNIT,
  TYPE,
  UNIT,
} from './condense-symbols';
import { clearError, errorCode, fail, OK, OUTPUT_TOO_LONG, RESULT, storeError } from './result';
import {
  ROW_BYTES,
  ROW_EXEMPLARS,
  ROW_HISTOGRAMS,
  ROW_REST_LENGTH,
  ROW_REST_PTR,
  ROW_SAMPLE_COUNT,
  ROW_SAMPLE_START,
} from './row';
import { pairOrder, sortPairs, symbolLength, symbolPtr } from './symbols';
import * as wire from './wire';

const REF_BYTES_MAX: usize = 5;
/** The longest sample field: `12 L 09 value 10 timestamp 18 start`. */
const SAMPLE_BYTES_MAX: usize = 2 + 1 + 8 + 1 + 10 + 1 + 10;
const SERIES_START_TAG: u32 = 0x30;
/** Tag and length of a series, of its references, and all of its metadata. */
const HEADS_BYTES_MAX: usize = 6 + 6 + 32;

let out: usize = 0;
let outEnd: usize = 0;

/** A packed field of references; nothing when there are none. */
function putRefs(pairs: usize, count: u32): void {
  if (count === 0) return;
  const begin = out;
  let d = out + 2;
  const end = pairs + (count as usize) * PAIR_BYTES;
  for (let at = pairs; at < end; at += 4) {
    const ref = load<u32>(at);
    if (ref < 128) store<u8>(d++, ref as u8);
    else if (ref < 16384) {
      store<u16>(d, ((ref & 127) | 128 | ((ref >> 7) << 8)) as u16);
      d += 2;
    } else d = putVarint(d, ref as u64);
  }
  out = d;
  closeField(0x0a, begin, 2);
}

function putSample(timestamp: u64, value: u64, start: u64): void {
  store<u16>(out, 0x12);
  store<u8>(out, 0x09, 2);
  store<u64>(out, value, 3);
  store<u8>(out, 0x10, 11);
  let end = putVarint(out + 12, timestamp);
  if (start !== 0) {
    store<u8>(end, 0x18);
    end = putVarint(end + 1, start);
  }
  store<u8>(out, (end - out - 2) as u8, 1);
  out = end;
}

function hasRoom(bytes: usize): bool {
  if (bytes <= outEnd - out) return true;
  fail(OUTPUT_TOO_LONG, out);
  return false;
}

/** Gives a field that was begun with `head` bytes free before it its tag and length. */
function closeField(tag: u8, begin: usize, head: usize): void {
  const length = out - begin - head;
  const own: usize = varintLength(length as u64) + 1;
  if (own !== head) {
    memory.copy(begin + own, begin + head, length);
    out = begin + own + length;
  }
  store<u8>(begin, tag);
  putVarint(begin + 1, length as u64);
}

/** References of the labels of an exemplar that was checked, to `pairs`, which is behind all that is to be written. */
function internExemplar(start: usize, end: usize, pairs: usize): u32 {
  let count: u32 = 0;
  let p = start;
  while (p < end) {
    const next = wire.readTag(p, end);
    const tag = wire.tag;
    p = wire.checkField(wire.EXEMPLAR, p, end);
    if (tag !== 0x0a) continue;
    wire.readLength(next, p);
    let name: u32 = 0;
    let value: u32 = 0;
    for (let q = wire.payload; q < p; ) {
      const content = wire.readTag(q, p);
      const field = wire.tag;
      q = wire.checkField(wire.LABEL, q, p);
      if (field !== 0x0a && field !== 0x12) continue;
      wire.readLength(content, q);
      const ref = intern(wire.payload, q - wire.payload);
      if (field === 0x0a) name = ref;
      else value = ref;
    }
    if (value === 0) continue;
    store<u32>(pairs + (count as usize) * PAIR_BYTES, name);
    store<u32>(pairs + (count as usize) * PAIR_BYTES, value, 4);
    count++;
  }
  return count;
}

function putExemplar(start: usize, end: usize): bool {
  // A label takes two bytes at least, and its references ten at most; they lie behind what may be written of the exemplar.
  const most = (((end - start) >> 1) + 1) * (2 * REF_BYTES_MAX) + 64;
  if (!hasRoom(2 * most)) return false;
  const pairs = (outEnd - most) & ~7;
  const labels = internExemplar(start, end, pairs);
  let value: u64 = 0;
  let timestamp: u64 = 0;
  let p = start;
  while (p < end) {
    const next = wire.readTag(p, end);
    const tag = wire.tag;
    if (tag === 0x11) value = load<u64>(next);
    p = wire.checkField(wire.EXEMPLAR, p, end);
    if (tag === 0x18) {
      wire.readVarint(next, end);
      timestamp = wire.varint;
    }
  }
  const begin = out;
  out += 2;
  if (pairOrder(pairs, labels, symbols) > 0) sortPairs(pairs, labels, symbols);
  putRefs(pairs, labels);
  store<u8>(out, 0x11);
  store<u64>(out, value, 1);
  store<u8>(out, 0x18, 9);
  out = putVarint(out + 10, timestamp);
  closeField(0x22, begin, 2);
  return true;
}

/** Histograms as they came and exemplars by references; exemplars come last, as the message has them. */
function putOthers(row: usize): bool {
  const start: usize = load<u32>(row, ROW_REST_PTR);
  const end = start + (load<u32>(row, ROW_REST_LENGTH) as usize);
  for (let field: u32 = 4; field >= 3; field--) {
    if (load<u32>(row + (field === 4 ? ROW_HISTOGRAMS : ROW_EXEMPLARS)) === 0) continue;
    let p = start;
    while (p < end) {
      const at = p;
      p = wire.checkField(wire.SERIES, p, end);
      if (wire.tag >> 3 !== field) continue;
      wire.readLength(wire.readTag(at, p), p);
      const from = wire.payload;
      if (field === 3) {
        if (!putExemplar(from, p)) return false;
        continue;
      }
      if (!hasRoom(6 + p - from)) return false;
      store<u8>(out, 0x1a);
      out = putVarint(out + 1, (p - from) as u64);
      copy(out, from, p - from);
      out += p - from;
    }
  }
  return true;
}

function putMetadata(pairs: usize, count: u32): void {
  let symbol: usize = 0;
  let account: u32 = 0;
  let project: u32 = 0;
  for (let at = pairs; at < pairs + (count as usize) * PAIR_BYTES; at += PAIR_BYTES) {
    const name = load<u32>(at);
    if (name === nameRef) symbol = symbolOf(load<u32>(at, 4));
    else if (name === accountRef) account = load<u32>(at, 4);
    else if (name === projectRef) project = load<u32>(at, 4);
  }
  if (symbol === 0 || nameRef === 0) return;
  let type = load<u32>(symbol, TYPE);
  let help = load<u32>(symbol, HELP);
  let unit = load<u32>(symbol, UNIT);
  for (let own: usize = load<u32>(symbol, IS_NAME); own > 1; own = load<u32>(own)) {
    if (load<u32>(own, TENANT_ACCOUNT) !== account || load<u32>(own, TENANT_PROJECT) !== project) continue;
    type = load<u32>(own, TENANT_TYPE);
    help = load<u32>(own, TENANT_HELP);
    unit = load<u32>(own, TENANT_UNIT);
    break;
  }
  if ((type | help | unit) === 0) return;
  const begin = out;
  out += 2;
  if (type !== 0) {
    store<u8>(out, 0x08);
    out = putVarint(out + 1, type as u64);
  }
  if (help !== 0) {
    store<u8>(out, 0x18);
    out = putVarint(out + 1, help as u64);
  }
  if (unit !== 0) {
    store<u8>(out, 0x20);
    out = putVarint(out + 1, unit as u64);
  }
  closeField(0x2a, begin, 2);
}

/** When the samples of a row began to count; 0: not known. */
function startOf(row: usize): u64 {
  let p: usize = load<u32>(row, ROW_REST_PTR);
  const end = p + (load<u32>(row, ROW_REST_LENGTH) as usize);
  while (p < end) {
    const at = p;
    p = wire.checkField(wire.SERIES, p, end);
    if (wire.tag !== SERIES_START_TAG) continue;
    wire.readVarint(wire.readTag(at, p), p);
    return wire.varint;
  }
  return 0;
}

function putSeries(row: usize, timestamps: usize, values: usize, pairs: usize, labels: u32): bool {
  const samples = load<u32>(row, ROW_SAMPLE_COUNT) as usize;
  const first = load<u32>(row, ROW_SAMPLE_START) as usize;
  const others = load<u32>(row, ROW_HISTOGRAMS) + load<u32>(row, ROW_EXEMPLARS);
  if (samples === 0 && others === 0) return true;
  if (!hasRoom(HEADS_BYTES_MAX + (labels as usize) * 2 * REF_BYTES_MAX + samples * SAMPLE_BYTES_MAX))
    return false;
  const order = pairOrder(pairs, labels, symbols);
  if (order > 0) sortPairs(pairs, labels, symbols);
  const begin = out;
  out += 2;
  putRefs(pairs, labels);
  const start: u64 = samples === 0 ? 0 : startOf(row);
  for (let k = first; k < first + samples; k++) {
    putSample(load<u64>(timestamps + (k << 3)), load<u64>(values + (k << 3)), start);
  }
  if (others !== 0 && !putOthers(row)) return false;
  if (!hasRoom(HEADS_BYTES_MAX)) return false;
  putMetadata(pairs, labels);
  closeField(0x2a, begin, 2);
  return true;
}

/** The series of the rows that `internLabels` has seen, as fields of a Request. Result: code, position, bytes, symbols. */
export function condenseSeries(
  rows: usize,
  count: u32,
  timestamps: usize,
  values: usize,
  refs: usize,
  dst: usize,
  capacity: usize,
): bool {
  clearError();
  out = dst;
  outEnd = dst + capacity;
  let at = refs;
  for (let i: u32 = 0; i < count && errorCode === OK; i++) {
    const labels = load<u32>(at);
    putSeries(rows + (i as usize) * ROW_BYTES, timestamps, values, at + 4, labels);
    at += 4 + (labels as usize) * PAIR_BYTES;
  }
  storeError(dst);
  store<u32>(RESULT, (out - dst) as u32, 8);
  store<u32>(RESULT, symbolCount, 12);
  return errorCode === OK;
}

/** The bytes that `condenseSymbols` writes. */
export function symbolsLength(): usize {
  let sum: usize = 0;
  for (let ref: u32 = 0; ref < symbolCount; ref++) {
    const length = symbolLength(symbolOf(ref));
    sum += varintLength(length as u64) + length + 1;
  }
  return sum;
}

/** All symbols as fields of a Request; `dst` has room for `symbolsLength` bytes. */
export function condenseSymbols(dst: usize): void {
  let d = dst;
  for (let ref: u32 = 0; ref < symbolCount; ref++) {
    const symbol = symbolOf(ref);
    const length = symbolLength(symbol);
    store<u8>(d, 0x22);
    d = putVarint(d + 1, length as u64);
    copy(d, symbolPtr(symbol), length);
    d += length;
  }
}
