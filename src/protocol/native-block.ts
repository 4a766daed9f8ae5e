/**
 * A block of samples as VictoriaMetrics stores and exports them:
 *
 *     zigzag varints: first timestamp, last timestamp, first value | varint: rows | zigzag varint: scale
 *     u8: kind of the timestamps | u8: kind of the values | u8: precision
 *     varint: length, timestamps | varint: length, values
 *
 * Both columns are int64 and begin with the first one of the header; what follows is
 *
 *     1  differences of differences, in zstd      4  differences, in zstd
 *     2  one difference, for all                  5  differences of differences
 *     3  nothing: all are the same                6  differences
 *
 * as zigzag varints. A value is its integer × 10^scale; three integers at the ends stand for the infinities and for the
 * marker of an ended series.
 */
import { constants, zstdDecompressSync } from 'node:zlib';

const ROWS_MAX = 8_192;
const VARINT_BYTES_MAX = 10;
const ZSTD_WINDOW_LOG_MAX = 25;
/** 10^308 is the largest power of ten in a double. */
const POWER_MAX = 308;

const POSITIVE_INFINITY = 2n ** 63n - 1n;
const STALE = 2n ** 63n - 2n;
const NEGATIVE_INFINITY = -(2n ** 63n);

const kinds = {
  zstdDelta2: 1,
  deltaConst: 2,
  const: 3,
  zstdDelta: 4,
  delta2: 5,
  delta: 6,
} as const;

/** Thrown for a block that makes no sense; says why. */
export class BlockError extends Error {}

export interface NativeBlock {
  readonly timestampsMs: BigInt64Array;
  readonly values: BigInt64Array;
  readonly scale: number;
}

/** Throws a BlockError. */
export function readBlock(bytes: Uint8Array): NativeBlock {
  const input = new VarintReader(bytes);
  const firstTimestamp = input.signed();
  input.signed();
  const firstValue = input.signed();
  const rows = Number(input.unsigned());
  if (rows < 1 || rows > ROWS_MAX) throw new BlockError(`it has ${rows} rows, and not 1 to ${ROWS_MAX}`);
  const scale = Number(BigInt.asIntN(16, input.signed()));
  const timestampKind = input.byte();
  const valueKind = input.byte();
  input.byte();
  const timestampsMs = readColumn(input.slice(), timestampKind, firstTimestamp, rows);
  const values = readColumn(input.slice(), valueKind, firstValue, rows);
  if (!input.isAtEnd) throw new BlockError('bytes follow the values');
  return { timestampsMs, values, scale };
}

/** The number that an integer of the column `values` stands for; undefined for the marker of an ended series. */
export function numberFrom(integer: bigint, scale: number): number | undefined {
  if (integer === POSITIVE_INFINITY) return Infinity;
  if (integer === NEGATIVE_INFINITY) return -Infinity;
  if (integer === STALE) return undefined;
  const value = Number(integer);
  if (scale >= 0) return value * powerOfTen(scale);
  const power = -scale;
  return power <= POWER_MAX
    ? value / powerOfTen(power)
    : value / powerOfTen(POWER_MAX) / powerOfTen(power - POWER_MAX);
}

/** Infinity above `POWER_MAX`. `10 ** n` is not always the nearest double. */
function powerOfTen(power: number): number {
  return Number(`1e${power}`);
}

function readColumn(data: Uint8Array, kind: number, first: bigint, rows: number): BigInt64Array {
  switch (kind) {
    case kinds.const:
      if (data.byteLength > 0) throw new BlockError('a column of one value has data');
      return new BigInt64Array(rows).fill(first);
    case kinds.deltaConst:
      return readDeltaConst(data, first, rows);
    case kinds.delta:
      return readDeltas(data, first, rows, false);
    case kinds.delta2:
      return readDeltas(data, first, rows, true);
    case kinds.zstdDelta:
      return readDeltas(decompress(data, rows), first, rows, false);
    case kinds.zstdDelta2:
      return readDeltas(decompress(data, rows), first, rows, true);
    default:
      throw new BlockError(`there is no column of kind ${kind}`);
  }
}

function readDeltaConst(data: Uint8Array, first: bigint, rows: number): BigInt64Array {
  const input = new VarintReader(data);
  const delta = input.signed();
  if (!input.isAtEnd) throw new BlockError('bytes follow the difference of a column');
  const column = new BigInt64Array(rows);
  let value = first;
  for (let row = 0; row < rows; row++) {
    column[row] = value;
    value = BigInt.asIntN(64, value + delta);
  }
  return column;
}

function readDeltas(data: Uint8Array, first: bigint, rows: number, isTwice: boolean): BigInt64Array {
  const input = new VarintReader(data);
  const column = new BigInt64Array(rows);
  let value = first;
  let delta = 0n;
  column[0] = first;
  for (let row = 1; row < rows; row++) {
    const read = input.signed();
    delta = isTwice ? BigInt.asIntN(64, delta + read) : read;
    value = BigInt.asIntN(64, value + delta);
    column[row] = value;
  }
  if (!input.isAtEnd) throw new BlockError('bytes follow the differences of a column');
  return column;
}

function decompress(data: Uint8Array, rows: number): Uint8Array {
  try {
    return zstdDecompressSync(data, {
      maxOutputLength: rows * VARINT_BYTES_MAX,
      params: { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG_MAX },
    });
  } catch {
    throw new BlockError('a column cannot be decompressed, or is longer than its rows need');
  }
}

/** Throws a BlockError at the end of the bytes. */
class VarintReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.byteLength;
  }

  byte(): number {
    const byte = this.#bytes[this.#at++];
    if (byte === undefined) throw new BlockError('it is cut off');
    return byte;
  }

  unsigned(): bigint {
    // Most take a few bytes, which a number holds.
    let low = 0;
    for (let index = 0; index < 4; index++) {
      const byte = this.byte();
      low |= (byte & 0x7f) << (7 * index);
      if (byte < 0x80) return BigInt(low);
    }
    let value = BigInt(low);
    for (let index = 4; index < VARINT_BYTES_MAX; index++) {
      const byte = this.byte();
      value |= BigInt(byte & 0x7f) << BigInt(7 * index);
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw new BlockError('a varint has more than ten bytes');
  }

  /** 0, -1, 1, -2 … are written as 0, 1, 2, 3 … */
  signed(): bigint {
    const value = this.unsigned();
    return (value >> 1n) ^ -(value & 1n);
  }

  /** The bytes that a length stands before. */
  slice(): Uint8Array {
    const length = Number(this.unsigned());
    const end = this.#at + length;
    if (end > this.#bytes.byteLength) throw new BlockError('it is cut off');
    const slice = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return slice;
  }
}
