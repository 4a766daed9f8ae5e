/**
 * The snappy encoder: greedy matching through a hash table of four-byte sequences, in blocks of 64 KiB so that a table
 * entry is 16 bits. The scheme (hash, skipping ahead where nothing matches, margins) is that of the C++ and Go encoders,
 * and so is the ratio. https://github.com/google/snappy
 */
import { copy, putVarint } from './bytes';

const BLOCK_BYTES: usize = 65536;
const TABLE_BITS_MAX: u32 = 14;
const TABLE_BITS_MIN: u32 = 8;
/** No match begins in the last bytes of a block, so that 16-byte loads stay inside. */
const MARGIN_BYTES: usize = 15;

/** Positions in the block, by hash: 16 bits each. */
const TABLE: usize = memory.data(1 << (14 + 1), 16);

function hash(word: u32, shift: u32): usize {
  return ((word * 0x1e35a7bd) >>> shift) << 1;
}

/** A literal of at most a block. `roomy`: 16 bytes may be read at `src` and written at `dst` whatever the length is. */
export function putLiteral(dst: usize, src: usize, length: usize, roomy: bool): usize {
  let d = dst;
  const n = length - 1;
  if (n < 60) store<u8>(d++, n << 2);
  else if (n < 256) {
    store<u8>(d, 60 << 2);
    store<u8>(d, n, 1);
    d += 2;
  } else {
    store<u8>(d, 61 << 2);
    store<u16>(d, n, 1);
    d += 3;
  }
  if (roomy && length <= 16) v128.store(d, v128.load(src));
  else copy(d, src, length);
  return d + length;
}

export function putCopy(dst: usize, offset: usize, length: usize): usize {
  let d = dst;
  let rest = length;
  while (rest >= 68) {
    store<u8>(d, (63 << 2) | 2);
    store<u16>(d, offset, 1);
    d += 3;
    rest -= 64;
  }
  if (rest > 64) {
    // Leaves at least 4, the least that a copy of the short kind can have.
    store<u8>(d, (59 << 2) | 2);
    store<u16>(d, offset, 1);
    d += 3;
    rest -= 60;
  }
  if (rest >= 12 || offset >= 2048) {
    store<u8>(d, ((rest - 1) << 2) | 2);
    store<u16>(d, offset, 1);
    return d + 3;
  }
  store<u8>(d, ((offset >> 8) << 5) | ((rest - 4) << 2) | 1);
  store<u8>(d, offset, 1);
  return d + 2;
}

/** The end of the bytes from `at` on that equal those from `candidate` on. */
function matchEnd(at: usize, candidate: usize, end: usize): usize {
  let s = at;
  const back = at - candidate;
  while (end - s >= 8) {
    const difference = load<u64>(s) ^ load<u64>(s - back);
    if (difference !== 0) return s + ((ctz(difference) >> 3) as usize);
    s += 8;
  }
  while (s < end && load<u8>(s) === load<u8>(s - back)) s++;
  return s;
}

function encodeBlock(src: usize, n: usize, dst: usize): usize {
  if (n < MARGIN_BYTES + 2) return putLiteral(dst, src, n, false);
  let bits = TABLE_BITS_MIN;
  while (bits < TABLE_BITS_MAX && (1 as usize) << bits < n) bits++;
  const shift = 32 - bits;
  memory.fill(TABLE, 0, (2 as usize) << bits);

  const end = src + n;
  const limit = end - MARGIN_BYTES;
  let d = dst;
  let literal = src;
  let s = src + 1;
  let nextHash = hash(load<u32>(s), shift);
  while (true) {
    // Looks for four bytes that occurred before, in steps that grow while there is nothing to be found.
    let skip: usize = 32;
    let next = s;
    let candidate: usize = 0;
    do {
      s = next;
      const slot = TABLE + nextHash;
      next = s + (skip >> 5);
      skip++;
      if (next > limit) return literal < end ? putLiteral(d, literal, end - literal, false) : d;
      candidate = src + (load<u16>(slot) as usize);
      store<u16>(slot, s - src);
      nextHash = hash(load<u32>(next), shift);
    } while (load<u32>(s) !== load<u32>(candidate));
    d = putLiteral(d, literal, s - literal, true);

    // Copies, for as long as another match follows at once.
    while (true) {
      const matched = matchEnd(s + 4, candidate + 4, end);
      d = putCopy(d, s - candidate, matched - s);
      s = matched;
      literal = s;
      if (s >= limit) return literal < end ? putLiteral(d, literal, end - literal, false) : d;
      const around = load<u64>(s - 1);
      store<u16>(TABLE + hash(around as u32, shift), s - 1 - src);
      const slot = TABLE + hash((around >> 8) as u32, shift);
      candidate = src + (load<u16>(slot) as usize);
      store<u16>(slot, s - src);
      if (((around >> 8) as u32) !== load<u32>(candidate)) {
        nextHash = hash((around >> 16) as u32, shift);
        s++;
        break;
      }
    }
  }
}

/** The elements alone, without the length ahead of them; returns where they end. */
export function encodeElements(src: usize, n: usize, dst: usize): usize {
  let d = dst;
  let at = src;
  const end = src + n;
  while (at < end) {
    const length = min(end - at, BLOCK_BYTES);
    d = encodeBlock(at, length, d);
    at += length;
  }
  return d;
}

/** Encodes to `dst`, which must have room for `n + n / 6 + 32` bytes; returns the encoded length. */
export function encode(src: usize, n: usize, dst: usize): usize {
  return encodeElements(src, n, putVarint(dst, n as u64)) - dst;
}
