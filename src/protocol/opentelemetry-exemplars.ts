/**
 * Exemplars of a data point, as those of the series that it becomes. What is read of the message:
 *
 *     Exemplar     2 time, 3 double, 4 span id, 5 trace id, 6 int, 7 attributes that are not among the point's
 *
 * The ids become the labels `trace_id` and `span_id` in hex, and attributes follow unless names and values of all have more than
 * 128 characters: OpenMetrics allows no more, and ids are what an exemplar is for. So Prometheus does it.
 * https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/#exemplars-1
 */
import type { Attributes } from './opentelemetry-attributes.ts';
import type { PointSeries } from './opentelemetry-series.ts';
import type { SeriesSink } from './series-sink.ts';
import { BYTES, FIXED64, WireReader } from './wire-reader.ts';

const NONE = -1;
const CHARACTERS_MAX = 128;
const TRACE_ID_BYTES = 16;
const SPAN_ID_BYTES = 8;
const HEX = Buffer.from('0123456789abcdef');

export class Exemplars {
  readonly #reader: WireReader;
  readonly #sink: SeriesSink;
  readonly #series: PointSeries;
  readonly #attributes: Attributes;
  /** Where the messages lie, two places for each; so many places count. */
  readonly #places: number[] = [];
  #count = 0;
  /** In the order of buckets: which one, times the number of places, and which exemplar. */
  readonly #order: number[] = [];
  #next = 0;
  /** Of the exemplar at hand. Values are eight bytes each, by their place. */
  #timeAt = NONE;
  #doubleAt = NONE;
  #integerAt = NONE;
  #traceStart = 0;
  #traceEnd = 0;
  #spanStart = 0;
  #spanEnd = 0;
  #hasAttributes = false;
  readonly #integer = new Uint8Array(8);
  readonly #hex = new Uint8Array(2 * TRACE_ID_BYTES);

  constructor(reader: WireReader, sink: SeriesSink, series: PointSeries, attributes: Attributes) {
    this.#reader = reader;
    this.#sink = sink;
    this.#series = series;
    this.#attributes = attributes;
  }

  /** Begins the next point. */
  forget(): void {
    this.#count = 0;
  }

  /** The point has an exemplar, whose message lies there. */
  note(start: number, end: number): void {
    this.#places[this.#count++] = start;
    this.#places[this.#count++] = end;
  }

  get isEmpty(): boolean {
    return this.#count === 0;
  }

  /** Adds all to the series at hand. */
  writeAll(): void {
    for (let place = 0; place < this.#count; place += 2) {
      if (this.#read(place)) this.#write(place);
    }
  }

  /** Finds out which bucket each is for: the first one whose bound is not below its value. @param bounds where they lie. */
  sort(bounds: readonly number[]): void {
    const order = this.#order;
    const count = this.#count;
    order.length = 0;
    this.#next = 0;
    for (let place = 0; place < count; place += 2) {
      if (this.#read(place)) order.push(this.#bucketOf(this.#value, bounds) * count + place);
    }
    if (order.length > 1) order.sort((one, other) => one - other);
  }

  #bucketOf(value: number, bounds: readonly number[]): number {
    let low = 0;
    let high = bounds.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#reader.double(bounds[middle]!) >= value) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** Adds those of this bucket to the series at hand; buckets come in order. */
  writeOf(bucket: number): void {
    const order = this.#order;
    const count = this.#count;
    const end = (bucket + 1) * count;
    for (; this.#next < order.length && order[this.#next]! < end; this.#next++) {
      const place = order[this.#next]! % count;
      this.#read(place);
      this.#write(place);
    }
  }

  get #value(): number {
    const reader = this.#reader;
    return this.#integerAt === NONE ? reader.double(this.#doubleAt) : reader.sfixed64(this.#integerAt);
  }

  /** False for one without a value, which is none. */
  #read(place: number): boolean {
    const reader = this.#reader;
    this.#timeAt = this.#doubleAt = this.#integerAt = NONE;
    this.#traceStart = this.#traceEnd = this.#spanStart = this.#spanEnd = 0;
    this.#hasAttributes = false;
    reader.at = this.#places[place]!;
    while (reader.next(this.#places[place + 1]!)) {
      switch (reader.field) {
        case 2:
          this.#timeAt = this.#fixed();
          break;
        case 3:
          this.#doubleAt = this.#fixed();
          this.#integerAt = NONE;
          break;
        case 4:
          reader.expect(BYTES);
          this.#spanStart = reader.start;
          this.#spanEnd = reader.end;
          break;
        case 5:
          reader.expect(BYTES);
          this.#traceStart = reader.start;
          this.#traceEnd = reader.end;
          break;
        case 6:
          this.#integerAt = this.#fixed();
          this.#doubleAt = NONE;
          break;
        case 7:
          reader.expect(BYTES);
          this.#hasAttributes = true;
          break;
      }
    }
    if (this.#doubleAt !== NONE || this.#integerAt !== NONE) return true;
    this.#sink.leaveOut(0, () => `an exemplar of ${this.#series.shownName} without a value`);
    return false;
  }

  #fixed(): number {
    this.#reader.expect(FIXED64);
    return this.#reader.start;
  }

  /** The exemplar that was read last. */
  #write(place: number): void {
    const sink = this.#sink;
    const reader = this.#reader;
    sink.beginExemplar();
    this.#writeId('trace_id', this.#traceStart, this.#traceEnd, TRACE_ID_BYTES);
    this.#writeId('span_id', this.#spanStart, this.#spanEnd, SPAN_ID_BYTES);
    if (this.#hasAttributes) {
      const position = sink.exemplarPosition;
      this.#attributes.writeAll(this.#places[place]!, this.#places[place + 1]!, 7);
      // No character takes less than a byte, so that most are short enough at first sight.
      if (sink.exemplarPosition > CHARACTERS_MAX && charactersOf(sink.exemplarBytes) > CHARACTERS_MAX)
        sink.cutExemplar(position);
    }
    const timestampMs = this.#timeAt === NONE ? 0 : reader.milliseconds(this.#timeAt);
    if (this.#integerAt === NONE) sink.endExemplar(reader.bytes, this.#doubleAt, timestampMs);
    else {
      new DataView(this.#integer.buffer).setFloat64(0, this.#value, true);
      sink.endExemplar(this.#integer, 0, timestampMs);
    }
  }

  /** Ids of zeros are none, as absent ones. */
  #writeId(label: string, start: number, end: number, length: number): void {
    if (end === start) return;
    if (end - start !== length) {
      this.#sink.leaveOut(
        0,
        () =>
          `an exemplar of ${this.#series.shownName} with a ${label} of ${end - start} bytes, not ${length}`,
      );
      return;
    }
    const { bytes } = this.#reader;
    const hex = this.#hex;
    let every = 0;
    for (let at = start, into = 0; at < end; at++) {
      const byte = bytes[at]!;
      every |= byte;
      hex[into++] = HEX[byte >>> 4]!;
      hex[into++] = HEX[byte & 15]!;
    }
    if (every !== 0) this.#attributes.label(label, hex, 0, 2 * length);
  }
}

/** Of names and values of encoded labels together. */
function charactersOf(labels: Uint8Array): number {
  const reader = new WireReader(labels);
  let characters = 0;
  while (reader.next(labels.byteLength)) {
    const { start, end } = reader;
    reader.at = start;
    while (reader.next(end)) {
      // Every character has one byte that does not go on with another one.
      for (let at = reader.start; at < reader.end; at++) if ((labels[at]! & 0xc0) !== 0x80) characters++;
    }
  }
  return characters;
}
