/** Random write requests, and what blocks hold: read by snappyjs, zlib and protobufjs, value bits by a plain walk. */
import { zstdDecompressSync } from 'node:zlib';
import fc from 'fast-check';
import snappy from 'snappyjs';
import type { Counts } from '../../../src/model/body.ts';
import { remoteWriteType } from '../../../src/protocol/schema.ts';

const STALE_MARKER = 0x7ff0000000000002n;

export interface Point {
  readonly bits: bigint;
  readonly timestamp: number;
}

export interface TestSeries {
  readonly labels: readonly { name: string; value: string }[];
  readonly points: readonly Point[];
  readonly exemplars: number;
}

export interface TestRequest {
  readonly series: readonly TestSeries[];
  readonly metadata: readonly string[];
}

const bits = fc.oneof(
  fc.constant(STALE_MARKER),
  fc.constant(0x8000000000000000n),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
);

const point = fc.record({ bits, timestamp: fc.integer({ min: -(2 ** 40), max: 2 ** 50 }) });

export const series: fc.Arbitrary<TestSeries> = fc.record({
  labels: fc
    .array(
      fc.record({ name: fc.string({ minLength: 1, maxLength: 5 }), value: fc.string({ maxLength: 20 }) }),
      {
        maxLength: 4,
      },
    )
    .map((labels) => [{ name: '__name__', value: 'm' }, ...labels]),
  points: fc.array(point, { maxLength: 5 }),
  exemplars: fc.nat({ max: 2 }),
});

export const request: fc.Arbitrary<TestRequest> = fc.record({
  series: fc.array(series, { maxLength: 20 }),
  metadata: fc.array(fc.string({ maxLength: 10 }), { maxLength: 4 }),
});

function doubleOf(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
}

function field(tag: number, payload: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([tag]), varint(payload.byteLength), payload]);
}

function varint(value: number | bigint): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return Buffer.from([...bytes, Number(rest)]);
}

/** Written by hand, since a JavaScript number does not keep the payload of a NaN. */
export function encodeRequest({ series: all, metadata }: TestRequest): Buffer {
  const parts = all.map((one) => {
    const labels = one.labels.map(({ name, value }) =>
      field(0x0a, Buffer.concat([field(0x0a, Buffer.from(name)), field(0x12, Buffer.from(value))])),
    );
    const samples = one.points.map((sample) =>
      field(
        0x12,
        Buffer.concat([
          Buffer.from([0x09]),
          doubleOf(sample.bits),
          Buffer.from([0x10]),
          varint(sample.timestamp),
        ]),
      ),
    );
    const exemplars = Array.from({ length: one.exemplars }, (_, n) =>
      field(0x1a, Buffer.concat([Buffer.from([0x11]), doubleOf(BigInt(n))])),
    );
    return field(0x0a, Buffer.concat([...labels, ...samples, ...exemplars]));
  });
  const type = remoteWriteType('MetricMetadata');
  const families = metadata.map((metricFamilyName) =>
    field(0x1a, type.encode({ type: 1, metricFamilyName }).finish()),
  );
  return Buffer.concat([...parts, ...families]);
}

/** Labels as JSON → points in order, as `bits@timestamp`. */
export type Content = Map<string, string[]>;

export function contentOf(
  requests: readonly TestRequest[],
  extra: readonly { name: string; value: string }[] = [],
): Content {
  const content: Content = new Map();
  for (const one of requests.flatMap((each) => each.series)) {
    if (one.points.length === 0) continue;
    const key = JSON.stringify([...one.labels, ...extra].map(({ name, value }) => [name, value]));
    const points = content.get(key) ?? [];
    points.push(...one.points.map((sample) => `${sample.bits}@${sample.timestamp}`));
    content.set(key, points);
  }
  return content;
}

interface WireBlock {
  readonly codec: string;
  readonly bytes: Uint8Array;
  readonly rawLength: number;
}

interface DecodedSeries {
  readonly labels: { name: string; value: string }[];
  readonly samples: { value: number; timestamp: unknown }[];
  readonly exemplars: unknown[];
  readonly histograms: unknown[];
}

export interface DecodedBlock {
  readonly counts: Counts;
  readonly keys: readonly string[];
  readonly metadata: readonly string[];
}

/** Decodes a block and adds what it holds to `content`. */
export function decodeBlock(block: WireBlock, content: Content): DecodedBlock {
  const raw = Buffer.from(
    block.codec === 'zstd' ? zstdDecompressSync(block.bytes) : snappy.uncompress(block.bytes),
  );
  if (raw.byteLength !== block.rawLength)
    throw new Error(`rawLength ${block.rawLength} is ${raw.byteLength}`);
  const message = remoteWriteType('WriteRequest').decode(raw) as unknown as {
    timeseries: DecodedSeries[];
    metadata: { metricFamilyName: string }[];
  };
  const keys: string[] = [];
  const counts: Counts = {
    series: 0,
    samples: 0,
    histograms: 0,
    exemplars: 0,
    metadata: message.metadata.length,
  };
  const values = sampleBits(raw);
  let next = 0;
  for (const one of message.timeseries) {
    const key = JSON.stringify(one.labels.map(({ name, value }) => [name, value]));
    keys.push(key);
    counts.series++;
    counts.samples += one.samples.length;
    counts.histograms += one.histograms.length;
    counts.exemplars += one.exemplars.length;
    if (one.samples.length === 0) continue;
    const points = content.get(key) ?? [];
    for (const { timestamp } of one.samples) points.push(`${values[next++]}@${timestamp}`);
    content.set(key, points);
  }
  return { counts, keys, metadata: message.metadata.map(({ metricFamilyName }) => metricFamilyName) };
}

/** The value bits of all samples in order: protobufjs would make numbers of them, and a NaN loses its payload there. */
function sampleBits(raw: Buffer): bigint[] {
  const found: bigint[] = [];
  walk(raw, (tag, series) => {
    if (tag !== 0x0a) return;
    walk(series, (inner, sample) => {
      if (inner !== 0x12) return;
      let value = 0n;
      const at = sample.indexOf(0x09);
      if (at === 0) value = sample.readBigUInt64LE(1);
      found.push(value);
    });
  });
  return found;
}

/** Every length-delimited field; the messages here have no others at these levels. */
function walk(bytes: Buffer, visit: (tag: number, payload: Buffer) => void): void {
  let at = 0;
  const readVarint = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++]!;
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.byteLength) {
    const tag = readVarint();
    const length = readVarint();
    visit(tag, bytes.subarray(at, at + length));
    at += length;
  }
}
