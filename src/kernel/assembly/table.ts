/**
 * The series table: fingerprint → ref, open addressing with linear probing.
 *
 * Header (u32 each): 0 entries, 4 number of slots - 1, 8 series in the table, 12 series that fit before it must grow,
 * 16 next ref that was never given out, 20 stack of free refs, 24 height of that stack.
 * Slot, 32 bytes, two to a cache line: 0 fingerprint (16), 16 ref + 1 (0: empty slot), 20 epoch when last seen.
 */
import { NO_REF, ROW_BYTES, ROW_FINGERPRINT, ROW_REF } from './row';

const ENTRIES: usize = 0;
const MASK: usize = 4;
const SIZE: usize = 8;
const SIZE_MAX: usize = 12;
const NEXT_REF: usize = 16;
const FREE_REFS: usize = 20;
const FREE_COUNT: usize = 24;

const SLOT_BYTES: usize = 32;
const SLOT_HIGH: usize = 8;
const SLOT_REF: usize = 16;
const SLOT_EPOCH: usize = 20;

/** The slot that holds this fingerprint, or the empty one where it belongs. */
export function find(entries: usize, mask: usize, low: u64, high: u64): usize {
  let index = (low as usize) & mask;
  while (true) {
    const slot = entries + index * SLOT_BYTES;
    if (load<u64>(slot) === low && load<u64>(slot, SLOT_HIGH) === high && load<u32>(slot, SLOT_REF) !== 0)
      return slot;
    if (load<u32>(slot, SLOT_REF) === 0) return slot;
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

/**
 * Gives the rows from `first` to `count` their refs, marks them as seen, and appends the indices of those that are new
 * to `added`. Returns the number of those, with the next row in `*nextOut`: it is `count` unless a new series came and
 * `mayGrow` is set on a full table; without `mayGrow` such a series gets NO_REF.
 */
export function internSeries(
  table: usize,
  rows: usize,
  first: usize,
  count: usize,
  epoch: u32,
  added: usize,
  mayGrow: bool,
  nextOut: usize,
): usize {
  const entries = load<u32>(table, ENTRIES) as usize;
  const mask = load<u32>(table, MASK) as usize;
  let addedCount: usize = 0;
  let i = first;
  for (; i < count; i++) {
    const row = rows + i * ROW_BYTES;
    const low = load<u64>(row, ROW_FINGERPRINT);
    const high = load<u64>(row, ROW_FINGERPRINT + 8);
    const slot = find(entries, mask, low, high);
    const known = load<u32>(slot, SLOT_REF);
    if (known !== 0) {
      store<u32>(row, known - 1, ROW_REF);
      // A cache line that is not written need not go back to memory.
      if (load<u32>(slot, SLOT_EPOCH) !== epoch) store<u32>(slot, epoch, SLOT_EPOCH);
      continue;
    }
    const size = load<u32>(table, SIZE);
    if (size >= load<u32>(table, SIZE_MAX)) {
      if (mayGrow) break;
      store<u32>(row, NO_REF, ROW_REF);
      continue;
    }
    const ref = takeRef(table);
    store<u64>(slot, low);
    store<u64>(slot, high, SLOT_HIGH);
    store<u32>(slot, ref + 1, SLOT_REF);
    store<u32>(slot, epoch, SLOT_EPOCH);
    store<u32>(table, size + 1, SIZE);
    store<u32>(row, ref, ROW_REF);
    store<u32>(added + (addedCount << 2), i as u32);
    addedCount++;
  }
  store<u32>(nextOut, i as u32);
  return addedCount;
}

/** Moves every series from the slots of `from` to those of `to`, which are all empty. The header is the caller's. */
export function moveTable(from: usize, fromSlots: usize, to: usize, toSlots: usize): void {
  const end = from + fromSlots * SLOT_BYTES;
  for (let slot = from; slot < end; slot += SLOT_BYTES) {
    if (load<u32>(slot, SLOT_REF) === 0) continue;
    const target = find(to, toSlots - 1, load<u64>(slot), load<u64>(slot, SLOT_HIGH));
    v128.store(target, v128.load(slot));
    v128.store(target, v128.load(slot, 16), 16);
  }
}

/** Empties a slot, and moves the series behind it up so that none is cut off from where its search begins. */
function remove(entries: usize, mask: usize, index: usize): void {
  let hole = index;
  let next = index;
  while (true) {
    next = (next + 1) & mask;
    const slot = entries + next * SLOT_BYTES;
    if (load<u32>(slot, SLOT_REF) === 0) break;
    const home = (load<u64>(slot) as usize) & mask;
    // It may fill the hole unless its home lies behind the hole (cyclically, up to where it is now).
    if (((next - home) & mask) < ((next - hole) & mask)) continue;
    const target = entries + hole * SLOT_BYTES;
    v128.store(target, v128.load(slot));
    v128.store(target, v128.load(slot, 16), 16);
    hole = next;
  }
  v128.store(entries + hole * SLOT_BYTES, v128.splat<u64>(0));
  v128.store(entries + hole * SLOT_BYTES, v128.splat<u64>(0), 16);
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
    const slot = entries + index * SLOT_BYTES;
    const ref = load<u32>(slot, SLOT_REF);
    if (ref === 0 || load<u32>(slot, SLOT_EPOCH) >= minEpoch) {
      index++;
      continue;
    }
    store<u32>(stack + (free << 2), ref - 1);
    free++;
    remove(entries, mask, index); // another series may have come to this place: it is looked at next
  }
  store<u32>(table, free as u32, FREE_COUNT);
  store<u32>(table, load<u32>(table, SIZE) - ((free - before) as u32), SIZE);
  return free - before;
}
