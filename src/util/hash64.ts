/**
 * xxHash64 with seed 0, as vmagent uses it to place series: https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md
 * A text is hashed as its UTF-8 bytes; a lone surrogate counts as U+FFFD.
 */
import xxhash from 'xxhash-wasm';

/** An unsigned 64-bit hash. Synchronous; every thread loads its own. */
export type Hash64 = (bytes: Uint8Array | string) => bigint;

/**
 * The library copies its input into a WebAssembly memory that never shrinks, three bytes for each UTF-16 unit. Longer
 * inputs go through in pieces, so that one huge label does not cost memory for ever.
 */
const PIECE_BYTES = 64 * 1024;
const TEXT_UNITS_MAX = PIECE_BYTES / 3;

let loaded: Promise<Hash64> | undefined;

/** The hash of this thread; loaded at the first call. */
export function loadHash64(): Promise<Hash64> {
  loaded ??= load();
  return loaded;
}

async function load(): Promise<Hash64> {
  const { h64, h64Raw, create64 } = await xxhash();
  const inPieces = (bytes: Uint8Array): bigint => {
    const state = create64();
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) state.update(bytes.subarray(at, at + PIECE_BYTES));
    return state.digest();
  };
  return (input) => {
    if (typeof input === 'string') {
      return input.length <= TEXT_UNITS_MAX ? h64(input) : inPieces(Buffer.from(input));
    }
    return input.length <= PIECE_BYTES ? h64Raw(input) : inPieces(input);
  };
}
