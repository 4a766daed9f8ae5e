/**
 * Where parsers put what they read: a WriteRequest in protobuf, in a buffer that grows. Names and values are copied as
 * bytes; no text is made of them, and nothing of the parser's memory is kept. A series is
 *
 *     begin(), label()…, sample()…, [ beginExemplar(), label()…, endExemplar() ]…, histogram()…, end()
 *
 * in this order, so every series is canonical: all labels, then all samples, or native histograms. Rows that cannot be read
 * are counted by `skip()`, with a few examples.
 */
import type { WriteRequestFound } from '../kernel/kernel.ts';
import type { Place } from '../kernel/text-scanner.ts';
import type { Cut } from '../model/body.ts';
import { varintLength } from '../util/varint.ts';
import { excerpt } from './excerpt.ts';
import { MessageCuts } from './message-cuts.ts';
import { HeapMemory, type SinkMemory } from './sink-memory.ts';

const SERIES_TAG = 0x0a;
const METADATA_TAG = 0x1a;
const LABEL_TAG = 0x0a;
const NAME_TAG = 0x0a;
const VALUE_TAG = 0x12;
const SAMPLE_TAG = 0x12;
const EXEMPLAR_TAG = 0x1a;
const EXEMPLAR_VALUE_TAG = 0x11;
const EXEMPLAR_TIMESTAMP_TAG = 0x18;
const HISTOGRAM_TAG = 0x22;
const SAMPLE_VALUE_TAG = 0x09;
const SAMPLE_TIMESTAMP_TAG = 0x10;
const METADATA_TYPE_TAG = 0x08;
const METADATA_FAMILY_TAG = 0x12;
const METADATA_HELP_TAG = 0x22;
const METADATA_UNIT_TAG = 0x2a;

/** Tag and a length of two bytes: most series have 128 to 16383 bytes. Others are moved by a byte or two at their end. */
const SERIES_HEAD = 3;
const VARINT_MAX = 5;
const SAMPLE_MAX = 2 + 9 + 11;
/** Value and timestamp of an exemplar, and what its length may take beyond a byte. */
const EXEMPLAR_END_MAX = 9 + 11 + VARINT_MAX;
const START_BYTES = 64 * 1024;
/** Memory grows by this, so that little of it is left behind where it cannot be given back. */
const GROWTH = 4;
const TWO_TO_32 = 2 ** 32;
/** The largest and the smallest double that an int64 holds. */
const INT64_MAX = 2 ** 63 - 1024;
const INT64_MIN = -(2 ** 63);
const EXAMPLES_MAX = 5;

const METRIC_NAME = Buffer.from('__name__');
const NOTHING = new Uint8Array();
/** The NaN of text protocols in Go, whose payload is 1, and Prometheus' marker of an ended series; in halves. */
const NAN_HIGH = 0x7ff80000;
const NAN_LOW = 1;
const STALE_HIGH = 0x7ff00000;
const STALE_LOW = 2;

/** Thrown by the sink, past the parser, to whoever gave the sink to it. */
export class SinkFull extends Error {}

export class SeriesSink {
  readonly #memory: SinkMemory;
  /** Detached when linear memory has grown; every series, and whoever asks for the bytes, begins with `#reserve`. */
  #buffer: Uint8Array = new Uint8Array(0);
  #view = new DataView(this.#buffer.buffer);
  #capacity = 0;
  #length = 0;
  #bytesMax: number;
  /** Where the series at hand begins, and where the last one's labels and samples lie. */
  #start = 0;
  #lastBody = 0;
  /** When the series at hand was begun. */
  #labelsBefore = 0;
  #samplesBefore = 0;
  /** Of the series at hand. */
  #ownExemplars = 0;
  #ownHistograms = 0;
  /** Of the exemplar at hand: where it begins, and how many labels there were. */
  #exemplarStart = 0;
  #exemplarLabels = 0;
  series = 0;
  seriesWithSamples = 0;
  /** Series with histograms or exemplars only. */
  #seriesWithOthers = 0;
  labels = 0;
  samples = 0;
  exemplars = 0;
  histograms = 0;
  metadataEntries = 0;
  /** Rows that were read, where they are not the same as samples. */
  rowsRead: number | undefined;
  rowsInvalid = 0;
  /** Lines or blocks of the body, where the parser counts them. */
  items = 0;
  /** Rows that are right and no samples. */
  rowsIgnored = 0;
  readonly #examples: string[] = [];
  #cuts = new MessageCuts();

  /** @param bytesMax more bytes than this end the parsing with a `SinkFull`. */
  constructor(bytesMax: number, memory: SinkMemory = new HeapMemory()) {
    this.#memory = memory;
    this.#bytesMax = bytesMax;
  }

  /** Empties the sink for the next body, which is expected to take so many bytes. */
  reset(bytesMax: number, bytes = START_BYTES): void {
    this.#bytesMax = bytesMax;
    this.#length = 0;
    this.#cuts = new MessageCuts();
    this.#use(Math.min(bytesMax, Math.max(START_BYTES, bytes)));
    this.series = 0;
    this.seriesWithSamples = 0;
    this.#seriesWithOthers = 0;
    this.#ownExemplars = 0;
    this.#ownHistograms = 0;
    this.labels = 0;
    this.samples = 0;
    this.exemplars = 0;
    this.histograms = 0;
    this.metadataEntries = 0;
    this.rowsRead = undefined;
    this.rowsInvalid = 0;
    this.items = 0;
    this.rowsIgnored = 0;
    this.#examples.length = 0;
  }

  /** What the message holds, as the engine's own check would find it. */
  get found(): WriteRequestFound {
    const { series, samples, histograms, exemplars, labels, seriesWithSamples } = this;
    const counts = { series, samples, histograms, exemplars, metadata: this.metadataEntries };
    const everySeriesHasData = seriesWithSamples + this.#seriesWithOthers === series;
    return { counts, labels, seriesWithSamples, everySeriesHasData };
  }

  /** The message so far; valid until the next call. */
  get bytes(): Uint8Array {
    if (this.#buffer.byteLength === 0) this.#use(this.#capacity);
    return this.#buffer.subarray(0, this.#length);
  }

  /** How many bytes more it takes. */
  get room(): number {
    return this.#bytesMax - this.#length;
  }

  /** What is wrong with the first few rows that were skipped. */
  get examples(): readonly string[] {
    return this.#examples;
  }

  begin(): void {
    this.#reserve(SERIES_HEAD);
    this.#start = this.#length;
    this.#length += SERIES_HEAD;
    this.#labelsBefore = this.labels;
    this.#samplesBefore = this.samples;
  }

  /** How many bytes of the series at hand are written: for `repeat`. */
  get position(): number {
    return this.#length - this.#start - SERIES_HEAD;
  }

  label(
    name: Uint8Array,
    nameStart: number,
    nameEnd: number,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
  ): void {
    const nameLength = nameEnd - nameStart;
    const valueLength = valueEnd - valueStart;
    const inner = fieldLength(nameLength) + fieldLength(valueLength);
    this.#reserve(inner + 1 + VARINT_MAX);
    this.labels++;
    this.#buffer[this.#length++] = LABEL_TAG;
    this.#varint(inner);
    this.#bytes(NAME_TAG, name, nameStart, nameEnd);
    this.#bytes(VALUE_TAG, value, valueStart, valueEnd);
  }

  /**
   * A label whose name and value are fields of a Label already, with their tags and lengths, in two pieces; neither is
   * empty, and together they have fewer than 128 bytes.
   */
  encodedLabel(bytes: Uint8Array, start: number, end: number, nextStart: number, nextEnd: number): void {
    const inner = end - start + nextEnd - nextStart;
    this.#reserve(inner + 2);
    this.labels++;
    const buffer = this.#buffer;
    let into = this.#length;
    buffer[into++] = LABEL_TAG;
    buffer[into++] = inner;
    for (let at = start; at < end; at++) buffer[into++] = bytes[at]!;
    for (let at = nextStart; at < nextEnd; at++) buffer[into++] = bytes[at]!;
    this.#length = into;
  }

  /** The label `__name__`. */
  name(value: Uint8Array, start: number, end: number): void {
    this.label(METRIC_NAME, 0, METRIC_NAME.byteLength, value, start, end);
  }

  /** The label `__name__`, with these bytes behind the name. */
  nameWith(value: Uint8Array, start: number, end: number, suffix: Uint8Array): void {
    const length = end - start + suffix.byteLength;
    const inner = fieldLength(METRIC_NAME.byteLength) + fieldLength(length);
    this.#reserve(inner + 1 + VARINT_MAX);
    this.labels++;
    this.#buffer[this.#length++] = LABEL_TAG;
    this.#varint(inner);
    this.#bytes(NAME_TAG, METRIC_NAME, 0, METRIC_NAME.byteLength);
    if (length === 0) return;
    this.#buffer[this.#length++] = VALUE_TAG;
    this.#varint(length);
    this.#copy(value, start, end);
    this.#copy(suffix, 0, suffix.byteLength);
  }

  /** A label from texts; for protocols that have them as texts anyway. */
  text(name: string, value: string): void {
    const nameBytes = Buffer.from(name);
    const valueBytes = Buffer.from(value);
    this.label(nameBytes, 0, nameBytes.byteLength, valueBytes, 0, valueBytes.byteLength);
  }

  /** The labels, so many, that the last finished series had between these positions, again. */
  repeat(from: number, to: number, labels: number): void {
    this.#reserve(to - from);
    this.labels += labels;
    this.#buffer.copyWithin(this.#length, this.#lastBody + from, this.#lastBody + to);
    this.#length += to - from;
  }

  /** @param timestampMs whole milliseconds. */
  sample(value: number, timestampMs: number): void {
    const at = this.#beginSample();
    if (Number.isNaN(value)) this.#bits(at, NAN_HIGH, NAN_LOW);
    else this.#view.setFloat64(at, value, true);
    this.#endSample(at, timestampMs);
  }

  /** The NaN that says that a series has ended; JavaScript's own numbers do not keep its bits. */
  staleMarker(timestampMs: number): void {
    const at = this.#beginSample();
    this.#bits(at, STALE_HIGH, STALE_LOW);
    this.#endSample(at, timestampMs);
  }

  /** A value as it came: the eight bytes of a little-endian double at this place, whatever NaN they may be. */
  rawSample(bytes: Uint8Array, at: number, timestampMs: number): void {
    const into = this.#beginSample();
    const buffer = this.#buffer;
    for (let index = 0; index < 8; index++) buffer[into + index] = bytes[at + index]!;
    this.#endSample(into, timestampMs);
  }

  /** Returns where the eight bytes of the value belong. */
  #beginSample(): number {
    this.#reserve(SAMPLE_MAX);
    const buffer = this.#buffer;
    const head = this.#length;
    buffer[head] = SAMPLE_TAG;
    buffer[head + 2] = SAMPLE_VALUE_TAG;
    return head + 3;
  }

  #endSample(at: number, timestampMs: number): void {
    this.#buffer[at + 8] = SAMPLE_TIMESTAMP_TAG;
    this.#length = at + 9;
    this.#int64(timestampMs);
    this.#buffer[at - 2] = this.#length - at + 1;
    this.samples++;
  }

  /** Begins an exemplar of the series at hand: its labels are those that come until it ends. */
  beginExemplar(): void {
    this.#reserve(2);
    this.#buffer[this.#length] = EXEMPLAR_TAG;
    // One byte for its length, as most have fewer than 128.
    this.#length += 2;
    this.#exemplarStart = this.#length;
    this.#exemplarLabels = this.labels;
  }

  /** Where the exemplar at hand ends so far: for `cutExemplar`. */
  get exemplarPosition(): number {
    return this.#length - this.#exemplarStart;
  }

  /** The labels of the exemplar at hand, encoded; valid until the next call. */
  get exemplarBytes(): Uint8Array {
    return this.#buffer.subarray(this.#exemplarStart, this.#length);
  }

  /** Takes back the labels of the exemplar at hand that came behind this position. */
  cutExemplar(position: number): void {
    this.#length = this.#exemplarStart + position;
  }

  /** @param at where the eight bytes of the value lie, a little-endian double. */
  endExemplar(bytes: Uint8Array, at: number, timestampMs: number): void {
    this.#reserve(EXEMPLAR_END_MAX);
    this.#buffer[this.#length++] = EXEMPLAR_VALUE_TAG;
    this.#copy(bytes, at, at + 8);
    this.#buffer[this.#length++] = EXEMPLAR_TIMESTAMP_TAG;
    this.#int64(timestampMs);
    const start = this.#exemplarStart;
    const length = this.#length - start;
    const shift = varintLength(length) - 1;
    if (shift > 0) this.#buffer.copyWithin(start + shift, start, this.#length);
    this.#length = start - 1;
    this.#varint(length);
    this.#length += length;
    this.labels = this.#exemplarLabels;
    this.#ownExemplars++;
  }

  /** A native histogram: the fields of its message. */
  histogram(bytes: Uint8Array, start: number, end: number): void {
    this.#reserve(end - start + 1 + VARINT_MAX);
    this.#bytes(HISTOGRAM_TAG, bytes, start, end);
    this.#ownHistograms++;
  }

  end(): void {
    const body = this.#start + SERIES_HEAD;
    const length = this.#length - body;
    const shift = varintLength(length) - (SERIES_HEAD - 1);
    if (shift !== 0) {
      if (shift > 0) this.#reserve(shift);
      this.#buffer.copyWithin(body + shift, body, this.#length);
    }
    this.#length = this.#start;
    this.#buffer[this.#length++] = SERIES_TAG;
    this.#varint(length);
    this.#lastBody = this.#length;
    this.#length += length;
    this.series++;
    const hasSamples = this.samples > this.#samplesBefore;
    if (hasSamples) this.seriesWithSamples++;
    if (this.#ownExemplars === 0 && this.#ownHistograms === 0) return;
    if (!hasSamples) this.#seriesWithOthers++;
    this.exemplars += this.#ownExemplars;
    this.histograms += this.#ownHistograms;
    this.#ownExemplars = this.#ownHistograms = 0;
  }

  /** Whole series, each with samples, encoded as this class does it. */
  append(bytes: Uint8Array, series: number, samples: number, labels: number): void {
    this.#reserve(bytes.byteLength);
    this.#buffer.set(bytes, this.#length);
    this.appendPlaced(bytes.byteLength, series, samples, labels, 0);
  }

  /** Where so many bytes, or more, can be written in linear memory for `appendPlaced`; undefined when they cannot. */
  place(byteLength: number): Place | undefined {
    const ptr = this.#memory.ptr;
    if (ptr === undefined || this.#length + byteLength > this.#bytesMax) return undefined;
    this.#reserve(byteLength);
    const length = this.#length;
    return { ptr: this.#memory.ptr! + length, byteLength: this.#capacity - length, length };
  }

  /** As `append`, of bytes that were written at `place`; returns whether a cut was noted behind them. */
  appendPlaced(bytes: number, series: number, samples: number, labels: number, elements: number): boolean {
    this.#length += bytes;
    this.series += series;
    this.seriesWithSamples += series;
    this.samples += samples;
    this.labels += labels;
    return this.#cuts.note(this.#length, elements, this.found);
  }

  /** Where the message can be cut, in order; none of its end, and none where only parsers wrote. */
  get cuts(): readonly Cut[] {
    return this.#cuts.all;
  }

  /** Takes back what was written since `begin`. */
  cancel(): void {
    this.#length = this.#start;
    this.labels = this.#labelsBefore;
    this.samples = this.#samplesBefore;
    this.#ownExemplars = this.#ownHistograms = 0;
  }

  /** @param type `MetricType` of proto/remote.proto. */
  metadata(type: number, family: Uint8Array, help: Uint8Array, unit: Uint8Array = NOTHING): void {
    const inner =
      (type === 0 ? 0 : 2) +
      fieldLength(family.byteLength) +
      fieldLength(help.byteLength) +
      fieldLength(unit.byteLength);
    this.#reserve(inner + 1 + VARINT_MAX);
    this.#buffer[this.#length++] = METADATA_TAG;
    this.#varint(inner);
    if (type !== 0) {
      this.#buffer[this.#length++] = METADATA_TYPE_TAG;
      this.#buffer[this.#length++] = type;
    }
    this.#bytes(METADATA_FAMILY_TAG, family, 0, family.byteLength);
    this.#bytes(METADATA_HELP_TAG, help, 0, help.byteLength);
    this.#bytes(METADATA_UNIT_TAG, unit, 0, unit.byteLength);
    this.metadataEntries++;
  }

  /**
   * A row that is left out because it makes no sense.
   * @param line number of the line (or item) in the body, from 1.
   */
  skip(line: number, why: string, bytes: Uint8Array, start: number, end: number): void {
    this.leaveOut(1, () => `line ${line}: ${why}: ${excerpt(bytes, start, end)}`);
  }

  /** Rows that are left out; `example` says which and why, and is asked for the first few only. */
  leaveOut(rows: number, example: () => string): void {
    this.rowsInvalid += rows;
    if (this.#examples.length < EXAMPLES_MAX) this.#examples.push(example());
  }

  /** A row that is left out because it is no sample. */
  ignore(): void {
    this.rowsIgnored++;
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#buffer.byteLength) return;
    if (needed <= this.#capacity) this.#use(this.#capacity);
    else if (needed > this.#bytesMax) throw new SinkFull();
    else this.#use(Math.min(this.#bytesMax, Math.max(needed, START_BYTES, GROWTH * this.#capacity)));
  }

  #use(byteLength: number): void {
    this.#buffer = this.#memory.reserve(byteLength, this.#length);
    this.#view = new DataView(this.#buffer.buffer, this.#buffer.byteOffset, byteLength);
    this.#capacity = byteLength;
  }

  /** A length-delimited field; empty ones are left out, as in canonical protobuf. */
  #bytes(tag: number, bytes: Uint8Array, start: number, end: number): void {
    const length = end - start;
    if (length === 0) return;
    this.#buffer[this.#length++] = tag;
    this.#varint(length);
    this.#copy(bytes, start, end);
  }

  #copy(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start;
    const buffer = this.#buffer;
    let at = this.#length;
    // For a few bytes a call of `set`, and the view that it needs, cost more than the loop.
    if (length <= 32) for (let from = start; from < end; from++) buffer[at++] = bytes[from]!;
    else buffer.set(bytes.subarray(start, end), at);
    this.#length += length;
  }

  #varint(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.#buffer[this.#length++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.#buffer[this.#length++] = rest;
  }

  /** A 64-bit integer as protobuf writes it: two's complement in groups of seven bits. */
  #int64(value: number): void {
    const within = Math.min(INT64_MAX, Math.max(INT64_MIN, value));
    const whole = Math.floor(within / TWO_TO_32);
    let high = whole >>> 0;
    let low = (within - whole * TWO_TO_32) >>> 0;
    const buffer = this.#buffer;
    let at = this.#length;
    while (high !== 0 || low >= 0x80) {
      buffer[at++] = (low & 0x7f) | 0x80;
      low = ((low >>> 7) | (high << 25)) >>> 0;
      high >>>= 7;
    }
    buffer[at++] = low;
    this.#length = at;
  }

  #bits(at: number, high: number, low: number): void {
    this.#view.setUint32(at, low, true);
    this.#view.setUint32(at + 4, high, true);
  }
}

function fieldLength(length: number): number {
  return length === 0 ? 0 : 1 + varintLength(length) + length;
}
