/**
 * Blocks as remote write 2.0 Requests. What waits in memory and in files is 1.0, whatever a destination takes, so it can be read
 * and sent by any version; it is written anew for each attempt that needs it, by kernels on the calling thread.
 */
import type { Columns } from '../kernel/columns.ts';
import { Condenser } from '../kernel/condenser.ts';
import { compileKernel, Kernel } from '../kernel/kernel.ts';
import { Region } from '../kernel/memory.ts';
import { SluiceError } from '../util/error.ts';
import type { WireBlock } from './destination.ts';
import type { Families } from './families.ts';
import { decodeBlock, RAW_BYTES_MAX } from './recode.ts';

interface Tools {
  readonly kernel: Kernel;
  readonly columns: Columns;
  readonly condenser: Condenser;
  readonly message: Region;
  readonly compressed: Region;
}

/** All destinations of a thread share them: nothing is kept from one call to the next. */
let tools: Tools | undefined;

function toolsOf(): Tools {
  if (tools === undefined) {
    const kernel = new Kernel(compileKernel());
    tools = {
      kernel,
      columns: kernel.createColumns(),
      condenser: new Condenser(kernel),
      message: new Region(kernel.memory),
      compressed: new Region(kernel.memory),
    };
  }
  return tools;
}

function undecodable(why: string): SluiceError {
  return new SluiceError('undecodable', `cannot decode a block for remote write 2.0: ${why}`);
}

/** Puts the message of a snappy block into linear memory. */
function placeSnappy(own: Tools, bytes: Uint8Array): { readonly ptr: number; readonly length: number } {
  const { kernel } = own;
  const src = own.compressed.reserve(bytes.byteLength);
  kernel.memory.bytes().set(bytes, src);
  const length = kernel.snappyDecodedLength(src, bytes.byteLength);
  if (length < 0 || length > RAW_BYTES_MAX) throw undecodable('it has no length that a block can have');
  const ptr = own.message.reserve(length);
  if (kernel.snappyDecode(src, bytes.byteLength, ptr, length) !== length)
    throw undecodable(kernel.snappyError());
  return { ptr, length };
}

function place(own: Tools, message: Uint8Array): { readonly ptr: number; readonly length: number } {
  const ptr = own.message.reserve(message.byteLength);
  own.kernel.memory.bytes().set(message, ptr);
  return { ptr, length: message.byteLength };
}

/** A Request, compressed. */
export interface Request2 {
  readonly bytes: Uint8Array;
  /** Whether it holds metadata only, which is not sent by itself. */
  readonly isEmpty: boolean;
}

/**
 * The block as a snappy Request. Metadata entries in it are learned, and go with every series of their families from then on.
 * Throws a SluiceError `undecodable`.
 */
export async function toRequest2(block: WireBlock, families: Families): Promise<Request2> {
  const own = toolsOf();
  const { kernel, columns, condenser } = own;
  const unpacked = block.codec === 'snappy' ? undefined : await decodeBlock(block);
  // Nothing waits from here on: the memory is everybody's.
  const { ptr, length } = unpacked === undefined ? placeSnappy(own, block.bytes) : place(own, unpacked);
  const found = kernel.validateWriteRequest(ptr, length);
  if ('error' in found) throw undecodable(`${found.error} at byte ${found.at}`);
  columns.scan(ptr, length);
  const bytes = kernel.memory.bytes();
  for (let index = 0; index < columns.metadataCount; index++) {
    const field = columns.metadataField(index);
    families.learn(Buffer.from(bytes.subarray(field.ptr, field.ptr + field.length)));
  }
  const request = condenser.condense(columns, ptr, length, (name) => families.of(name));
  const target = own.compressed.reserve(kernel.snappyMaxLength(request.length));
  const compressed = kernel.snappyEncode(request.ptr, request.length, target);
  const { samples, histograms, exemplars } = found.counts;
  const isEmpty = samples + histograms + exemplars === 0;
  return { bytes: kernel.memory.bytes().slice(target, target + compressed), isEmpty };
}
