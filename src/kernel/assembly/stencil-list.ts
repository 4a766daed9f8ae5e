/** Which series of a scan a destination gets, and what is known of them: the beginning of `stencil.ts`. */
import { shortVarint, varintEnd } from './bytes';
import { OMIT_EXEMPLARS, OMIT_HISTOGRAMS } from './encode-series';
import { RESULT } from './result';
import {
  NO_REF,
  ROW_BYTES,
  ROW_EXEMPLARS,
  ROW_HISTOGRAMS,
  ROW_REF,
  ROW_REST_LENGTH,
  ROW_SAMPLE_COUNT,
  ROW_SAMPLE_START,
} from './row';
import {
  CODE_END,
  HEADER_BYTES,
  HEADER_CODE,
  HEADER_COUNT,
  HEADERS,
  ODD,
  POSITION_MASK,
  SEEN,
  TIMESTAMP_END,
  TIMESTAMP_MIN,
  UNSEEN,
} from './stencil-layout';

const ALL_SLOTS: u32 = 0xffffffff;

/** Lists the rows from `first` on that are in the slots, of all or of those in `from`; returns their number. */
export function selectSeries(
  from: usize,
  fromCount: usize,
  slots: usize,
  first: u32,
  slotMask: u32,
  list: usize,
): usize {
  let listed: usize = 0;
  for (let k: usize = 0; k < fromCount; k++) {
    const i = from === 0 ? (k as u32) : load<u32>(from + (k << 2));
    if (i < first) continue;
    if (slotMask !== ALL_SLOTS && ((slotMask >> load<u8>(slots + i)) & 1) === 0) continue;
    store<u32>(list + (listed << 2), i);
    listed++;
  }
  return listed;
}

/** Result: how many of the listed series have a stencil or get one; one more than the largest ref. */
export function countKnown(stencils: usize, rows: usize, list: usize, listed: usize): void {
  const headers = load<u32>(stencils, HEADERS) as usize;
  const headerCount = load<u32>(stencils, HEADER_COUNT);
  const learns = load<u32>(stencils, CODE_END) !== 0;
  let known: u32 = 0;
  let refEnd: u32 = 0;
  for (let k: usize = 0; k < listed; k++) {
    const ref = load<u32>(rows + (load<u32>(list + (k << 2)) as usize) * ROW_BYTES, ROW_REF);
    if (ref === NO_REF) continue;
    if (ref >= headerCount) {
      refEnd = max(refEnd, ref + 1);
      continue;
    }
    const code = load<u32>(headers + (ref as usize) * HEADER_BYTES, HEADER_CODE);
    if (code > ODD || (code === SEEN && learns)) known++;
  }
  store<u32>(RESULT, known);
  store<u32>(RESULT, refEnd, 4);
}

/** Remembers that the series of a list came. */
export function noteSeries(stencils: usize, rows: usize, list: usize, listed: usize): void {
  for (let k: usize = 0; k < listed; k++) {
    const ref = load<u32>(rows + (load<u32>(list + (k << 2)) as usize) * ROW_BYTES, ROW_REF);
    noteSeen(stencils, ref);
  }
}

/**
 * Takes note of listed series that were written in full, from `nth` on and up to the row `end`: `raw` is where they are, and
 * `position` where that is in the stream. Returns the next of the list.
 */
export function placeSeries(
  stencils: usize,
  rows: usize,
  list: usize,
  nth: usize,
  listed: usize,
  end: u32,
  timestamps: usize,
  omitted: u32,
  raw: usize,
  position: u64,
): usize {
  const headers = load<u32>(stencils, HEADERS) as usize;
  const headerCount = load<u32>(stencils, HEADER_COUNT);
  let p = raw;
  let k = nth;
  for (; k < listed && load<u32>(list + (k << 2)) < end; k++) {
    const row = rows + (load<u32>(list + (k << 2)) as usize) * ROW_BYTES;
    if (!hasData(row, omitted)) continue;
    const length = shortVarint(p + 1);
    const section = varintEnd;
    p = section + length;
    if (!isPlain(row, headerCount, timestamps)) continue;
    const ref = load<u32>(row, ROW_REF);
    const header = headers + (ref as usize) * HEADER_BYTES;
    if (load<u32>(header, HEADER_CODE) > ODD) {
      const generation = load<u64>(header) & ~POSITION_MASK;
      store<u64>(header, generation | (position + ((section - raw) as u64)));
    } else noteSeen(stencils, ref);
  }
  return k;
}

function hasData(row: usize, omitted: u32): bool {
  return (
    load<u32>(row, ROW_SAMPLE_COUNT) !== 0 ||
    (load<u32>(row, ROW_HISTOGRAMS) !== 0 && (omitted & OMIT_HISTOGRAMS) === 0) ||
    (load<u32>(row, ROW_EXEMPLARS) !== 0 && (omitted & OMIT_EXEMPLARS) === 0)
  );
}

/** Whether a row is of the kind that stencils write. */
export function isPlain(row: usize, headerCount: u32, timestamps: usize): bool {
  return (
    load<u32>(row, ROW_REF) < headerCount &&
    load<u32>(row, ROW_SAMPLE_COUNT) === 1 &&
    load<u32>(row, ROW_REST_LENGTH) === 0 &&
    load<u64>(timestamps + ((load<u32>(row, ROW_SAMPLE_START) as usize) << 3)) - TIMESTAMP_MIN <
      TIMESTAMP_END - TIMESTAMP_MIN
  );
}

export function noteSeen(stencils: usize, ref: u32): void {
  if (ref >= load<u32>(stencils, HEADER_COUNT)) return;
  const header = load<u32>(stencils, HEADERS) + ref * (HEADER_BYTES as u32);
  if (load<u32>(header, HEADER_CODE) === UNSEEN) store<u32>(header, SEEN, HEADER_CODE);
}
