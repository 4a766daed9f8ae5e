/** Memory of a parser for text that does not stand in the body as it is: without escapes, or put together. */
export class Scratch {
  bytes = new Uint8Array(256);

  /** Makes room for `more` bytes behind the first `used`, which stay. */
  reserve(used: number, more: number): Uint8Array {
    const needed = used + more;
    if (needed > this.bytes.byteLength) {
      const grown = new Uint8Array(2 * needed);
      grown.set(this.bytes.subarray(0, used));
      this.bytes = grown;
    }
    return this.bytes;
  }
}
