// biome-ignore-all lint/correctness/noPrecisionLoss: integers of AssemblyScript have 64 bits
/**
 * SipHash-1-3 with 128 bits of output: a keyed fingerprint, so that nobody who does not know the process's random key
 * can make two label sets meet. https://github.com/veorq/SipHash (reference: siphash.c with outlen 16, 1 and 3 rounds)
 */
import { ROW_FINGERPRINT, ROW_LABELS_LENGTH, ROW_LABELS_PTR } from './row';

/** The key of the identity at hand; see `deriveKey`. */
const DERIVED: usize = memory.data(16, 16);

/** The last word: what is left of the input, and the length's lowest byte on top. */
function lastWord(ptr: usize, n: usize): u64 {
  const rest = n & 7;
  const length = (n as u64) << 56;
  if (rest === 0) return length;
  if (n >= 8) return length | (load<u64>(ptr + n - 8) >> (((8 - rest) << 3) as u64));
  let word = length;
  for (let i: usize = 0; i < n; i++) word |= (load<u8>(ptr + i) as u64) << ((i << 3) as u64);
  return word;
}

/** Of `n` bytes, to `out`. The round is written out twice: a function could not return four words. */
export function fingerprint(keyPtr: usize, ptr: usize, n: usize, out: usize): void {
  const k0 = load<u64>(keyPtr);
  const k1 = load<u64>(keyPtr, 8);
  let v0 = k0 ^ 0x736f6d6570736575;
  let v1 = k1 ^ 0x646f72616e646f6d ^ 0xee;
  let v2 = k0 ^ 0x6c7967656e657261;
  let v3 = k1 ^ 0x7465646279746573;
  const last = ptr + (n & ~7);
  for (let p = ptr; p <= last; p += 8) {
    const word = p < last ? load<u64>(p) : lastWord(ptr, n);
    v3 ^= word;
    v0 += v1;
    v2 += v3;
    v1 = rotl<u64>(v1, 13) ^ v0;
    v3 = rotl<u64>(v3, 16) ^ v2;
    v0 = rotl<u64>(v0, 32);
    v2 += v1;
    v0 += v3;
    v1 = rotl<u64>(v1, 17) ^ v2;
    v3 = rotl<u64>(v3, 21) ^ v0;
    v2 = rotl<u64>(v2, 32);
    v0 ^= word;
  }
  v2 ^= 0xee;
  for (let i = 0; i < 6; i++) {
    if (i === 3) {
      store<u64>(out, v0 ^ v1 ^ v2 ^ v3);
      v1 ^= 0xdd;
    }
    v0 += v1;
    v2 += v3;
    v1 = rotl<u64>(v1, 13) ^ v0;
    v3 = rotl<u64>(v3, 16) ^ v2;
    v0 = rotl<u64>(v0, 32);
    v2 += v1;
    v0 += v3;
    v1 = rotl<u64>(v1, 17) ^ v2;
    v3 = rotl<u64>(v3, 21) ^ v0;
    v2 = rotl<u64>(v2, 32);
  }
  store<u64>(out, v0 ^ v1 ^ v2 ^ v3, 8);
}

/**
 * What else tells series apart (tenant, labels added from outside) comes as an identity: labels are hashed under the key
 * SipHash(key, identity), so that equal labels of different identities are as different as any two label sets.
 */
export function deriveKey(keyPtr: usize, identityPtr: usize, identityLength: usize): void {
  fingerprint(keyPtr, identityPtr, identityLength, DERIVED);
}

/** Fingerprints the labels of a row under the key that was derived last. */
export function fingerprintRow(row: usize): void {
  fingerprint(
    DERIVED,
    load<u32>(row, ROW_LABELS_PTR),
    load<u32>(row, ROW_LABELS_LENGTH),
    row + ROW_FINGERPRINT,
  );
}
