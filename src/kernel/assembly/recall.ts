/**
 * Recall: senders send their series in the same order time after time. So for each ref the table remembers which series
 * came after it, and how that one's labels are made of those before: a series that is made like that again is known by
 * comparing bytes, without a look at its labels, a fingerprint or a search. By induction from a row that was looked up,
 * that is exact.
 *
 * By ref, 8 bytes (a place): 0 epoch when last seen, 4 where its record is in the arena; 0: it has none.
 * Record: 0 ref of the successor (u32), 4 bytes of its labels (u16), 6 labels, 7 bytes of the program, 8 how often in a row
 * another series came instead, 9 how often that has to be before it is learned, 10 program (u8 each).
 * Program: steps of skip s bytes of the labels before, copy c bytes of them, then l bytes that follow here; s, c, l a byte
 * each. Without steps the labels are too different to be remembered.
 */
import { copy, isSame, shortVarint, varintEnd } from './bytes';
import { COPY_MIN, Program, STEP_BYTES } from './program';

// Words of the table's header (`table.ts`).
export const NEXT_REF: usize = 16;
export const PLACES: usize = 28;
const ARENA: usize = 44;
const ARENA_END: usize = 48;
const ARENA_USED: usize = 52;
/** Bytes of records that nothing refers to any more. */
const ARENA_DEAD: usize = 56;

const PLACE_RECORD: usize = 4;

const LABELS_LENGTH: usize = 4;
const LABEL_COUNT: usize = 6;
const PROGRAM_LENGTH: usize = 7;
const MISSES: usize = 8;
const PATIENCE: usize = 9;
const PROGRAM: usize = 10;
const LABELS_LENGTH_MAX: usize = 0xffff;
const LABEL_COUNT_MAX: u32 = 0xff;
const PROGRAM_MAX: usize = 255;
/** A series that is missing once costs nothing but itself: what came instead is learned when it comes again. */
const PATIENCE_MIN: u32 = 2;
/** No misses, and the least patience. */
const CALM: u16 = 0x0200;
/** An order that changes all the time is learned every 64th time at most. */
const PATIENCE_MAX: u32 = 64;

const LABEL_TAG: u8 = 0x0a;
const VALUE_TAG: u8 = 0x12;
/** Comparisons read so many bytes from any byte on; records end as far before the end of the arena. */
export const COMPARED: usize = 16;
/** Labels of the series before that may be missing in the next one. */
const FIELDS_AHEAD: u32 = 8;
/** What a place says of a series that the running call takes out of the table. */
const GONE: u32 = 0xffffffff;

export function placeOf(table: usize, ref: u32): usize {
  return (load<u32>(table, PLACES) as usize) + ((ref as usize) << 3);
}

/** The ref, the labels' length and their number of the series that `recall` recognised. */
export let recalledRef: u32 = 0;
export let recalledLength: usize = 0;
export let recalledCount: u32 = 0;

/**
 * Whether the labels at `start` are those that came after `ref` before; `before` are that one's own labels, earlier in the
 * same message. Returns where they end, or 0. The series ends at `end`, the message at `messageEnd`.
 */
export function recall(
  table: usize,
  ref: u32,
  before: usize,
  start: usize,
  end: usize,
  messageEnd: usize,
): usize {
  const offset = load<u32>(placeOf(table, ref), PLACE_RECORD) as usize;
  if (offset === 0) return 0;
  const record = (load<u32>(table, ARENA) as usize) + offset;
  const programLength = load<u8>(record, PROGRAM_LENGTH) as usize;
  const length = load<u16>(record, LABELS_LENGTH) as usize;
  const after = start + length;
  if (programLength === 0 || after > end || after + COMPARED > messageEnd) return 0;
  if (after < end && load<u8>(after) === LABEL_TAG) return 0;
  const program = record + PROGRAM;
  if (!Program.makes(program, program + programLength, before, start)) return 0;
  // A word that is not written need not go back to memory.
  if (load<u16>(record, MISSES) !== CALM) {
    store<u8>(record, 0, MISSES);
    store<u8>(record, max(PATIENCE_MIN, (load<u8>(record, PATIENCE) as u32) >> 1), PATIENCE);
  }
  recalledRef = load<u32>(record);
  recalledLength = length;
  recalledCount = load<u8>(record, LABEL_COUNT) as u32;
  return after;
}

// The program that is being written: its step at hand, where it goes on, and up to where labels before are used.
const WRITTEN: usize = memory.data(256);
let step: usize = 0;
let tail: usize = 0;
let matched: usize = 0;

function beginStep(): bool {
  if (tail + STEP_BYTES > WRITTEN + PROGRAM_MAX) return false;
  step = tail;
  store<u8>(step, 0);
  store<u8>(step, 0, 1);
  store<u8>(step, 0, 2);
  tail += STEP_BYTES;
  return true;
}

function putLiteral(ptr: usize, n: usize): bool {
  if (tail + n > WRITTEN + PROGRAM_MAX) return false;
  copy(tail, ptr, n);
  tail += n;
  store<u8>(step, (load<u8>(step, 2) as usize) + n, 2);
  return true;
}

function putCopy(from: usize, n: usize): bool {
  for (let rest = from - matched; rest > 0; ) {
    if (!beginStep()) return false;
    const part = min(rest, 255);
    store<u8>(step, part);
    rest -= part;
  }
  if (load<u8>(step, 2) !== 0 && !beginStep()) return false;
  for (let rest = n; ; ) {
    const already = load<u8>(step, 1) as usize;
    const part = min(rest, 255 - already);
    store<u8>(step, already + part, 1);
    rest -= part;
    if (rest === 0) break;
    if (!beginStep()) return false;
  }
  matched = from + n;
  return true;
}

/** Bytes that are the same in both. */
function putShared(from: usize, ptr: usize, n: usize): bool {
  if (n === 0) return true;
  const goesOn = from === matched && load<u8>(step, 2) === 0;
  return goesOn || n >= COPY_MIN ? putCopy(from, n) : putLiteral(ptr, n);
}

/** The bytes from `b` to `bEnd`, of which those at the beginning and the end may be the same as from `a` to `aEnd`. */
function putPart(a: usize, aEnd: usize, b: usize, bEnd: usize): bool {
  const shorter = min(aEnd - a, bEnd - b);
  let prefix: usize = 0;
  while (prefix < shorter && load<u8>(a + prefix) === load<u8>(b + prefix)) prefix++;
  let suffix: usize = 0;
  while (suffix < shorter - prefix && load<u8>(aEnd - 1 - suffix) === load<u8>(bEnd - 1 - suffix)) suffix++;
  return (
    putShared(a, b, prefix) &&
    putLiteral(b + prefix, bEnd - b - prefix - suffix) &&
    putShared(aEnd - suffix, bEnd - suffix, suffix)
  );
}

/** Where the name in a label ends that goes from `start` to `end`. */
function nameEnd(start: usize, end: usize): usize {
  if (start === end || load<u8>(start) !== LABEL_TAG) return start;
  const length = shortVarint(start + 1);
  return varintEnd + length;
}

function valueStart(start: usize, end: usize): usize {
  if (start === end || load<u8>(start) !== VALUE_TAG) return start;
  shortVarint(start + 1);
  return varintEnd;
}

/** How the labels `b` are made of the labels `a`, both canonical, in WRITTEN; returns its length, 0 for too long. */
function writeProgram(a: usize, aEnd: usize, b: usize, bEnd: usize): usize {
  tail = WRITTEN;
  matched = a;
  beginStep();
  let next = a;
  let same: usize = 0;
  for (let field = b; field < bEnd; ) {
    const length = shortVarint(field + 1);
    const start = varintEnd;
    const end = start + length;
    const bytes = end - field;
    // Most labels are those of the series before.
    if (bytes <= aEnd - next && isSame(next, field, bytes)) {
      same += bytes;
      next += bytes;
      field = end;
      continue;
    }
    if (!putShared(next - same, field - same, same)) return 0;
    same = 0;
    const name = nameEnd(start, end) - start;
    let isFound = false;
    let p = next;
    for (let i: u32 = 0; i < FIELDS_AHEAD && p < aEnd; i++) {
      const other = p;
      const otherLength = shortVarint(other + 1);
      const otherStart = varintEnd;
      p = otherStart + otherLength;
      if (otherLength < name || !isSame(otherStart, start, name)) continue;
      isFound = true;
      next = p;
      const otherValue = valueStart(otherStart + name, p);
      const value = valueStart(start + name, end);
      if (
        !putPart(other, otherStart, field, start) ||
        !putShared(otherStart, start, name) ||
        !putPart(otherStart + name, otherValue, start + name, value) ||
        !putPart(otherValue, p, value, end)
      )
        return 0;
      break;
    }
    if (!isFound && !putLiteral(field, bytes)) return 0;
    field = end;
  }
  if (!putShared(next - same, bEnd - same, same)) return 0;
  return tail - WRITTEN;
}

function sizeOf(record: usize): usize {
  return PROGRAM + (load<u8>(record, PROGRAM_LENGTH) as usize);
}

function dropRecord(table: usize, place: usize): void {
  const record = load<u32>(table, ARENA) + load<u32>(place, PLACE_RECORD);
  store<u32>(table, load<u32>(table, ARENA_DEAD) + (sizeOf(record) as u32), ARENA_DEAD);
  store<u32>(place, 0, PLACE_RECORD);
}

/** Whether there is room for a record; when dead ones fill most of the arena, it begins anew. */
function makeRoom(table: usize): bool {
  const end = load<u32>(table, ARENA_END);
  if ((load<u32>(table, ARENA_USED) as usize) + PROGRAM + PROGRAM_MAX <= (end as usize)) return true;
  // What is alive would fill it again: then it is left to those who are in it.
  if (load<u32>(table, ARENA_DEAD) < end >> 1 || end === 0) return false;
  const places = load<u32>(table, PLACES) as usize;
  const placesEnd = places + ((load<u32>(table, NEXT_REF) as usize) << 3);
  for (let place = places; place < placesEnd; place += 8) store<u32>(place, 0, PLACE_RECORD);
  store<u32>(table, COMPARED as u32, ARENA_USED);
  store<u32>(table, 0, ARENA_DEAD);
  return true;
}

/** Remembers that the labels `b` of `successor` came after `a`, which are those of `ref`. */
export function learn(
  table: usize,
  ref: u32,
  a: usize,
  aLength: usize,
  successor: u32,
  b: usize,
  bLength: usize,
  labelCount: u32,
): void {
  if (bLength === 0 || bLength > LABELS_LENGTH_MAX || labelCount > LABEL_COUNT_MAX) return;
  const place = placeOf(table, ref);
  let patience: u32 = PATIENCE_MIN;
  if (load<u32>(place, PLACE_RECORD) !== 0) {
    const known = load<u32>(table, ARENA) + load<u32>(place, PLACE_RECORD);
    if (load<u32>(known) === successor) return;
    const misses = (load<u8>(known, MISSES) as u32) + 1;
    patience = load<u8>(known, PATIENCE) as u32;
    store<u8>(known, misses < patience ? misses : 0, MISSES);
    if (misses < patience) return;
    patience = min(patience << 1, PATIENCE_MAX);
    store<u8>(known, patience, PATIENCE);
  }
  if (!makeRoom(table)) return;
  const length = writeProgram(a, a + aLength, b, b + bLength);
  const size = PROGRAM + length;
  let offset = load<u32>(place, PLACE_RECORD) as usize;
  const arena = load<u32>(table, ARENA) as usize;
  const oldSize: usize = offset === 0 ? 0 : sizeOf(arena + offset);
  if (size <= oldSize) {
    store<u32>(table, load<u32>(table, ARENA_DEAD) + ((oldSize - size) as u32), ARENA_DEAD);
  } else {
    if (offset !== 0) dropRecord(table, place);
    offset = load<u32>(table, ARENA_USED) as usize;
    store<u32>(table, (offset + size) as u32, ARENA_USED);
  }
  const record = arena + offset;
  store<u32>(record, successor);
  store<u16>(record, bLength, LABELS_LENGTH);
  store<u8>(record, labelCount, LABEL_COUNT);
  store<u8>(record, length, PROGRAM_LENGTH);
  store<u8>(record, 0, MISSES);
  store<u8>(record, patience, PATIENCE);
  copy(record + PROGRAM, WRITTEN, length);
  store<u32>(place, offset as u32, PLACE_RECORD);
}

/** Forgets the records of all series that were last seen before `minEpoch`, and those that lead to one. */
export function forgetUnseen(table: usize, minEpoch: u32): void {
  const count = load<u32>(table, NEXT_REF);
  for (let ref: u32 = 0; ref < count; ref++) {
    const place = placeOf(table, ref);
    const offset = load<u32>(place, PLACE_RECORD);
    if (offset === 0) continue;
    const successor = load<u32>(load<u32>(table, ARENA) + offset);
    if (load<u32>(place) < minEpoch || load<u32>(placeOf(table, successor)) < minEpoch)
      dropRecord(table, place);
  }
}

/** The series of this ref is taken out of the table; `forgetGone` follows. */
export function markGone(table: usize, ref: u32): void {
  const place = placeOf(table, ref);
  if (load<u32>(place, PLACE_RECORD) !== 0) dropRecord(table, place);
  store<u32>(place, GONE, PLACE_RECORD);
}

/** Forgets the record of this ref if it leads to a series that is marked as gone. */
export function forgetGone(table: usize, ref: u32): void {
  const place = placeOf(table, ref);
  const offset = load<u32>(place, PLACE_RECORD);
  if (offset === 0 || offset === GONE) return;
  const successor = load<u32>(load<u32>(table, ARENA) + offset);
  if (load<u32>(placeOf(table, successor), PLACE_RECORD) === GONE) dropRecord(table, place);
}

/** Takes the mark away. */
export function unmarkGone(table: usize, ref: u32): void {
  store<u32>(placeOf(table, ref), 0, PLACE_RECORD);
}
