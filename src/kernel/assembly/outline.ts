// biome-ignore-all lint/correctness/noPrecisionLoss: integers of AssemblyScript have 64 bits
/**
 * Outlines: of a series the names of its labels, and the values that rules look at. What is decided about one series holds
 * for all of the same outline, so a new series of a known outline gets its plan here, and no text is ever made of it.
 *
 * `known` is a region of u32 words:
 *
 *   0 entries, 4 slots - 1   a table by fingerprint: slots of 32 bytes, 0 fingerprint, 16 item u32 (0: empty); of a name it
 *                            holds its word, of a value that rules test its class, of an outline its plan
 *   8 keys                   three of 16 bytes, for names, values and outlines, so that they are never taken for each other
 *  12 scratch, 16 its bytes
 *  20 places                 24 bytes for each of PLACES_MAX labels: what the label at this place of the row before was
 *  24 how many of them       the owner sets it to 0 for a new message
 *  28 a value that may be longer than this counts whatever its kind is; 0: there is no such limit
 *  32 labels of the row at hand that are in scratch already; the owner sets it to 0 when it forgets names
 *  36 the field of the next one, 40 where it goes on in scratch
 *
 * The word of a name: its number << 3, and the kind of its label: its value does not count, or does, or its class does.
 */
import { copy, isAscii, isSame, shortVarint, varintEnd } from './bytes';
import { RESULT } from './result';
import { NO_REF, ROW_BYTES, ROW_LABEL_COUNT, ROW_LABELS_LENGTH, ROW_LABELS_PTR, ROW_REF } from './row';
import { fingerprint } from './siphash';

const ENTRIES: usize = 0;
const MASK: usize = 4;
const KEYS: usize = 8;
const SCRATCH: usize = 12;
const SCRATCH_BYTES: usize = 16;
const PLACES: usize = 20;
const PLACE_COUNT: usize = 24;
const VALUE_BYTES_MAX: usize = 28;
const BEGUN: usize = 32;
const BEGUN_FIELD: usize = 36;
const BEGUN_END: usize = 40;

const KEY_BYTES: usize = 16;
const NAMES: usize = 0;
const VALUES: usize = 1;
const OUTLINES: usize = 2;

const PLACES_MAX: u32 = 256;
const PLACE_BYTES: usize = 24;
const PLACE_NAME: usize = 0;
const PLACE_NAME_LENGTH: usize = 4;
const PLACE_WORD: usize = 8;
const PLACE_VALUE: usize = 12;
const PLACE_VALUE_LENGTH: usize = 16;
const PLACE_CLASS: usize = 20;

const READ: u32 = 1;
const TESTED: u32 = 2;
const KIND: u32 = 3;
const EMPTY: u32 = 4;

/** Why `planByOutline` stopped. */
const DONE: u32 = 0;
const NEW_NAME: u32 = 1;
const NEW_VALUE: u32 = 2;
const NEW_OUTLINE: u32 = 3;
const NEW_REF: u32 = 4;
const SCRATCH_FULL: u32 = 5;
const TOO_MANY_LABELS: u32 = 6;

/** Labels beyond are not copied but written into the plan, with the values of the series that it was made of. */
const LABELS_MAX: u32 = 1024;

/** A label takes at most so many bytes more in an outline than in a series. */
const LABEL_OVERHEAD: usize = 12;

/** The fingerprint that was looked up last. */
const LAST = memory.data(16, 8);

const SLOT_BYTES: usize = 32;
const SLOT_HIGH: usize = 8;
const SLOT_ITEM: usize = 16;

/** The slot that holds what was looked up last, or the empty one where it belongs. */
function slotOf(known: usize): usize {
  const entries = load<u32>(known, ENTRIES) as usize;
  const mask = load<u32>(known, MASK) as usize;
  const low = load<u64>(LAST);
  const high = load<u64>(LAST, 8);
  let index = (low as usize) & mask;
  while (true) {
    const slot = entries + index * SLOT_BYTES;
    if (load<u32>(slot, SLOT_ITEM) === 0) return slot;
    if (load<u64>(slot) === low && load<u64>(slot, SLOT_HIGH) === high) return slot;
    index = (index + 1) & mask;
  }
}

/** What the table holds for these bytes; 0 for nothing. */
function lookUp(known: usize, domain: usize, ptr: usize, length: usize): u32 {
  fingerprint((load<u32>(known, KEYS) as usize) + domain * KEY_BYTES, ptr, length, LAST);
  return load<u32>(slotOf(known), SLOT_ITEM);
}

/** Makes the table hold `item` for what was looked up last; it has room. */
export function rememberOutline(known: usize, item: u32): void {
  const slot = slotOf(known);
  store<u64>(slot, load<u64>(LAST));
  store<u64>(slot, load<u64>(LAST, 8), SLOT_HIGH);
  store<u32>(slot, item, SLOT_ITEM);
}

let status: u32 = DONE;

function stop(why: u32, a: usize, b: usize, c: u32): usize {
  status = why;
  store<u32>(RESULT, a as u32, 4);
  store<u32>(RESULT, b as u32, 8);
  store<u32>(RESULT, c, 12);
  return 0;
}

/** As a text: each byte that is no UTF-8 takes three there. */
function mayBeLonger(value: usize, length: usize, bytesMax: usize): bool {
  if (length > bytesMax) return true;
  return length > bytesMax / 3 && !isAscii(value, value + length);
}

/** As `stop`, but called again for the same row, `writeOutline` goes on with the label that it stopped at. */
function pause(
  known: usize,
  why: u32,
  ptr: usize,
  length: usize,
  word: u32,
  label: u32,
  field: usize,
  d: usize,
): usize {
  store<u32>(known, label, BEGUN);
  store<u32>(known, field as u32, BEGUN_FIELD);
  store<u32>(known, d as u32, BEGUN_END);
  return stop(why, ptr, length, word);
}

/** Writes the outline of a row to the scratch region; returns its end, or 0 with the reason in `status`. */
function writeOutline(known: usize, row: usize, suffixPtr: usize, suffixLength: usize): usize {
  if (load<u32>(row, ROW_LABEL_COUNT) > LABELS_MAX) return stop(TOO_MANY_LABELS, 0, 0, 0);
  const labels = load<u32>(row, ROW_LABELS_PTR) as usize;
  const end = labels + load<u32>(row, ROW_LABELS_LENGTH);
  const needed =
    end - labels + (load<u32>(row, ROW_LABEL_COUNT) as usize) * LABEL_OVERHEAD + suffixLength + 4;
  if (needed > (load<u32>(known, SCRATCH_BYTES) as usize)) return stop(SCRATCH_FULL, needed, 0, 0);
  const valueBytesMax = load<u32>(known, VALUE_BYTES_MAX) as usize;
  let d = load<u32>(known, SCRATCH) as usize;
  let place = load<u32>(known, PLACES) as usize;
  let count = load<u32>(known, PLACE_COUNT);
  let label = load<u32>(known, BEGUN);
  let p = labels;
  if (label !== 0) {
    p = load<u32>(known, BEGUN_FIELD);
    d = load<u32>(known, BEGUN_END);
    place += (min(label, PLACES_MAX) as usize) * PLACE_BYTES;
    store<u32>(known, 0, BEGUN);
  }
  for (; p < end; label++) {
    const field = p;
    const inner = shortVarint(p + 1);
    let q = varintEnd;
    p = q + inner;
    let name = q;
    let nameLength: usize = 0;
    if (q < p && load<u8>(q) === 0x0a) {
      nameLength = shortVarint(q + 1);
      name = varintEnd;
      q = name + nameLength;
    }
    let value = q;
    let valueLength: usize = 0;
    if (q < p) {
      valueLength = shortVarint(q + 1);
      value = varintEnd;
    }
    const isOld =
      label < count &&
      (load<u32>(place, PLACE_NAME_LENGTH) as usize) === nameLength &&
      isSame(name, load<u32>(place, PLACE_NAME), nameLength);
    const word = isOld ? load<u32>(place, PLACE_WORD) : lookUp(known, NAMES, name, nameLength);
    if (word === 0) return pause(known, NEW_NAME, name, nameLength, 0, label, field, d);
    let kind = word & KIND;
    if (valueBytesMax !== 0 && mayBeLonger(value, valueLength, valueBytesMax)) kind = READ;
    let valueClass: u32 = 0;
    if (kind === TESTED) {
      if (
        isOld &&
        (load<u32>(place, PLACE_VALUE_LENGTH) as usize) === valueLength &&
        isSame(value, load<u32>(place, PLACE_VALUE), valueLength)
      ) {
        valueClass = load<u32>(place, PLACE_CLASS);
      }
      if (valueClass === 0) {
        store<u32>(d, word);
        copy(d + 4, value, valueLength);
        valueClass = lookUp(known, VALUES, d, valueLength + 4);
        if (valueClass === 0) return pause(known, NEW_VALUE, value, valueLength, word, label, field, d);
      }
    }
    store<u32>(d, (word & ~KIND) | kind | (valueLength === 0 ? EMPTY : 0));
    d += 4;
    if (kind === TESTED) {
      store<u32>(d, valueClass);
      d += 4;
    } else if (kind === READ) {
      store<u32>(d, valueLength as u32);
      copy(d + 4, value, valueLength);
      d += 4 + valueLength;
    }
    if (label >= PLACES_MAX) continue;
    store<u32>(place, name as u32, PLACE_NAME);
    store<u32>(place, nameLength as u32, PLACE_NAME_LENGTH);
    store<u32>(place, word, PLACE_WORD);
    store<u32>(place, value as u32, PLACE_VALUE);
    store<u32>(place, valueLength as u32, PLACE_VALUE_LENGTH);
    store<u32>(place, valueClass, PLACE_CLASS);
    place += PLACE_BYTES;
    if (label >= count) {
      count = label + 1;
      store<u32>(known, count, PLACE_COUNT);
    }
  }
  copy(d, suffixPtr, suffixLength);
  // Told from the labels by where it begins.
  store<u32>(d + suffixLength, suffixLength as u32);
  return d + suffixLength + 4;
}

/**
 * Gives rows their plans by their outlines: those with the indices `missing[from]` to `missing[count - 1]`, in `plans` and,
 * with `keeps`, in `column` by ref, where each counts as a reference. Returns how far it came. Result: why it stopped; and
 * address and length of a name or value that is not known (and the word of its name), or the ref or the bytes that there
 * must be room for; then the number of plans that drop their series.
 */
export function planByOutline(
  known: usize,
  rows: usize,
  missing: usize,
  from: usize,
  count: usize,
  plans: usize,
  column: usize,
  columnLength: u32,
  keeps: bool,
  suffixPtr: usize,
  suffixLength: usize,
): usize {
  const scratch = load<u32>(known, SCRATCH) as usize;
  let dropped: u32 = 0;
  status = DONE;
  let nth = from;
  for (; nth < count; nth++) {
    const index = load<u32>(missing + (nth << 2)) as usize;
    const row = rows + index * ROW_BYTES;
    const ref = load<u32>(row, ROW_REF);
    const isKept = keeps && ref !== NO_REF;
    let plan: u32 = 0;
    if (isKept) {
      if (ref >= columnLength) {
        stop(NEW_REF, ref as usize, 0, 0);
        break;
      }
      // It may have come earlier in the same message.
      plan = load<u32>(column + ((ref as usize) << 2));
    }
    if (plan === 0) {
      const end = writeOutline(known, row, suffixPtr, suffixLength);
      if (end === 0) break;
      plan = lookUp(known, OUTLINES, scratch, end - scratch);
      if (plan === 0) {
        status = NEW_OUTLINE;
        break;
      }
      if (isKept) {
        store<u32>(column + ((ref as usize) << 2), plan);
        const references = (plan as usize) - 16;
        store<u32>(references, load<u32>(references) + 1);
      }
      if ((load<u32>(plan) & 255) !== 0) dropped++;
    }
    store<u32>(plans + (index << 2), plan);
  }
  store<u32>(RESULT, status);
  store<u32>(RESULT, dropped, 16);
  return nth;
}
