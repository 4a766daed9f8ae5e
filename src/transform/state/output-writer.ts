/**
 * What aggregation and deduplication let go of, as a WriteRequest: series of one sample each, with the bits that the value
 * has. From there outputs take the way of everything that comes in.
 */
import type { Labels } from '../../model/labels.ts';
import { encodeVarint } from '../../util/varint.ts';
import type { LabelPairs } from './label-pairs.ts';

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

const WORD_BYTES = 4;

const NOWHERE = -1;
const NO_BYTES = new Uint8Array(0);
const METRIC_NAME = new TextEncoder().encode('__name__');
/** Tag and length of the name of the label, itself, and the tag of its value. */
const NAME_HEAD_BYTES = 2 + METRIC_NAME.length + 1;

/** Ids of labels in a table of keys. */
export interface Key {
  readonly words: Int32Array;
  readonly start: number;
  readonly count: number;
}

/** What outputs have beside the labels of their group. */
export interface Addition {
  readonly suffix: Uint8Array;
  readonly extra: Uint8Array;
}

export class OutputWriter {
  #bytes = Buffer.from(new ArrayBuffer(FIRST_BYTES));
  #view = viewOf(this.#bytes);
  #end = 0;
  #series = 0;
  /** The varint of the timestamp that was written last. */
  #timestampMs = 0;
  #timestamp = encodeVarint(0);
  /** What outputs are added to is mostly the same from one to the next. */
  #suffix: Uint8Array = NO_BYTES;
  #suffixView = viewOf(NO_BYTES);
  readonly #nameBytes: number[] = [];
  readonly #valueBytes: number[] = [];

  get seriesCount(): number {
    return this.#series;
  }

  get byteLength(): number {
    return this.#end;
  }

  /**
   * Labels that are ids of `pairs`: the `count` words from `start`. The first metric name gets `suffix` behind it, or the suffix
   * becomes the name; `extra` is the field of one more label, or empty. The value is the f64 with these words.
   */
  addPairs(
    pairs: LabelPairs,
    { words, start, count }: Key,
    { suffix, extra }: Addition,
    timestampMs: number,
    low: number,
    high: number,
  ): void {
    const { bytes: from, starts, lengths, nameLengths } = pairs;
    const end = start + count;
    let labelBytes = extra.length;
    let named = NOWHERE;
    for (let at = start; at < end; at++) {
      const id = words[at]!;
      labelBytes += lengths[id]!;
      if (named === NOWHERE && nameLengths[id]! >= 0) named = at;
    }
    const isSuffixed = suffix.length > 0;
    if (suffix !== this.#suffix) {
      this.#suffix = suffix;
      this.#suffixView = viewOf(suffix);
    }
    let nameLength = suffix.length;
    if (isSuffixed) {
      if (named !== NOWHERE) {
        nameLength += nameLengths[words[named]!]!;
        labelBytes -= lengths[words[named]!]!;
      }
      labelBytes += nameFieldBytes(nameLength);
    }
    this.#reserve(SERIES_OVERHEAD_BYTES + labelBytes);
    const sampleBytes = this.#sampleBytes(timestampMs);
    this.#tag(0x0a, labelBytes + 2 + sampleBytes);
    for (let at = start; at < end; at++) {
      const id = words[at]!;
      if (isSuffixed && at === named) {
        const own = nameLengths[id]!;
        this.#nameHead(nameLength);
        this.#copyWords(from, starts[id]! + lengths[id]! - own, own);
        this.#copyWords(this.#suffixView, 0, suffix.length);
      } else this.#copyField(from, starts[id]!, lengths[id]!);
    }
    if (isSuffixed && named === NOWHERE) {
      this.#nameHead(nameLength);
      this.#copyWords(this.#suffixView, 0, suffix.length);
    }
    this.#copy(extra, 0, extra.length);
    this.#sample(sampleBytes, low, high);
  }

  /** A field of `LabelPairs`, which has room behind it up to the next word, as there is here: whole words only. */
  #copyField(from: DataView, start: number, length: number): void {
    const to = this.#view;
    const end = this.#end;
    for (let at = 0; at < length; at += WORD_BYTES) {
      to.setInt32(end + at, from.getInt32(start + at, true), true);
    }
    this.#end = end + length;
  }

  /** As `#copy`, for more than a few bytes: four at a time. A call of `set` costs as much as some sixty bytes here. */
  #copyWords(from: DataView, start: number, length: number): void {
    const to = this.#view;
    const fromEnd = start + length;
    let at = this.#end;
    let index = start;
    for (; index + WORD_BYTES <= fromEnd; index += WORD_BYTES, at += WORD_BYTES) {
      to.setInt32(at, from.getInt32(index, true), true);
    }
    for (; index < fromEnd; index++, at++) to.setUint8(at, from.getUint8(index));
    this.#end = at;
  }

  #copy(from: Uint8Array, start: number, end: number): void {
    const to = this.#bytes;
    let at = this.#end;
    for (let index = start; index < end; index++) to[at++] = from[index]!;
    this.#end = at;
  }

  /** The field of a metric name, up to the name. */
  #nameHead(nameLength: number): void {
    this.#tag(0x0a, NAME_HEAD_BYTES + varintBytes(nameLength) + nameLength);
    this.#tag(0x0a, METRIC_NAME.length);
    this.#copy(METRIC_NAME, 0, METRIC_NAME.length);
    this.#tag(0x12, nameLength);
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
    const sampleBytes = this.#sampleBytes(timestampMs);
    this.#tag(0x0a, labelBytes + 2 + sampleBytes);
    for (let index = 0; index < names.length; index++) {
      const name = this.#nameBytes[index]!;
      const value = this.#valueBytes[index]!;
      this.#tag(0x0a, textBytes(name) + textBytes(value));
      this.#text(0x0a, names[index]!, name);
      this.#text(0x12, values[index]!, value);
    }
    this.#sample(sampleBytes, low, high);
  }

  #sampleBytes(timestampMs: number): number {
    // The samples of a window have one timestamp.
    if (timestampMs !== this.#timestampMs) {
      this.#timestampMs = timestampMs;
      const isPlain = timestampMs >= 0 && timestampMs <= Number.MAX_SAFE_INTEGER;
      this.#timestamp = isPlain ? encodeVarint(timestampMs) : encodeVarint64(timestampMs);
    }
    return 1 + 8 + 1 + this.#timestamp.length;
  }

  #sample(sampleBytes: number, low: number, high: number): void {
    this.#tag(0x12, sampleBytes);
    this.#bytes[this.#end++] = 0x09;
    this.#word(low);
    this.#word(high);
    this.#bytes[this.#end++] = 0x10;
    this.#copy(this.#timestamp, 0, this.#timestamp.length);
    this.#series++;
  }

  #word(word: number): void {
    this.#view.setInt32(this.#end, word, true);
    this.#end += WORD_BYTES;
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

  #reserve(byteLength: number): void {
    if (this.#end + byteLength <= this.#bytes.length) return;
    const larger = Buffer.from(new ArrayBuffer((this.#end + byteLength) * 2));
    larger.set(this.#bytes.subarray(0, this.#end));
    this.#bytes = larger;
    this.#view = viewOf(larger);
  }
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
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

function encodeVarint64(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 127n) + VARINT_STEP);
  return Uint8Array.from([...bytes, Number(rest)]);
}

/** The field of a metric name of so many bytes. */
function nameFieldBytes(nameLength: number): number {
  const inner = NAME_HEAD_BYTES + varintBytes(nameLength) + nameLength;
  return 1 + varintBytes(inner) + inner;
}
