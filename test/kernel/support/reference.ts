/** Plain decoders that the kernels are compared with: slow, short, and written for nothing but clarity. */
import { readFileSync } from 'node:fs';
import protobuf from 'protobufjs';

const proto = readFileSync(new URL('../../../proto/remote.proto', import.meta.url), 'utf8');
// The same wire format, read without losing anything: a JS number drops the payload of a NaN, and strings that are not
// UTF-8 are refused by protobufjs but carried by everyone else.
const exact = proto.replace(/\bdouble\b/g, 'fixed64').replace(/\bstring\b/g, 'bytes');
function parsed(schema: string): protobuf.Root {
  const { root } = protobuf.parse(schema, { keepCase: true });
  return root.resolveAll() as protobuf.Root;
}
const root = parsed(exact);

export const ExactWriteRequest = root.lookupType('prometheus.WriteRequest');
export const ExactTimeSeries = root.lookupType('prometheus.TimeSeries');
/** With what 2.0 requests say of their samples, in a field that 1.0 does not know. */
export const StartedWriteRequest = parsed(
  exact.replace('repeated Histogram histograms = 4;', '$& int64 start_timestamp = 6;'),
).lookupType('prometheus.WriteRequest');

/** A 64-bit integer as protobufjs gives it. */
export interface Long64 {
  readonly low: number;
  readonly high: number;
}

export interface ExactSeries {
  readonly labels: readonly { readonly name: Uint8Array; readonly value: Uint8Array }[];
  readonly samples: readonly { readonly value: Long64; readonly timestamp: Long64 }[];
  readonly exemplars: readonly unknown[];
  readonly histograms: readonly unknown[];
  /** Of a StartedWriteRequest. */
  readonly start_timestamp?: Long64;
}

export interface ExactRequest {
  readonly timeseries: readonly ExactSeries[];
  readonly metadata: readonly unknown[];
}

export function decodeExact(bytes: Uint8Array, type = ExactWriteRequest): ExactRequest | undefined {
  try {
    return type.decode(bytes) as unknown as ExactRequest;
  } catch {
    return undefined;
  }
}

export function bigintOf({ low, high }: Long64): bigint {
  return BigInt.asUintN(64, (BigInt(high) << 32n) | BigInt(low >>> 0));
}

/** Why `referenceSnappy` refuses a block. `far`: a length or offset from 2^31 on, which snappyjs takes for negative. */
export type SnappyRefusal = 'preamble' | 'truncated' | 'long' | 'short' | 'copy' | 'far';

/** Decodes a snappy block byte by byte, as the format description says. */
export function referenceSnappy(block: Uint8Array, bytesMax: number): Uint8Array | SnappyRefusal {
  let at = 0;
  let declared = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = block[at++];
    if (byte === undefined || shift > 28 || (shift === 28 && byte > 15)) return 'preamble';
    declared += (byte & 127) * 2 ** shift;
    if (byte < 128) break;
  }
  if (declared > bytesMax) return 'long';
  const out: number[] = [];
  const little = (count: number) => {
    let value = 0;
    for (let i = 0; i < count; i++) value += (block[at + i] ?? Number.NaN) * 256 ** i;
    at += count;
    return value; // NaN when the block ends before
  };
  while (at < block.length) {
    const tag = block[at++]!;
    const kind = tag & 3;
    if (kind === 0) {
      const short = tag >> 2;
      const length = (short < 60 ? short : little(short - 59)) + 1;
      if (length > 2 ** 31) return 'far';
      if (!(at + length <= block.length)) return 'truncated';
      if (out.length + length > declared) return 'long';
      for (let i = 0; i < length; i++) out.push(block[at++]!);
      continue;
    }
    const length = kind === 1 ? 4 + ((tag >> 2) & 7) : (tag >> 2) + 1;
    const offset = kind === 1 ? (tag >> 5) * 256 + little(1) : little(kind === 2 ? 2 : 4);
    if (Number.isNaN(offset)) return 'truncated';
    if (offset >= 2 ** 31) return 'far';
    if (offset === 0 || offset > out.length) return 'copy';
    if (out.length + length > declared) return 'long';
    for (let i = 0; i < length; i++) out.push(out[out.length - offset]!);
  }
  return out.length === declared ? Uint8Array.from(out) : 'short';
}

const MASK64 = (1n << 64n) - 1n;
const rotate = (x: bigint, bits: bigint) => ((x << bits) | (x >> (64n - bits))) & MASK64;

/** SipHash-c-d with 128 bits of output, after the paper and the reference code; returns its two words, first word first. */
export function referenceSipHash(key: Uint8Array, data: Uint8Array, c: number, d: number): [bigint, bigint] {
  const word = (bytes: Uint8Array, at: number) => Buffer.from(bytes).readBigUInt64LE(at);
  const k0 = word(key, 0);
  const k1 = word(key, 8);
  const v: [bigint, bigint, bigint, bigint] = [
    k0 ^ 0x736f6d6570736575n,
    k1 ^ 0x646f72616e646f6dn ^ 0xeen,
    k0 ^ 0x6c7967656e657261n,
    k1 ^ 0x7465646279746573n,
  ];
  const rounds = (count: number) => {
    for (let i = 0; i < count; i++) {
      v[0] = (v[0] + v[1]) & MASK64;
      v[1] = rotate(v[1], 13n) ^ v[0];
      v[0] = rotate(v[0], 32n);
      v[2] = (v[2] + v[3]) & MASK64;
      v[3] = rotate(v[3], 16n) ^ v[2];
      v[0] = (v[0] + v[3]) & MASK64;
      v[3] = rotate(v[3], 21n) ^ v[0];
      v[2] = (v[2] + v[1]) & MASK64;
      v[1] = rotate(v[1], 17n) ^ v[2];
      v[2] = rotate(v[2], 32n);
    }
  };
  const padded = Buffer.alloc((Math.floor(data.length / 8) + 1) * 8);
  padded.set(data);
  padded[padded.length - 1] = data.length & 255;
  for (let at = 0; at < padded.length; at += 8) {
    const m = word(padded, at);
    v[3] ^= m;
    rounds(c);
    v[0] ^= m;
  }
  v[2] ^= 0xeen;
  rounds(d);
  const first = v[0] ^ v[1] ^ v[2] ^ v[3];
  v[1] ^= 0xddn;
  rounds(d);
  return [first, v[0] ^ v[1] ^ v[2] ^ v[3]];
}
