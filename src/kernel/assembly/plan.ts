/**
 * Plans: what becomes of a series, decided once (in TypeScript) and followed for each of its samples here.
 *
 * A plan is a record of u32 words:
 *
 *   0                  verdict: 0 goes on, 1 to 13 why the series is dropped; times 256, why it is held back
 *   1 … ownerWords     owners: bit s set when shard s gets the series
 *   then one a form    what destinations of this form see: fate (0 the series, 1 nothing, 2 to 4 it is held back) + the
 *                      offset of a patch for the labels from the beginning of the record, a multiple of 8; 0: as they came
 *
 * What is held back is aggregated or deduplicated, and so are samples only: native histograms of such a series go on.
 *
 * In front of the record there are 16 bytes for `series/plans.ts`; their first word counts who refers to the plan.
 *
 * A patch makes the label fields of a series out of those that came in:
 *
 *   0 number of labels, 4 bytes of the literals, 8 number of steps, 12 steps of two words each. A step copies so many of
 *   the labels that came in, from this one on; or, with the top bit of its second word set, so many bytes from this
 *   offset of the record, a literal.
 *
 * So the plan of a series says nothing about its bytes, and series that differ in values that no rule looks at share one.
 */
import { copy, isAscii, isSame, shortVarint, varintEnd } from './bytes';
import { RESULT } from './result';
import {
  ROW_BYTES,
  ROW_EXEMPLARS,
  ROW_HISTOGRAMS,
  ROW_LABEL_COUNT,
  ROW_LABELS_LENGTH,
  ROW_LABELS_PTR,
  ROW_REF,
  ROW_SAMPLE_COUNT,
} from './row';

const LITERAL: u32 = 0x80000000;
const FATE: u32 = 7;
const NONE: u32 = 1;
const VERDICT_BITS: usize = 8;

/** Counts of `judgePlans`, 16 bytes each: verdicts 0 to 13, then this, then the fates from 1 on. */
const OTHER_SHARD: usize = 14;
const JUDGEMENTS_BYTES: usize = 32 * 16;

/**
 * Writes the plan of every row to `plans`, 0 where there is none yet; appends the indices of those rows to `missing`
 * and returns their number. `column` holds the plans by ref.
 */
export function gatherPlans(
  rows: usize,
  count: usize,
  column: usize,
  columnLength: u32,
  plans: usize,
  missing: usize,
): usize {
  let missingCount: usize = 0;
  for (let i: usize = 0; i < count; i++) {
    const ref = load<u32>(rows + i * ROW_BYTES, ROW_REF);
    const plan = ref < columnLength ? load<u32>(column + ((ref as usize) << 2)) : 0;
    store<u32>(plans + (i << 2), plan);
    if (plan !== 0) continue;
    store<u32>(missing + (missingCount << 2), i as u32);
    missingCount++;
  }
  return missingCount;
}

/** Why a destination does not get the series of a plan: 0 when it does. `ownerBit` 0: the destination is no shard. */
export function judge(plan: usize, row: usize, ownerAt: usize, ownerBit: u32, formAt: usize): usize {
  const head = load<u32>(plan) as usize;
  if (head !== 0) {
    const verdict = head & ((1 << VERDICT_BITS) - 1);
    if (verdict !== 0) return verdict;
    if (load<u32>(row, ROW_HISTOGRAMS) === 0) return head >> VERDICT_BITS;
  }
  if (ownerBit !== 0 && (load<u32>(plan + ownerAt) & ownerBit) === 0) return OTHER_SHARD;
  const fate = load<u32>(plan + formAt) & FATE;
  if (fate === 0 || (fate !== NONE && load<u32>(row, ROW_HISTOGRAMS) !== 0)) return 0;
  return OTHER_SHARD + (fate as usize);
}

/** The patch for the labels, 0 where they go on as they came. */
export function patchOf(plan: usize, formAt: usize): usize {
  const offset = load<u32>(plan + formAt) & ~FATE;
  return offset === 0 ? 0 : plan + offset;
}

export function patchLabels(patch: usize): u32 {
  return load<u32>(patch);
}

/** A patch copies none of the labels behind these: `series/plans.ts` makes literals of them. */
const COPIED_MAX: usize = 1024;
/** Where the labels of the series at hand begin, and where the last one ends: `measurePatched` finds out. */
const FIELDS = memory.data(4 * 1025, 4);

function fieldAt(index: usize): usize {
  return load<u32>(FIELDS + (index << 2)) as usize;
}

/** The end of a label field. */
function fieldEnd(p: usize): usize {
  const length = load<u8>(p, 1) as usize;
  if (length < 128) return p + 2 + length;
  const checked = shortVarint(p + 1);
  return varintEnd + checked;
}

/** Bytes of the labels that the patch makes of these `count` ones; `putPatched` has to follow for the same labels. */
export function measurePatched(patch: usize, labels: usize, count: usize): usize {
  const known = min(count, COPIED_MAX);
  let p = labels;
  for (let i: usize = 0; i < known; i++) {
    store<u32>(FIELDS + (i << 2), p as u32);
    p = fieldEnd(p);
  }
  store<u32>(FIELDS + (known << 2), p as u32);
  let bytes = load<u32>(patch, 4) as usize;
  const end = patch + 12 + ((load<u32>(patch, 8) as usize) << 3);
  for (let step = patch + 12; step < end; step += 8) {
    const amount = load<u32>(step, 4);
    if ((amount & LITERAL) !== 0) continue;
    const first = load<u32>(step) as usize;
    bytes += fieldAt(first + amount) - fieldAt(first);
  }
  return bytes;
}

/** Writes the labels that the patch makes; returns where they end. */
export function putPatched(dst: usize, patch: usize, plan: usize): usize {
  const end = patch + 12 + ((load<u32>(patch, 8) as usize) << 3);
  let d = dst;
  for (let step = patch + 12; step < end; step += 8) {
    const first = load<u32>(step) as usize;
    const amount = load<u32>(step, 4);
    let from = plan + first;
    let bytes = (amount & ~LITERAL) as usize;
    if ((amount & LITERAL) === 0) {
      from = fieldAt(first);
      bytes = fieldAt(first + bytes) - from;
    }
    copy(d, from, bytes);
    d += bytes;
  }
  return d;
}

/**
 * Adds up what the rows hold by what is judged of them: series, samples, histograms and exemplars (u32) for each of 32. Lists the
 * rows that the destination gets, and returns their number.
 */
export function judgePlans(
  rows: usize,
  count: usize,
  plans: usize,
  ownerAt: usize,
  ownerBit: u32,
  formAt: usize,
  out: usize,
  list: usize,
): usize {
  memory.fill(out, 0, JUDGEMENTS_BYTES);
  let listed: usize = 0;
  for (let i: usize = 0; i < count; i++) {
    const row = rows + i * ROW_BYTES;
    const judged = judge(load<u32>(plans + (i << 2)), row, ownerAt, ownerBit, formAt);
    if (judged === 0) {
      store<u32>(list + (listed << 2), i as u32);
      listed++;
    }
    const sum = out + (judged << 4);
    store<u32>(sum, load<u32>(sum) + 1);
    store<u32>(sum, load<u32>(sum, 4) + load<u32>(row, ROW_SAMPLE_COUNT), 4);
    store<u32>(sum, load<u32>(sum, 8) + load<u32>(row, ROW_HISTOGRAMS), 8);
    store<u32>(sum, load<u32>(sum, 12) + load<u32>(row, ROW_EXEMPLARS), 12);
  }
  return listed;
}

const LABEL_BYTES: usize = 28;

/**
 * Says where the labels of a scanned row are: seven u32 a label: begin and length of its name, its value and its field,
 * relative to the first label, and 1 when the label at this place of the row `before` (0 for none), which `outBefore`
 * describes, has the same bytes. There is room for `labelCount` of them. Result: number of labels, 1 when all text of
 * labels that are not the same is ASCII.
 */
export function describeLabels(row: usize, out: usize, before: usize, outBefore: usize): void {
  const base = load<u32>(row, ROW_LABELS_PTR) as usize;
  const end = base + load<u32>(row, ROW_LABELS_LENGTH);
  const baseBefore: usize = before === 0 ? 0 : (load<u32>(before, ROW_LABELS_PTR) as usize);
  const countBefore: u32 = before === 0 ? 0 : load<u32>(before, ROW_LABEL_COUNT);
  let ascii = true;
  let labels: u32 = 0;
  let word = out;
  let wordBefore = outBefore;
  for (let p = base; p < end; ) {
    const field = p;
    const length = shortVarint(p + 1);
    p = varintEnd;
    const fieldEnd = p + length;
    const bytes = fieldEnd - field;
    store<u32>(word, (field - base) as u32, 16);
    store<u32>(word, bytes as u32, 20);
    if (
      labels < countBefore &&
      (load<u32>(wordBefore, 20) as usize) === bytes &&
      isSame(field, baseBefore + load<u32>(wordBefore, 16), bytes)
    ) {
      store<u32>(word, 1, 24);
      p = fieldEnd;
    } else {
      store<u32>(word, 0, 24);
      store<u32>(word, 0);
      store<u32>(word, 0, 4);
      store<u32>(word, 0, 8);
      store<u32>(word, 0, 12);
      while (p < fieldEnd) {
        const at: usize = load<u8>(p) === 0x0a ? 0 : 8;
        const textLength = shortVarint(p + 1);
        p = varintEnd;
        store<u32>(word + at, (p - base) as u32);
        store<u32>(word + at, textLength as u32, 4);
        ascii = ascii && isAscii(p, p + textLength);
        p += textLength;
      }
    }
    word += LABEL_BYTES;
    wordBefore += LABEL_BYTES;
    labels++;
  }
  store<u32>(RESULT, labels);
  store<u32>(RESULT, ascii ? 1 : 0, 4);
}
