/**
 * Reads a remote write 2.0 Request (`proto/remote2.proto`): its symbols, and one series after another. What it has read is in globals.
 * `expand.ts` writes it anew.
 */
import { Fast } from './fast';
import { isSound } from './histogram';
import {
  DOUBLE_LABEL,
  EMPTY_LABEL_NAME,
  fail,
  MIXED_SERIES,
  NO_EMPTY_SYMBOL,
  NO_METRIC_NAME,
  ODD_REFS,
  OK,
  REF_PAST_END,
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

const SYMBOLS_FIELD: u32 = 4;
const SERIES_FIELD: u32 = 5;
/** Fields of a series. */
export const LABEL_REFS: u32 = 1;
export const SAMPLES: u32 = 2;
export const HISTOGRAMS: u32 = 3;
export const EXEMPLARS: u32 = 4;
const METADATA: u32 = 5;
const CREATED: u32 = 6;
const BYTES: u32 = 2;

const NAME = memory.data<u8>([0x5f, 0x5f, 0x6e, 0x61, 0x6d, 0x65, 0x5f, 0x5f]); // __name__
const NAME_BYTES: usize = 8;

/** What a symbol holds behind what `symbols.ts` keeps: whether 16 bytes can be read there, and, for `expand.ts`, eight more. */
export const IS_SHORT: usize = 16;
export const TOLD: usize = 24;
const SHORT_BYTES: usize = 16;

export let symbols: usize = 0;
export let symbolCount: u32 = 0;
/** References of the labels of the series at hand, name and value, 8 bytes a label. */
export let pairs: usize = 0;
let pairsMax: u32 = 0;
/** How many references there are. */
export let refs: u32 = 0;
// Of a field that `shortField` found.
export let content: usize = 0;
export let contentEnd: usize = 0;

// The last series whose names were in order: most series of a request have the names of the one before.
let knownNames: usize = 0;
let knownCount: u32 = 0;
let knownNameAt: u32 = 0;

// The series at hand.
export let seriesSamples: u32 = 0;
export let seriesHistograms: u32 = 0;
export let seriesExemplars: u32 = 0;
// Canonical samples, one right behind another: mostly these are all there are.
export let runStart: usize = 0;
export let runEnd: usize = 0;
export let runSamples: u32 = 0;
export let metadataStart: usize = 0;
export let metadataEnd: usize = 0;
/** Which of its labels is the metric name. */
export let nameAt: u32 = 0;

/** When the samples of the series began to count, and in how many fields it says so; 0: not known. */
export let created: u64 = 0;
export let createdFields: u32 = 0;

/** Timestamps that are left out. */
export let startTimestamps: u32 = 0;

export function leaveOutStarts(count: u32): void {
  startTimestamps += count;
}

/** `pairTable` has room for 12 bytes a label. */
export function beginRequest(symbolTable: usize, pairTable: usize, labelsMax: u32): void {
  symbols = symbolTable;
  symbolCount = 0;
  pairs = pairTable;
  knownNames = pairTable + ((labelsMax as usize) << 3);
  knownCount = 0;
  pairsMax = labelsMax;
  startTimestamps = 0;
}

/**
 * The references of a field `0a L …` with a short length; returns its end, or 0 when there is anything unusual, and then they are
 * read again from the beginning.
 */
function readShortRefs(p: usize, end: usize): usize {
  const length = load<u8>(p, 1) as usize;
  const stop = p + 2 + length;
  if (length > 127 || length > pairsMax << 1 || stop > end || refs !== 0) return 0;
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
export function pushRefs(next: usize, end: usize, wireType: u32): void {
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
export function readSeries(start: usize, end: usize, fastEnd: usize): bool {
  refs = 0;
  seriesSamples = 0;
  seriesHistograms = 0;
  seriesExemplars = 0;
  metadataStart = 0;
  runSamples = 0;
  created = 0;
  createdFields = 0;
  const stop = min(end, fastEnd);
  let p = start;
  while (p < end) {
    if (p < stop && Fast.isSample(p) && Fast.end(p) <= end) {
      seriesSamples++;
      if (runSamples === 0) {
        runStart = p;
        runEnd = p;
      }
      if (p === runEnd) {
        runEnd = Fast.end(p);
        runSamples++;
      }
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
    else if (field === CREATED) {
      wire.readVarint(wire.readTag(at, p), p);
      created = wire.varint;
      createdFields++;
    } else if (field === LABEL_REFS || field === METADATA) {
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

export function nameRef(pair: usize): u32 {
  return load<u32>(pair);
}

export function valueRef(pair: usize): u32 {
  return load<u32>(pair, 4);
}

export function symbolOf(ref: u32): usize {
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
export function checkLabels(): u32 {
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

/** Collects the label references of an exemplar that was checked: what is wrong with them. */
export function readExemplarLabels(start: usize, end: usize): u32 {
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

/** What is wrong with histograms and exemplars. Uses the room for references. */
export function checkOthers(start: usize, end: usize): u32 {
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

/** The tag of a field at `p` with a length of one or two bytes, whose content is from `content` to `contentEnd`; 0 for any other. */
export function shortField(p: usize, end: usize): u32 {
  if (end - p < 4) return 0;
  const head = load<u32>(p);
  if ((head & 0x808000) === 0x808000) return 0;
  const isLong = (head & 0x8000) !== 0;
  const length = (isLong ? ((head >> 8) & 0x7f) | ((head >> 9) & 0x3f80) : (head >> 8) & 0x7f) as usize;
  content = p + (isLong ? 3 : 2);
  contentEnd = content + length;
  return contentEnd > end ? 0 : head & 0xff;
}

function addSymbol(ptr: usize, length: usize, end: usize): void {
  const symbol = symbolOf(symbolCount);
  putSymbol(symbol, ptr, length);
  if (length <= SHORT_BYTES && SHORT_BYTES <= end - ptr) store<u32>(symbol, 1, IS_SHORT);
  symbolCount++;
}

export function readSymbols(src: usize, end: usize, symbolsMax: u32): bool {
  let p = src;
  while (p < end) {
    const short = shortField(p, end);
    if (short === 0x2a || (short === 0x22 && symbolCount !== 0 && symbolCount < symbolsMax)) {
      if (short === 0x22) addSymbol(content, contentEnd - content, end);
      p = contentEnd;
      continue;
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
