/**
 * From one block codec to another, off the hot path: for a destination that turned zstd down, and for destinations that
 * write the samples out as text. zstd runs on libuv's threads; snappy is JavaScript on the calling thread (some 10 ms
 * for a full block).
 */
import { promisify } from 'node:util';
import { zstdDecompress } from 'node:zlib';
import snappy from 'snappyjs';
import { SluiceError } from '../util/error.ts';
import type { WireBlock } from './destination.ts';
import { decodeSnappy } from './snappy.ts';

/** The largest message that a block can hold; what claims more is not one of ours. */
export const RAW_BYTES_MAX = 64 * 1024 * 1024;

const unzstd = promisify(zstdDecompress);

/** The protobuf message in a block. Throws a SluiceError `undecodable` when the bytes are damaged or too large. */
export async function decodeBlock(block: WireBlock): Promise<Uint8Array> {
  try {
    if (block.codec === 'snappy') return decodeSnappy(block.bytes, RAW_BYTES_MAX);
    return await unzstd(block.bytes, { maxOutputLength: RAW_BYTES_MAX });
  } catch (cause) {
    throw new SluiceError(
      'undecodable',
      `cannot decode a ${block.codec} block of ${block.bytes.byteLength} bytes: ${cause instanceof Error ? cause.message : cause}`,
      { cause },
    );
  }
}

/** The same message as a snappy block. Throws like `decodeBlock`. */
export async function toSnappy(block: WireBlock): Promise<WireBlock> {
  if (block.codec === 'snappy') return block;
  const raw = await decodeBlock(block);
  return { codec: 'snappy', bytes: snappy.compress(raw), rawLength: raw.byteLength };
}
