/**
 * Data points of OpenTelemetry as series. What is read of the messages (proto/opentelemetry.proto), by field number:
 *
 *     number       3 time, 4 double, 5 exemplars, 6 int, 7 attributes, 8 flags
 *     histogram    3 time, 4 count, 5 sum, 6 bucket counts, 7 bounds, 8 exemplars, 9 attributes, 10 flags
 *     exponential  1 attributes, 3 time, 4 count, 5 sum, 6 scale, 7 zero count, 8 and 9 buckets (1 offset, 2 counts),
 *                  10 flags, 11 exemplars, 14 zero threshold
 *     summary      3 time, 4 count, 5 sum, 6 quantiles (1 quantile, 2 value), 7 attributes, 8 flags
 *
 * A histogram becomes `_count`, `_sum` and `_bucket{le="…"}` with counts that add up, an exponential one
 * `_bucket{vmrange="…"}` or a native histogram, a summary `_count`, `_sum` and `{quantile="…"}`. Times are nanoseconds, cut to
 * milliseconds; whether points are deltas or add up makes no difference but for native histograms. A point with the flag "no
 * recorded value" ends its series; a number without a value is no data point. Exemplars go with the number, with the bucket that
 * they fall into, with the native histogram, or with `_count` where there are ranges.
 */
import { exponentText } from './go-float.ts';
import type { Attributes } from './opentelemetry-attributes.ts';
import { boundText, boundTextAt, power } from './opentelemetry-bounds.ts';
import { Exemplars } from './opentelemetry-exemplars.ts';
import { type ExponentialPoint, NativeHistogram } from './opentelemetry-native.ts';
import type { PointSeries } from './opentelemetry-series.ts';
import type { SeriesSink } from './series-sink.ts';
import { BYTES, FIXED64, VARINT, type WireReader } from './wire-reader.ts';

const NO_RECORDED_VALUE = 1;
const NONE = -1;
const TWO_TO_32 = 2 ** 32;
/** Tags of a number. */
const START_TIME_TAG = 0x11;
const TIME_TAG = 0x19;
const DOUBLE_TAG = 0x21;
const EXEMPLAR_TAG = 0x2a;
const INTEGER_TAG = 0x31;
const ATTRIBUTE_TAG = 0x3a;
const NO_SUFFIX = new Uint8Array();
const COUNT = Buffer.from('_count');
const SUM = Buffer.from('_sum');
const BUCKET = Buffer.from('_bucket');
const INFINITE_BOUND = Buffer.from('+Inf');

export class PointWriter {
  readonly #reader: WireReader;
  readonly #sink: SeriesSink;
  readonly #series: PointSeries;
  readonly #exemplars: Exemplars;
  readonly #native: NativeHistogram;
  readonly #le: Uint8Array;
  readonly #vmrange: Uint8Array;
  readonly #quantile: Uint8Array;
  /** Of the point at hand. Eight bytes each, by their place; NONE where there are none. */
  #timeAt = NONE;
  #valueAt = NONE;
  #isInteger = false;
  #flags = 0;
  #countAt = NONE;
  #sumAt = NONE;
  #attributesField = 0;
  #attributesStart = 0;
  #attributesEnd = 0;
  /** The last time, in halves and in milliseconds. */
  #lastLow = 0;
  #lastHigh = 0;
  #lastMs = 0;
  readonly #counts: number[] = [];
  readonly #bounds: number[] = [];

  constructor(reader: WireReader, sink: SeriesSink, series: PointSeries, attributes: Attributes) {
    this.#reader = reader;
    this.#sink = sink;
    this.#series = series;
    this.#exemplars = new Exemplars(reader, sink, series, attributes);
    this.#native = new NativeHistogram(reader);
    this.#le = attributes.nameOf('le');
    this.#vmrange = attributes.nameOf('vmrange');
    this.#quantile = attributes.nameOf('quantile');
  }

  number(start: number, end: number): void {
    this.#beginPoint(7);
    if (!this.#scanNumber(start, end)) this.#readNumber(start, end);
    const valueAt = this.#valueAt;
    if (valueAt === NONE && (this.#flags & NO_RECORDED_VALUE) === 0) {
      this.#sink.leaveOut(1, () => `a data point of ${this.#series.shownName} without a value`);
      return;
    }
    this.#beginSeries(NO_SUFFIX);
    if (this.#isInteger) this.#sample(this.#reader.sfixed64(valueAt));
    else this.#rawSample(valueAt);
    if (!this.#exemplars.isEmpty) this.#exemplars.writeAll();
    this.#sink.end();
  }

  /** Reads a point of times, a value and short attributes, as exporters write them; false for anything else. */
  #scanNumber(start: number, end: number): boolean {
    const { bytes } = this.#reader;
    let at = start;
    while (at < end) {
      const tag = bytes[at]!;
      if (tag === START_TIME_TAG) at += 9;
      else if (tag === TIME_TAG) {
        this.#timeAt = at + 1;
        at += 9;
      } else if (tag === DOUBLE_TAG || tag === INTEGER_TAG) {
        this.#valueAt = at + 1;
        this.#isInteger = tag === INTEGER_TAG;
        at += 9;
      } else if (tag === ATTRIBUTE_TAG && bytes[at + 1]! < 0x80) {
        if (this.#attributesEnd === 0) this.#attributesStart = at;
        at += 2 + bytes[at + 1]!;
        this.#attributesEnd = at;
      } else if (tag === EXEMPLAR_TAG && bytes[at + 1]! < 0x80) {
        const from = at + 2;
        at = from + bytes[at + 1]!;
        this.#exemplars.note(from, at);
      } else return this.#forget();
    }
    return at === end || this.#forget();
  }

  #forget(): false {
    this.#beginPoint(this.#attributesField);
    return false;
  }

  #readNumber(start: number, end: number): void {
    const reader = this.#reader;
    reader.at = start;
    for (let from = start; reader.next(end); from = reader.at) {
      switch (reader.field) {
        case 3:
          this.#timeAt = this.#fixed();
          break;
        case 4:
        case 6:
          this.#valueAt = this.#fixed();
          this.#isInteger = reader.field === 6;
          break;
        case 5:
          this.#noteExemplar();
          break;
        case 7:
          this.#noteAttribute(from);
          break;
        case 8:
          this.#readFlags();
          break;
      }
    }
  }

  histogram(start: number, end: number): void {
    const reader = this.#reader;
    this.#beginPoint(9);
    this.#counts.length = 0;
    this.#bounds.length = 0;
    reader.at = start;
    for (let from = start; reader.next(end); from = reader.at) {
      switch (reader.field) {
        case 3:
          this.#timeAt = this.#fixed();
          break;
        case 4:
          this.#countAt = this.#fixed();
          break;
        case 5:
          this.#sumAt = this.#fixed();
          break;
        case 6:
          reader.fixed64s(this.#counts);
          break;
        case 7:
          reader.fixed64s(this.#bounds);
          break;
        case 8:
          this.#noteExemplar();
          break;
        case 9:
          this.#noteAttribute(from);
          break;
        case 10:
          this.#readFlags();
          break;
      }
    }
    this.#writeBuckets();
  }

  #writeBuckets(): void {
    const reader = this.#reader;
    const counts = this.#counts;
    const limits = this.#bounds;
    const hasBuckets = counts.length > 0 || limits.length > 0;
    if (hasBuckets && counts.length !== limits.length + 1) {
      const numbers = `${counts.length} bucket counts for ${limits.length} bounds`;
      this.#sink.leaveOut(1, () => `a histogram ${this.#series.shownName} with ${numbers}, not one more`);
      return;
    }
    if (!this.#exemplars.isEmpty) this.#exemplars.sort(limits);
    this.#writeCount();
    if (this.#sumAt !== NONE) this.#writeRaw(SUM, this.#sumAt);
    // As two halves, and modulo 2^64.
    let low = 0;
    let high = 0;
    for (let index = 0; index < limits.length; index++) {
      low += reader.view.getUint32(counts[index]!, true);
      high = (high + reader.view.getUint32(counts[index]! + 4, true) + (low >= TWO_TO_32 ? 1 : 0)) >>> 0;
      low >>>= 0;
      const bound = boundTextAt(index, reader.double(limits[index]!));
      this.#writeBucket(this.#le, bound, high * TWO_TO_32 + low, index);
    }
    if (!hasBuckets) {
      const count = this.#countAt === NONE ? 0 : reader.fixed64(this.#countAt);
      this.#writeBucket(this.#le, INFINITE_BOUND, count, 0);
      return;
    }
    const last = counts[limits.length]!;
    low += reader.view.getUint32(last, true);
    high = (high + reader.view.getUint32(last + 4, true) + (low >= TWO_TO_32 ? 1 : 0)) >>> 0;
    this.#writeBucket(this.#le, INFINITE_BOUND, high * TWO_TO_32 + (low >>> 0), limits.length);
  }

  /** @param form `ranges`: series of ranges; else a native histogram, of what the point counts. */
  exponential(start: number, end: number, form: 'ranges' | 'delta' | 'total'): void {
    const reader = this.#reader;
    this.#beginPoint(1);
    let scale = 0;
    let zeroCountAt = NONE;
    let zeroThresholdAt = NONE;
    reader.at = start;
    for (let from = start; reader.next(end); from = reader.at) {
      switch (reader.field) {
        case 1:
          this.#noteAttribute(from);
          break;
        case 3:
          this.#timeAt = this.#fixed();
          break;
        case 4:
          this.#countAt = this.#fixed();
          break;
        case 5:
          this.#sumAt = this.#fixed();
          break;
        case 6:
          reader.expect(VARINT);
          scale = reader.zigzag;
          break;
        case 7:
          zeroCountAt = this.#fixed();
          break;
        case 8:
        case 9:
          reader.expect(BYTES);
          break;
        case 10:
          this.#readFlags();
          break;
        case 11:
          this.#noteExemplar();
          break;
        case 14:
          zeroThresholdAt = this.#fixed();
          break;
      }
    }
    if (form !== 'ranges') {
      const isEnd = (this.#flags & NO_RECORDED_VALUE) !== 0;
      const point = { start, end, scale, countAt: this.#countAt, sumAt: this.#sumAt };
      const zero = { zeroCountAt, zeroThresholdAt, timestampMs: this.#timestampMs() };
      this.#writeNative({ ...point, ...zero, isEnd, isDelta: form === 'delta' });
      return;
    }
    this.#beginSeries(COUNT);
    this.#sample(this.#countAt === NONE ? 0 : reader.fixed64(this.#countAt));
    this.#exemplars.writeAll();
    this.#sink.end();
    if (this.#sumAt === NONE) this.#write(SUM, 0);
    else this.#writeRaw(SUM, this.#sumAt);
    const zeroCount = zeroCountAt === NONE ? 0 : reader.fixed64(zeroCountAt);
    if (zeroCount > 0) {
      const threshold = zeroThresholdAt === NONE ? 0 : reader.double(zeroThresholdAt);
      this.#writeRange(-threshold, threshold, zeroCount);
    }
    this.#writeSide(start, end, 8, scale);
    this.#writeSide(start, end, 9, scale);
  }

  #writeNative(point: ExponentialPoint): void {
    const flaw = this.#native.encode(point);
    if (flaw !== undefined) {
      this.#sink.leaveOut(1, () => `an exponential histogram ${this.#series.shownName} ${flaw}`);
      return;
    }
    this.#beginSeries(NO_SUFFIX);
    this.#exemplars.writeAll();
    this.#sink.histogram(this.#native.bytes, 0, this.#native.length);
    this.#sink.end();
  }

  /** The buckets above zero (field 8) or below (9). */
  #writeSide(start: number, end: number, field: number, scale: number): void {
    const reader = this.#reader;
    reader.at = start;
    while (reader.next(end)) {
      if (reader.field !== field) continue;
      const { start: from, end: to } = reader;
      this.#writeRanges(from, to, scale, field === 9);
      reader.at = to;
    }
  }

  #writeRanges(start: number, end: number, scale: number, isNegative: boolean): void {
    const reader = this.#reader;
    let offset = 0;
    reader.at = start;
    while (reader.next(end)) {
      if (reader.field !== 1) continue;
      reader.expect(VARINT);
      offset = reader.zigzag;
    }
    const ratio = 2 ** -scale;
    const base = 2 ** ratio;
    const first = 2 ** (offset * ratio);
    let index = 0;
    reader.at = start;
    while (reader.next(end)) {
      if (reader.field !== 2) continue;
      reader.eachVarint((count) => {
        if (count > 0) {
          const lower = first * power(base, index);
          if (isNegative) this.#writeRange(-lower * base, -lower, count);
          else this.#writeRange(lower, lower * base, count);
        }
        index++;
      });
    }
  }

  summary(start: number, end: number): void {
    const reader = this.#reader;
    this.#beginPoint(7);
    reader.at = start;
    for (let from = start; reader.next(end); from = reader.at) {
      switch (reader.field) {
        case 3:
          this.#timeAt = this.#fixed();
          break;
        case 4:
          this.#countAt = this.#fixed();
          break;
        case 5:
          this.#sumAt = this.#fixed();
          break;
        case 6:
          reader.expect(BYTES);
          break;
        case 7:
          this.#noteAttribute(from);
          break;
        case 8:
          this.#readFlags();
          break;
      }
    }
    this.#writeCount();
    if (this.#sumAt === NONE) this.#write(SUM, 0);
    else this.#writeRaw(SUM, this.#sumAt);
    reader.at = start;
    while (reader.next(end)) {
      if (reader.field !== 6) continue;
      const { start: from, end: to } = reader;
      this.#writeQuantile(from, to);
    }
  }

  #writeQuantile(start: number, end: number): void {
    const reader = this.#reader;
    let quantile = 0;
    let valueAt = NONE;
    reader.at = start;
    while (reader.next(end)) {
      if (reader.field === 1) quantile = reader.double(this.#fixed());
      else if (reader.field === 2) valueAt = this.#fixed();
    }
    this.#beginSeries(NO_SUFFIX);
    const text = boundText(quantile);
    this.#sink.label(this.#quantile, 0, this.#quantile.byteLength, text, 0, text.byteLength);
    if (valueAt === NONE) this.#sample(0);
    else this.#rawSample(valueAt);
    this.#sink.end();
    reader.at = end;
  }

  #beginPoint(attributesField: number): void {
    this.#timeAt = this.#valueAt = this.#countAt = this.#sumAt = NONE;
    this.#isInteger = false;
    this.#flags = 0;
    this.#attributesField = attributesField;
    this.#attributesEnd = 0;
    this.#exemplars.forget();
    this.#series.beginPoint();
  }

  /** Where the eight bytes of the field lie. */
  #fixed(): number {
    this.#reader.expect(FIXED64);
    return this.#reader.start;
  }

  #readFlags(): void {
    this.#reader.expect(VARINT);
    this.#flags = this.#reader.low;
  }

  /** @param from where the field begins, with its tag. */
  #noteAttribute(from: number): void {
    this.#reader.expect(BYTES);
    if (this.#attributesEnd === 0) this.#attributesStart = from;
    this.#attributesEnd = this.#reader.end;
  }

  #noteExemplar(): void {
    this.#reader.expect(BYTES);
    this.#exemplars.note(this.#reader.start, this.#reader.end);
  }

  #beginSeries(suffix: Uint8Array): void {
    this.#series.begin(suffix, this.#attributesStart, this.#attributesEnd, this.#attributesField);
  }

  #sample(value: number): void {
    if ((this.#flags & NO_RECORDED_VALUE) !== 0) this.#sink.staleMarker(this.#timestampMs());
    else this.#sink.sample(value, this.#timestampMs());
  }

  /** @param at where the eight bytes of the value lie. */
  #rawSample(at: number): void {
    if ((this.#flags & NO_RECORDED_VALUE) !== 0) this.#sink.staleMarker(this.#timestampMs());
    else this.#sink.rawSample(this.#reader.bytes, at, this.#timestampMs());
  }

  #write(suffix: Uint8Array, value: number): void {
    this.#beginSeries(suffix);
    this.#sample(value);
    this.#sink.end();
  }

  #writeRaw(suffix: Uint8Array, at: number): void {
    this.#beginSeries(suffix);
    this.#rawSample(at);
    this.#sink.end();
  }

  #writeCount(): void {
    this.#write(COUNT, this.#countAt === NONE ? 0 : this.#reader.fixed64(this.#countAt));
  }

  /** @param nth of the buckets of a histogram: its exemplars go with it. */
  #writeBucket(name: Uint8Array, value: Buffer, count: number, nth?: number): void {
    this.#beginSeries(BUCKET);
    this.#sink.label(name, 0, name.byteLength, value, 0, value.byteLength);
    this.#sample(count);
    if (nth !== undefined && !this.#exemplars.isEmpty) this.#exemplars.writeOf(nth);
    this.#sink.end();
  }

  #writeRange(low: number, high: number, count: number): void {
    this.#writeBucket(this.#vmrange, Buffer.from(`${exponentText(low)}...${exponentText(high)}`), count);
  }

  #timestampMs(): number {
    if (this.#timeAt === NONE) return 0;
    const { view } = this.#reader;
    const low = view.getUint32(this.#timeAt, true);
    const high = view.getUint32(this.#timeAt + 4, true);
    // Most points have the time of the one before.
    if (low !== this.#lastLow || high !== this.#lastHigh) {
      this.#lastLow = low;
      this.#lastHigh = high;
      this.#lastMs = this.#reader.milliseconds(this.#timeAt);
    }
    return this.#lastMs;
  }
}
