/** xxHash64 with seed 0 of a text's UTF-8 bytes: what vmagent computes for hashmod and for shards. */
import xxhash from 'xxhash-wasm';

const { h64 } = await xxhash();

export function xxhash64(text: string): bigint {
  return h64(text);
}
