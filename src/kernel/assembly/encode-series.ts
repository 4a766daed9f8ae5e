/** Writes scanned series as TimeSeries fields of a WriteRequest, in their canonical form. */
import { copy, putVarint, varintLength } from './bytes';
import { judge, measurePatched, patchLabels, patchOf, putPatched } from './plan';
import { RESULT } from './result';
import {
  ROW_BYTES,
  ROW_EXEMPLARS,
  ROW_HISTOGRAMS,
  ROW_LABEL_COUNT,
  ROW_LABELS_LENGTH,
  ROW_LABELS_PTR,
  ROW_REST_LENGTH,
  ROW_REST_PTR,
  ROW_SAMPLE_COUNT,
  ROW_SAMPLE_START,
  ROW_SPAN_LENGTH,
  ROW_SPAN_PTR,
} from './row';
import { checkField, SERIES, tag } from './wire';

const ALL_SLOTS: u32 = 0xffffffff;
export const OMIT_HISTOGRAMS: u32 = 1;
export const OMIT_EXEMPLARS: u32 = 2;
/** Tag and length of a series. */
const HEAD_BYTES_MAX: u64 = 1 + 5;
/** The longest sample field: `12 L 09 value 10 timestamp`. */
const SAMPLE_BYTES_MAX: usize = 2 + 1 + 8 + 1 + 10;

/** Value and timestamp are both written even when they are 0, with their exact bits. */
function putSample(dst: usize, timestamp: u64, value: u64): usize {
  store<u16>(dst, 0x12);
  store<u8>(dst, 0x09, 2);
  store<u64>(dst, value, 3);
  store<u8>(dst, 0x10, 11);
  const end = putVarint(dst + 12, timestamp);
  store<u8>(dst, (end - dst - 2) as u8, 1);
  return end;
}

/** In 64 bits, as lengths are here: samples grow when they are written, and the sum may go beyond 32. */
function sampleBytes(timestamps: usize, count: usize): u64 {
  let sum: u64 = (count as u64) * 12;
  for (let i: usize = 0; i < count; i++) sum += varintLength(load<u64>(timestamps + (i << 3))) as u64;
  return sum;
}

/** What a series has beside labels and samples, without what is omitted: returns the bytes, and writes them unless `dst` is 0. */
function putRest(dst: usize, row: usize, omitted: u32): usize {
  let p = load<u32>(row, ROW_REST_PTR) as usize;
  const end = p + (load<u32>(row, ROW_REST_LENGTH) as usize);
  let bytes: usize = 0;
  while (p < end) {
    const next = checkField(SERIES, p, end);
    const field = tag >> 3;
    const goes =
      (field === 4 && (omitted & OMIT_HISTOGRAMS) !== 0) || (field === 3 && (omitted & OMIT_EXEMPLARS) !== 0);
    if (!goes) {
      if (dst !== 0) copy(dst + bytes, p, next - p);
      bytes += next - p;
    }
    p = next;
  }
  return bytes;
}

/** As many samples as surely fit. */
function samplesThatFit(bytes: usize, count: usize): usize {
  return min(count, bytes / SAMPLE_BYTES_MAX);
}

/**
 * Appends series from `first` on to `dst`; the face documents the rules. Result: bytes, next series, its first sample
 * that is not written, series, samples, histograms, exemplars, labels.
 */
export function encodeSeries(
  rows: usize,
  timestamps: usize,
  values: usize,
  slots: usize,
  first: usize,
  count: usize,
  slotMask: u32,
  plans: usize,
  ownerAt: usize,
  ownerBit: u32,
  formAt: usize,
  spans: bool,
  omitted: u32,
  suffixPtr: usize,
  suffixLength: usize,
  suffixLabels: u32,
  dst: usize,
  capacity: usize,
  rowsMax: u32,
  labelsMax: u32,
  firstSample: u32,
  mayCut: bool,
): void {
  const dEnd = dst + capacity;
  let d = dst;
  let series: u32 = 0;
  let samples: u32 = 0;
  let histograms: u32 = 0;
  let exemplars: u32 = 0;
  let labels: u32 = 0;
  let skip: usize = firstSample;
  let i = first;
  while (i < count && samples + histograms < rowsMax && labels < labelsMax) {
    const row = rows + i * ROW_BYTES;
    const own = load<u32>(row, ROW_SAMPLE_COUNT) as usize;
    let ownHistograms = load<u32>(row, ROW_HISTOGRAMS);
    let ownExemplars = load<u32>(row, ROW_EXEMPLARS);
    const isOmitted =
      ((omitted & OMIT_HISTOGRAMS) !== 0 && ownHistograms !== 0) ||
      ((omitted & OMIT_EXEMPLARS) !== 0 && ownExemplars !== 0);
    if (omitted & OMIT_HISTOGRAMS) ownHistograms = 0;
    if (omitted & OMIT_EXEMPLARS) ownExemplars = 0;
    const rest = isOmitted ? putRest(0, row, omitted) : (load<u32>(row, ROW_REST_LENGTH) as usize);
    const plan: usize = plans === 0 ? 0 : load<u32>(plans + (i << 2));
    const wanted =
      (slotMask === ALL_SLOTS || ((slotMask >> load<u8>(slots + i)) & 1) !== 0) &&
      (plan === 0 || judge(plan, row, ownerAt, ownerBit, formAt) === 0);
    if (!wanted || own + (ownHistograms as usize) + (ownExemplars as usize) === 0) {
      i++;
      skip = 0;
      continue;
    }
    skip = min(skip, own);
    const start = (load<u32>(row, ROW_SAMPLE_START) as usize) + skip;
    const patch: usize = plan === 0 ? 0 : patchOf(plan, formAt);
    const span = load<u32>(row, ROW_SPAN_PTR) as usize;
    if (
      spans &&
      !isOmitted &&
      patch === 0 &&
      suffixLength === 0 &&
      skip === 0 &&
      load<u32>(row, ROW_LABELS_PTR) === (span as u32)
    ) {
      // Its labels are canonical where they stand, so nothing of it was written anew: it goes on as it came.
      const bytes = load<u32>(row, ROW_SPAN_LENGTH) as usize;
      if (1 + varintLength(bytes as u64) + bytes <= dEnd - d) {
        store<u8>(d, 0x0a);
        d = putVarint(d + 1, bytes as u64);
        copy(d, span, bytes);
        d += bytes;
        series++;
        samples += own as u32;
        labels += load<u32>(row, ROW_LABEL_COUNT);
        histograms += ownHistograms;
        exemplars += ownExemplars;
        i++;
        continue;
      }
    }
    const labelBytes = load<u32>(row, ROW_LABELS_LENGTH) as usize;
    const withoutSamples =
      patch === 0
        ? (labelBytes as u64) + (suffixLength as u64)
        : (measurePatched(patch, load<u32>(row, ROW_LABELS_PTR), load<u32>(row, ROW_LABEL_COUNT)) as u64);
    let here = own - skip;
    let restHere = rest;
    let length = withoutSamples + sampleBytes(timestamps + (start << 3), here) + (rest as u64);
    if (1 + (varintLength(length) as u64) + length > ((dEnd - d) as u64)) {
      if (!mayCut || d !== dst) break;
      // Alone too long: a part of its samples goes, and what else it has goes with the last part.
      const fixed = withoutSamples + HEAD_BYTES_MAX;
      here = fixed < (capacity as u64) ? samplesThatFit(capacity - (fixed as usize), here) : 0;
      if (here === 0) break;
      restHere = 0;
      length = withoutSamples + sampleBytes(timestamps + (start << 3), here);
    }
    store<u8>(d, 0x0a);
    d = putVarint(d + 1, length);
    if (patch === 0) {
      copy(d, load<u32>(row, ROW_LABELS_PTR), labelBytes);
      d += labelBytes;
      if (suffixLength !== 0) {
        copy(d, suffixPtr, suffixLength);
        d += suffixLength;
      }
    } else d = putPatched(d, patch, plan);
    for (let k = start; k < start + here; k++) {
      d = putSample(d, load<u64>(timestamps + (k << 3)), load<u64>(values + (k << 3)));
    }
    series++;
    samples += here as u32;
    labels += patch === 0 ? load<u32>(row, ROW_LABEL_COUNT) + suffixLabels : patchLabels(patch);
    if (restHere !== rest || here < own - skip) {
      skip += here;
      break;
    }
    if (isOmitted) putRest(d, row, omitted);
    else if (rest !== 0) copy(d, load<u32>(row, ROW_REST_PTR), rest);
    d += rest;
    histograms += ownHistograms;
    exemplars += ownExemplars;
    i++;
    skip = 0;
  }
  store<u32>(RESULT, (d - dst) as u32);
  store<u32>(RESULT, i as u32, 4);
  store<u32>(RESULT, skip as u32, 8);
  store<u32>(RESULT, series, 12);
  store<u32>(RESULT, samples, 16);
  store<u32>(RESULT, histograms, 20);
  store<u32>(RESULT, exemplars, 24);
  store<u32>(RESULT, labels, 28);
}
