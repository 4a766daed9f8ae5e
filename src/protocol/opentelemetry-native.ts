/**
 * A data point of an exponential histogram as the Histogram of remote write (proto/remote.proto), of integers. The bucket with the
 * index i of a point goes from base^i to base^(i+1), that of a native histogram from base^(i-1) to base^i: so indices grow by
 * one. Buckets of a point stand one beside the other, here they are spans of those that are not empty. As Prometheus does it:
 * scales above 8 are brought down to 8, where buckets are joined in powers of two, and those below -4 cannot be taken.
 * https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/#exponential-histograms,
 * https://prometheus.io/docs/specs/native_histograms/
 */
import { Scratch } from './scratch.ts';
import { BYTES, VARINT, type WireReader } from './wire-reader.ts';

const NONE = -1;
const [COUNT, SUM, SCHEMA, THRESHOLD, ZERO_COUNT, RESET_HINT, TIMESTAMP] = [1, 3, 4, 5, 6, 14, 15];
const [NEGATIVE_SPANS, NEGATIVE_DELTAS, POSITIVE_SPANS, POSITIVE_DELTAS] = [8, 9, 11, 12];
/** Resets mean nothing for what does not add up. */
const GAUGE = 3;
const SCALE_MIN = -4;
const SCALE_MAX = 8;
const INDEX_MAX = 2 ** 31 - 1;
/** Indices have 32 bits: more leave one bucket above 1 and one below. */
const JOINED_BITS_MAX = 40;
/** Of points that do not say how far zero goes: Prometheus' own default. */
const THRESHOLD_DEFAULT = 1e-128;
/** A span costs more than so many empty buckets. */
const GAP_MAX = 2;
const STALE_HIGH = 0x7ff00000;
const STALE_LOW = 2;
const TWO_TO_32 = 2 ** 32;
const VARINT_MAX = 10;

/** Places of eight bytes each; -1 where there are none. */
export interface ExponentialPoint {
  /** Of the whole point. */
  readonly start: number;
  readonly end: number;
  readonly scale: number;
  readonly countAt: number;
  readonly sumAt: number;
  readonly zeroCountAt: number;
  readonly zeroThresholdAt: number;
  readonly timestampMs: number;
  /** It says that its series has ended. */
  readonly isEnd: boolean;
  readonly isDelta: boolean;
}

/** Fields of protobuf, one after another. */
class Fields extends Scratch {
  length = 0;

  varint(low: number, high: number): void {
    const bytes = this.reserve(this.length, VARINT_MAX);
    while (high !== 0 || low >= 0x80) {
      bytes[this.length++] = (low & 0x7f) | 0x80;
      low = ((low >>> 7) | (high << 25)) >>> 0;
      high >>>= 7;
    }
    bytes[this.length++] = low;
  }

  number(field: number, low: number, high: number): void {
    this.varint(field << 3, 0);
    this.varint(low, high);
  }

  double(field: number, low: number, high: number): void {
    this.varint((field << 3) | 1, 0);
    const bytes = this.reserve(this.length, 8);
    const view = new DataView(bytes.buffer);
    view.setUint32(this.length, low, true);
    view.setUint32(this.length + 4, high, true);
    this.length += 8;
  }

  delimited(field: number, content: Fields): void {
    this.varint((field << 3) | BYTES, 0);
    this.varint(content.length, 0);
    this.append(content);
  }

  append(content: Fields): void {
    const { length } = content;
    this.reserve(this.length, length).set(content.bytes.subarray(0, length), this.length);
    this.length += length;
  }
}

export class NativeHistogram {
  readonly #reader: WireReader;
  readonly #out = new Fields();
  /** Of the side at hand: its spans as fields, its deltas, and the message of one span. */
  readonly #spans = new Fields();
  readonly #deltas = new Fields();
  readonly #span = new Fields();
  /** Of all buckets, modulo 2^64. */
  #totalLow = 0;
  #totalHigh = 0;
  /** The count of the bucket at hand, which may be that of several, and of the one before. */
  #low = 0;
  #high = 0;
  #lastLow = 0;
  #lastHigh = 0;
  /** Index of the bucket at hand, and of the one behind the last that was written. */
  #index = 0;
  #nextIndex = 0;
  #spanOffset = 0;
  #spanLength = 0;
  #isTooLarge = false;
  readonly #double = new DataView(new ArrayBuffer(8));

  constructor(reader: WireReader) {
    this.#reader = reader;
  }

  /** The message that was encoded last, from its beginning on. */
  get bytes(): Uint8Array {
    return this.#out.bytes;
  }

  get length(): number {
    return this.#out.length;
  }

  /** Encodes the point, which was read before; what is wrong with it, or undefined. The reader stands anywhere then. */
  encode(point: ExponentialPoint): string | undefined {
    this.#out.length = 0;
    if (point.isEnd) {
      this.#encodeEnd(point.timestampMs);
      return undefined;
    }
    const { scale, zeroCountAt } = point;
    if (scale < SCALE_MIN) return `has the scale ${scale}: none below ${SCALE_MIN} can be a native histogram`;
    const zero = this.#halvesAt(zeroCountAt);
    [this.#totalLow, this.#totalHigh] = zero;
    this.#isTooLarge = false;
    const count = this.#halvesAt(point.countAt);
    this.#out.number(COUNT, ...count);
    if (point.sumAt !== NONE) this.#out.double(SUM, ...this.#halvesAt(point.sumAt));
    const schema = Math.min(scale, SCALE_MAX);
    this.#out.number(SCHEMA, zigzagOf(schema), 0);
    this.#threshold(point.zeroThresholdAt);
    this.#out.number(ZERO_COUNT, ...zero);
    const joined = 2 ** Math.min(scale - schema, JOINED_BITS_MAX);
    this.#side(point, 9, joined, NEGATIVE_SPANS, NEGATIVE_DELTAS);
    this.#side(point, 8, joined, POSITIVE_SPANS, POSITIVE_DELTAS);
    if (point.isDelta) this.#out.number(RESET_HINT, GAUGE, 0);
    this.#timestamp(point.timestampMs);
    if (this.#isTooLarge) return 'has buckets or counts beyond the largest numbers';
    return this.#addsUp(count, point.sumAt) ? undefined : `has a count that is not that of its buckets`;
  }

  /** The marker of the end of a series: a sum that is one, and the same bits for a count. */
  #encodeEnd(timestampMs: number): void {
    this.#out.number(COUNT, STALE_LOW, STALE_HIGH);
    this.#out.double(SUM, STALE_LOW, STALE_HIGH);
    this.#out.number(ZERO_COUNT, 0, 0);
    this.#timestamp(timestampMs);
  }

  #threshold(at: number): void {
    const given = at === NONE ? 0 : this.#reader.double(at);
    this.#double.setFloat64(0, given > 0 ? given : THRESHOLD_DEFAULT);
    this.#out.double(THRESHOLD, this.#double.getUint32(4), this.#double.getUint32(0));
  }

  #timestamp(timestampMs: number): void {
    this.#out.number(TIMESTAMP, timestampMs % TWO_TO_32, Math.floor(timestampMs / TWO_TO_32));
  }

  #halvesAt(at: number): readonly [low: number, high: number] {
    if (at === NONE) return [0, 0];
    const { view } = this.#reader;
    return [view.getUint32(at, true), view.getUint32(at + 4, true)];
  }

  /** Observations of NaN are in the count and in no bucket; they make the sum one. */
  #addsUp([low, high]: readonly [number, number], sumAt: number): boolean {
    const isLess = this.#totalHigh === high ? this.#totalLow < low : this.#totalHigh < high;
    if (!isLess) return low === this.#totalLow && high === this.#totalHigh;
    return sumAt !== NONE && Number.isNaN(this.#reader.double(sumAt));
  }

  /** The buckets in fields of this number of the point. @param joined how many become one. */
  #side(
    { start, end }: ExponentialPoint,
    field: number,
    joined: number,
    spans: number,
    deltas: number,
  ): void {
    const offset = this.#offsetOf(start, end, field);
    const reader = this.#reader;
    this.#spans.length = this.#deltas.length = 0;
    this.#low = this.#high = this.#lastLow = this.#lastHigh = 0;
    this.#index = Number.NEGATIVE_INFINITY;
    this.#nextIndex = 0;
    this.#spanOffset = this.#spanLength = 0;
    let place = offset;
    reader.at = start;
    while (reader.next(end)) {
      if (reader.field !== field) continue;
      const { start: from, end: to } = reader;
      reader.at = from;
      while (reader.next(to)) {
        if (reader.field !== 2) continue;
        const after = reader.at;
        reader.eachVarint(() => {
          if (reader.low !== 0 || reader.high !== 0) this.#add(Math.floor(place / joined) + 1, spans);
          place++;
        });
        reader.at = after;
      }
      reader.at = to;
    }
    this.#endBucket(spans);
    this.#endSpan(spans);
    this.#out.append(this.#spans);
    if (this.#deltas.length > 0) this.#out.delimited(deltas, this.#deltas);
  }

  #offsetOf(start: number, end: number, field: number): number {
    const reader = this.#reader;
    let offset = 0;
    reader.at = start;
    while (reader.next(end)) {
      if (reader.field !== field) continue;
      const { start: from, end: to } = reader;
      reader.at = from;
      while (reader.next(to)) {
        if (reader.field !== 1) continue;
        reader.expect(VARINT);
        offset = reader.zigzag;
      }
      reader.at = to;
    }
    return offset;
  }

  /** Adds the count that was read last to the bucket with this index, which is the one at hand or behind it. */
  #add(index: number, spans: number): void {
    if (index > INDEX_MAX) this.#isTooLarge = true;
    if (index !== this.#index) {
      this.#endBucket(spans);
      this.#index = index;
      this.#low = this.#high = 0;
    }
    const { low, high } = this.#reader;
    const sum = this.#low + low;
    this.#low = sum >>> 0;
    this.#high = this.#high + high + (sum >= TWO_TO_32 ? 1 : 0);
    // Deltas are signed.
    if (this.#high >= 0x8000_0000) this.#isTooLarge = true;
  }

  /** Writes the bucket at hand, if there is one. */
  #endBucket(spans: number): void {
    if (this.#index === Number.NEGATIVE_INFINITY || this.#isTooLarge) return;
    const gap = this.#index - this.#nextIndex;
    if (this.#spanLength === 0) this.#spanOffset = this.#index;
    else if (gap > GAP_MAX) {
      this.#endSpan(spans);
      this.#spanOffset = gap;
    } else for (let empty = 0; empty < gap; empty++) this.#delta(0, 0);
    this.#delta(this.#low, this.#high);
    this.#nextIndex = this.#index + 1;
    const sum = this.#totalLow + this.#low;
    this.#totalLow = sum >>> 0;
    this.#totalHigh = (this.#totalHigh + this.#high + (sum >= TWO_TO_32 ? 1 : 0)) >>> 0;
  }

  /** What the next bucket of the span has more than the one before. */
  #delta(low: number, high: number): void {
    const borrow = low < this.#lastLow ? 1 : 0;
    const differenceLow = (low - this.#lastLow) >>> 0;
    const differenceHigh = (high - this.#lastHigh - borrow) | 0;
    // Zigzag of 64 bits.
    const sign = differenceHigh >> 31;
    this.#deltas.varint(
      ((differenceLow << 1) ^ sign) >>> 0,
      (((differenceHigh << 1) | (differenceLow >>> 31)) ^ sign) >>> 0,
    );
    this.#lastLow = low;
    this.#lastHigh = high;
    this.#spanLength++;
  }

  #endSpan(field: number): void {
    if (this.#spanLength === 0) return;
    this.#span.length = 0;
    this.#span.number(1, zigzagOf(this.#spanOffset), 0);
    this.#span.number(2, this.#spanLength, 0);
    this.#spans.delimited(field, this.#span);
    this.#spanLength = 0;
  }
}

/** Of 32 bits. */
function zigzagOf(value: number): number {
  return ((value << 1) ^ (value >> 31)) >>> 0;
}
