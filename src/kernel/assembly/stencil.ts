/**
 * Writes series that were written before as elements of a snappy stream, without their uncompressed bytes.
 *
 * A series of one sample is `0a L section value 10 timestamp`: its *section* is the encoded labels and the `12 10 09` behind
 * them, always the same. Each has a *stencil*: the elements that make the section out of sections of other series before it in the
 * stream (its sources), as `stencil-learn.ts` found them. Senders repeat their series in the same order, so the sources stand
 * where they stood and the stencil is copied as it is; otherwise its copies are moved to where they are now, or become literals. The
 * 16 bytes between two sections are compared with those between the two sections before.
 * https://github.com/google/snappy/blob/main/format_description.txt
 */
import { copy, varintLength } from './bytes';
import { encodeSeries } from './encode-series';
import { measurePatched, patchLabels, patchOf, putPatched } from './plan';
import { RESULT } from './result';
import {
  ROW_BYTES,
  ROW_LABEL_COUNT,
  ROW_LABELS_LENGTH,
  ROW_LABELS_PTR,
  ROW_REF,
  ROW_SAMPLE_START,
} from './row';
import { encodeElements } from './snappy-encode';
import {
  BLOCK_POSITION,
  CODE,
  CODE_COPIES,
  CODE_END,
  CODE_HEAD_BYTES,
  CODE_LENGTH,
  CODE_MISSES,
  CODE_SOURCES,
  DISTANCE_MAX,
  HEADER_BYTES,
  HEADER_CODE,
  HEADER_COUNT,
  HEADER_LABELS,
  HEADER_SECTION,
  HEADERS,
  LEARNER,
  ODD,
  POSITION,
  POSITION_MASK,
  SAMPLE_BYTES,
  SECTION_BYTES_MAX,
  SEEN,
  SOURCE_BYTES,
  UNSEEN,
  UNUSED,
} from './stencil-layout';
import { CODE_ROOM_BYTES, endsWith, keep, learn, offer, roomFor } from './stencil-learn';
import { isPlain, noteSeen } from './stencil-list';
import {
  beginElements,
  hasBetween,
  isInPlace,
  missed,
  putCode,
  putHead,
  putLast,
  putMoved,
  setSample,
} from './stencil-write';

const ALL_SLOTS: u32 = 0xffffffff;
/** Behind the labels in a section: tag and length of the sample, tag of its value. */
const SECTION_TAIL: u32 = 0x091012;
const SECTION_TAIL_BYTES: usize = 3;
const LABELS_MAX: u32 = 0xffff;

/** What is written of a series beside its code: the bytes before the section, with tags. */
const BETWEEN_BYTES_MAX: usize = 48;
/** Sections before the one at hand that it may have parts of. */
const LOOK_BACK: usize = 16;
const MISSES_MAX: u8 = 4;

/** Why `stencilSeries` stopped. */
const DONE: u32 = 0;
/** The next series does not fit into `dst`. */
const FULL: u32 = 1;
/** The room for codes is used up. */
const CODES_FULL: u32 = 2;
/** The next series does not fit into the scratch region. */
const TOO_LONG: u32 = 3;
/** The next series would go beyond a limit of the block. */
const LIMIT: u32 = 4;

/** Bytes of the section that a row has at a destination; 0 when it has none that a stencil can be made of. */
function measureSection(
  row: usize,
  plan: usize,
  formAt: usize,
  suffixLength: usize,
  suffixLabels: u32,
): usize {
  const patch: usize = plan === 0 ? 0 : patchOf(plan, formAt);
  const ownLabels = load<u32>(row, ROW_LABEL_COUNT);
  let bytes = (load<u32>(row, ROW_LABELS_LENGTH) as usize) + suffixLength;
  sectionLabels = ownLabels + suffixLabels;
  if (patch !== 0) {
    bytes = measurePatched(patch, load<u32>(row, ROW_LABELS_PTR), ownLabels);
    sectionLabels = patchLabels(patch);
  }
  bytes += SECTION_TAIL_BYTES;
  return bytes > SECTION_BYTES_MAX || sectionLabels > LABELS_MAX ? 0 : bytes;
}

let sectionLabels: u32 = 0;

/** Writes the section that was measured last. */
function putSection(
  dst: usize,
  row: usize,
  plan: usize,
  formAt: usize,
  suffixPtr: usize,
  suffixLength: usize,
): void {
  const patch: usize = plan === 0 ? 0 : patchOf(plan, formAt);
  let d = dst;
  if (patch !== 0) d = putPatched(d, patch, plan);
  else {
    const bytes = load<u32>(row, ROW_LABELS_LENGTH) as usize;
    copy(d, load<u32>(row, ROW_LABELS_PTR), bytes);
    copy(d + bytes, suffixPtr, suffixLength);
    d += bytes + suffixLength;
  }
  store<u32>(d, SECTION_TAIL);
}

function hasCode(headers: usize, headerCount: u32, ref: u32): bool {
  return ref < headerCount && load<u32>(headers + (ref as usize) * HEADER_BYTES, HEADER_CODE) > ODD;
}

/** Puts sections before the one at hand into the learner, so that it may have parts of them. */
function lookBack(
  stencils: usize,
  rows: usize,
  list: usize,
  nth: usize,
  plans: usize,
  formAt: usize,
  suffixPtr: usize,
  suffixLength: usize,
): void {
  const learner = load<u32>(stencils, LEARNER) as usize;
  const headers = load<u32>(stencils, HEADERS) as usize;
  const headerCount = load<u32>(stencils, HEADER_COUNT);
  const first = nth > LOOK_BACK ? nth - LOOK_BACK : 0;
  for (let k = nth; k > first; k--) {
    const ref = load<u32>(rows + (load<u32>(list + ((k - 1) << 2)) as usize) * ROW_BYTES, ROW_REF);
    if (!hasCode(headers, headerCount, ref)) continue;
    if (endsWith(learner, ref)) return;
    break;
  }
  for (let k = first; k < nth; k++) {
    const i = load<u32>(list + (k << 2)) as usize;
    const row = rows + i * ROW_BYTES;
    const ref = load<u32>(row, ROW_REF);
    if (!hasCode(headers, headerCount, ref)) continue;
    const plan: usize = plans === 0 ? 0 : load<u32>(plans + (i << 2));
    const bytes = measureSection(row, plan, formAt, suffixLength, 0);
    if (bytes === 0) continue;
    putSection(roomFor(learner, bytes), row, plan, formAt, suffixPtr, suffixLength);
    keep(learner, ref, bytes);
    offer(learner);
  }
}

/**
 * Writes the series of the list from `nth` on as elements to `dst`. Result: bytes, next of the list, uncompressed bytes, series,
 * samples, histograms, exemplars, labels, why it stopped.
 */
export function stencilSeries(
  stencils: usize,
  rows: usize,
  timestamps: usize,
  values: usize,
  list: usize,
  nth: usize,
  listed: usize,
  plans: usize,
  ownerAt: usize,
  ownerBit: u32,
  formAt: usize,
  omitted: u32,
  suffixPtr: usize,
  suffixLength: usize,
  suffixLabels: u32,
  scratch: usize,
  scratchBytes: usize,
  dst: usize,
  capacity: usize,
  rawCapacity: usize,
  rowsMax: u32,
  labelsMax: u32,
): void {
  const headers = load<u32>(stencils, HEADERS) as usize;
  const headerCount = load<u32>(stencils, HEADER_COUNT);
  const learner = load<u32>(stencils, LEARNER) as usize;
  const start = load<u64>(stencils, POSITION);
  const rawEnd = start + (rawCapacity as u64);
  const dEnd = dst + capacity;
  let position = start;
  let d = dst;
  let series: u32 = 0;
  let samples: u32 = 0;
  let histograms: u32 = 0;
  let exemplars: u32 = 0;
  let labels: u32 = 0;
  let reason = DONE;
  beginElements();
  /** Bytes in the scratch region that are still to be compressed. */
  let full: usize = 0;
  let k = nth;
  for (; k < listed; k++) {
    if (samples + histograms >= rowsMax || labels >= labelsMax) {
      reason = LIMIT;
      break;
    }
    const i = load<u32>(list + (k << 2)) as usize;
    const row = rows + i * ROW_BYTES;
    const ref = load<u32>(row, ROW_REF);
    const header = headers + (ref as usize) * HEADER_BYTES;
    const sample = (load<u32>(row, ROW_SAMPLE_START) as usize) << 3;
    let code: u32 = isPlain(row, headerCount, timestamps) ? load<u32>(header, HEADER_CODE) : ODD;
    const plan: usize = plans === 0 ? 0 : load<u32>(plans + (i << 2));
    if (code === SEEN && load<u32>(stencils, CODE_END) === 0) code = ODD;
    if (code === SEEN) {
      const bytes = measureSection(row, plan, formAt, suffixLength, suffixLabels);
      if (bytes === 0) {
        store<u32>(header, ODD, HEADER_CODE);
        code = ODD;
      } else {
        store<u16>(header, bytes as u16, HEADER_SECTION);
        store<u16>(header, sectionLabels as u16, HEADER_LABELS);
      }
    }
    if (code === ODD || code === UNSEEN) {
      // In full; neighbours are compressed together.
      const held = hasBetween ? position + SAMPLE_BYTES : position;
      const left = (rawEnd - min(rawEnd, held)) as usize;
      encodeSeries(
        rows,
        timestamps,
        values,
        0,
        i,
        i + 1,
        ALL_SLOTS,
        plans,
        ownerAt,
        ownerBit,
        formAt,
        false,
        omitted,
        suffixPtr,
        suffixLength,
        suffixLabels,
        scratch + full,
        min(scratchBytes - full, left),
        rowsMax,
        labelsMax,
        0,
        false,
      );
      const bytes = load<u32>(RESULT) as usize;
      const isWritten = load<u32>(RESULT, 4) !== (i as u32);
      if (!isWritten && left <= scratchBytes - full) {
        reason = LIMIT;
        break;
      }
      const together = full + bytes;
      if (!isWritten || together + together / 6 + 32 + BETWEEN_BYTES_MAX > dEnd - d) {
        if (full === 0) {
          reason = isWritten ? FULL : TOO_LONG;
          break;
        }
        d = encodeElements(scratch, full, d);
        full = 0;
        k--;
        continue;
      }
      if (code === UNSEEN) noteSeen(stencils, ref);
      if (bytes === 0) continue;
      d = putLast(d);
      full = together;
      position = held + (bytes as u64);
      series += load<u32>(RESULT, 12);
      samples += load<u32>(RESULT, 16);
      histograms += load<u32>(RESULT, 20);
      exemplars += load<u32>(RESULT, 24);
      labels += load<u32>(RESULT, 28);
      continue;
    }
    if (full > 0) {
      d = encodeElements(scratch, full, d);
      full = 0;
    }
    const section = load<u16>(header, HEADER_SECTION) as usize;
    const length = section + SAMPLE_BYTES;
    // Where the 16 bytes before the series' length begin, of which the last series owns all but one.
    const head = position;
    const headBytes = (hasBetween ? SAMPLE_BYTES : 0) + 1 + varintLength(length as u64);
    const sectionPosition = head + (headBytes as u64);
    if (sectionPosition + (length as u64) > rawEnd) {
      reason = LIMIT;
      break;
    }
    const codeBytes: usize = code === SEEN ? section : max(section, load<u16>(code, CODE_LENGTH) as usize);
    if (codeBytes + codeBytes / 2 + BETWEEN_BYTES_MAX + 32 > dEnd - d) {
      reason = FULL;
      break;
    }
    if (code === SEEN || load<u8>(code, CODE_MISSES) >= MISSES_MAX) {
      const at = load<u32>(stencils, CODE) as usize;
      if (at + section + section / 3 + CODE_ROOM_BYTES > (load<u32>(stencils, CODE_END) as usize)) {
        if (code === SEEN) {
          reason = CODES_FULL;
          break;
        }
        store<u8>(code, 0, CODE_MISSES);
      } else {
        lookBack(stencils, rows, list, k, plans, formAt, suffixPtr, suffixLength);
        measureSection(row, plan, formAt, suffixLength, suffixLabels);
        putSection(roomFor(learner, section), row, plan, formAt, suffixPtr, suffixLength);
        keep(learner, ref, section);
        const end = learn(learner, headers, sectionPosition, at);
        offer(learner);
        if (code !== SEEN) store<u32>(stencils, load<u32>(stencils, UNUSED) + codeSize(code), UNUSED);
        code = at as u32;
        store<u32>(header, code, HEADER_CODE);
        store<u32>(stencils, ((end + 7) & ~7) as u32, CODE);
      }
    }
    d = putHead(d, length, head);
    if (isInPlace(code, headers, sectionPosition)) d = putCode(d, code);
    else {
      measureSection(row, plan, formAt, suffixLength, suffixLabels);
      putSection(scratch, row, plan, formAt, suffixPtr, suffixLength);
      d = putMoved(d, code, headers, sectionPosition, scratch);
      if (missed && sectionPosition - load<u64>(stencils, BLOCK_POSITION) > DISTANCE_MAX) {
        store<u8>(code, load<u8>(code, CODE_MISSES) + 1, CODE_MISSES);
      }
    }
    const generation = load<u64>(header) & ~POSITION_MASK;
    store<u64>(header, generation | sectionPosition);
    position = sectionPosition + (section as u64);
    setSample(load<u64>(values + sample), load<u64>(timestamps + sample));
    series++;
    samples++;
    labels += load<u16>(header, HEADER_LABELS);
  }
  if (full > 0) d = encodeElements(scratch, full, d);
  if (hasBetween) {
    d = putLast(d);
    position += SAMPLE_BYTES;
  }
  store<u64>(stencils, position, POSITION);
  store<u32>(RESULT, (d - dst) as u32);
  store<u32>(RESULT, k as u32, 4);
  store<u32>(RESULT, (position - start) as u32, 8);
  store<u32>(RESULT, series, 12);
  store<u32>(RESULT, samples, 16);
  store<u32>(RESULT, histograms, 20);
  store<u32>(RESULT, exemplars, 24);
  store<u32>(RESULT, labels, 28);
  store<u32>(RESULT, reason, 32);
}

/** Bytes that a code takes of the room for codes. */
export function codeSize(code: usize): u32 {
  const sources = (load<u8>(code, CODE_SOURCES) as u32) * (SOURCE_BYTES as u32);
  const bytes =
    (CODE_HEAD_BYTES as u32) + sources + load<u16>(code, CODE_LENGTH) + load<u16>(code, CODE_COPIES);
  return (bytes + 7) & ~7;
}
