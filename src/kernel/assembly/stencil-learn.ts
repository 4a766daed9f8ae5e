/**
 * Makes the *code* of a section (`stencil.ts`): finds what other sections have in common with it, greedily through a hash
 * table of four-byte sequences as the snappy encoder does, over the sections that were learned lately.
 *
 * Learner, u32 each unless said otherwise: 0 ring (64 KiB of sections one after another), 4 table (2^14 positions in the
 * ring, u16), 8 places (two u32 for each section in the ring: where it begins, its ref), 12 bytes in the ring,
 * 16 number of places.
 */
import { copy } from './bytes';
import { putCopy, putLiteral } from './snappy-encode';
import {
  CODE_COPIES,
  CODE_HEAD_BYTES,
  CODE_LAST,
  CODE_LENGTH,
  CODE_MISSES,
  CODE_SOURCES,
  DISTANCE_MAX,
  HEADER_BYTES,
  POSITION_MASK,
  SOURCE_BYTES,
} from './stencil-layout';

const RING: usize = 0;
const TABLE: usize = 4;
const PLACES: usize = 8;
const USED: usize = 12;
const COUNT: usize = 16;

const RING_BYTES: usize = 65536;
const PLACES_MAX: u32 = 4096;
const HASH_SHIFT: u32 = 32 - 14;
/** Loads of 16 bytes stay inside the ring's own region. */
const RING_MARGIN: usize = 16;

const SOURCES_MAX: usize = 8;
/** The most that a code takes, beside its literals. */
export const CODE_ROOM_BYTES: usize = CODE_HEAD_BYTES + SOURCES_MAX * SOURCE_BYTES + 64;

function hash(word: u32): usize {
  return ((word * 0x1e35a7bd) >>> HASH_SHIFT) << 1;
}

/** Whether the section that was put into the ring last is that of this series. */
export function endsWith(learner: usize, ref: u32): bool {
  return load<u32>(learner, COUNT) > 0 && load<u32>(lastPlace(learner), 4) === ref;
}

/** Where a section of so many bytes goes in the ring, of which the older half goes when it is full; 0 when it is too long for it. */
export function roomFor(learner: usize, bytes: usize): usize {
  if (bytes + RING_MARGIN > RING_BYTES / 4) return 0;
  const used = load<u32>(learner, USED) as usize;
  if (used + bytes + RING_MARGIN > RING_BYTES || load<u32>(learner, COUNT) >= PLACES_MAX) dropHalf(learner);
  return (load<u32>(learner, RING) as usize) + (load<u32>(learner, USED) as usize);
}

function dropHalf(learner: usize): void {
  const ring = load<u32>(learner, RING) as usize;
  const places = load<u32>(learner, PLACES) as usize;
  const used = load<u32>(learner, USED) as usize;
  const count = load<u32>(learner, COUNT) as usize;
  const firstKept = count >> 1;
  const shift = load<u32>(places + (firstKept << 3)) as usize;
  memory.copy(ring, ring + shift, used - shift);
  for (let at = firstKept; at < count; at++) {
    const from = places + (at << 3);
    const to = places + ((at - firstKept) << 3);
    store<u32>(to, load<u32>(from) - (shift as u32));
    store<u32>(to, load<u32>(from, 4), 4);
  }
  store<u32>(learner, (used - shift) as u32, USED);
  store<u32>(learner, (count - firstKept) as u32, COUNT);
  offerFrom(learner, 0);
}

/** Takes the section in that was written at `roomFor`. */
export function keep(learner: usize, ref: u32, bytes: usize): void {
  const used = load<u32>(learner, USED) as usize;
  const count = load<u32>(learner, COUNT) as usize;
  const place = (load<u32>(learner, PLACES) as usize) + (count << 3);
  store<u32>(place, used as u32);
  store<u32>(place, ref, 4);
  store<u32>(learner, (used + bytes) as u32, USED);
  store<u32>(learner, (count + 1) as u32, COUNT);
}

function lastPlace(learner: usize): usize {
  return (load<u32>(learner, PLACES) as usize) + (((load<u32>(learner, COUNT) - 1) as usize) << 3);
}

function offerFrom(learner: usize, first: usize): void {
  const ring = load<u32>(learner, RING) as usize;
  const table = load<u32>(learner, TABLE) as usize;
  const end = load<u32>(learner, USED) as usize;
  for (let at = first; at + 4 <= end; at++) store<u16>(table + hash(load<u32>(ring + at)), at as u16);
}

/** Lets later sections have parts of the one that was kept last. */
export function offer(learner: usize): void {
  offerFrom(learner, load<u32>(lastPlace(learner)));
}

/** The place of the section that holds this position of the ring. */
function placeOf(learner: usize, position: usize): usize {
  const places = load<u32>(learner, PLACES) as usize;
  let low: usize = 0;
  let high = load<u32>(learner, COUNT) as usize;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((load<u32>(places + (middle << 3)) as usize) <= position) low = middle;
    else high = middle;
  }
  return places + (low << 3);
}

let literal: usize = 0;
let elements: usize = 0;
let copies: usize = 0;
/** The source of each copy, while a code is made. */
const COPY_SOURCES: usize = memory.data(1024);
const COPIES_MAX: usize = 1024 - 64;

function flushLiteral(end: usize): void {
  // As an element has 64 KiB at most, so has a section.
  if (end > literal) elements = putLiteral(elements, literal, end - literal, false);
  literal = end;
}

let lastBytes: usize = 0;

/** A copy of 1 to 64 bytes. */
export function putCopyElement(dst: usize, distance: usize, length: usize): usize {
  if (length >= 4) return putCopy(dst, distance, length);
  store<u8>(dst, ((length - 1) << 2) | 2);
  store<u16>(dst, distance as u16, 1);
  return dst + 3;
}

/** A copy of any length as elements of at most 64 bytes. At the beginning the short one is the first: it may be made longer. */
function pushCopies(distance: usize, length: usize, isFirst: bool, source: usize): bool {
  let rest = length;
  while (rest > 0) {
    if (copies >= COPIES_MAX) return false;
    const short = rest & 63;
    const now: usize = short !== 0 && isFirst && rest === length ? short : min(rest, 64);
    const from = elements;
    elements = putCopyElement(elements, distance, now);
    lastBytes = elements - from;
    store<u8>(COPY_SOURCES + copies, source as u8);
    copies++;
    rest -= now;
  }
  return true;
}

function equalBytes(a: usize, b: usize, most: usize): usize {
  let n: usize = 0;
  while (n < most && load<u8>(a + n) === load<u8>(b + n)) n++;
  return n;
}

/**
 * Writes the code of the section that was kept last to `code`, where there is room for its bytes and CODE_ROOM_BYTES, and for
 * a byte for each of its copies; returns where it ends, 0 when it has too many parts. `headers` as in `stencil.ts`; `position`
 * is where the section begins in the stream.
 */
export function learn(learner: usize, headers: usize, position: u64, code: usize): usize {
  const ring = load<u32>(learner, RING) as usize;
  const table = load<u32>(learner, TABLE) as usize;
  const start = ring + (load<u32>(lastPlace(learner)) as usize);
  const end = ring + (load<u32>(learner, USED) as usize);
  const sources = code + CODE_HEAD_BYTES;
  let sourceCount: usize = 0;
  // The number of sources is known at the end only: the elements are moved up to them then.
  const first = sources + SOURCES_MAX * SOURCE_BYTES;
  elements = first;
  copies = 0;
  lastBytes = 0;
  literal = start;
  // Where parts are looked for first: as far before as the last one was, since labels come in the same order.
  let lastFrom: usize = 0;
  let lastAt: usize = 0;
  for (let s = start; s + 4 <= end; ) {
    const word = load<u32>(s);
    let from: usize = 0;
    let length: usize = 0;
    let index: usize = 0;
    for (let attempt = 0; attempt < 2; attempt++) {
      let candidate: usize;
      if (attempt === 0) {
        if (lastAt === 0) continue;
        candidate = lastFrom + (s - lastAt);
      } else candidate = ring + (load<u16>(table + hash(word)) as usize);
      if (candidate < ring || candidate + 4 > start || load<u32>(candidate) !== word) continue;
      const place = placeOf(learner, candidate - ring);
      const sourceStart = ring + (load<u32>(place) as usize);
      const next = load<u32>(place, 8) as usize; // the section at hand is the last place
      const most = min(end - s, ring + next - candidate);
      if (most < 4) continue;
      const n: usize = 4 + equalBytes(s + 4, candidate + 4, most - 4);
      if (n <= length) continue;
      const at = sourceAt(headers, load<u32>(place, 4), position, sources, sourceCount);
      if (at > sourceCount) continue;
      const distance = position + ((s - start) as u64) - lastPosition - ((candidate - sourceStart) as u64);
      if (distance > DISTANCE_MAX || (at === sourceCount && sourceCount === SOURCES_MAX)) continue;
      from = candidate;
      length = n;
      index = at;
      foundDistance = distance as usize;
      foundPosition = lastPosition;
      foundRef = load<u32>(place, 4);
    }
    if (length < 4) {
      s++;
      continue;
    }
    if (index === sourceCount) {
      const delta = position - foundPosition;
      if (delta > DISTANCE_MAX) {
        s++;
        continue;
      }
      const source = sources + sourceCount * SOURCE_BYTES;
      store<u32>(source, foundRef);
      store<u16>(source, delta as u16, 4);
      store<u16>(source, load<u16>(headers + (foundRef as usize) * HEADER_BYTES, 6), 6);
      sourceCount++;
    }
    flushLiteral(s);
    if (!pushCopies(foundDistance, length, s === start, index)) return 0;
    s += length;
    literal = s;
    lastFrom = from + length;
    lastAt = s;
  }
  if (literal < end) lastBytes = 0;
  flushLiteral(end);
  const bytes = elements - first;
  if (bytes > 0xffff) return 0;
  store<u16>(code, bytes as u16, CODE_LENGTH);
  store<u8>(code, sourceCount as u8, CODE_SOURCES);
  store<u8>(code, 0, CODE_MISSES);
  store<u16>(code, copies as u16, CODE_COPIES);
  store<u8>(code, lastBytes as u8, CODE_LAST);
  const to = sources + sourceCount * SOURCE_BYTES;
  if (to !== first) memory.copy(to, first, bytes);
  copy(to + bytes, COPY_SOURCES, copies);
  return to + bytes + copies;
}

let lastPosition: u64 = 0;
let foundDistance: usize = 0;
let foundPosition: u64 = 0;
let foundRef: u32 = 0;

/** The number of a source among those of a code, or the next one when it is new; beyond that when it is out of reach. */
function sourceAt(headers: usize, ref: u32, position: u64, sources: usize, count: usize): usize {
  lastPosition = load<u64>(headers + (ref as usize) * HEADER_BYTES) & POSITION_MASK;
  if (lastPosition === 0 || position - lastPosition > DISTANCE_MAX) return count + 1;
  for (let at: usize = 0; at < count; at++) {
    if (load<u32>(sources + at * SOURCE_BYTES) === ref) return at;
  }
  return count;
}
