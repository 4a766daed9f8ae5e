// biome-ignore-all lint/correctness/noPrecisionLoss: integers of AssemblyScript have 64 bits
/** Copies and varints, shared by the kernels. */

/** From here on the engine's own copy is faster than a loop of 16-byte moves. */
const BULK_BYTES: usize = 256;

/** Copies `length` bytes between regions that do not overlap, exactly: nothing beyond either end is touched. */
export function copy(dst: usize, src: usize, length: usize): void {
  if (length >= 16) {
    if (length > BULK_BYTES) {
      memory.copy(dst, src, length);
      return;
    }
    const last = length - 16;
    for (let at: usize = 0; at < last; at += 16) v128.store(dst + at, v128.load(src + at));
    v128.store(dst + last, v128.load(src + last)); // overlaps the move before it
    return;
  }
  if (length >= 8) {
    store<u64>(dst, load<u64>(src));
    store<u64>(dst + length - 8, load<u64>(src + length - 8));
    return;
  }
  if (length >= 4) {
    store<u32>(dst, load<u32>(src));
    store<u32>(dst + length - 4, load<u32>(src + length - 4));
    return;
  }
  for (let at: usize = 0; at < length; at++) store<u8>(dst + at, load<u8>(src + at));
}

export function varintLength(value: u64): usize {
  return value === 0 ? 1 : (((70 - clz(value)) / 7) as usize);
}

export function putVarint(dst: usize, value: u64): usize {
  let at = dst;
  let rest = value;
  while (rest > 127) {
    store<u8>(at++, (rest & 127) | 128);
    rest >>= 7;
  }
  store<u8>(at, rest);
  return at + 1;
}

/** Where the varint that `shortVarint` read ends. */
export let varintEnd: usize = 0;

/** The varint of a field that was checked. */
export function shortVarint(p: usize): usize {
  let value: usize = 0;
  let shift: usize = 0;
  let at = p;
  while (true) {
    const byte = load<u8>(at++) as usize;
    value |= (byte & 127) << shift;
    if (byte < 128) break;
    shift += 7;
  }
  varintEnd = at;
  return value;
}

/** Whether these `n` bytes are equal. */
export function isSame(a: usize, b: usize, n: usize): bool {
  let at: usize = 0;
  while (at + 8 <= n) {
    if (load<u64>(a + at) !== load<u64>(b + at)) return false;
    at += 8;
  }
  while (at < n) {
    if (load<u8>(a + at) !== load<u8>(b + at)) return false;
    at++;
  }
  return true;
}

export function isAscii(start: usize, end: usize): bool {
  let p = start;
  while (p + 8 <= end) {
    if ((load<u64>(p) & 0x8080808080808080) !== 0) return false;
    p += 8;
  }
  while (p < end) if (load<u8>(p++) > 127) return false;
  return true;
}
