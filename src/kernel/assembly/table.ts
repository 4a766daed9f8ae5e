/**
 * The series table: fingerprint → ref, open addressing with linear probing.
 *
 * Header (u32 each): 0 entries, 4 number of slots - 1, 8 series in the table, 12 series that fit before it must grow,
 * 16 next ref that was never given out, 20 stack of free refs, 24 height of that stack, 28 places by ref (`recall.ts`),
 * 32 key of the fingerprints, 36 epoch that series are seen in, 40 whether it can grow, 44 arena of records, 48 where the
 * last record may end in it, 52 bytes of it in use, 56 bytes of records that are dead, 60 fingerprints by ref, 16 bytes each,
 * 64 whether series may be passed over when it is full (`intern.ts`).
 * Slot, u32: ref + 1 (0: empty slot), and on top 10 bits of the fingerprint, so that hardly ever another one is looked at.
 */
import { forgetGone, forgetUnseen, markGone, NEXT_REF, placeOf, unmarkGone } from './recall';
import { RESULT } from './result';
import { NO_REF, ROW_BYTES, ROW_FINGERPRINT, ROW_REF } from './row';

const ENTRIES: usize = 0;
const MASK: usize = 4;
const SIZE: usize = 8;
const SIZE_MAX: usize = 12;
const FREE_REFS: usize = 20;
const FREE_COUNT: usize = 24;
const KEY: usize = 32;
const EPOCH: usize = 36;
const MAY_GROW: usize = 40;

const PRINTS: usize = 60;
const MAY_PASS: usize = 64;

/** As many series as there are numbers of so many bits, less one. */
const REF_BITS: u32 = 22;
const REF_MASK: u32 = (1 << REF_BITS) - 1;

/** What `internRow` did. */
export const KNOWN: u32 = 0;
export const ADDED: u32 = 1;
export const NO_ROOM: u32 = 2;

export function keyOf(table: usize): usize {
  return load<u32>(table, KEY);
}

function canGrow(table: usize): bool {
  return load<u32>(table, MAY_GROW) !== 0;
}

/** Whether a series that is in the table may keep NO_REF all the same, where there is no room for others. */
export function mayPassOver(table: usize): bool {
  return load<u32>(table, MAY_PASS) !== 0 && !canGrow(table);
}

/** Notes that the series of this ref came now. */
export function see(table: usize, ref: u32): void {
  const place = placeOf(table, ref);
  const epoch = load<u32>(table, EPOCH);
  // A cache line that is not written need not go back to memory.
  if (load<u32>(place) !== epoch) store<u32>(place, epoch);
}

function printOf(table: usize, slot: u32): usize {
  return load<u32>(table, PRINTS) + (((slot & REF_MASK) - 1) << 4);
}

function tagOf(high: u64): u32 {
  return ((high >> 32) as u32) & ~REF_MASK;
}

/** The slot of this fingerprint, or the empty one where it belongs. */
function find(table: usize, low: u64, high: u64): usize {
  const entries = load<u32>(table, ENTRIES) as usize;
  const mask = load<u32>(table, MASK) as usize;
  const tag = tagOf(high);
  let index = (low as usize) & mask;
  while (true) {
    const at = entries + (index << 2);
    const slot = load<u32>(at);
    if (slot === 0) return at;
    if ((slot & ~REF_MASK) === tag) {
      const print = printOf(table, slot);
      if (load<u64>(print) === low && load<u64>(print, 8) === high) return at;
    }
    index = (index + 1) & mask;
  }
}

function takeRef(table: usize): u32 {
  const free = load<u32>(table, FREE_COUNT);
  if (free === 0) {
    const ref = load<u32>(table, NEXT_REF);
    store<u32>(table, ref + 1, NEXT_REF);
    return ref;
  }
  store<u32>(table, free - 1, FREE_COUNT);
  return load<u32>(load<u32>(table, FREE_REFS) + ((free - 1) << 2));
}

/** Gives a row with a fingerprint its ref, and marks the series as seen. NO_ROOM: it is new, and keeps NO_REF. */
export function internRow(table: usize, row: usize): u32 {
  const low = load<u64>(row, ROW_FINGERPRINT);
  const high = load<u64>(row, ROW_FINGERPRINT + 8);
  const at = find(table, low, high);
  const known = load<u32>(at) & REF_MASK;
  if (known !== 0) {
    store<u32>(row, known - 1, ROW_REF);
    see(table, known - 1);
    return KNOWN;
  }
  const size = load<u32>(table, SIZE);
  if (size >= load<u32>(table, SIZE_MAX)) return NO_ROOM;
  const ref = takeRef(table);
  const slot = (ref + 1) | tagOf(high);
  store<u32>(at, slot);
  store<u64>(printOf(table, slot), low);
  store<u64>(printOf(table, slot), high, 8);
  see(table, ref);
  store<u32>(table, size + 1, SIZE);
  store<u32>(row, ref, ROW_REF);
  return ADDED;
}

/**
 * Gives the rows from `first` to `count` that have none their refs, and appends the indices of those that are new to
 * `added`. Returns the number of those. Result: the next row, which is `count` unless a new series came and the table can
 * grow; if it cannot, such a series keeps NO_REF.
 */
export function internSeries(table: usize, rows: usize, first: usize, count: usize, added: usize): usize {
  const mayGrow = canGrow(table);
  let addedCount: usize = 0;
  let i = first;
  for (; i < count; i++) {
    const row = rows + i * ROW_BYTES;
    if (load<u32>(row, ROW_REF) !== NO_REF) continue;
    const done = internRow(table, row);
    if (done === NO_ROOM && mayGrow) break;
    if (done !== ADDED) continue;
    store<u32>(added + (addedCount << 2), i as u32);
    addedCount++;
  }
  store<u32>(RESULT, i as u32);
  return addedCount;
}

/** Takes the series out of the table again that were added with these rows; what was learned of others stays. */
export function removeAdded(table: usize, rows: usize, count: usize, added: usize, addedCount: usize): void {
  const stack = load<u32>(table, FREE_REFS) as usize;
  for (let i = addedCount; i > 0; i--) {
    const row = rows + (load<u32>(added + ((i - 1) << 2)) as usize) * ROW_BYTES;
    const at = find(table, load<u64>(row, ROW_FINGERPRINT), load<u64>(row, ROW_FINGERPRINT + 8));
    const ref = (load<u32>(at) & REF_MASK) - 1;
    remove(table, at);
    markGone(table, ref);
    const free = load<u32>(table, FREE_COUNT);
    store<u32>(stack + ((free as usize) << 2), ref);
    store<u32>(table, free + 1, FREE_COUNT);
    store<u32>(table, load<u32>(table, SIZE) - 1, SIZE);
  }
  for (let i: usize = 0; i < count; i++) {
    const ref = load<u32>(rows + i * ROW_BYTES, ROW_REF);
    if (ref !== NO_REF) forgetGone(table, ref);
  }
  for (let i: usize = 0; i < addedCount; i++) {
    const row = rows + (load<u32>(added + (i << 2)) as usize) * ROW_BYTES;
    unmarkGone(table, load<u32>(row, ROW_REF));
  }
}

/** Puts every series into the slots of `to`, which are all empty, as well. The header is the caller's. */
export function moveTable(table: usize, to: usize, toSlots: usize): void {
  const entries = load<u32>(table, ENTRIES) as usize;
  const end = entries + (((load<u32>(table, MASK) as usize) + 1) << 2);
  for (let at = entries; at < end; at += 4) {
    const slot = load<u32>(at);
    if (slot === 0) continue;
    let index = (load<u64>(printOf(table, slot)) as usize) & (toSlots - 1);
    while (load<u32>(to + (index << 2)) !== 0) index = (index + 1) & (toSlots - 1);
    store<u32>(to + (index << 2), slot);
  }
}

/** Empties a slot, and moves the series behind it up so that none is cut off from where its search begins. */
function remove(table: usize, at: usize): void {
  const entries = load<u32>(table, ENTRIES) as usize;
  const mask = load<u32>(table, MASK) as usize;
  let hole = (at - entries) >> 2;
  let next = hole;
  while (true) {
    next = (next + 1) & mask;
    const slot = load<u32>(entries + (next << 2));
    if (slot === 0) break;
    const home = (load<u64>(printOf(table, slot)) as usize) & mask;
    // It may fill the hole unless its home lies behind the hole (cyclically, up to where it is now).
    if (((next - home) & mask) < ((next - hole) & mask)) continue;
    store<u32>(entries + (hole << 2), slot);
    hole = next;
  }
  store<u32>(entries + (hole << 2), 0);
}

/**
 * Removes every series that was last seen before `minEpoch`. The refs are pushed on the stack of free refs; returns how
 * many there are.
 */
export function sweepTable(table: usize, minEpoch: u32): usize {
  const entries = load<u32>(table, ENTRIES) as usize;
  const mask = load<u32>(table, MASK) as usize;
  const stack = load<u32>(table, FREE_REFS) as usize;
  const before = load<u32>(table, FREE_COUNT) as usize;
  let free = before;
  for (let index: usize = 0; index <= mask; ) {
    const at = entries + (index << 2);
    const ref = load<u32>(at) & REF_MASK;
    if (ref === 0 || load<u32>(placeOf(table, ref - 1)) >= minEpoch) {
      index++;
      continue;
    }
    store<u32>(stack + (free << 2), ref - 1);
    free++;
    remove(table, at); // another series may have come to this place: it is looked at next
  }
  store<u32>(table, free as u32, FREE_COUNT);
  store<u32>(table, load<u32>(table, SIZE) - ((free - before) as u32), SIZE);
  if (free > before) forgetUnseen(table, minEpoch);
  return free - before;
}
