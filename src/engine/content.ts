/** Undoes the `Content-Encoding` of a body that has a parser, up to a limit. */
import { constants, gunzipSync, inflateSync, zstdDecompressSync } from 'node:zlib';
import { uncompress } from 'snappyjs';
import { type BodyEncoding, ZSTD_WINDOW_LOG_MAX } from '../model/body.ts';
import { messageOf } from '../util/error.ts';

/** Text shrinks to a tenth or less: most bodies come out in one piece. */
const RATIO_COMMON = 16;
const CHUNK_BYTES_MIN = 16 * 1024;

export type Content =
  /** `owned`: for `freeOwned`, when the bytes are not needed any more. */
  { readonly bytes: Uint8Array; readonly owned: number } | { readonly error: string } | 'too_large';

/** What is not compressed is given as it is: both may lie in shared memory. */
export function decodeContent(wire: Uint8Array, encoding: BodyEncoding, bytesMax: number): Content {
  const chunkSize = Math.max(CHUNK_BYTES_MIN, Math.min(wire.byteLength * RATIO_COMMON, bytesMax));
  try {
    const bytes = decode(wire, encoding, bytesMax, chunkSize);
    return bytes === undefined ? 'too_large' : { bytes, owned: encoding === 'plain' ? 0 : chunkSize };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') return 'too_large';
    return { error: `cannot decode ${encoding} body: ${messageOf(error)}` };
  }
}

function decode(
  wire: Uint8Array,
  encoding: BodyEncoding,
  bytesMax: number,
  chunkSize: number,
): Uint8Array | undefined {
  const limits = { chunkSize, maxOutputLength: bytesMax };
  switch (encoding) {
    case 'gzip':
      return gunzipSync(wire, limits);
    case 'deflate':
      return inflateSync(wire, limits);
    case 'zstd':
      return zstdDecompressSync(wire, {
        ...limits,
        params: { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG_MAX },
      });
    case 'snappy':
      return declaredLength(wire) > bytesMax ? undefined : uncompress(new Uint8Array(wire), bytesMax);
    default:
      return wire.byteLength > bytesMax ? undefined : wire;
  }
}

/** Snappy's preamble, a varint. */
function declaredLength(wire: Uint8Array): number {
  let length = 0;
  for (let index = 0; index < Math.min(5, wire.byteLength); index++) {
    length += (wire[index]! & 0x7f) * 2 ** (7 * index);
    if (wire[index]! < 0x80) break;
  }
  return length;
}
