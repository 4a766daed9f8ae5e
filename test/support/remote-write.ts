/**
 * Remote write for tests, independent of the daemon's kernels: protobufjs' reader and writer, snappyjs, node:zlib.
 * Values are 64-bit patterns, because a JS number does not keep the payload of a NaN.
 */
import { zstdDecompressSync } from 'node:zlib';
import protobuf from 'protobufjs';
import { compress, uncompress } from 'snappyjs';

export type Labels = Readonly<Record<string, string>>;

export interface Point {
  readonly timestampMs: number;
  readonly bits: bigint;
}

export interface Series {
  readonly labels: Labels;
  readonly points: readonly Point[];
}

export interface WriteRequest {
  readonly series: readonly Series[];
  /** Families that metadata came for. */
  readonly families: readonly string[];
}

/** What Prometheus writes when a series has ended. */
export const STALE_MARKER_BITS = 0x7ff0000000000002n;

const scratch = new DataView(new ArrayBuffer(8));

export function bitsOf(value: number): bigint {
  scratch.setFloat64(0, value);
  return scratch.getBigUint64(0);
}

export function valueOfBits(bits: bigint): number {
  scratch.setBigUint64(0, bits);
  return scratch.getFloat64(0);
}

/** One string for a label set, whatever the order of its labels. */
export function seriesKey(labels: Labels): string {
  const names = Object.keys(labels).toSorted();
  return JSON.stringify(names.map((name) => [name, labels[name]]));
}

/** Calls `read` for every field of a message with its number; unknown ones are to be skipped by `skip`. */
function readFields(
  reader: protobuf.Reader,
  end: number,
  read: (field: number, skip: () => void) => void,
): void {
  while (reader.pos < end) {
    const tag = reader.uint32();
    read(tag >>> 3, () => reader.skipType(tag & 7));
  }
}

function readMessage(reader: protobuf.Reader, read: (field: number, skip: () => void) => void): void {
  const length = reader.uint32();
  readFields(reader, reader.pos + length, read);
}

function readLabel(reader: protobuf.Reader, into: Record<string, string>): void {
  let name = '';
  let value = '';
  readMessage(reader, (field, skip) => {
    if (field === 1) name = reader.string();
    else if (field === 2) value = reader.string();
    else skip();
  });
  // `__proto__` is a name like any other.
  Object.defineProperty(into, name, { value, enumerable: true, configurable: true, writable: true });
}

function readPoint(reader: protobuf.Reader): Point {
  let bits = 0n;
  let timestampMs = 0;
  readMessage(reader, (field, skip) => {
    if (field === 1) {
      const bytes = reader.buf.subarray(reader.pos, reader.pos + 8);
      bits = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
      skip();
    } else if (field === 2) timestampMs = Number(reader.int64());
    else skip();
  });
  return { timestampMs, bits };
}

export function decodeWriteRequest(raw: Uint8Array): WriteRequest {
  const reader = protobuf.Reader.create(raw);
  const series: Series[] = [];
  const families: string[] = [];
  readFields(reader, raw.length, (request, skipRequest) => {
    if (request === 1) {
      const labels: Record<string, string> = {};
      const points: Point[] = [];
      readMessage(reader, (field, skip) => {
        if (field === 1) readLabel(reader, labels);
        else if (field === 2) points.push(readPoint(reader));
        else skip();
      });
      series.push({ labels, points });
    } else if (request === 3) {
      readMessage(reader, (field, skip) => {
        if (field === 2) families.push(reader.string());
        else skip();
      });
    } else skipRequest();
  });
  return { series, families };
}

/** By `Content-Encoding`; anything but snappy and zstd is an error. */
export function decompressBody(body: Uint8Array, encoding: string | undefined): Uint8Array {
  if (encoding === 'snappy') return uncompress(body);
  if (encoding === 'zstd') return zstdDecompressSync(body);
  throw new Error(`unexpected Content-Encoding ${encoding}`);
}

/** The protobuf message, labels in the order given. */
export function encodeWriteRequest(series: readonly Series[]): Uint8Array {
  const writer = protobuf.Writer.create();
  for (const { labels, points } of series) {
    writer.uint32(0x0a).fork();
    for (const [name, value] of Object.entries(labels)) {
      writer.uint32(0x0a).fork().uint32(0x0a).string(name).uint32(0x12).string(value).ldelim();
    }
    for (const { timestampMs, bits } of points) {
      const low = Number(bits & 0xffffffffn);
      const high = Number(bits >> 32n);
      writer
        .uint32(0x12)
        .fork()
        .uint32(0x09)
        .fixed32(low)
        .fixed32(high)
        .uint32(0x10)
        .int64(timestampMs)
        .ldelim();
    }
    writer.ldelim();
  }
  return writer.finish();
}

export interface PushResponse {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
}

/** Posts a body that is ready to be sent, as Prometheus does. */
export async function post(
  url: string,
  body: Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): Promise<PushResponse> {
  const response = await fetch(url, {
    method: 'POST',
    body: new Uint8Array(body),
    headers: {
      'Content-Encoding': 'snappy',
      'Content-Type': 'application/x-protobuf',
      'X-Prometheus-Remote-Write-Version': '0.1.0',
      ...headers,
    },
  });
  return { status: response.status, text: await response.text(), headers: response.headers };
}

export function push(url: string, series: readonly Series[]): Promise<PushResponse> {
  return post(url, compress(encodeWriteRequest(series)));
}
