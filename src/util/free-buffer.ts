/**
 * Give memory back at once instead of at the next garbage collection, which may be far: the engine thread makes so few
 * objects that 700 KB a block piled up to 60 MB before its collector ran. Every view of the memory is empty afterwards.
 */
export function freeBuffer(buffer: ArrayBuffer): void {
  buffer.transfer(0);
}

/**
 * For what a library gave: `owned` is the length that the memory has if nobody shares it. Small buffers of Node lie in a
 * common pool, which must stay.
 */
export function freeOwned({ buffer }: Uint8Array, owned: number): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === owned) freeBuffer(buffer);
}
