/**
 * The exact, slow path through protobuf's wire format: every field of every message that `proto/remote.proto` and
 * `proto/remote2.proto` know is checked, unknown ones are skipped. The fast paths of `validate.ts`, `scan.ts` and
 * `expand.ts` come here for whatever they do not recognise. https://protobuf.dev/programming-guides/encoding/
 *
 * A function that reads returns the position behind what it read, or 0 after `fail`; values are left in globals.
 */
import {
  BAD_FIELD_NUMBER,
  BAD_PACKED_LENGTH,
  BAD_VARINT,
  BAD_WIRE_TYPE,
  fail,
  GROUP,
  LENGTH_PAST_END,
  TRUNCATED,
  WRONG_WIRE_TYPE,
} from './result';

export const REQUEST: u32 = 0;
export const SERIES: u32 = 1;
export const LABEL: u32 = 2;
export const SAMPLE: u32 = 3; // others are only reached through `KINDS`
export const EXEMPLAR: u32 = 4;
export const HISTOGRAM: u32 = 5;
export const SPAN: u32 = 7;
export const REQUEST_2: u32 = 8;
export const SERIES_2: u32 = 9;
export const SAMPLE_2: u32 = 10;
export const EXEMPLAR_2: u32 = 11;
export const METADATA_2: u32 = 12;

/** Wire types. */
const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const BYTES: u32 = 2;
const FIXED32: u32 = 5;

const FIELDS: u32 = 17; // 0 to 16, the highest number that any message uses
/**
 * What a field holds, by message and number: 0 unknown, 1 varint, 2 fixed64, 3 bytes, 4 repeated varint and 5 repeated
 * fixed64 (packed or not), 8 + m the message m.
 */
// biome-ignore format: a row per message
const KINDS = memory.data<u8>([
  0, 9, 0, 14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // 0 WriteRequest
  0, 10, 11, 12, 13, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // 1 TimeSeries
  0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // 2 Label
  0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // 3 Sample
  0, 10, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // 4 Exemplar
  0, 1, 2, 2, 1, 2, 1, 2, 15, 4, 5, 15, 4, 5, 1, 1, 5, // 5 Histogram
  0, 1, 3, 0, 3, 3, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, // 6 MetricMetadata
  0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // 7 BucketSpan
  0, 0, 0, 0, 3, 17, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // 8 v2.Request
  0, 4, 18, 13, 19, 20, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // 9 v2.TimeSeries
  0, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // 10 v2.Sample
  0, 4, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // 11 v2.Exemplar
  0, 1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // 12 v2.Metadata
]);
const KIND_VARINT: u32 = 1;
const KIND_FIXED64: u32 = 2;
const KIND_BYTES: u32 = 3;
const KIND_VARINTS: u32 = 4;
const KIND_FIXED64S: u32 = 5;
const KIND_MESSAGE: u32 = 8;

/** The tag that `readTag` read: field number << 3 | wire type. */
export let tag: u32 = 0;
/** The value that `readVarint` read. */
export let varint: u64 = 0;
/** Where the payload begins whose end `readLength` returned. */
export let payload: usize = 0;

// What `checkField` met in messages of type SERIES since `resetCounts`.
export let labels: u32 = 0;
export let samples: u32 = 0;
export let exemplars: u32 = 0;
export let histograms: u32 = 0;

export function resetCounts(): void {
  labels = 0;
  samples = 0;
  exemplars = 0;
  histograms = 0;
}

export function addFast(labelsMore: u32, samplesMore: u32): void {
  labels += labelsMore;
  samples += samplesMore;
}

export function setOthers(histogramCount: u32, exemplarCount: u32): void {
  histograms = histogramCount;
  exemplars = exemplarCount;
}

/** Any varint of up to ten bytes; bits beyond the 64th are dropped, as all decoders do. */
export function readVarint(p: usize, end: usize): usize {
  let value: u64 = 0;
  for (let i: usize = 0; i < 10; i++) {
    if (p + i >= end) return fail(TRUNCATED, p);
    const byte = load<u8>(p + i) as u64;
    value |= (byte & 127) << (i * 7);
    if (byte < 128) {
      varint = value;
      return p + i + 1;
    }
  }
  return fail(BAD_VARINT, p);
}

/** A varint of up to five bytes with a value up to `max`, as tags and lengths are. */
function readShort(p: usize, end: usize, max: u64): usize {
  const next = readVarint(p, end);
  if (next === 0) return 0;
  return next - p > 5 || varint > max ? fail(BAD_VARINT, p) : next;
}

export function readTag(p: usize, end: usize): usize {
  const next = readShort(p, end, 0xffffffff);
  if (next === 0) return 0;
  tag = varint as u32;
  return tag >> 3 === 0 ? fail(BAD_FIELD_NUMBER, p) : next;
}

/** A length and what follows it: leaves the beginning in `payload` and returns the end. */
export function readLength(p: usize, end: usize): usize {
  const next = readShort(p, end, 0x7fffffff);
  if (next === 0) return 0;
  if (varint > ((end - next) as u64)) return fail(LENGTH_PAST_END, p);
  payload = next;
  return next + (varint as usize);
}

function skipBytes(p: usize, end: usize, count: usize): usize {
  return count > end - p ? fail(TRUNCATED, p) : p + count;
}

function skipUnknown(at: usize, p: usize, end: usize, wireType: u32): usize {
  if (wireType === VARINT) return readVarint(p, end);
  if (wireType === FIXED64) return skipBytes(p, end, 8);
  if (wireType === BYTES) return readLength(p, end);
  if (wireType === FIXED32) return skipBytes(p, end, 4);
  return fail(wireType > FIXED32 ? BAD_WIRE_TYPE : GROUP, at);
}

function checkPacked(p: usize, end: usize, kind: u32): usize {
  const packedEnd = readLength(p, end);
  if (packedEnd === 0) return 0;
  let at = payload;
  if (kind === KIND_FIXED64S) return (packedEnd - at) & 7 ? fail(BAD_PACKED_LENGTH, p) : packedEnd;
  while (at < packedEnd) {
    at = readVarint(at, packedEnd);
    if (at === 0) return 0;
  }
  return packedEnd;
}

function wireTypeOf(kind: u32): u32 {
  if (kind === KIND_VARINT || kind === KIND_VARINTS) return VARINT;
  if (kind === KIND_FIXED64 || kind === KIND_FIXED64S) return FIXED64;
  return BYTES;
}

function count(field: u32): void {
  if (field === 1) labels++;
  else if (field === 2) samples++;
  else if (field === 3) exemplars++;
  else if (field === 4) histograms++;
}

/** One field of a message of this type, with everything in it; leaves its tag in `tag`. */
export function checkField(type: u32, p: usize, end: usize): usize {
  const next = readTag(p, end);
  if (next === 0) return 0;
  const own = tag;
  const field = own >> 3;
  const wireType = own & 7;
  const kind = field < FIELDS ? (load<u8>(KINDS + type * FIELDS + field) as u32) : 0;
  let after: usize;
  if (kind === 0) after = skipUnknown(p, next, end, wireType);
  else if (wireType === BYTES && (kind === KIND_VARINTS || kind === KIND_FIXED64S)) {
    after = checkPacked(next, end, kind);
  } else if (wireType !== wireTypeOf(kind)) {
    return fail(wireType === 3 || wireType === 4 ? GROUP : WRONG_WIRE_TYPE, p);
  } else if (kind >= KIND_MESSAGE) {
    after = readLength(next, end);
    if (after !== 0 && !checkMessage(kind - KIND_MESSAGE, payload, after)) return 0;
  } else if (kind === KIND_BYTES) after = readLength(next, end);
  else after = wireType === VARINT ? readVarint(next, end) : skipBytes(next, end, 8);
  if (after === 0) return 0;
  if (type === SERIES) count(field);
  tag = own;
  return after;
}

export function checkMessage(type: u32, start: usize, end: usize): bool {
  let p = start;
  while (p < end) {
    p = checkField(type, p, end);
    if (p === 0) return false;
  }
  return true;
}
