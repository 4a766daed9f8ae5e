/**
 * The strings of a remote write 2.0 Request that `condense.ts` writes: `internLabels` finds those of the labels,
 * `describeMetric` and `describeTenant` give metrics their metadata. What they find is in globals, the symbol table and the
 * references; the regions stay as they are until the request is written.
 */
import { Fast } from './fast';
import { clearError, errorCode, fail, OK, RESULT, storeError, TOO_MANY_SYMBOLS } from './result';
import { ROW_BYTES, ROW_LABELS_LENGTH, ROW_LABELS_PTR } from './row';
import { fingerprint } from './siphash';
import { equalBytes, putSymbol, SYMBOL_BYTES, symbolLength, symbolPtr } from './symbols';
import * as wire from './wire';

// What a symbol holds behind what `symbols.ts` keeps. Of metric names: a chain of them, from the last one, and their metadata.
const HASH: usize = 16;
const NEXT_NAME: usize = 20;
export const HELP: usize = 24;
export const UNIT: usize = 28;
export const TYPE: usize = 32;
/** Not 0 for metric names: 1, or the last one of the tenants that say something else of the metric. */
export const IS_NAME: usize = 36;
// What a tenant says of a metric: the one before, references of the values of its two labels, and the metadata.
export const TENANT_ACCOUNT: usize = 4;
export const TENANT_PROJECT: usize = 8;
export const TENANT_HELP: usize = 12;
export const TENANT_UNIT: usize = 16;
export const TENANT_TYPE: usize = 20;

const NAME = memory.data<u8>([0x5f, 0x5f, 0x6e, 0x61, 0x6d, 0x65, 0x5f, 0x5f]); // __name__
const NAME_BYTES: usize = 8;
const ACCOUNT = memory.data<u8>([
  0x76, 0x6d, 0x5f, 0x61, 0x63, 0x63, 0x6f, 0x75, 0x6e, 0x74, 0x5f, 0x69, 0x64,
]); // vm_account_id
const PROJECT = memory.data<u8>([
  0x76, 0x6d, 0x5f, 0x70, 0x72, 0x6f, 0x6a, 0x65, 0x63, 0x74, 0x5f, 0x69, 0x64,
]); // vm_project_id
const TENANT_LABEL_BYTES: usize = 13;
const FINGERPRINT = memory.data(16, 8);
/** References of a label, name and value. */
export const PAIR_BYTES: usize = 8;
/** What strings are hashed with: nobody else knows it, so nobody can make them meet. */
let key: usize = 0;
export let symbols: usize = 0;
export let symbolCount: u32 = 0;
let symbolsMax: u32 = 0;
/** Numbers of symbols by hash, open-addressed; 0 is free. */
let slots: usize = 0;
let slotMask: u32 = 0;
let lastName: u32 = 0;
/** The reference of `__name__`; 0 before it is met. */
export let nameRef: u32 = 0;
/** Those of the labels of tenants, once somebody asks. */
export let accountRef: u32 = 0;
export let projectRef: u32 = 0;

export function symbolOf(ref: u32): usize {
  return symbols + (ref as usize) * SYMBOL_BYTES;
}

function isSymbol(ref: u32, ptr: usize, length: usize): bool {
  const symbol = symbolOf(ref);
  return symbolLength(symbol) === length && equalBytes(symbolPtr(symbol), ptr, length);
}

/** The slot of a string: where its reference is, or belongs. FINGERPRINT is that of the string afterwards. */
function slotOf(ptr: usize, length: usize): usize {
  fingerprint(key, ptr, length, FINGERPRINT);
  const hash = load<u32>(FINGERPRINT);
  let at = hash & slotMask;
  while (true) {
    const slot = slots + ((at as usize) << 2);
    const ref = load<u32>(slot);
    if (ref === 0 || (load<u32>(symbolOf(ref), HASH) === hash && isSymbol(ref, ptr, length))) return slot;
    at = (at + 1) & slotMask;
  }
}

/** The reference of a string. When the table is full, `errorCode` says so. */
export function intern(ptr: usize, length: usize): u32 {
  if (length === 0) return 0;
  const slot = slotOf(ptr, length);
  const known = load<u32>(slot);
  if (known !== 0) return known;
  if (symbolCount >= symbolsMax) {
    fail(TOO_MANY_SYMBOLS, ptr);
    return 0;
  }
  const fresh = symbolCount++;
  const symbol = symbolOf(fresh);
  putSymbol(symbol, ptr, length);
  store<u32>(symbol, load<u32>(FINGERPRINT), HASH);
  store<u32>(slot, fresh);
  return fresh;
}

/** The reference of a string that was met; 0 for any other. */
function referenceOf(ptr: usize, length: usize): u32 {
  return length === 0 ? 0 : load<u32>(slotOf(ptr, length));
}

/** As `intern`, for what is probably the string of this reference. */
function internAs(guess: u32, ptr: usize, length: usize): u32 {
  return guess !== 0 && isSymbol(guess, ptr, length) ? guess : intern(ptr, length);
}

function isMetricName(ptr: usize, length: usize): bool {
  return length === NAME_BYTES && load<u64>(ptr) === load<u64>(NAME);
}

function noteName(ref: u32): void {
  const symbol = symbolOf(ref);
  if (ref === 0 || load<u32>(symbol, IS_NAME) !== 0) return;
  store<u32>(symbol, 1, IS_NAME);
  store<u32>(symbol, lastName, NEXT_NAME);
  lastName = ref;
}

/** References of the labels of a row behind `to`; `before` are those of the series before, which are mostly the same. */
function internRow(row: usize, to: usize, before: usize, countBefore: u32): u32 {
  let p: usize = load<u32>(row, ROW_LABELS_PTR);
  const end = p + (load<u32>(row, ROW_LABELS_LENGTH) as usize);
  let count: u32 = 0;
  // Labels are canonical: `0a len [0a len name] [12 len value]`.
  while (p < end) {
    let labelEnd: usize;
    let namePtr: usize;
    let nameLength: usize;
    let value: usize;
    let valueLength: usize;
    // It may look a little behind the labels, where there is memory in any case.
    if (Fast.isLabel(p) && Fast.end(p) <= end) {
      labelEnd = Fast.end(p);
      nameLength = load<u8>(p, 3) as usize;
      namePtr = p + 4;
      value = namePtr + nameLength + 2;
      valueLength = labelEnd - value;
    } else {
      labelEnd = wire.readLength(p + 1, end);
      p = wire.payload;
      namePtr = p;
      nameLength = 0;
      valueLength = 0;
      if (p < labelEnd && (load<u8>(p) as u32) === 0x0a) {
        p = wire.readLength(p + 1, labelEnd);
        namePtr = wire.payload;
        nameLength = p - namePtr;
      }
      value = p;
      if (p < labelEnd) {
        valueLength = wire.readLength(p + 1, labelEnd) - wire.payload;
        value = wire.payload;
      }
    }
    if (valueLength !== 0) {
      const known = count < countBefore ? before + (count as usize) * PAIR_BYTES : 0;
      const name = internAs(known === 0 ? 0 : load<u32>(known), namePtr, nameLength);
      const ref = internAs(known === 0 ? 0 : load<u32>(known, 4), value, valueLength);
      const pair = to + (count as usize) * PAIR_BYTES;
      store<u32>(pair, name);
      store<u32>(pair, ref, 4);
      count++;
      if (nameRef === 0 && isMetricName(namePtr, nameLength)) nameRef = name;
      if (name === nameRef && name !== 0) noteName(ref);
    }
    p = labelEnd;
  }
  return count;
}

/**
 * Writes for each row the number of its labels, then their references, to `refs`, which has room for 4 bytes a row and 8 a label.
 * Returns 1, or 0 when there are too many strings. Result: code, position, symbols, the last metric name.
 */
export function internLabels(
  rows: usize,
  count: u32,
  symbolTable: usize,
  symbolTableMax: u32,
  slotTable: usize,
  slotCount: u32,
  keyPtr: usize,
  refs: usize,
): bool {
  clearError();
  key = keyPtr;
  symbols = symbolTable;
  symbolsMax = symbolTableMax;
  slots = slotTable;
  slotMask = slotCount - 1;
  memory.fill(slotTable, 0, (slotCount as usize) << 2);
  putSymbol(symbols, rows, 0);
  symbolCount = 1;
  lastName = 0;
  nameRef = 0;
  accountRef = 0;
  projectRef = 0;
  let to = refs;
  let before: usize = 0;
  let countBefore: u32 = 0;
  for (let i: u32 = 0; i < count && errorCode === OK; i++) {
    const labels = internRow(rows + (i as usize) * ROW_BYTES, to + 4, before, countBefore);
    store<u32>(to, labels);
    before = to + 4;
    countBefore = labels;
    to = before + (labels as usize) * PAIR_BYTES;
  }
  storeError(rows);
  store<u32>(RESULT, symbolCount, 8);
  store<u32>(RESULT, lastName, 12);
  return errorCode === OK;
}

/** Gives the series of a metric their metadata; the texts stay where they are. Returns 0 when there are too many strings. */
export function describeMetric(
  name: u32,
  type: u32,
  help: usize,
  helpLength: usize,
  unit: usize,
  unitLength: usize,
): bool {
  const symbol = symbolOf(name);
  const helpRef = intern(help, helpLength);
  const unitRef = intern(unit, unitLength);
  if (errorCode !== OK) return false;
  store<u32>(symbol, type, TYPE);
  store<u32>(symbol, helpRef, HELP);
  store<u32>(symbol, unitRef, UNIT);
  return true;
}

/**
 * Gives those series of a metric that have these two values in the labels of tenants metadata of their own; after
 * `describeMetric`. `room` has 24 bytes for it. Returns 0 when there are too many strings.
 */
export function describeTenant(
  name: u32,
  room: usize,
  account: usize,
  accountLength: usize,
  project: usize,
  projectLength: usize,
  type: u32,
  help: usize,
  helpLength: usize,
  unit: usize,
  unitLength: usize,
): bool {
  if (accountRef === 0) accountRef = referenceOf(ACCOUNT, TENANT_LABEL_BYTES);
  if (projectRef === 0) projectRef = referenceOf(PROJECT, TENANT_LABEL_BYTES);
  const accountValue = referenceOf(account, accountLength);
  const projectValue = referenceOf(project, projectLength);
  // None of its series is here.
  if (accountRef === 0 || projectRef === 0 || accountValue === 0 || projectValue === 0) return true;
  const helpRef = intern(help, helpLength);
  const unitRef = intern(unit, unitLength);
  if (errorCode !== OK) return false;
  const symbol = symbolOf(name);
  store<u32>(room, load<u32>(symbol, IS_NAME));
  store<u32>(room, accountValue, TENANT_ACCOUNT);
  store<u32>(room, projectValue, TENANT_PROJECT);
  store<u32>(room, helpRef, TENANT_HELP);
  store<u32>(room, unitRef, TENANT_UNIT);
  store<u32>(room, type, TENANT_TYPE);
  store<u32>(symbol, room as u32, IS_NAME);
  return true;
}
