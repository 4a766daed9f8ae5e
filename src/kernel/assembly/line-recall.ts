// biome-ignore-all lint/correctness/noPrecisionLoss: integers of AssemblyScript have 64 bits
/**
 * Recall of lines: who sends text sends the same series in the same order time after time. So each row (a line of Prometheus text,
 * or a field of a line of InfluxDB) that was read has a *record*: how its text up to the value is made of that of the line before,
 * and the snappy elements of its labels, its *section* (`section.ts`). A row that is made like what came after the row before last
 * time is known by comparing bytes, and its section is copied. Nothing of it is written to the message: it can be decoded from
 * the elements when somebody wants it.
 *
 * A record has one predecessor, or none. So its elements, which refer to what stood before it when they were made, hold as far
 * back as the message is known to consist of its predecessors (the *run*), each with a sample of the same length as then.
 *
 * Whoever is lost, at the beginning of a message or behind a row that is new, finds back at an *anchor*: a record with
 * all of its text, that is looked up by its hash. The first line of a message is one, and about every 32nd.
 *
 * Arena: 0 used u32, 4 end u32, 8 records u32, 12 rows read since all was forgotten u32, 16 anchors (`anchors.ts`), then
 * records:
 *    0 next u32           the record of what came after it; 0: none
 *    4 context u32        of its message: what rows mean is the same in all messages of one
 *    8 text length u16, labels u8, flags u8
 *   12 section length u16, sample length u8, how often it was of no use u8
 *   16 reach u16          bytes before the section that its elements refer to; NO_ELEMENTS: there are none
 *   18 program length u16, elements length u16
 *   22 how often in a row something else came behind it, if it was looked up, u8; how often that has to be before it is learned, u8
 *   24 elements (`section.ts`), program (`program.ts`)
 */
import * as anchors from './anchors';
import { copy } from './bytes';
import * as elements from './elements';
import * as program from './program';
import { Program } from './program';
import * as section from './section';

const USED: usize = 0;
const END: usize = 4;
const RECORDS: usize = 8;
const LINES: usize = 12;
const ANCHORS: usize = 16;
const RECORDS_FROM: usize = ANCHORS + anchors.BYTES;

const NEXT: usize = 0;
const CONTEXT: usize = 4;
const TEXT_LENGTH: usize = 8;
const LABELS: usize = 10;
const FLAGS: usize = 11;
const SECTION_LENGTH: usize = 12;
const SAMPLE_LENGTH: usize = 14;
const USELESS: usize = 15;
const REACH: usize = 16;
const PROGRAM_LENGTH: usize = 18;
const ELEMENTS_LENGTH: usize = 20;
const MISSES: usize = 22;
const PATIENCE: usize = 23;
const HEAD_BYTES: usize = 24;

const NO_ELEMENTS: usize = 0xffff;
/** Longer texts, and series with more labels, are not remembered. */
const TEXT_MAX: usize = 4096;
const SECTION_MAX: usize = 0xffff;
const LABELS_MAX: u32 = 255;
/** Read behind a record. */
const SLACK: usize = 64;
/** With less than this left, nothing is learned. */
const ROOM_MIN: usize = 512;
/** What changed once is not learned yet; what never comes right is learned each 64th time at most. */
const PATIENCE_MIN: u32 = 2;
const PATIENCE_MAX: u32 = 64;
/** When all is taken, all is forgotten if so many rows a record were read since that happened last: learning costs some. */
const LINES_A_RECORD: u32 = 16;

/** Flags of a row: it begins its line, and ends it. */
export const BEGINS: u32 = 1;
export const ENDS: u32 = 2;
/** Flag of a record: so many bytes that parsers wrote, whatever they were, as no elements refer to them. */
const FOREIGN: u32 = 8;
/** Flags of a record that was looked up: something else came behind it last time; what comes behind it is to be learned anew. */
const CHANGED: u32 = 16;
const RELEARN: u32 = 32;
const ROW_FLAGS: u32 = BEGINS | ENDS | FOREIGN;

let arena: usize = 0;
let context: u32 = 0;
/** The record of the last row that was known, 0: none; and whether nothing else came since. */
let last: usize = 0;
let isAdjacent: bool = false;
/** The text of the last line that was known, and where it is kept from scan to scan. */
let lineBefore: usize = 0;
let lineBeforeLength: usize = 0;
const KEPT: usize = memory.data(4096 + 64, 16);
/** From here on, counted from the beginning of the message, it consists of known rows, up to `runTo`. */
let runFrom: usize = 0;
let runTo: usize = 0;
let isFirst: bool = false;
/** The row that was looked up last, from which on the others are known. */
let entry: usize = 0;

/** What `decide` found out about the row at hand. */
const IGNORE: u32 = 0;
const KNOWN: u32 = 1;
const REMAKE: u32 = 2;
const LINK: u32 = 3;
const START: u32 = 4;
let decision: u32 = IGNORE;
let decided: usize = 0;
let rowText: usize = 0;
let rowTextLength: usize = 0;
let rowFlags: u32 = 0;
let rowHash: u32 = 0;
let rowIsAnchor: bool = false;

/** Rows of the running scan that were recalled. */
let recalled: u32 = 0;

/** A message begins; an arena of 0: nothing is remembered. */
export function begin(at: usize, bytes: usize): void {
  arena = at;
  last = 0;
  isAdjacent = false;
  lineBefore = 0;
  runFrom = 0;
  runTo = 0;
  isFirst = true;
  entry = 0;
  if (arena !== 0 && load<u32>(arena, END) === 0) {
    store<u32>(arena, bytes as u32, END);
    store<u32>(arena, RECORDS_FROM as u32, USED);
  }
}

/** The next scan reads rows that mean what all rows of this context mean; 0: nothing is remembered of it. */
export function open(rowContext: u32): void {
  if (rowContext === 0) {
    arena = 0;
    last = 0;
  }
  context = rowContext;
}

/** The scan writes from here on, counted from the beginning of the message; perhaps parsers have written since the last one. */
export function start(at: usize): void {
  if (at === runTo || last === 0 || !isAdjacent) return;
  const length = at - runTo;
  const expected = after(0);
  if (expected !== 0 && flagsOf(expected) === FOREIGN) {
    pass(expected, 0, runTo, at);
    if (sectionLengthOf(expected) !== length) runFrom = at;
    return;
  }
  let made: usize = 0;
  if (length <= SECTION_MAX && mayFollow()) {
    decision = LINK;
    rowTextLength = 0;
    rowFlags = FOREIGN;
    rowIsAnchor = false;
    section.refuse();
    made = make(length, 0, 0);
  }
  if (made !== 0) pass(made, 0, runTo, at);
  else isAdjacent = false;
}

/** A scan of so many rows is over; what it read may be gone before the next one. Returns how many of them were recalled. */
export function close(rows: u32): u32 {
  if (arena === 0) return 0;
  const before = load<u32>(arena, LINES);
  store<u32>(arena, before + rows < before ? 0xffffffff : before + rows, LINES);
  keepLine();
  const count = recalled;
  recalled = 0;
  return count;
}

function keepLine(): void {
  if (last === 0 || lineBefore === KEPT) return;
  copy(KEPT, lineBefore, lineBeforeLength);
  lineBefore = KEPT;
}

/** The record of what came after this one, or after the last row that was known; 0: none. */
export function after(record: usize): usize {
  const from = record === 0 ? last : record;
  if (from === 0) return 0;
  const next = load<u32>(from, NEXT) as usize;
  return next === 0 ? 0 : arena + next;
}

export function flagsOf(record: usize): u32 {
  return (load<u8>(record, FLAGS) as u32) & ROW_FLAGS;
}

export function labelsOf(record: usize): u32 {
  return load<u8>(record, LABELS) as u32;
}

export function sectionLengthOf(record: usize): usize {
  return load<u16>(record, SECTION_LENGTH) as usize;
}

/** Whether its text stands at `text`; returns where it ends there, or 0. Nothing is read behind `end` + 16. */
export function match(record: usize, text: usize, end: usize): usize {
  const length = load<u16>(record, TEXT_LENGTH) as usize;
  if (text + length > end) return 0;
  const from = record + HEAD_BYTES + (load<u16>(record, ELEMENTS_LENGTH) as usize);
  const to = from + (load<u16>(record, PROGRAM_LENGTH) as usize);
  return Program.makes(from, to, lineBefore, text) ? text + length : 0;
}

/** The run as it will be behind the rows that `isUseful` was asked for. */
let aheadFrom: usize = 0;
let aheadTo: usize = 0;

/** The next row that `isUseful` is asked for goes to this place, counted from the beginning of the message. */
export function lookAhead(at: usize): void {
  aheadFrom = at === runTo ? runFrom : at;
  aheadTo = at;
}

/** Whether the elements of this row hold behind those that were asked for before it, with a sample of this length. */
export function isUseful(record: usize, sampleLength: usize): bool {
  const reach = load<u16>(record, REACH) as usize;
  const at = aheadTo;
  if (reach === NO_ELEMENTS || (load<u8>(record, SAMPLE_LENGTH) as usize) !== sampleLength) return false;
  if (at - aheadFrom < reach || !elements.reaches(reach, at)) return false;
  aheadTo = at + (load<u16>(record, SECTION_LENGTH) as usize) + sampleLength;
  return true;
}

/** Where the rows end that were asked for. */
export function end(): usize {
  return aheadTo;
}

/** Puts the elements of a row that is useful, whose section begins at `at`, and those of its sample. */
export function put(record: usize, at: usize, bits: u64, timestamp: u64): void {
  const sectionLength = load<u16>(record, SECTION_LENGTH) as usize;
  recalled++;
  const place = elements.message + at;
  const kept = record + HEAD_BYTES;
  const keptBytes = load<u16>(record, ELEMENTS_LENGTH) as usize;
  elements.putSection(kept, keptBytes, place, sectionLength, load<u8>(record, SAMPLE_LENGTH) as usize);
  elements.putSample(place + sectionLength, bits, timestamp);
}

/** A row came whose record this is; its series goes from `at` to `to`, counted from the beginning of the message. */
export function pass(record: usize, text: usize, at: usize, to: usize): void {
  if (at !== runTo) runFrom = at;
  last = record;
  isAdjacent = true;
  isFirst = false;
  runTo = to;
  if ((load<u8>(record, FLAGS) as u32) & BEGINS) {
    lineBefore = text;
    lineBeforeLength = load<u16>(record, TEXT_LENGTH) as usize;
  }
}

/** The record of this text that can be found without those before it; 0: none. */
function anchorOf(hash: u32, text: usize, length: usize, flags: u32): usize {
  const offset = anchors.recordOf(arena + ANCHORS, hash);
  if (offset === 0) return 0;
  const record = arena + (offset as usize);
  const isSame =
    load<u32>(record, CONTEXT) === context &&
    flagsOf(record) === flags &&
    (load<u16>(record, TEXT_LENGTH) as usize) === length &&
    match(record, text, text + length) !== 0;
  return isSame ? record : 0;
}

/** Whether what comes behind the last row can be learned. If something else is expected there, that may be learned anew next time. */
function mayFollow(): bool {
  if (load<u32>(last, NEXT) === 0) return true;
  const flags = entry === 0 ? CHANGED : (load<u8>(entry, FLAGS) as u32);
  if (flags & CHANGED) return false;
  const misses = (load<u8>(entry, MISSES) as u32) + 1;
  const patience = load<u8>(entry, PATIENCE) as u32;
  const isDue = misses >= patience;
  store<u8>(entry, flags | (isDue ? CHANGED | RELEARN : CHANGED), FLAGS);
  store<u8>(entry, isDue ? 0 : misses, MISSES);
  if (isDue) store<u8>(entry, min(patience << 1, PATIENCE_MAX), PATIENCE);
  return false;
}

/** A row was looked up or made that does not come behind a known one. */
function enter(record: usize): void {
  entry = record;
  const flags = load<u8>(record, FLAGS) as u32;
  if ((flags & CHANGED) === 0) {
    store<u8>(record, 0, MISSES);
    store<u8>(record, max(PATIENCE_MIN, (load<u8>(record, PATIENCE) as u32) >> 1), PATIENCE);
  }
  if (flags & RELEARN) store<u32>(record, 0, NEXT);
  if (flags & (CHANGED | RELEARN)) store<u8>(record, flags & ~(CHANGED | RELEARN), FLAGS);
}

/**
 * A row was read, and its series, whose section begins at `at`, is about to be complete: tells `section.ts` whether the section is
 * to be kept. An end of 0: it cannot be told from others by its text.
 */
export function decide(
  text: usize,
  textEnd: usize,
  flags: u32,
  at: usize,
  labels: u32,
  labelsLength: usize,
): void {
  decision = IGNORE;
  if (arena === 0 || textEnd === 0) return;
  const length = textEnd - text;
  rowText = text;
  rowTextLength = length;
  rowFlags = flags;
  // What a field of InfluxDB means is said at the beginning of its line: it is known behind what is known of that line only.
  const expected: usize = isAdjacent || (flags & BEGINS) !== 0 ? after(0) : 0;
  if (expected !== 0 && flagsOf(expected) === flags && match(expected, text, textEnd) === textEnd) {
    decision = KNOWN;
    decided = expected;
    const useless = (load<u8>(expected, USELESS) as u32) + 1;
    if (useless > 255) return;
    store<u8>(expected, useless, USELESS);
    if (useless !== 8 && useless !== 32 && useless !== 128) return;
    decision = REMAKE;
  } else if (length > TEXT_MAX || labels > LABELS_MAX) return;
  rowIsAnchor = (flags & BEGINS) !== 0 && (isFirst || anchors.isOne(text, length));
  if (rowIsAnchor) rowHash = anchors.hashOf(text, length, context);
  if (decision === IGNORE) {
    const mayLearn = hasRoom(ROOM_MIN) || isWornOut();
    if (isAdjacent && last !== 0 && mayFollow()) {
      if (mayLearn) decision = LINK;
    } else if (rowIsAnchor) {
      decided = anchorOf(rowHash, text, length, flags);
      if (decided !== 0) {
        last = 0;
        decision = KNOWN;
        return;
      }
      if (!anchors.isKnown(arena + ANCHORS, rowHash)) anchors.remember(arena + ANCHORS, rowHash, 0);
      else if (mayLearn) {
        last = 0;
        decision = START;
      }
    }
  }
  if (decision === IGNORE) return;
  section.want(labelsLength, elements.message + (at !== runTo || last === 0 ? at : runFrom));
}

/** The series of the row that was decided on is complete; its section begins at `at`, counted from the beginning of the message. */
export function settle(at: usize, sectionLength: usize, sampleLength: usize, labels: u32): void {
  if (arena === 0) return;
  isFirst = false;
  const to = at + sectionLength + sampleLength;
  if (decision === IGNORE) {
    isAdjacent = false;
    return;
  }
  if (at !== runTo || last === 0) runFrom = at;
  let record = decided;
  if (decision !== KNOWN) {
    const made = make(sectionLength, sampleLength, labels);
    if (made === 0 && decision !== REMAKE) {
      isAdjacent = false;
      return;
    }
    if (made !== 0) record = made;
  }
  if (last === 0) enter(record);
  pass(record, rowText, at, to);
  // What comes is not where it was when it was learned.
  if (
    (load<u8>(record, SAMPLE_LENGTH) as usize) !== sampleLength ||
    (load<u16>(record, SECTION_LENGTH) as usize) !== sectionLength
  ) {
    runFrom = to;
  }
}

function hasRoom(bytes: usize): bool {
  return (load<u32>(arena, USED) as usize) + bytes + SLACK <= (load<u32>(arena, END) as usize);
}

/** Whether all that is known may be forgotten for what comes. */
function isWornOut(): bool {
  return load<u32>(arena, LINES) / LINES_A_RECORD >= load<u32>(arena, RECORDS);
}

function forgetAll(): void {
  memory.fill(arena + ANCHORS, 0, anchors.BYTES);
  store<u32>(arena, RECORDS_FROM as u32, USED);
  store<u32>(arena, 0, RECORDS);
  store<u32>(arena, 0, LINES);
  last = 0;
  entry = 0;
}

/** Makes the record of the row at hand; returns 0 when that does not go. */
function make(sectionLength: usize, sampleLength: usize, labels: u32): usize {
  const isWhole = rowIsAnchor || decision === START || (rowFlags & BEGINS) === 0;
  const before: usize = isWhole ? 0 : lineBeforeLength;
  const programLength = program.write(lineBefore, before, rowText, rowTextLength);
  const elementsLength = section.keptLength;
  let reach = section.keptReach;
  if (elementsLength === 0) reach = NO_ELEMENTS;
  const size = (HEAD_BYTES + elementsLength + programLength + 3) & ~3;
  if (sectionLength > SECTION_MAX) return 0;
  if (!hasRoom(size)) {
    if (decision !== REMAKE && isWornOut()) forgetAll();
    return 0;
  }
  const used = load<u32>(arena, USED) as usize;
  const record = arena + used;
  store<u32>(arena, (used + size) as u32, USED);
  store<u32>(arena, load<u32>(arena, RECORDS) + 1, RECORDS);
  store<u32>(record, 0, NEXT);
  store<u32>(record, context, CONTEXT);
  store<u16>(record, rowTextLength as u16, TEXT_LENGTH);
  store<u8>(record, labels, LABELS);
  store<u8>(record, rowFlags, FLAGS);
  store<u16>(record, sectionLength as u16, SECTION_LENGTH);
  store<u8>(record, sampleLength as u8, SAMPLE_LENGTH);
  store<u8>(record, 0, USELESS);
  store<u16>(record, reach as u16, REACH);
  store<u16>(record, programLength as u16, PROGRAM_LENGTH);
  store<u16>(record, elementsLength as u16, ELEMENTS_LENGTH);
  store<u8>(record, 0, MISSES);
  store<u8>(record, PATIENCE_MIN, PATIENCE);
  copy(record + HEAD_BYTES, section.KEPT, elementsLength);
  copy(record + HEAD_BYTES + elementsLength, program.WRITTEN, programLength);
  if (decision === REMAKE) {
    store<u8>(record, load<u8>(decided, USELESS), USELESS);
    // What came after it was learned behind a series of its length.
    const isSame =
      (load<u8>(decided, SAMPLE_LENGTH) as usize) === sampleLength &&
      (load<u16>(decided, SECTION_LENGTH) as usize) === sectionLength;
    if (isSame) store<u32>(record, load<u32>(decided, NEXT), NEXT);
  }
  if (decision !== START) store<u32>(last, used as u32, NEXT);
  if (rowIsAnchor) anchors.remember(arena + ANCHORS, rowHash, used as u32);
  return record;
}
