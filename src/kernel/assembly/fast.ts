// biome-ignore-all lint/correctness/noPrecisionLoss: integers of AssemblyScript have 64 bits
// biome-ignore-all lint/complexity/noStaticOnlyClass: only methods can be decorated
/**
 * What senders really write, recognised in a few instructions: series with two-byte lengths, labels with one-byte
 * lengths and both fields, samples with value and timestamp in this order. Whatever else there is answers "no", and
 * `wire.ts` looks at it. The functions read up to `MARGIN` bytes from `q` on.
 */

/** Two one-byte lengths of at most 127, and the two bytes of the value's head. */
export const MARGIN: usize = 4 + 127 + 2;

/** `0a LL L0`: a series with a length of two bytes, 128 to 16383. */
const SERIES_MASK: u32 = 0x8080ff;
const SERIES_HEAD: u32 = 0x00800a;
/** `0a L 0a N`: a label field and in it a name, both lengths below 128. */
const LABEL_MASK: u32 = 0x80ff80ff;
const LABEL_HEAD: u32 = 0x000a000a;
const VALUE_TAG: u32 = 0x12;
/** `12 L 09 …` and `12 L 10 …`: a sample that begins with its value, or without one because it is 0. */
const SAMPLE_MASK: u32 = 0x00ff80ff;
const SAMPLE_HEAD: u32 = 0x00090012;
const ZERO_SAMPLE_HEAD: u32 = 0x00100012;
const TIMESTAMP_TAG: u32 = 0x10;
/** The top bit of every byte: set in all bytes of a varint but the last. */
const CONTINUED: u64 = 0x8080808080808080;

/** Methods, because the compiler inlines what is decorated, and decorators belong to methods. */
export class Fast {
  /** The length of the series whose field begins at `q` with three bytes of tag and length; 0 for another beginning. */
  @inline
  static seriesLength(q: usize): usize {
    const head = load<u32>(q);
    return (head & SERIES_MASK) === SERIES_HEAD
      ? ((((head >> 8) & 0x7f) | ((head >> 9) & 0x3f80)) as usize)
      : 0;
  }

  /**
   * The end of the field at `q` whose length has one byte. Asked beside `isLabel` and not through it: so the processor
   * goes on to the next field while it is still checking this one.
   */
  @inline
  static end(q: usize): usize {
    return q + (load<u8>(q, 1) as usize) + 2;
  }

  /** Whether the field at `q` is `0a L 0a N name 12 V value`, with lengths that agree. */
  @inline
  static isLabel(q: usize): bool {
    const head = load<u32>(q);
    if ((head & LABEL_MASK) !== LABEL_HEAD) return false;
    const name = head >> 24;
    // What is left of the label must be `12 V` and V bytes; a negative rest equals no 16 bits.
    const rest = (((head >> 8) & 0xff) - name - 4) << 8;
    return (load<u16>(q + (name as usize), 4) as u32) === rest + VALUE_TAG;
  }

  /** Whether both strings of the label that `isLabel` recognised at `q` hold something. */
  @inline
  static labelIsFull(q: usize): bool {
    const name = load<u8>(q, 3);
    return name !== 0 && load<u8>(q + (name as usize), 5) !== 0;
  }

  /** Bytes of the varint that begins these eight; 9 when it does not end among them. */
  @inline
  private static varintBytes(bytes: u64): usize {
    return ((ctz(~bytes & CONTINUED) >> 3) + 1) as usize;
  }

  /** Whether the field at `q` is `12 L [09 value] 10 timestamp`, with a length that agrees. */
  @inline
  static isSample(q: usize): bool {
    const head = load<u32>(q) & SAMPLE_MASK;
    const length = load<u8>(q, 1) as usize;
    if (head === SAMPLE_HEAD) {
      const bytes = Fast.varintBytes(load<u64>(q, 12));
      return load<u8>(q, 11) === TIMESTAMP_TAG && bytes + 10 === length && bytes < 9;
    }
    if (head !== ZERO_SAMPLE_HEAD) return false;
    const bytes = Fast.varintBytes(load<u64>(q, 3));
    return bytes + 1 === length && bytes < 9;
  }

  /** The value's bits in the sample that `isSample` recognised at `q`. */
  @inline
  static sampleValue(q: usize): u64 {
    return load<u8>(q, 2) === 0x09 ? load<u64>(q, 3) : 0;
  }

  /** The timestamp in the sample that `isSample` recognised from `q` to `end`: the sevens of its bytes, joined. */
  @inline
  static sampleTimestamp(q: usize, end: usize): u64 {
    const at = load<u8>(q, 2) === 0x09 ? q + 12 : q + 3;
    const unused: usize = (at + 8 - end) << 3;
    let x = (load<u64>(at) << (unused as u64)) >> (unused as u64);
    x = (x & 0x007f007f007f007f) | ((x & 0x7f007f007f007f00) >> 1);
    x = (x & 0x00003fff00003fff) | ((x & 0x3fff00003fff0000) >> 2);
    return (x & 0x000000000fffffff) | ((x & 0x0fffffff00000000) >> 4);
  }
}
