/**
 * Gives the rows of a scan their refs, while it goes on: a series that came after the one before already is recalled,
 * others are looked up in the table by their fingerprint.
 */
import { learn, recall, recalledRef } from './recall';
import { NO_REF, ROW_BYTES, ROW_LABEL_COUNT, ROW_LABELS_LENGTH, ROW_LABELS_PTR, ROW_REF } from './row';
import { deriveKey, fingerprintRow } from './siphash';
import { ADDED, internRow, KNOWN, keyOf, mayPassOver, NO_ROOM, see } from './table';

/**
 * Where nothing is recalled, series are looked up together and so wait for memory together: one after another took 200 ns
 * more each when all of them were new. Not so early that a few new ones cost their neighbours.
 */
const BATCH_MAX: u32 = 32;
const ALONE: u32 = 8;
/**
 * Behind so many series that a full table does not have, only one of a few is looked for, until one is found: a fingerprint
 * and a miss of the caches cost more than what the table would save. Not where a series without a ref costs more than that.
 */
const STRANGERS_MAX: u32 = 64;
const LOOK_EVERY: u32 = 8;

let table: usize = 0;
let message: usize = 0;
let messageEnd: usize = 0;
/** Where the indices of new series go, and how many there are. */
let added: usize = 0;
export let addedCount: u32 = 0;
/** The first row that there was no room for in the table. */
export let waiting: u32 = 0;
/** The first row that was not looked up yet, and how many are looked up at once. */
let unknown: u32 = 0;
let batch: u32 = 0;
/** How many were looked up since one was recalled. */
let lookedUp: u32 = 0;
/** How many were not in the table, one after another, and had no room there. */
let strangers: u32 = 0;
let mayPass: bool = false;
// The series before `unknown`, when its labels lie in the message (NO_REF otherwise).
let beforeRef: u32 = NO_REF;
let beforeLabels: usize = 0;
let beforeLength: usize = 0;
/** It was in the table before this message. */
let wasKnown: bool = false;

/** Makes ready for the message from `src` to `end`; `tablePtr` 0: its series get no refs. */
export function beginRefs(
  tablePtr: usize,
  identityPtr: usize,
  identityLength: usize,
  addedPtr: usize,
  src: usize,
  end: usize,
): void {
  table = tablePtr;
  message = src;
  messageEnd = end;
  added = addedPtr;
  addedCount = 0;
  waiting = u32.MAX_VALUE;
  unknown = 0;
  batch = 1;
  lookedUp = 0;
  strangers = 0;
  beforeRef = NO_REF;
  wasKnown = false;
  if (table === 0) return;
  mayPass = mayPassOver(table);
  deriveKey(keyOf(table), identityPtr, identityLength);
}

/** As `recall`, for the row with this index. */
export function recallNext(index: u32, start: usize, end: usize): usize {
  return beforeRef === NO_REF || unknown !== index
    ? 0
    : recall(table, beforeRef, beforeLabels, start, end, messageEnd);
}

function goOnFrom(row: usize, isKnown: bool): void {
  wasKnown = isKnown;
  beforeLabels = load<u32>(row, ROW_LABELS_PTR);
  beforeLength = load<u32>(row, ROW_LABELS_LENGTH);
  // Labels that were written anew lie elsewhere.
  const isInPlace = beforeLabels >= message && beforeLabels < messageEnd;
  beforeRef = isInPlace ? load<u32>(row, ROW_REF) : NO_REF;
}

/** Looks the row up; returns whether its series was in the table before this message. */
function lookUp(row: usize, index: u32): bool {
  const done = internRow(table, row);
  strangers = done === NO_ROOM ? strangers + 1 : 0;
  if (done === ADDED) {
    store<u32>(added + (addedCount << 2), index);
    addedCount++;
  } else if (done === NO_ROOM) waiting = min(waiting, index);
  return done === KNOWN;
}

/** Looks up the rows that were not yet, and learns which of them come one after another. */
export function endRefs(rows: usize, count: u32): void {
  for (let i = unknown; i < count; i++) fingerprintRow(rows + (i as usize) * ROW_BYTES);
  for (let i = unknown; i < count; i++) {
    const row = rows + (i as usize) * ROW_BYTES;
    const ref = beforeRef;
    const labels = beforeLabels;
    const length = beforeLength;
    const mayLearn = wasKnown && ref !== NO_REF;
    goOnFrom(row, lookUp(row, i));
    // Series that come once and never again are not worth it.
    if (mayLearn && wasKnown && beforeRef !== NO_REF) {
      const labelCount = load<u32>(row, ROW_LABEL_COUNT);
      learn(table, ref, labels, length, beforeRef, beforeLabels, beforeLength, labelCount);
    }
  }
  lookedUp += count - unknown;
  batch = lookedUp < ALONE ? 1 : min(lookedUp, BATCH_MAX);
  unknown = count;
}

/** The row keeps NO_REF. */
function pass(index: u32): void {
  unknown = index + 1;
  beforeRef = NO_REF;
  wasKnown = false;
}

/** Gives the row its ref: that of the series that was recalled, or of its fingerprint, now or with the next ones. */
export function takeRef(rows: usize, index: u32, isRecalled: bool): void {
  const row = rows + (index as usize) * ROW_BYTES;
  if (isRecalled) {
    store<u32>(row, recalledRef, ROW_REF);
    see(table, recalledRef);
    goOnFrom(row, true);
    unknown = index + 1;
    lookedUp = 0;
    strangers = 0;
    batch = 1;
  } else if (strangers >= STRANGERS_MAX && mayPass) {
    // Nobody waits to be looked up here, for `strangers` was counted by the last one who was.
    if (index % LOOK_EVERY === 0) endRefs(rows, index + 1);
    else pass(index);
  } else if (index - unknown + 1 >= batch) endRefs(rows, index + 1);
}
