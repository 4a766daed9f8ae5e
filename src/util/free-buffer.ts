/**
 * Give memory back at once instead of at the next garbage collection, which may be far: the engine thread makes so few
 * objects that 700 KB a block piled up to 60 MB before its collector ran. Every view of the memory is empty afterwards.
 */
export function freeBuffer(buffer: ArrayBuffer): void {
  buffer.transfer(0);
}

type Numbers = Uint8Array<ArrayBuffer> | Int32Array<ArrayBuffer> | Float64Array<ArrayBuffer>;

/** `to`, with the numbers of `from` at its front; the memory of `from`, whose place it takes, is given back. */
export function moved<T extends Numbers>(from: T, to: T): T {
  to.set(from);
  freeBuffer(from.buffer);
  return to;
}

/**
 * For what a library gave: `owned` is the length that the memory has if nobody shares it. Small buffers of Node lie in a
 * common pool, which must stay.
 */
export function freeOwned({ buffer }: Uint8Array, owned: number): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === owned) freeBuffer(buffer);
}

/** Below it a chunk is not worth the work. */
const CHUNK_BYTES_MIN = 4096;

let chunks: Uint8Array[] = [];

/**
 * For chunks of a request whose bytes are copied elsewhere; nobody may look at them any more. They are freed when whoever gave
 * them is done. Chunks are memory outside of the heap, and V8 collects all of the heap for each 30 MB of it: of text, with
 * its many bytes for a sample, that took two thirds of the CPU time.
 */
export function freeChunk(chunk: Uint8Array): void {
  if (chunk.byteLength < CHUNK_BYTES_MIN) return;
  if (chunks.length === 0) setImmediate(freeChunks);
  chunks.push(chunk);
}

function freeChunks(): void {
  const done = chunks;
  chunks = [];
  for (const chunk of done) freeOwned(chunk, chunk.byteLength);
}
