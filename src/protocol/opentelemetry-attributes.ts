/**
 * Attributes of OpenTelemetry as labels:
 *
 *     KeyValue     1 key, 2 value: AnyValue
 *     AnyValue     one of 1 string, 2 bool, 3 int64, 4 double, 5 ArrayValue, 6 KeyValueList, 7 bytes
 *     ArrayValue   1 values: AnyValue
 *     KeyValueList 1 values: KeyValue
 *
 * A text is copied as bytes. Everything else becomes a text: arrays are JSON, bytes base64, and the members of lists of pairs
 * are attributes of their own, `outer.inner`. What has no key, an empty one, or no
 * value is left out.
 */
import { fixedText, shortestText } from './go-float.ts';
import { prometheusLabelName } from './opentelemetry-names.ts';
import type { SeriesSink } from './series-sink.ts';
import { BYTES, FIXED64, VARINT, WireError, type WireReader } from './wire-reader.ts';

const STRING = 1;
const BOOL = 2;
const INT = 3;
const DOUBLE = 4;
const ARRAY = 5;
const PAIRS = 6;
const BINARY = 7;

const KEY_TAG = 0x0a;
const VALUE_TAG = 0x12;
const STRING_TAG = 0x0a;

/** Protobuf's own limit on messages in messages. */
const DEPTH_MAX = 100;
const NAMES_KEPT_MAX = 10_000;

/** How labels are called; absent in `Attributes`: as the attributes are. */
export interface LabelNaming {
  readonly hasKeyPrefix: boolean;
}

/** Writes attributes into the series at hand. The reader stands anywhere after a call. */
export class Attributes {
  readonly #reader: WireReader;
  readonly #sink: SeriesSink;
  readonly #naming: LabelNaming | undefined;
  /** By key, as it came. */
  readonly #names = new Map<string, Buffer>();
  /** Of the KeyValue at hand: -1 where there is none. */
  #keyStart = -1;
  #keyEnd = -1;
  #valueStart = -1;
  #valueEnd = -1;
  /** Of the AnyValue at hand: its last field that is known, 0 for none. */
  #kind = 0;
  #start = 0;
  #end = 0;
  #low = 0;
  #high = 0;

  constructor(reader: WireReader, sink: SeriesSink, naming: LabelNaming | undefined) {
    this.#reader = reader;
    this.#sink = sink;
    this.#naming = naming;
  }

  /** Writes all attributes that the message between these places has in fields of this number. */
  writeAll(start: number, end: number, field: number, prefix?: string): void {
    const reader = this.#reader;
    const { bytes } = reader;
    const tag = (field << 3) | BYTES;
    let at = start;
    if (prefix === undefined && this.#naming === undefined) {
      while (at < end && bytes[at] === tag) {
        const next = at + 2 + bytes[at + 1]!;
        if (next > end || !this.#writePlain(at + 2, next)) break;
        at = next;
      }
    }
    reader.at = at;
    while (reader.next(end)) {
      if (reader.field !== field) continue;
      reader.expect(BYTES);
      const { start: from, end: to } = reader;
      if (prefix === undefined) this.write(from, to);
      else this.#writeBelow(prefix, from, to, 0);
      reader.at = to;
    }
  }

  /** Writes the attribute whose KeyValue lies there. */
  write(start: number, end: number): void {
    if (this.#naming === undefined && this.#writePlain(start, end)) return;
    if (!this.#readPair(start, end)) return;
    this.#readValue(this.#valueStart, this.#valueEnd);
    if (this.#naming !== undefined || this.#kind !== STRING) {
      this.#writeValue(this.#reader.text(this.#keyStart, this.#keyEnd), 0);
      return;
    }
    const { bytes } = this.#reader;
    this.#sink.label(bytes, this.#keyStart, this.#keyEnd, bytes, this.#start, this.#end);
  }

  /**
   * Writes an attribute as exporters write nearly all of them: key, then text, neither empty, with lengths of one byte. False for anything
   * else, and nothing is written.
   */
  #writePlain(start: number, end: number): boolean {
    const { bytes } = this.#reader;
    // Without a text there are four bytes of tags and lengths: those behind the end are not asked.
    const keyLength = bytes[start + 1]!;
    const key = start + 2;
    const value = key + keyLength;
    const text = value + 4;
    if (end - start >= 0x80 || text >= end || bytes[start] !== KEY_TAG || keyLength === 0) return false;
    if (bytes[value] !== VALUE_TAG || bytes[value + 1] !== end - value - 2) return false;
    if (bytes[value + 2] !== STRING_TAG || bytes[value + 3] !== end - text) return false;
    // A Label has the text itself where a KeyValue has a message with the text.
    this.#sink.encodedLabel(bytes, start, value + 1, value + 3, end);
    return true;
  }

  /** A label that is none of an attribute. */
  label(name: string, value: Uint8Array, start: number, end: number): void {
    const own = this.nameOf(name);
    this.#sink.label(own, 0, own.byteLength, value, start, end);
  }

  /** The key of a KeyValue; empty if there is none. */
  keyOf(start: number, end: number): string {
    return this.#readPair(start, end) ? this.#reader.text(this.#keyStart, this.#keyEnd) : '';
  }

  /** The value of a KeyValue if it is a text; empty if not. */
  textOf(start: number, end: number): string {
    if (!this.#readPair(start, end)) return '';
    this.#readValue(this.#valueStart, this.#valueEnd);
    return this.#kind === STRING ? this.#reader.text(this.#start, this.#end) : '';
  }

  #writeBelow(prefix: string, start: number, end: number, depth: number): void {
    if (!this.#readPair(start, end)) return;
    const key = this.#reader.text(this.#keyStart, this.#keyEnd);
    this.#readValue(this.#valueStart, this.#valueEnd);
    this.#writeValue(`${prefix}.${key}`, depth);
  }

  /** Writes the value at hand under this name. */
  #writeValue(name: string, depth: number): void {
    if (this.#kind === 0) return;
    if (this.#kind === STRING) {
      this.label(name, this.#reader.bytes, this.#start, this.#end);
      return;
    }
    if (this.#kind !== PAIRS) {
      const value = Buffer.from(this.#kind === ARRAY ? this.#json(depth) : this.#scalar());
      this.label(name, value, 0, value.byteLength);
      return;
    }
    this.#deeper(depth);
    const reader = this.#reader;
    const end = this.#end;
    reader.at = this.#start;
    while (reader.next(end)) {
      if (reader.field !== 1) continue;
      reader.expect(BYTES);
      const { start: from, end: to } = reader;
      this.#writeBelow(name, from, to, depth + 1);
      reader.at = to;
    }
  }

  #readPair(start: number, end: number): boolean {
    const reader = this.#reader;
    this.#keyStart = this.#keyEnd = this.#valueStart = -1;
    reader.at = start;
    while (reader.next(end)) {
      if (reader.field === 1) {
        reader.expect(BYTES);
        this.#keyStart = reader.start;
        this.#keyEnd = reader.end;
      } else if (reader.field === 2) {
        reader.expect(BYTES);
        this.#valueStart = reader.start;
        this.#valueEnd = reader.end;
      }
    }
    return this.#keyEnd > this.#keyStart && this.#valueStart >= 0;
  }

  #readValue(start: number, end: number): void {
    const reader = this.#reader;
    this.#kind = 0;
    reader.at = start;
    while (reader.next(end)) {
      const { field } = reader;
      if (field > BINARY) continue;
      reader.expect(field === BOOL || field === INT ? VARINT : field === DOUBLE ? FIXED64 : BYTES);
      this.#kind = field;
      this.#start = reader.start;
      this.#end = reader.end;
      this.#low = reader.low;
      this.#high = reader.high;
    }
  }

  /** The value at hand, which is neither a list nor of pairs, as text. */
  #scalar(): string {
    switch (this.#kind) {
      case STRING:
        return this.#reader.text(this.#start, this.#end);
      case BOOL:
        return String(this.#low !== 0 || this.#high !== 0);
      case INT:
        return this.#integer();
      case DOUBLE:
        return fixedText(this.#reader.double(this.#start));
      default:
        return Buffer.from(this.#reader.bytes.subarray(this.#start, this.#end)).toString('base64');
    }
  }

  #integer(): string {
    if (this.#high === 0) return String(this.#low);
    return String(BigInt.asIntN(64, (BigInt(this.#high) << 32n) | BigInt(this.#low)));
  }

  /** The value at hand as JSON. */
  #json(depth: number): string {
    const kind = this.#kind;
    if (kind === 0) return 'null';
    if (kind === STRING || kind === BINARY) return JSON.stringify(this.#scalar());
    if (kind === DOUBLE) return shortestText(this.#reader.double(this.#start));
    if (kind !== ARRAY && kind !== PAIRS) return this.#scalar();
    this.#deeper(depth);
    const reader = this.#reader;
    const end = this.#end;
    const items: string[] = [];
    const members = new Map<string, string>();
    reader.at = this.#start;
    while (reader.next(end)) {
      if (reader.field !== 1) continue;
      reader.expect(BYTES);
      const { start: from, end: to } = reader;
      if (kind === ARRAY) {
        this.#readValue(from, to);
        items.push(this.#json(depth + 1));
      } else if (this.#readPair(from, to)) {
        const key = reader.text(this.#keyStart, this.#keyEnd);
        this.#readValue(this.#valueStart, this.#valueEnd);
        members.set(key, this.#json(depth + 1));
      }
      reader.at = to;
    }
    if (kind === ARRAY) return `[${items.join(',')}]`;
    return `{${[...members].map(([key, value]) => `${JSON.stringify(key)}:${value}`).join(',')}}`;
  }

  #deeper(depth: number): void {
    if (depth === DEPTH_MAX) throw new WireError(`an attribute is nested more than ${DEPTH_MAX} deep`);
  }

  /** What a label of this name is called. */
  nameOf(key: string): Buffer {
    let name = this.#names.get(key);
    if (name === undefined) {
      name = Buffer.from(
        this.#naming === undefined ? key : prometheusLabelName(key, this.#naming.hasKeyPrefix),
      );
      if (this.#names.size >= NAMES_KEPT_MAX) this.#names.clear();
      this.#names.set(key, name);
    }
    return name;
  }
}
