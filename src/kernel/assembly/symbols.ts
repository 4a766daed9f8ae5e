/**
 * A symbol: a string of a message, by where it stands. 40 bytes; what lies behind the prefix belongs to `expand.ts` and
 * `condense.ts`, which have tables of their own.
 *
 *   0 ptr u32, 4 length u32
 *   8 prefix u64         its first eight bytes, the first one highest, padded with zeros: orders most strings
 */
export const SYMBOL_BYTES: usize = 40;
const LENGTH: usize = 4;
const PREFIX: usize = 8;

function prefixOf(ptr: usize, length: usize): u64 {
  if (length >= 8) return bswap(load<u64>(ptr));
  let prefix: u64 = 0;
  for (let i: usize = 0; i < length; i++) prefix |= (load<u8>(ptr + i) as u64) << ((56 - (i << 3)) as u64);
  return prefix;
}

/** Zeroes the rest. */
export function putSymbol(symbol: usize, ptr: usize, length: usize): void {
  store<u32>(symbol, ptr as u32);
  store<u32>(symbol, length as u32, LENGTH);
  store<u64>(symbol, prefixOf(ptr, length), PREFIX);
  store<u64>(symbol, 0, 16);
  store<u64>(symbol, 0, 24);
  store<u64>(symbol, 0, 32);
}

export function symbolPtr(symbol: usize): usize {
  return load<u32>(symbol) as usize;
}

export function symbolLength(symbol: usize): usize {
  return load<u32>(symbol, LENGTH) as usize;
}

/** Below, at or above 0, as the bytes of `a` come before, at or behind those of `b`. */
export function compareSymbols(a: usize, b: usize): i32 {
  if (a === b) return 0;
  const aPrefix = load<u64>(a, PREFIX);
  const bPrefix = load<u64>(b, PREFIX);
  if (aPrefix !== bPrefix) return aPrefix < bPrefix ? -1 : 1;
  const aLength = symbolLength(a);
  const bLength = symbolLength(b);
  const common = min(aLength, bLength);
  const order = compareBytes(symbolPtr(a), symbolPtr(b), common);
  if (order !== 0) return order;
  return aLength === bLength ? 0 : aLength < bLength ? -1 : 1;
}

function compareBytes(a: usize, b: usize, length: usize): i32 {
  let at: usize = 0;
  while (length - at >= 8) {
    const x = load<u64>(a + at);
    const y = load<u64>(b + at);
    if (x !== y) return bswap(x) < bswap(y) ? -1 : 1;
    at += 8;
  }
  while (at < length) {
    const x = load<u8>(a + at) as i32;
    const y = load<u8>(b + at) as i32;
    if (x !== y) return x - y;
    at++;
  }
  return 0;
}

export function equalBytes(a: usize, b: usize, length: usize): bool {
  return compareBytes(a, b, length) === 0;
}

// Pairs of references (name, value), eight bytes each, ordered by the symbols of their names.

function nameOf(pair: usize, symbols: usize): usize {
  return symbols + (load<u32>(pair) as usize) * SYMBOL_BYTES;
}

/** Below 0: every name comes before the next; 0: two are equal; above 0: two are not in order. The first such pair counts. */
export function pairOrder(pairs: usize, count: usize, symbols: usize): i32 {
  if (count === 0) return -1;
  const end = pairs + (count << 3);
  let before = nameOf(pairs, symbols);
  for (let pair = pairs + 8; pair < end; pair += 8) {
    const name = nameOf(pair, symbols);
    const order = compareSymbols(before, name);
    if (order >= 0) return order;
    before = name;
  }
  return -1;
}

function siftDown(pairs: usize, from: usize, count: usize, symbols: usize): void {
  let root = from;
  for (;;) {
    let child = root * 2 + 1;
    if (child >= count) return;
    if (
      child + 1 < count &&
      compareSymbols(nameOf(pairs + (child << 3), symbols), nameOf(pairs + ((child + 1) << 3), symbols)) < 0
    ) {
      child++;
    }
    const upper = pairs + (root << 3);
    const lower = pairs + (child << 3);
    if (compareSymbols(nameOf(upper, symbols), nameOf(lower, symbols)) >= 0) return;
    const moved = load<u64>(upper);
    store<u64>(upper, load<u64>(lower));
    store<u64>(lower, moved);
    root = child;
  }
}

/** In place, and in time that no input makes long. */
export function sortPairs(pairs: usize, count: usize, symbols: usize): void {
  for (let from = count >> 1; from > 0; from--) siftDown(pairs, from - 1, count, symbols);
  for (let left = count; left > 1; left--) {
    const last = pairs + ((left - 1) << 3);
    const moved = load<u64>(pairs);
    store<u64>(pairs, load<u64>(last));
    store<u64>(last, moved);
    siftDown(pairs, 0, left - 1, symbols);
  }
}
