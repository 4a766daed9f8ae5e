/**
 * Protobuf's wire format in place, for the hot path: no objects, no text, no copies. `next()` reads one field, its value
 * included, so that a field nobody asks for is stepped over already. A message inside a message is walked by
 *
 *     const { start, end } = reader;            // of the field that holds it
 *     reader.at = start;
 *     while (reader.next(end)) …
 *
 * which leaves the reader behind it. Lengths need not be minimal. https://protobuf.dev/programming-guides/encoding/
 */
export const VARINT = 0;
export const FIXED64 = 1;
export const BYTES = 2;
const FIXED32 = 5;

const VARINT_BYTES_MAX = 10;
const TWO_TO_32 = 2 ** 32;
/** 2^32 nanoseconds, in whole milliseconds and the rest. */
const HIGH_MS = Math.floor(TWO_TO_32 / 1e6);
const HIGH_REST_NS = TWO_TO_32 - HIGH_MS * 1e6;

/** The bytes are no message. */
export class WireError extends Error {}

export class WireReader {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Where the next field begins. */
  at = 0;
  /** Of the last field. */
  field = 0;
  wireType = 0;
  /** Where the value of the last field lies, for all but varints. */
  start = 0;
  end = 0;
  /** The last varint, as two halves without signs. */
  low = 0;
  high = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Reads the next field of the message that ends at `limit`; false at its end. Throws a WireError. */
  next(limit: number): boolean {
    const { bytes, at } = this;
    if (at >= limit) return false;
    // Most fields have a tag and a length of one byte each.
    const tag = bytes[at]!;
    if (tag >= 8 && tag < 0x80) {
      const wireType = tag & 7;
      const length = wireType === BYTES ? bytes[at + 1]! : 8;
      const start = wireType === BYTES ? at + 2 : at + 1;
      if ((wireType === BYTES || wireType === FIXED64) && length < 0x80 && start + length <= limit) {
        this.field = tag >>> 3;
        this.wireType = wireType;
        this.start = start;
        this.end = this.at = start + length;
        return true;
      }
    }
    return this.#nextOfAny(limit);
  }

  #nextOfAny(limit: number): boolean {
    // Bytes behind the message, or the body, are read at most ten at a time and then found to be too many.
    this.#varint();
    if (this.high !== 0) throw new WireError(`the number of a field at byte ${this.at} is too large`);
    this.field = this.low >>> 3;
    this.wireType = this.low & 7;
    if (this.field === 0) throw new WireError(`a field before byte ${this.at} has the number 0`);
    switch (this.wireType) {
      case BYTES: {
        this.#varint();
        if (this.high !== 0 || this.low > limit - this.at) this.#cutOff(limit);
        this.start = this.at;
        this.end = this.at + this.low;
        break;
      }
      case VARINT:
        this.#varint();
        this.start = this.end = this.at;
        break;
      case FIXED64:
        this.start = this.at;
        this.end = this.at + 8;
        break;
      case FIXED32:
        this.start = this.at;
        this.end = this.at + 4;
        break;
      default:
        throw new WireError(
          `field ${this.field} before byte ${this.at} has the unknown wire type ${this.wireType}`,
        );
    }
    if (this.end > limit) this.#cutOff(limit);
    this.at = this.end;
    return true;
  }

  /** Reads a length and what it counts. Throws a WireError. */
  delimited(): Uint8Array {
    this.#varint();
    const limit = this.bytes.byteLength;
    if (this.high !== 0 || this.low > limit - this.at) {
      throw new WireError(`a message of ${this.unsigned} bytes goes past the end at byte ${limit}`);
    }
    const start = this.at;
    this.at += this.low;
    return this.bytes.subarray(start, this.at);
  }

  /** Throws unless the last field has this wire type. */
  expect(wireType: number): void {
    if (this.wireType === wireType) return;
    throw new WireError(
      `field ${this.field} before byte ${this.at} has the wire type ${this.wireType} instead of ${wireType}`,
    );
  }

  /** Adds where the numbers of a repeated field of eight bytes each lie, whether they are packed or one at a time. */
  fixed64s(into: number[]): void {
    if (this.wireType !== BYTES) this.expect(FIXED64);
    const { start, end } = this;
    if ((end - start) % 8 !== 0) {
      throw new WireError(`field ${this.field} before byte ${end} has ${end - start} bytes, not 8 for each`);
    }
    for (let at = start; at < end; at += 8) into.push(at);
  }

  /** Gives the numbers of a repeated varint field, unsigned; the reader may stand anywhere afterwards. */
  eachVarint(take: (value: number) => void): void {
    if (this.wireType !== BYTES) {
      this.expect(VARINT);
      take(this.unsigned);
      return;
    }
    const { end } = this;
    for (let at = this.start; at < end; ) {
      this.at = at;
      this.#varint();
      at = this.at;
      if (at > end) this.#cutOff(end);
      take(this.unsigned);
    }
    this.at = end;
  }

  /** The last varint as an unsigned number; the nearest double beyond 2^53. */
  get unsigned(): number {
    return this.high * TWO_TO_32 + this.low;
  }

  /** The last varint as a sint32: zigzag. */
  get zigzag(): number {
    return (this.low >>> 1) ^ -(this.low & 1);
  }

  /** The unsigned number of eight bytes at this place; the nearest double beyond 2^53. */
  fixed64(at: number): number {
    return this.view.getUint32(at + 4, true) * TWO_TO_32 + this.view.getUint32(at, true);
  }

  /** The same, signed. */
  sfixed64(at: number): number {
    return this.view.getInt32(at + 4, true) * TWO_TO_32 + this.view.getUint32(at, true);
  }

  /** The unsigned nanoseconds of eight bytes, cut to milliseconds: they do not fit into a double, their halves do. */
  milliseconds(at: number): number {
    const high = this.view.getUint32(at + 4, true);
    return high * HIGH_MS + Math.floor((high * HIGH_REST_NS + this.view.getUint32(at, true)) / 1e6);
  }

  double(at: number): number {
    return this.view.getFloat64(at, true);
  }

  text(start: number, end: number): string {
    const { buffer, byteOffset } = this.bytes;
    return Buffer.from(buffer, byteOffset + start, end - start).toString();
  }

  /** Reads a varint into `low` and `high`. Beyond the bytes there are zeros. */
  #varint(): void {
    const { bytes } = this;
    let at = this.at;
    let byte = bytes[at++]!;
    let low = byte & 0x7f;
    let high = 0;
    if (byte >= 0x80) {
      for (let shift = 7; ; shift += 7) {
        byte = bytes[at++]!;
        const bits = byte & 0x7f;
        if (shift < 28) low |= bits << shift;
        else if (shift === 28) {
          low |= bits << 28;
          high = bits >>> 4;
        } else high |= bits << (shift - 32);
        // Undefined beyond the end, which is not 0x80 or more either.
        if (!(byte >= 0x80)) break;
        if (at - this.at === VARINT_BYTES_MAX) {
          throw new WireError(`a number at byte ${this.at} has more than ten bytes`);
        }
      }
      low >>>= 0;
      high >>>= 0;
    }
    this.low = low;
    this.high = high;
    this.at = at;
  }

  #cutOff(limit: number): never {
    throw new WireError(`field ${this.field} goes past the end of its message at byte ${limit}`);
  }
}
