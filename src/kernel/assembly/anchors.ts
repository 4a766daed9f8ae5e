// biome-ignore-all lint/correctness/noPrecisionLoss: integers of AssemblyScript have 64 bits
/**
 * Where records are found by the hash of their text (`line-recall.ts`): 16,384 places of 8 bytes, 0 hash u32, 0 for an empty one,
 * 4 record u32, 0 when the text came once and was not learned. A hash has four places that it may be at.
 */
const BITS: u32 = 14;
const PLACE_BYTES: usize = 8;
const WAYS: usize = 4;
/** How large the table is. */
export const BYTES: usize = 8 << 14;

/** About every 32nd text is an anchor. */
const ANCHOR_MASK: u64 = 31;

/** Whether this text is to be found by its hash: of the length and four places, so that those that are not cost little. */
export function isOne(text: usize, length: usize): bool {
  if (length < 16) return false;
  const third = length / 3;
  let hash = (length as u64) * 0x9e3779b185ebca87;
  hash = mix(hash ^ load<u64>(text));
  hash = mix(hash ^ load<u64>(text + min(third, length - 8)));
  hash = mix(hash ^ load<u64>(text + min(third << 1, length - 8)));
  hash = mix(hash ^ load<u64>(text + length - 8));
  return ((hash >> 40) & ANCHOR_MASK) === 0;
}

function mix(hash: u64): u64 {
  const product = hash * 0xc2b2ae3d27d4eb4f;
  return product ^ (product >> 32);
}

/** Of all of the text, and never 0. What is found by it is compared. */
export function hashOf(text: usize, length: usize, context: u32): u32 {
  let hash = ((length as u64) ^ ((context as u64) << 32)) * 0x9e3779b185ebca87;
  let at: usize = 0;
  for (; at + 8 <= length; at += 8) hash = mix(hash ^ load<u64>(text + at));
  if (at < length) hash = mix(hash ^ (load<u64>(text + at) & ((1 << (((length - at) as u64) << 3)) - 1)));
  return ((mix(hash) >> 32) as u32) | 1;
}

function placesOf(table: usize, hash: u32): usize {
  const group = (hash >> (32 - BITS)) & ~((WAYS as u32) - 1);
  return table + (group as usize) * PLACE_BYTES;
}

/** The place of this hash, or 0. */
function placeOf(table: usize, hash: u32): usize {
  const places = placesOf(table, hash);
  for (let way: usize = 0; way < WAYS; way++) {
    const place = places + way * PLACE_BYTES;
    if (load<u32>(place) === hash) return place;
  }
  return 0;
}

/** Whether this text came before. */
export function isKnown(table: usize, hash: u32): bool {
  return placeOf(table, hash) !== 0;
}

/** The record of this text, or 0. */
export function recordOf(table: usize, hash: u32): u32 {
  const place = placeOf(table, hash);
  return place === 0 ? 0 : load<u32>(place, 4);
}

/** Puts a record, or 0 for a text that came once: that takes the place of another record only where there is nothing else. */
export function remember(table: usize, hash: u32, record: u32): void {
  let place = placeOf(table, hash);
  if (place === 0) {
    const places = placesOf(table, hash);
    place = places + (((hash >> 8) & ((WAYS as u32) - 1)) as usize) * PLACE_BYTES;
    for (let way: usize = 0; way < WAYS; way++) {
      const other = places + way * PLACE_BYTES;
      if (load<u32>(other, 4) !== 0) continue;
      place = other;
      if (load<u32>(other) === 0) break;
    }
  }
  store<u32>(place, hash);
  store<u32>(place, record, 4);
}
