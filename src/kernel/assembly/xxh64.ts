// biome-ignore-all lint/correctness/noPrecisionLoss: integers of AssemblyScript have 64 bits
/** xxHash64 with seed 0. https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md */
import { ROW_BYTES, ROW_LABELS_LENGTH, ROW_LABELS_PTR } from './row';

const P1: u64 = 0x9e3779b185ebca87;
const P2: u64 = 0xc2b2ae3d27d4eb4f;
const P3: u64 = 0x165667b19e3779f9;
const P4: u64 = 0x85ebca77c2b2ae63;
const P5: u64 = 0x27d4eb2f165667c5;
const SLOT_MASK: u64 = 31;

function round(accumulator: u64, lane: u64): u64 {
  return rotl<u64>(accumulator + lane * P2, 31) * P1;
}

function merge(hash: u64, accumulator: u64): u64 {
  return (hash ^ round(0, accumulator)) * P1 + P4;
}

export function xxh64(ptr: usize, n: usize): u64 {
  const end = ptr + n;
  let p = ptr;
  let hash: u64 = P5;
  if (n >= 32) {
    let a = P1 + P2;
    let b = P2;
    let c: u64 = 0;
    let d: u64 = 0 - P1;
    do {
      a = round(a, load<u64>(p));
      b = round(b, load<u64>(p, 8));
      c = round(c, load<u64>(p, 16));
      d = round(d, load<u64>(p, 24));
      p += 32;
    } while (end - p >= 32);
    hash = rotl<u64>(a, 1) + rotl<u64>(b, 7) + rotl<u64>(c, 12) + rotl<u64>(d, 18);
    hash = merge(merge(merge(merge(hash, a), b), c), d);
  }
  hash += n as u64;
  while (end - p >= 8) {
    hash = rotl<u64>(hash ^ round(0, load<u64>(p)), 27) * P1 + P4;
    p += 8;
  }
  if (end - p >= 4) {
    hash = rotl<u64>(hash ^ ((load<u32>(p) as u64) * P1), 23) * P2 + P3;
    p += 4;
  }
  while (p < end) hash = rotl<u64>(hash ^ ((load<u8>(p++) as u64) * P5), 11) * P1;
  hash ^= hash >> 33;
  hash *= P2;
  hash ^= hash >> 29;
  hash *= P3;
  return hash ^ (hash >> 32);
}

/** Writes the slot (0 to 31) of every row's labels to `slots`, a byte each. */
export function slotSeries(rows: usize, count: usize, slots: usize): void {
  let row = rows;
  for (let i: usize = 0; i < count; i++, row += ROW_BYTES) {
    const hash = xxh64(load<u32>(row, ROW_LABELS_PTR), load<u32>(row, ROW_LABELS_LENGTH));
    store<u8>(slots + i, (hash & SLOT_MASK) as u8);
  }
}
