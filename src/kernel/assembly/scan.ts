/**
 * Takes a WriteRequest apart: a row per series (`row.ts`), the samples in two columns, the metadata fields.
 *
 * Rows point into the message where it is canonical: labels first and contiguous, each `0a len [0a len name]
 * [12 len value]` with the shortest lengths and no empty strings, then samples, then everything else. Any other series is
 * written anew into the scratch region. Bytes are checked as in `validate.ts` again, so that no input can do harm here.
 */
import { copy, putVarint, varintLength } from './bytes';
import { Fast, MARGIN } from './fast';
import { addedCount, beginRefs, endRefs, recallNext, takeRef, waiting } from './intern';
import { recalledCount, recalledLength } from './recall';
import { clearError, errorCode, fail, MIXED_SERIES, OK, OUTPUT_TOO_LONG, RESULT, storeError } from './result';
import {
  NO_REF,
  ROW_BYTES,
  ROW_EXEMPLARS,
  ROW_HISTOGRAMS,
  ROW_LABEL_COUNT,
  ROW_LABELS_LENGTH,
  ROW_LABELS_PTR,
  ROW_REF,
  ROW_REST_LENGTH,
  ROW_REST_PTR,
  ROW_SAMPLE_COUNT,
  ROW_SAMPLE_START,
  ROW_SPAN_LENGTH,
  ROW_SPAN_PTR,
} from './row';
import * as wire from './wire';

const LABEL_TAG: u32 = 0x0a;
const SAMPLE_TAG: u32 = 0x12;

// Where the columns go on, and where they end.
let timestamps: usize = 0;
let values: usize = 0;
let sampleCount: u32 = 0;
let sampleCountMax: u32 = 0;
let scratch: usize = 0;
let scratchEnd: usize = 0;

// What the series at hand amounts to; `scanSeries` and `normalise` fill it.
let labelsPtr: usize = 0;
let labelsLength: usize = 0;
let labelCount: u32 = 0;
let restPtr: usize = 0;
let restLength: usize = 0;
/** Its labels are those that are known to come after the series before. */
let isRecalled: bool = false;

function pushSample(timestamp: u64, value: u64, at: usize): bool {
  if (sampleCount >= sampleCountMax) {
    fail(OUTPUT_TOO_LONG, at);
    return false;
  }
  store<u64>(timestamps + (sampleCount << 3), timestamp);
  store<u64>(values + (sampleCount << 3), value);
  sampleCount++;
  return true;
}

/** Any sample message that was checked; the last of repeated fields counts. */
function pushSampleMessage(start: usize, end: usize): bool {
  let p = start;
  let timestamp: u64 = 0;
  let value: u64 = 0;
  while (p < end) {
    const next = wire.readTag(p, end);
    const tag = wire.tag;
    if (tag === 0x09) value = load<u64>(next);
    p = wire.checkField(wire.SAMPLE, p, end);
    if (tag === 0x10) {
      wire.readVarint(next, end);
      timestamp = wire.varint;
    }
  }
  return pushSample(timestamp, value, start);
}

/** Whether a label field that was checked is canonical. */
function isCanonicalLabel(field: usize, end: usize): bool {
  wire.readLength(field + 1, end);
  let p = wire.payload;
  if (p - field - 1 !== varintLength((end - p) as u64)) return false;
  for (let tag: u32 = 0x0a; tag <= 0x12 && p < end; tag += 8) {
    if ((load<u8>(p) as u32) !== tag) continue;
    const next = wire.readLength(p + 1, end);
    const length = next - wire.payload;
    if (next === 0 || length === 0 || wire.payload - p - 1 !== varintLength(length as u64)) return false;
    p = next;
  }
  return p === end;
}

/** Writes a label message that was checked, in its canonical form. */
function putLabel(dst: usize, start: usize, end: usize): usize {
  let namePtr: usize = 0;
  let name: usize = 0;
  let valuePtr: usize = 0;
  let value: usize = 0;
  let p = start;
  while (p < end) {
    const next = wire.readTag(p, end);
    const tag = wire.tag;
    p = wire.checkField(wire.LABEL, p, end);
    if (tag === 0x0a) {
      name = wire.readLength(next, end) - wire.payload;
      namePtr = wire.payload;
    } else if (tag === 0x12) {
      value = wire.readLength(next, end) - wire.payload;
      valuePtr = wire.payload;
    }
  }
  const nameField: usize = name === 0 ? 0 : varintLength(name as u64) + name + 1;
  const valueField: usize = value === 0 ? 0 : varintLength(value as u64) + value + 1;
  store<u8>(dst, LABEL_TAG);
  let d = putVarint(dst + 1, (nameField + valueField) as u64);
  if (name !== 0) d = putString(d, 0x0a, namePtr, name);
  if (value !== 0) d = putString(d, 0x12, valuePtr, value);
  return d;
}

function putString(dst: usize, tag: u32, ptr: usize, length: usize): usize {
  store<u8>(dst, tag);
  const d = putVarint(dst + 1, length as u64);
  copy(d, ptr, length);
  return d + length;
}

/** Writes a series that was checked anew into the scratch region; samples are pushed. */
function normalise(start: usize, end: usize): bool {
  // The canonical form of every field is at most as long as the field.
  if (end - start > scratchEnd - scratch) {
    fail(OUTPUT_TOO_LONG, start);
    return false;
  }
  labelCount = 0;
  labelsPtr = scratch;
  let d = scratch;
  for (let p = start; p < end; ) {
    const next = wire.readTag(p, end);
    const field = wire.tag >> 3;
    p = wire.checkField(wire.SERIES, p, end);
    if (field > 2) continue;
    const messageEnd = wire.readLength(next, end);
    if (field === 1) {
      d = putLabel(d, wire.payload, messageEnd);
      labelCount++;
    } else if (!pushSampleMessage(wire.payload, messageEnd)) return false;
  }
  labelsLength = d - labelsPtr;
  restPtr = d;
  for (let p = start; p < end; ) {
    const next = wire.checkField(wire.SERIES, p, end);
    if (wire.tag >> 3 > 2) {
      copy(d, p, next - p);
      d += next - p;
    }
    p = next;
  }
  restLength = d - restPtr;
  scratch = d;
  return true;
}

/** The labels at the beginning of a series: returns where they end, 0 when one is malformed or not canonical. */
function scanLabels(start: usize, end: usize, stop: usize): usize {
  let q = start;
  let labels: u32 = 0;
  while (q < end) {
    if (q < stop && Fast.isLabel(q) && Fast.labelIsFull(q) && Fast.end(q) <= end) {
      q = Fast.end(q);
    } else {
      if ((load<u8>(q) as u32) !== LABEL_TAG) break;
      const next = wire.checkField(wire.SERIES, q, end);
      if (next === 0 || !isCanonicalLabel(q, next)) return 0;
      q = next;
    }
    labels++;
  }
  labelsPtr = start;
  labelsLength = q - start;
  labelCount = labels;
  return q;
}

/** The samples behind the labels: returns where they end, 0 when one is malformed. */
function scanSamples(start: usize, end: usize, stop: usize): usize {
  let q = start;
  while (q < end && (load<u8>(q) as u32) === SAMPLE_TAG) {
    let next: usize;
    if (q < stop && Fast.isSample(q) && Fast.end(q) <= end) {
      next = Fast.end(q);
      if (!pushSample(Fast.sampleTimestamp(q, next), Fast.sampleValue(q), q)) return 0;
    } else {
      next = wire.checkField(wire.SERIES, q, end);
      if (next === 0) return 0;
      wire.readLength(q + 1, end);
      if (!pushSampleMessage(wire.payload, next)) return 0;
    }
    q = next;
  }
  return q;
}

/** The labels of a series that came after the one before already: returns where they end, 0 when they are others. */
function recallLabels(series: u32, start: usize, end: usize): usize {
  const q = recallNext(series, start, end);
  isRecalled = q !== 0;
  labelsPtr = start;
  labelsLength = recalledLength;
  labelCount = recalledCount;
  return q;
}

function scanSeries(series: u32, start: usize, end: usize, fastEnd: usize): bool {
  const samplesBefore = sampleCount;
  const stop = min(end, fastEnd);
  let q = recallLabels(series, start, end);
  if (q === 0) q = scanLabels(start, end, stop);
  if (q === 0) return renew(start, end, samplesBefore);
  q = scanSamples(q, end, stop);
  if (q === 0) return false;
  restPtr = q;
  restLength = end - q;
  while (q < end) {
    q = wire.checkField(wire.SERIES, q, end);
    if (q === 0) return false;
    if (wire.tag >> 3 <= 2) return renew(start, end, samplesBefore);
  }
  return true;
}

/** Checks the whole series, as only a part of it has been seen, and normalises it. */
function renew(start: usize, end: usize, samplesBefore: u32): bool {
  sampleCount = samplesBefore;
  isRecalled = false;
  wire.resetCounts();
  if (!wire.checkMessage(wire.SERIES, start, end)) return false;
  // `normalise` runs over the fields again, and would count them again.
  const histograms = wire.histograms;
  const exemplars = wire.exemplars;
  const done = normalise(start, end);
  wire.setOthers(histograms, exemplars);
  return done;
}

function storeRow(row: usize, start: usize, end: usize, samplesBefore: u32): void {
  store<u32>(row, NO_REF, ROW_REF);
  store<u32>(row, start as u32, ROW_SPAN_PTR);
  store<u32>(row, (end - start) as u32, ROW_SPAN_LENGTH);
  store<u32>(row, labelsPtr as u32, ROW_LABELS_PTR);
  store<u32>(row, labelsLength as u32, ROW_LABELS_LENGTH);
  store<u32>(row, restPtr as u32, ROW_REST_PTR);
  store<u32>(row, restLength as u32, ROW_REST_LENGTH);
  store<u32>(row, samplesBefore, ROW_SAMPLE_START);
  store<u32>(row, sampleCount - samplesBefore, ROW_SAMPLE_COUNT);
  store<u32>(row, labelCount, ROW_LABEL_COUNT);
  store<u32>(row, wire.histograms, ROW_HISTOGRAMS);
  store<u32>(row, wire.exemplars, ROW_EXEMPLARS);
}

/**
 * Returns 1 when the message was taken apart; 0 when it is malformed or does not fit the columns. `addedPtr` gets the indices
 * of series that are new in the table; `tablePtr` 0: there is none. Result: code, position, series, samples, metadata fields,
 * histograms, exemplars, labels, series with samples, series with any of samples, histograms and exemplars, new series, and
 * the first row that the table has no room for.
 */
export function scanWriteRequest(
  src: usize,
  n: usize,
  rows: usize,
  rowsMax: u32,
  timestampColumn: usize,
  valueColumn: usize,
  samplesMax: u32,
  metadata: usize,
  metadataMax: u32,
  scratchPtr: usize,
  scratchBytes: usize,
  tablePtr: usize,
  identityPtr: usize,
  identityLength: usize,
  addedPtr: usize,
): bool {
  clearError();
  beginRefs(tablePtr, identityPtr, identityLength, addedPtr, src, src + n);
  timestamps = timestampColumn;
  values = valueColumn;
  sampleCount = 0;
  sampleCountMax = samplesMax;
  scratch = scratchPtr;
  scratchEnd = scratchPtr + scratchBytes;
  const end = src + n;
  const fastEnd = n > MARGIN ? end - MARGIN : src;
  let series: u32 = 0;
  let metadataCount: u32 = 0;
  let labels: u32 = 0;
  let histograms: u32 = 0;
  let exemplars: u32 = 0;
  let withSamples: u32 = 0;
  let withData: u32 = 0;
  let p = src;
  while (p < end) {
    const length = p < fastEnd ? Fast.seriesLength(p) : 0;
    let start = p + 3;
    let seriesEnd = start + length;
    if (length === 0 || length > end - start) {
      start = wire.readTag(p, end);
      if (start === 0) break;
      if (wire.tag === 0x0a) {
        seriesEnd = wire.readLength(start, end);
        if (seriesEnd === 0) break;
        start = wire.payload;
      } else seriesEnd = 0;
    }
    if (seriesEnd !== 0) {
      if (series >= rowsMax) {
        fail(OUTPUT_TOO_LONG, p);
        break;
      }
      const samplesBefore = sampleCount;
      wire.resetCounts();
      if (!scanSeries(series, start, seriesEnd, fastEnd)) break;
      const hasSamples = sampleCount !== samplesBefore;
      if (hasSamples && wire.histograms !== 0) {
        fail(MIXED_SERIES, p);
        break;
      }
      labels += labelCount;
      histograms += wire.histograms;
      exemplars += wire.exemplars;
      if (hasSamples) withSamples++;
      if (hasSamples || wire.histograms !== 0 || wire.exemplars !== 0) withData++;
      storeRow(rows + (series as usize) * ROW_BYTES, start, seriesEnd, samplesBefore);
      if (tablePtr !== 0) takeRef(rows, series, isRecalled);
      series++;
      p = seriesEnd;
      continue;
    }
    const at = p;
    p = wire.checkField(wire.REQUEST, p, end);
    if (p === 0) break;
    if (wire.tag !== 0x1a) continue;
    if (metadataCount >= metadataMax) {
      fail(OUTPUT_TOO_LONG, at);
      break;
    }
    store<u32>(metadata + (metadataCount << 3), at as u32);
    store<u32>(metadata + (metadataCount << 3), (p - at) as u32, 4);
    metadataCount++;
  }
  if (tablePtr !== 0 && errorCode === OK) endRefs(rows, series);
  storeError(src);
  store<u32>(RESULT, series, 8);
  store<u32>(RESULT, sampleCount, 12);
  store<u32>(RESULT, metadataCount, 16);
  store<u32>(RESULT, histograms, 20);
  store<u32>(RESULT, exemplars, 24);
  store<u32>(RESULT, labels, 28);
  store<u32>(RESULT, withSamples, 32);
  store<u32>(RESULT, withData, 36);
  store<u32>(RESULT, addedCount as u32, 40);
  store<u32>(RESULT, waiting, 44);
  return errorCode === OK;
}
