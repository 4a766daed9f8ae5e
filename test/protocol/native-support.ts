/** Writes the native format plainly, one varint at a time, in every kind of column. */
import { zstdCompressSync } from 'node:zlib';

export interface NativeSeries {
  /** The metric name first, then names and values of labels in turn. */
  readonly name: readonly string[];
  readonly timestamps: readonly bigint[];
  readonly values: readonly bigint[];
  readonly scale: number;
  readonly timestampKind: number;
  readonly valueKind: number;
}

const varint = (value: bigint): number[] => {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  while (rest > 127n) {
    bytes.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  return [...bytes, Number(rest)];
};
const zigzag = (value: bigint) => BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
const signed = (value: bigint) => varint(zigzag(BigInt.asIntN(64, value)));

function column(values: readonly bigint[], kind: number): Uint8Array {
  const deltas = values.slice(1).map((value, index) => BigInt.asIntN(64, value - values[index]!));
  const twice = deltas.map((delta, index) => delta - (index === 0 ? 0n : deltas[index - 1]!));
  if (kind === 3) return new Uint8Array();
  if (kind === 2) return Uint8Array.from(signed(deltas[0] ?? 0n));
  const plain = Uint8Array.from((kind === 1 || kind === 5 ? twice : deltas).flatMap(signed));
  return kind === 1 || kind === 4 ? zstdCompressSync(plain) : plain;
}

const sized = (bytes: Uint8Array) => [...varint(BigInt(bytes.byteLength)), ...bytes];

export function blockOf({ timestamps, values, scale, timestampKind, valueKind }: NativeSeries): Uint8Array {
  return Uint8Array.from([
    ...signed(timestamps[0]!),
    ...signed(timestamps.at(-1)!),
    ...signed(values[0]!),
    ...varint(BigInt(values.length)),
    ...signed(BigInt(scale)),
    timestampKind,
    valueKind,
    64,
    ...sized(column(timestamps, timestampKind)),
    ...sized(column(values, valueKind)),
  ]);
}

function nameOf(parts: readonly string[]): Buffer {
  const escaped = parts.map((part) => {
    const bytes = [...Buffer.from(part)].flatMap((byte) => (byte < 3 ? [0, 0x30 + byte] : [byte]));
    return [...bytes, 1];
  });
  return Buffer.from(escaped.flat());
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export function nativeBody(
  all: readonly NativeSeries[],
  first = -(2n ** 63n),
  last = 2n ** 63n - 1n,
): Buffer {
  const head = Buffer.alloc(16);
  head.writeBigUInt64BE(zigzag(first), 0);
  head.writeBigUInt64BE(zigzag(last), 8);
  const parts = all.flatMap((series) => {
    const name = nameOf(series.name);
    const block = blockOf(series);
    return [u32(name.byteLength), name, u32(block.byteLength), block];
  });
  return Buffer.concat([head, ...parts]);
}
