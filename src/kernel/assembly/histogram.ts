/**
 * Whether a native histogram makes sense: its spans name as many buckets as it has counts, no bucket is negative, and the
 * buckets of an integer histogram add up to its count. https://prometheus.io/docs/specs/native_histograms/
 */
import * as wire from './wire';

const COUNT_INT: u32 = 1;
const COUNT_FLOAT: u32 = 2;
const SUM: u32 = 3;
const ZERO_INT: u32 = 6;
const ZERO_FLOAT: u32 = 7;
const NEGATIVE_SPANS: u32 = 8;
const NEGATIVE_DELTAS: u32 = 9;
const NEGATIVE_COUNTS: u32 = 10;
const POSITIVE_SPANS: u32 = 11;
const POSITIVE_DELTAS: u32 = 12;
const POSITIVE_COUNTS: u32 = 13;
const SPAN_LENGTH: u32 = 0x10;
const BYTES: u32 = 2;

// Of one side, positive or negative; `addDelta` and `addCount` write them.
let running: i64 = 0;
let sum: u64 = 0;
let buckets: u64 = 0;
let isBad: bool = false;

function begin(): void {
  running = 0;
  sum = 0;
  buckets = 0;
}

function addDelta(zigzag: u64): void {
  running += ((zigzag >> 1) as i64) ^ -((zigzag & 1) as i64);
  if (running < 0) isBad = true;
  sum += running as u64;
  buckets++;
}

function addCount(bits: u64): void {
  // Not for NaN either.
  if (!(reinterpret<f64>(bits) >= 0)) isBad = true;
  buckets++;
}

/** The deltas or counts of a field that was checked: packed, or a single one. */
function addValues(next: usize, end: usize, wireType: u32, isDelta: bool): void {
  let p = next;
  let stop = end;
  if (wireType === BYTES) {
    stop = wire.readLength(next, end);
    p = wire.payload;
  }
  while (p < stop) {
    if (isDelta) {
      p = wire.readVarint(p, stop);
      addDelta(wire.varint);
    } else {
      addCount(load<u64>(p));
      p += 8;
    }
  }
}

/** The length of a span that was checked. */
function spanLength(start: usize, end: usize): u64 {
  let length: u64 = 0;
  let p = start;
  while (p < end) {
    const next = wire.readTag(p, end);
    const tag = wire.tag;
    p = wire.checkField(wire.SPAN, p, end);
    if (tag === SPAN_LENGTH) {
      wire.readVarint(next, end);
      length = wire.varint & 0xffffffff;
    }
  }
  return length;
}

/** One side of a histogram: whether its spans and buckets agree; leaves the sum of its deltas in `sum`. */
function checkSide(start: usize, end: usize, spans: u32, deltas: u32, counts: u32, isFloat: bool): bool {
  begin();
  let named: u64 = 0;
  let p = start;
  while (p < end) {
    const next = wire.readTag(p, end);
    const tag = wire.tag;
    p = wire.checkField(wire.HISTOGRAM, p, end);
    const field = tag >> 3;
    if (field === spans) {
      wire.readLength(next, p);
      named += spanLength(wire.payload, p);
    } else if (field === (isFloat ? counts : deltas)) addValues(next, p, tag & 7, !isFloat);
  }
  return named === buckets && !isBad;
}

/** `start` to `end` is a Histogram message that was checked. */
export function isSound(start: usize, end: usize): bool {
  isBad = false;
  let count: u64 = 0;
  let zero: u64 = 0;
  let isFloat = false;
  let isNan = false;
  let isZeroBad = false;
  let p = start;
  while (p < end) {
    const next = wire.readTag(p, end);
    const field = wire.tag >> 3;
    p = wire.checkField(wire.HISTOGRAM, p, end);
    // Of a count as an integer and one as a float the last one counts.
    if (field === COUNT_INT || field === ZERO_INT) {
      wire.readVarint(next, end);
      if (field === COUNT_INT) {
        count = wire.varint;
        isFloat = false;
      } else {
        zero = wire.varint;
        isZeroBad = false;
      }
    } else if (field === COUNT_FLOAT) isFloat = true;
    else if (field === SUM) isNan = Number.isNaN(load<f64>(next));
    else if (field === ZERO_FLOAT) {
      zero = 0;
      isZeroBad = !(load<f64>(next) >= 0);
    }
  }
  if (isZeroBad) return false;
  if (!checkSide(start, end, POSITIVE_SPANS, POSITIVE_DELTAS, POSITIVE_COUNTS, isFloat)) return false;
  const positive = sum;
  if (!checkSide(start, end, NEGATIVE_SPANS, NEGATIVE_DELTAS, NEGATIVE_COUNTS, isFloat)) return false;
  // Prometheus does not count observations of NaN in any bucket.
  const total = positive + sum + zero;
  return isFloat || total === count || (isNan && total < count);
}
