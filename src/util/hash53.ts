/**
 * FNV-1a of 64 bits, folded to the 53 that a double holds: the low 53 bits, XOR the 11 above them. The same bytes give the
 * same number everywhere and for ever. http://www.isthe.com/chongo/tech/comp/fnv/#xor-fold
 */
const BASIS_HIGH = 0xcbf29ce4;
const BASIS_LOW = 0x84222325;
/** The prime is 2^40 + 2^8 + 0xb3: in halves of 32 bits 0x100 and 0x1b3. */
const PRIME_LOW = 0x1b3;
const TWO_TO_32 = 2 ** 32;
/** Of the high half, what is within 53 bits. */
const HIGH_BITS = 21;
const HIGH_MASK = (1 << HIGH_BITS) - 1;

/** An integer from 0 to 2^53 - 1. */
export function hash53(bytes: Uint8Array, start: number, end: number): number {
  let high = BASIS_HIGH;
  let low = BASIS_LOW;
  for (let at = start; at < end; at++) {
    low = (low ^ bytes[at]!) >>> 0;
    const product = low * PRIME_LOW;
    // Bits of `high × 2^40` and above fall out of the 64.
    high = (Math.imul(high, PRIME_LOW) + (low << 8) + Math.floor(product / TWO_TO_32)) >>> 0;
    low = product >>> 0;
  }
  return (high & HIGH_MASK) * TWO_TO_32 + ((low ^ (high >>> HIGH_BITS)) >>> 0);
}
