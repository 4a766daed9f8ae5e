// biome-ignore-all lint/correctness/noPrecisionLoss: integers of AssemblyScript have 64 bits
/**
 * Scanned series as a remote write 2.0 Request (`proto/remote2.proto`), in steps: `internLabels` finds the strings,
 * `describeMetric` gives metrics their metadata, `condenseSeries` and `condenseSymbols` write the two halves of the message.
 * What a step needs of the one before is in globals; the regions stay as they are in between.
 *
 * Labels go out in order and without those that have no value, as 2.0 has it. Fields of a series that 1.0 does not know are left
 * out, but for the start of its samples, which `expand.ts` puts there: every sample gets it.
 */
import { copy, putVarint, varintLength } from './bytes';
import { Fast } from './fast';
import {
  clearError,
  errorCode,
  fail,
  OK,
  OUTPUT_TOO_LONG,
  RESULT,
  storeError,
  TOO_MANY_SYMBOLS,
} from './result';
import {
  ROW_BYTES,
  ROW_EXEMPLARS,
  ROW_HISTOGRAMS,
  ROW_LABELS_LENGTH,
  ROW_LABELS_PTR,
  ROW_REST_LENGTH,
  ROW_REST_PTR,
  ROW_SAMPLE_COUNT,
  ROW_SAMPLE_START,
} from './row';
import { fingerprint } from './siphash';
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

// What a symbol holds behind what `symbols.ts` keeps. Of metric names: a chain of them, from the last one, and their metadata.
const HASH: usize = 16;
const NEXT_NAME: usize = 20;
const HELP: usize = 24;
const UNIT: usize = 28;
const TYPE: usize = 32;
/** Not 0 for metric names: 1, or the last one of the tenants that say something else of the metric. */
const IS_NAME: usize = 36;
// What a tenant says of a metric: the one before, references of the values of its two labels, and the metadata.
const TENANT_ACCOUNT: usize = 4;
const TENANT_PROJECT: usize = 8;
const TENANT_HELP: usize = 12;
const TENANT_UNIT: usize = 16;
const TENANT_TYPE: usize = 20;

const NAME = memory.data<u8>([0x5f, 0x5f, 0x6e, 0x61, 0x6d, 0x65, 0x5f, 0x5f]); // __name__
const NAME_BYTES: usize = 8;
const ACCOUNT = memory.data<u8>([
  0x76, 0x6d, 0x5f, 0x61, 0x63, 0x63, 0x6f, 0x75, 0x6e, 0x74, 0x5f, 0x69, 0x64,
]); // vm_account_id
const PROJECT = memory.data<u8>([
  0x76, 0x6d, 0x5f, 0x70, 0x72, 0x6f, 0x6a, 0x65, 0x63, 0x74, 0x5f, 0x69, 0x64,
]); // vm_project_id
const TENANT_LABEL_BYTES: usize = 13;
const FINGERPRINT = memory.data(16, 8);
/** References of a label, name and value. */
const PAIR_BYTES: usize = 8;
const REF_BYTES_MAX: usize = 5;
/** The longest sample field: `12 L 09 value 10 timestamp 18 start`. */
const SAMPLE_BYTES_MAX: usize = 2 + 1 + 8 + 1 + 10 + 1 + 10;
const SERIES_START_TAG: u32 = 0x30;
/** Tag and length of a series, of its references, and all of its metadata. */
const HEADS_BYTES_MAX: usize = 6 + 6 + 32;

/** What strings are hashed with: nobody else knows it, so nobody can make them meet. */
let key: usize = 0;
let symbols: usize = 0;
let symbolCount: u32 = 0;
let symbolsMax: u32 = 0;
/** Numbers of symbols by hash, open-addressed; 0 is free. */
let slots: usize = 0;
let slotMask: u32 = 0;
let lastName: u32 = 0;
/** The reference of `__name__`; 0 before it is met. */
let nameRef: u32 = 0;
/** Those of the labels of tenants, once somebody asks. */
let accountRef: u32 = 0;
let projectRef: u32 = 0;
let out: usize = 0;
let outEnd: usize = 0;

function symbolOf(ref: u32): usize {
  return symbols + (ref as usize) * SYMBOL_BYTES;
}

function isSymbol(ref: u32, ptr: usize, length: usize): bool {
  const symbol = symbolOf(ref);
  return symbolLength(symbol) === length && equalBytes(symbolPtr(symbol), ptr, length);
}

/** The reference of a string. When the table is full, `errorCode` says so. */
function intern(ptr: usize, length: usize): u32 {
  if (length === 0) return 0;
  fingerprint(key, ptr, length, FINGERPRINT);
  const hash = load<u32>(FINGERPRINT);
  for (let at = hash & slotMask; ; at = (at + 1) & slotMask) {
    const slot = slots + ((at as usize) << 2);
    const ref = load<u32>(slot);
    if (ref !== 0) {
      if (load<u32>(symbolOf(ref), HASH) === hash && isSymbol(ref, ptr, length)) return ref;
      continue;
    }
    if (symbolCount >= symbolsMax) {
      fail(TOO_MANY_SYMBOLS, ptr);
      return 0;
    }
    const fresh = symbolCount++;
    const symbol = symbolOf(fresh);
    putSymbol(symbol, ptr, length);
    store<u32>(symbol, hash, HASH);
    store<u32>(slot, fresh);
    return fresh;
  }
}

/** The reference of a string that was met; 0 for any other. */
function referenceOf(ptr: usize, length: usize): u32 {
  if (length === 0) return 0;
  fingerprint(key, ptr, length, FINGERPRINT);
  const hash = load<u32>(FINGERPRINT);
  let at = hash & slotMask;
  let ref = load<u32>(slots + ((at as usize) << 2));
  while (ref !== 0) {
    if (load<u32>(symbolOf(ref), HASH) === hash && isSymbol(ref, ptr, length)) break;
    at = (at + 1) & slotMask;
    ref = load<u32>(slots + ((at as usize) << 2));
  }
  return ref;
}

/** As `intern`, for what is probably the string of this reference. */
function internAs(guess: u32, ptr: usize, length: usize): u32 {
  return guess !== 0 && isSymbol(guess, ptr, length) ? guess : intern(ptr, length);
}

function isMetricName(ptr: usize, length: usize): bool {
  return length === NAME_BYTES && load<u64>(ptr) === load<u64>(NAME);
}

function noteName(ref: u32): void {
  const symbol = symbolOf(ref);
  if (ref === 0 || load<u32>(symbol, IS_NAME) !== 0) return;
  store<u32>(symbol, 1, IS_NAME);
  store<u32>(symbol, lastName, NEXT_NAME);
  lastName = ref;
}

/** References of the labels of a row behind `to`; `before` are those of the series before, which are mostly the same. */
function internRow(row: usize, to: usize, before: usize, countBefore: u32): u32 {
  let p: usize = load<u32>(row, ROW_LABELS_PTR);
  const end = p + (load<u32>(row, ROW_LABELS_LENGTH) as usize);
  let count: u32 = 0;
  // Labels are canonical: `0a len [0a len name] [12 len value]`.
  while (p < end) {
    let labelEnd: usize;
    let namePtr: usize;
    let nameLength: usize;
    let value: usize;
    let valueLength: usize;
    // It may look a little behind the labels, where there is memory in any case.
    if (Fast.isLabel(p) && Fast.end(p) <= end) {
      labelEnd = Fast.end(p);
      nameLength = load<u8>(p, 3) as usize;
      namePtr = p + 4;
      value = namePtr + nameLength + 2;
      valueLength = labelEnd - value;
    } else {
      labelEnd = wire.readLength(p + 1, end);
      p = wire.payload;
      namePtr = p;
      nameLength = 0;
      valueLength = 0;
      if (p < labelEnd && (load<u8>(p) as u32) === 0x0a) {
        p = wire.readLength(p + 1, labelEnd);
        namePtr = wire.payload;
        nameLength = p - namePtr;
      }
      value = p;
      if (p < labelEnd) {
        valueLength = wire.readLength(p + 1, labelEnd) - wire.payload;
        value = wire.payload;
      }
    }
    if (valueLength !== 0) {
      const known = count < countBefore ? before + (count as usize) * PAIR_BYTES : 0;
      const name = internAs(known === 0 ? 0 : load<u32>(known), namePtr, nameLength);
      const ref = internAs(known === 0 ? 0 : load<u32>(known, 4), value, valueLength);
      const pair = to + (count as usize) * PAIR_BYTES;
      store<u32>(pair, name);
      store<u32>(pair, ref, 4);
      count++;
      if (nameRef === 0 && isMetricName(namePtr, nameLength)) nameRef = name;
      if (name === nameRef && name !== 0) noteName(ref);
    }
    p = labelEnd;
  }
  return count;
}

/**
 * Writes for each row the number of its labels, then their references, to `refs`, which has room for 4 bytes a row and 8 a label.
 * Returns 1, or 0 when there are too many strings. Result: code, position, symbols, the last metric name.
 */
export function internLabels(
  rows: usize,
  count: u32,
  symbolTable: usize,
  symbolTableMax: u32,
  slotTable: usize,
  slotCount: u32,
  keyPtr: usize,
  refs: usize,
): bool {
  clearError();
  key = keyPtr;
  symbols = symbolTable;
  symbolsMax = symbolTableMax;
  slots = slotTable;
  slotMask = slotCount - 1;
  memory.fill(slotTable, 0, (slotCount as usize) << 2);
  putSymbol(symbols, rows, 0);
  symbolCount = 1;
  lastName = 0;
  nameRef = 0;
  accountRef = 0;
  projectRef = 0;
  let to = refs;
  let before: usize = 0;
  let countBefore: u32 = 0;
  for (let i: u32 = 0; i < count && errorCode === OK; i++) {
    const labels = internRow(rows + (i as usize) * ROW_BYTES, to + 4, before, countBefore);
    store<u32>(to, labels);
    before = to + 4;
    countBefore = labels;
    to = before + (labels as usize) * PAIR_BYTES;
  }
  storeError(rows);
  store<u32>(RESULT, symbolCount, 8);
  store<u32>(RESULT, lastName, 12);
  return errorCode === OK;
}

/** Gives the series of a metric their metadata; the texts stay where they are. Returns 0 when there are too many strings. */
export function describeMetric(
  name: u32,
  type: u32,
  help: usize,
  helpLength: usize,
  unit: usize,
  unitLength: usize,
): bool {
  const symbol = symbolOf(name);
  const helpRef = intern(help, helpLength);
  const unitRef = intern(unit, unitLength);
  if (errorCode !== OK) return false;
  store<u32>(symbol, type, TYPE);
  store<u32>(symbol, helpRef, HELP);
  store<u32>(symbol, unitRef, UNIT);
  return true;
}

/**
 * Gives those series of a metric that have these two values in the labels of tenants metadata of their own; after
 * `describeMetric`. `room` has 24 bytes for it. Returns 0 when there are too many strings.
 */
export function describeTenant(
  name: u32,
  room: usize,
  account: usize,
  accountLength: usize,
  project: usize,
  projectLength: usize,
  type: u32,
  help: usize,
  helpLength: usize,
  unit: usize,
  unitLength: usize,
): bool {
  if (accountRef === 0) accountRef = referenceOf(ACCOUNT, TENANT_LABEL_BYTES);
  if (projectRef === 0) projectRef = referenceOf(PROJECT, TENANT_LABEL_BYTES);
  const accountValue = referenceOf(account, accountLength);
  const projectValue = referenceOf(project, projectLength);
  // None of its series is here.
  if (accountRef === 0 || projectRef === 0 || accountValue === 0 || projectValue === 0) return true;
  const helpRef = intern(help, helpLength);
  const unitRef = intern(unit, unitLength);
  if (errorCode !== OK) return false;
  const symbol = symbolOf(name);
  store<u32>(room, load<u32>(symbol, IS_NAME));
  store<u32>(room, accountValue, TENANT_ACCOUNT);
  store<u32>(room, projectValue, TENANT_PROJECT);
  store<u32>(room, helpRef, TENANT_HELP);
  store<u32>(room, unitRef, TENANT_UNIT);
  store<u32>(room, type, TENANT_TYPE);
  store<u32>(symbol, room as u32, IS_NAME);
  return true;
}

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
