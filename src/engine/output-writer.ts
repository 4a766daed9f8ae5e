/**
 * What aggregation and deduplication let go of, as a WriteRequest: series of one sample each, with the bits that the value
 * has. From there outputs take the way of everything that comes in.
 */
import type { Labels } from '../model/labels.ts';

const FIRST_BYTES = 64 * 1024;
/** Tags and lengths of a series, its sample and one label, at their longest. */
const SERIES_OVERHEAD_BYTES = 48;
const LABEL_OVERHEAD_BYTES = 18;
const ASCII_MAX = 127;
/** UTF-8 takes at most so many bytes for a UTF-16 unit. */
const BYTES_PER_UNIT = 3;
const VARINT_STEP = 128;
/** A call into the runtime costs as much as some fifty characters. */
const LOOP_LENGTH_MAX = 64;

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
      const name = byteLength(names[index]!);
      const value = byteLength(values[index]!);
      this.#nameBytes[index] = name;
      this.#valueBytes[index] = value;
      const inner = textBytes(name) + textBytes(value);
      labelBytes += 1 + varintBytes(inner) + inner;
      units += names[index]!.length + values[index]!.length;
    }
    this.#reserve(SERIES_OVERHEAD_BYTES + names.length * LABEL_OVERHEAD_BYTES + units * BYTES_PER_UNIT);
    const isPlain = timestampMs >= 0 && timestampMs <= Number.MAX_SAFE_INTEGER;
    const sampleBytes = 1 + 8 + 1 + (isPlain ? varintBytes(timestampMs) : varint64Bytes(timestampMs));
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
    if (isPlain) this.#varint(timestampMs);
    else this.#varint64(timestampMs);
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
    if (byteLength === text.length && byteLength <= LOOP_LENGTH_MAX) {
      const bytes = this.#bytes;
      let at = this.#end;
      for (let index = 0; index < byteLength; index++) bytes[at++] = text.charCodeAt(index);
      this.#end = at;
    } else this.#end += this.#bytes.write(text, this.#end, 'utf8');
  }

  #tag(tag: number, length: number): void {
    this.#bytes[this.#end++] = tag;
    this.#varint(length);
  }

  #varint(value: number): void {
    let rest = value;
    for (; rest >= VARINT_STEP; rest = Math.floor(rest / VARINT_STEP)) {
      this.#bytes[this.#end++] = (rest % VARINT_STEP) + VARINT_STEP;
    }
    this.#bytes[this.#end++] = rest;
  }

  #varint64(value: number): void {
    let rest = BigInt.asUintN(64, BigInt(value));
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

/** Of a text as UTF-8. */
function byteLength(text: string): number {
  if (text.length > LOOP_LENGTH_MAX) return Buffer.byteLength(text);
  for (let index = 0; index < text.length; index++) {
    if (text.charCodeAt(index) > ASCII_MAX) return Buffer.byteLength(text);
  }
  return text.length;
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

function varint64Bytes(value: number): number {
  let bytes = 1;
  for (let rest = BigInt.asUintN(64, BigInt(value)); rest >= 128n; rest >>= 7n) bytes++;
  return bytes;
}
