/**
 * A snappy block to the bytes in it, for blocks that nobody has checked: every length and offset is checked before it is
 * used, so memory and time are bounded by the block's own size, and the block must make up exactly what it declares.
 * Off the hot path. https://github.com/google/snappy/blob/main/format_description.txt
 */

/** The best an element can do: 3 bytes that copy 64. */
const EXPANSION_MAX = 64 / 3;
/** Above this, a call to copy bytes costs less than a loop. */
const LOOP_BYTES_MAX = 32;

/** Throws an Error when the block is damaged or holds more than `bytesMax`. */
export function decodeSnappy(block: Uint8Array, bytesMax: number): Uint8Array {
  let at = 0;
  /** A little-endian number of `count` bytes. */
  const little = (count: number): number => {
    if (at + count > block.byteLength) throw new Error('it ends in the middle of an element');
    let value = 0;
    for (let index = count - 1; index >= 0; index--) value = value * 256 + block[at + index]!;
    at += count;
    return value;
  };
  const declared = (): number => {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = little(1);
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
    throw new Error('it does not begin with a length');
  };
  const length = declared();
  if (length > bytesMax) throw new Error(`it declares ${length} bytes, the most is ${bytesMax}`);
  if (length > (block.byteLength - at) * EXPANSION_MAX) {
    throw new Error(`it declares ${length} bytes, more than so few can hold`);
  }

  const out = Buffer.alloc(length);
  let end = 0;
  while (at < block.byteLength) {
    const tag = block[at++]!;
    const kind = tag & 3;
    if (kind === 0) {
      const size = (tag >> 2 < 60 ? tag >> 2 : little((tag >> 2) - 59)) + 1;
      if (at + size > block.byteLength) throw new Error('it ends in the middle of a literal');
      if (end + size > length) throw new Error(`it holds more than the ${length} bytes that it declares`);
      if (size > LOOP_BYTES_MAX) out.set(block.subarray(at, at + size), end);
      else for (let index = 0; index < size; index++) out[end + index] = block[at + index]!;
      at += size;
      end += size;
      continue;
    }
    const size = kind === 1 ? 4 + ((tag >> 2) & 7) : (tag >> 2) + 1;
    const offset = kind === 1 ? (tag >> 5) * 256 + little(1) : little(kind === 2 ? 2 : 4);
    if (offset === 0 || offset > end) throw new Error('it copies from before its beginning');
    if (end + size > length) throw new Error(`it holds more than the ${length} bytes that it declares`);
    // Byte by byte: a copy may run into what it has just written.
    for (const stop = end + size; end < stop; end++) out[end] = out[end - offset]!;
  }
  if (end !== length) throw new Error(`it holds ${end} bytes and declares ${length}`);
  return out;
}
