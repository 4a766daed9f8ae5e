/**
 * The elements of a section, tag and length of a series and its labels, to be kept for when it comes again. They refer to labels
 * and heads of other series only, which are the same whenever the same series stand there.
 *
 * KEPT: 0 length u16 and offset u16 of the first copy, if the section begins with one, 4 the same of the last, if it ends
 * with one, 8 what is between. Copies at the ends may go on in what stands beside them. A first one that is too short for a
 * copy is the head.
 */
import * as put from './snappy-put';

const OFFSET_MAX: usize = 65535;
const COPY_BYTES_MIN: usize = 4;
/** Longer ones are not kept. */
const SECTION_MAX: usize = 8192;

export const KEPT_HEAD: usize = 8;
export const KEPT_FIRST: usize = 0;
export const KEPT_LAST: usize = 4;
export const KEPT: usize = memory.data(8 + 8192 + 1024, 16);
/** 0: nothing was kept. */
export let keptLength: usize = 0;
/** How far before the section the elements refer to. */
export let keptReach: usize = 0;

/** Whether the section of the series at hand is to be kept. */
export let isWanted: bool = false;
let labelsLength: usize = 0;
let earliest: usize = 0;

/** The copies, neighbours joined: where, the offset, the length. Where there are more, nothing is kept. */
const JOINED_MAX: u32 = 64;
const COPY_BYTES: usize = 12;
const JOINED: usize = memory.data(64 * 12, 16);
let joinedCount: u32 = 0;
let begin: usize = 0;

/** The series at hand has so many bytes of labels; nothing before `from` may be referred to. */
export function want(labels: usize, from: usize): void {
  keptLength = 0;
  isWanted = true;
  labelsLength = labels;
  earliest = from;
}

/** Nothing is kept of the series at hand. */
export function refuse(): void {
  keptLength = 0;
  isWanted = false;
}

/** The last one is no copy when it is too short, but for the head, which may go on a copy of the sample before. */
function dropShort(): void {
  if (joinedCount === 0) return;
  const last = JOINED + ((joinedCount - 1) as usize) * COPY_BYTES;
  if ((load<u32>(last, 8) as usize) < COPY_BYTES_MIN && (load<u32>(last) as usize) !== begin) joinedCount--;
}

function join(at: usize, from: usize, length: usize): bool {
  const offset = at - from;
  if (offset > OFFSET_MAX || from < earliest) return true;
  if (joinedCount !== 0) {
    const before = JOINED + ((joinedCount - 1) as usize) * COPY_BYTES;
    const beforeLength = load<u32>(before, 8) as usize;
    if ((load<u32>(before) as usize) + beforeLength === at && (load<u32>(before, 4) as usize) === offset) {
      store<u32>(before, (beforeLength + length) as u32, 8);
      return true;
    }
    dropShort();
  }
  if (joinedCount === JOINED_MAX) return false;
  const joined = JOINED + (joinedCount as usize) * COPY_BYTES;
  store<u32>(joined, at as u32);
  store<u32>(joined, offset as u32, 4);
  store<u32>(joined, length as u32, 8);
  joinedCount++;
  return true;
}

/**
 * Keeps the section at `at`, whose head of so many bytes is like that at `like`, if that is not 0. The copies of its series are as
 * `elements.ts` has noted them; those of the sample behind the section are left out.
 */
export function keep(at: usize, like: usize, head: usize, copies: usize, copyCount: u32): void {
  isWanted = false;
  if (head + labelsLength > SECTION_MAX) return;
  const end = at + head + labelsLength;
  begin = at;
  joinedCount = 0;
  if (like !== 0) join(at, like, head);
  const copiesEnd = copies + (copyCount as usize) * COPY_BYTES;
  for (let copy = copies; copy < copiesEnd; copy += COPY_BYTES) {
    const place = load<u32>(copy) as usize;
    if (place >= end) break;
    const length = min(load<u32>(copy, 8) as usize, end - place);
    if (!join(place, load<u32>(copy, 4) as usize, length)) return;
  }
  dropShort();
  putSection(end);
}

function putEnd(dst: usize, joined: usize): void {
  store<u16>(dst, load<u32>(joined, 8) as u16);
  store<u16>(dst, load<u32>(joined, 4) as u16, 2);
}

function putSection(end: usize): void {
  let next = JOINED;
  let joinedEnd = JOINED + (joinedCount as usize) * COPY_BYTES;
  let from = begin;
  let to = end;
  store<u64>(KEPT, 0);
  keptReach = 0;
  for (let joined = next; joined < joinedEnd; joined += COPY_BYTES) {
    const offset = load<u32>(joined, 4) as usize;
    const inside = (load<u32>(joined) as usize) - begin;
    if (offset > inside) keptReach = max(keptReach, offset - inside);
  }
  if (next < joinedEnd && (load<u32>(next) as usize) === from) {
    from += load<u32>(next, 8) as usize;
    putEnd(KEPT + KEPT_FIRST, next);
    next += COPY_BYTES;
  }
  const last = joinedEnd - COPY_BYTES;
  if (next < joinedEnd && ((load<u32>(last) + load<u32>(last, 8)) as usize) === to) {
    to = load<u32>(last) as usize;
    putEnd(KEPT + KEPT_LAST, last);
    joinedEnd = last;
  }
  let out = KEPT + KEPT_HEAD;
  for (; next < joinedEnd; next += COPY_BYTES) {
    const place = load<u32>(next) as usize;
    const length = load<u32>(next, 8) as usize;
    out = put.literal(out, from, place);
    out = put.copies(out, load<u32>(next, 4) as usize, length);
    from = place + length;
  }
  out = put.literal(out, from, to);
  keptLength = out - KEPT;
}
