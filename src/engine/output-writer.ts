/**
 * What aggregation and deduplication let go of, as a WriteRequest: series of one sample each, with the bits that the value
 * has. From there outputs take the way of everything that comes in.
 */
import type { Labels } from '../model/labels.ts';

const FIRST_BYTES = 64 * 1024;
/** Tags and lengths of a series, its sample and one label, at their longest. */
const SERIES_OVERHEAD_BYTES = 48;
const LABEL_OVERHEAD_BYTES = 18;
/** UTF-8 takes at most so many bytes for a UTF-16 unit. */
const BYTES_PER_UNIT = 3;
const VARINT_STEP = 128;

export class OutputWriter {
  #bytes = Buffer.allocUnsafe(FIRST_BYTES);
  #end = 0;
  #series = 0;
  readonly #nameBytes: number[] = [];
  readonly #valueBytes: number[] = [];

  get seriesCount(): number {
    return this.#series;
  }

  get byteLength(): number {
    return this.#end;
  }

  /** The value is the f64 with these words. */
  add({ names, values }: Labels, timestampMs: number, low: number, high: number): void {
    let units = 0;
    let labelBytes = 0;
    for (let index = 0; index < names.length; index++) {
      const name = Buffer.byteLength(names[index]!);
      const value = Buffer.byteLength(values[index]!);
      this.#nameBytes[index] = name;
      this.#valueBytes[index] = value;
      const inner = textBytes(name) + textBytes(value);
      labelBytes += 1 + varintBytes(inner) + inner;
      units += names[index]!.length + values[index]!.length;
    }
    this.#reserve(SERIES_OVERHEAD_BYTES + names.length * LABEL_OVERHEAD_BYTES + units * BYTES_PER_UNIT);
    const timestamp = BigInt.asUintN(64, BigInt(timestampMs));
    const sampleBytes = 1 + 8 + 1 + varint64Bytes(timestamp);
    this.#tag(0x0a, labelBytes + 2 + sampleBytes);
    for (let index = 0; index < names.length; index++) {
      const name = this.#nameBytes[index]!;
      const value = this.#valueBytes[index]!;
      this.#tag(0x0a, textBytes(name) + textBytes(value));
      this.#text(0x0a, names[index]!, name);
      this.#text(0x12, values[index]!, value);
    }
    this.#tag(0x12, sampleBytes);
    this.#bytes[this.#end++] = 0x09;
    this.#bytes.writeUInt32LE(low, this.#end);
    this.#bytes.writeUInt32LE(high, this.#end + 4);
    this.#end += 8;
    this.#bytes[this.#end++] = 0x10;
    this.#varint64(timestamp);
    this.#series++;
  }

  /** The message, in memory that the next one overwrites; it begins anew. */
  take(): Uint8Array {
    const message = this.#bytes.subarray(0, this.#end);
    this.#end = 0;
    this.#series = 0;
    return message;
  }

  #text(tag: number, text: string, byteLength: number): void {
    if (byteLength === 0) return;
    this.#tag(tag, byteLength);
    this.#end += this.#bytes.write(text, this.#end, byteLength === text.length ? 'latin1' : 'utf8');
  }

  #tag(tag: number, length: number): void {
    this.#bytes[this.#end++] = tag;
    let rest = length;
    for (; rest >= VARINT_STEP; rest = Math.floor(rest / VARINT_STEP)) {
      this.#bytes[this.#end++] = (rest % VARINT_STEP) + VARINT_STEP;
    }
    this.#bytes[this.#end++] = rest;
  }

  #varint64(value: bigint): void {
    let rest = value;
    for (; rest >= 128n; rest >>= 7n) this.#bytes[this.#end++] = Number(rest & 127n) + VARINT_STEP;
    this.#bytes[this.#end++] = Number(rest);
  }

  #reserve(byteLength: number): void {
    if (this.#end + byteLength <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe((this.#end + byteLength) * 2);
    larger.set(this.#bytes.subarray(0, this.#end));
    this.#bytes = larger;
  }
}

/** A text with its tag and length; nothing when it is empty. */
function textBytes(byteLength: number): number {
  return byteLength === 0 ? 0 : 1 + varintBytes(byteLength) + byteLength;
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= VARINT_STEP; rest = Math.floor(rest / VARINT_STEP)) bytes++;
  return bytes;
}

function varint64Bytes(value: bigint): number {
  let bytes = 1;
  for (let rest = value; rest >= 128n; rest >>= 7n) bytes++;
  return bytes;
}
