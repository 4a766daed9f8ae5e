/** Where a `SeriesSink` writes: memory that can be made larger, of the kernels or of its own. */

/** What a sink writes to. */
export interface SinkMemory {
  /** Room for so many bytes. It begins with the first `used` ones of the room that was given before. */
  reserve(byteLength: number, used: number): Uint8Array;
  /** Where the room begins in the linear memory of the kernels; undefined when it is not there. */
  readonly ptr: number | undefined;
}

export class HeapMemory implements SinkMemory {
  readonly ptr = undefined;
  #bytes = new Uint8Array(0);

  reserve(byteLength: number, used: number): Uint8Array {
    if (byteLength > this.#bytes.byteLength) {
      const grown = new Uint8Array(byteLength);
      grown.set(this.#bytes.subarray(0, used));
      this.#bytes = grown;
    }
    return this.#bytes.subarray(0, byteLength);
  }
}
