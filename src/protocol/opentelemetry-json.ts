/**
 * OTLP/JSON as the protobuf message that it stands for, so that both are read by the same code. What the reader of metrics
 * does not read is stepped over. By the rules of protobuf's JSON and of OTLP: names in lowerCamelCase (with underscores
 * too), integers of 64 bits as texts or numbers, `null` is absent, unknown names are ignored.
 * https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding, https://protobuf.dev/programming-guides/json/
 */
import { JsonScanner, unescapeJson } from './json-scanner.ts';
import { Scratch } from './scratch.ts';
import { BYTES, FIXED64, VARINT } from './wire-reader.ts';

type Scalar =
  | 'text'
  | 'base64'
  | 'hex'
  | 'temporality'
  | 'bool'
  | 'double'
  | 'int64'
  | 'uint64'
  | 'fixed64'
  | 'sfixed64'
  | 'uint32'
  | 'sint32';

interface Field {
  readonly number: number;
  readonly kind: Scalar | (() => Message);
  readonly isList?: true;
}

type Message = Readonly<Record<string, Field>>;

const one = (number: number, kind: Field['kind']): Field => ({ number, kind });
const list = (number: number, kind: Field['kind']): Field => ({ number, kind, isList: true });

const arrayValue: Message = { values: list(1, () => anyValue) };
const pairs: Message = { values: list(1, () => keyValue) };
const anyValue: Message = {
  stringValue: one(1, 'text'),
  boolValue: one(2, 'bool'),
  intValue: one(3, 'int64'),
  doubleValue: one(4, 'double'),
  arrayValue: one(5, () => arrayValue),
  kvlistValue: one(6, () => pairs),
  bytesValue: one(7, 'base64'),
};
const keyValue: Message = { key: one(1, 'text'), value: one(2, () => anyValue) };
const attributes = (number: number) => list(number, () => keyValue);

const exemplar: Message = {
  timeUnixNano: one(2, 'fixed64'),
  asDouble: one(3, 'double'),
  spanId: one(4, 'hex'),
  traceId: one(5, 'hex'),
  asInt: one(6, 'sfixed64'),
  filteredAttributes: attributes(7),
};
const exemplars = (number: number) => list(number, () => exemplar);

const numberPoint: Message = {
  timeUnixNano: one(3, 'fixed64'),
  asDouble: one(4, 'double'),
  exemplars: exemplars(5),
  asInt: one(6, 'sfixed64'),
  attributes: attributes(7),
  flags: one(8, 'uint32'),
};
const histogramPoint: Message = {
  timeUnixNano: one(3, 'fixed64'),
  count: one(4, 'fixed64'),
  sum: one(5, 'double'),
  bucketCounts: list(6, 'fixed64'),
  explicitBounds: list(7, 'double'),
  exemplars: exemplars(8),
  attributes: attributes(9),
  flags: one(10, 'uint32'),
};
const buckets: Message = { offset: one(1, 'sint32'), bucketCounts: list(2, 'uint64') };
const exponentialPoint: Message = {
  attributes: attributes(1),
  timeUnixNano: one(3, 'fixed64'),
  count: one(4, 'fixed64'),
  sum: one(5, 'double'),
  scale: one(6, 'sint32'),
  zeroCount: one(7, 'fixed64'),
  positive: one(8, () => buckets),
  negative: one(9, () => buckets),
  flags: one(10, 'uint32'),
  exemplars: exemplars(11),
  zeroThreshold: one(14, 'double'),
};
const quantile: Message = { quantile: one(1, 'double'), value: one(2, 'double') };
const summaryPoint: Message = {
  timeUnixNano: one(3, 'fixed64'),
  count: one(4, 'fixed64'),
  sum: one(5, 'double'),
  quantileValues: list(6, () => quantile),
  attributes: attributes(7),
  flags: one(8, 'uint32'),
};
const numbers: Message = { dataPoints: list(1, () => numberPoint), isMonotonic: one(3, 'bool') };
const histograms: Message = { dataPoints: list(1, () => histogramPoint) };
const exponentials: Message = {
  dataPoints: list(1, () => exponentialPoint),
  aggregationTemporality: one(2, 'temporality'),
};
const summaries: Message = { dataPoints: list(1, () => summaryPoint) };
const metric: Message = {
  name: one(1, 'text'),
  description: one(2, 'text'),
  unit: one(3, 'text'),
  gauge: one(5, () => numbers),
  sum: one(7, () => numbers),
  histogram: one(9, () => histograms),
  exponentialHistogram: one(10, () => exponentials),
  summary: one(11, () => summaries),
  metadata: attributes(12),
};
const scope: Message = { name: one(1, 'text'), version: one(2, 'text'), attributes: attributes(3) };
const scopeMetrics: Message = { scope: one(1, () => scope), metrics: list(2, () => metric) };
const resource: Message = { attributes: attributes(1) };
const resourceMetrics: Message = {
  resource: one(1, () => resource),
  scopeMetrics: list(2, () => scopeMetrics),
};
const request: Message = { resourceMetrics: list(1, () => resourceMetrics) };

const QUOTE = 0x22;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
/** Attributes have a limit of their own, which is lower. */
const DEPTH_MAX = 500;
const LENGTH_BYTES = 5;
const VARINT_MAX = 10;
const TWO_TO_32 = 2 ** 32;
/** Integers of so few digits are doubles without loss. */
const SAFE_DIGITS = 15;

/** The bytes are no such message; says where. */
export class OtlpJsonError extends Error {}

const wireTypes: Readonly<Record<Scalar, number>> = {
  text: BYTES,
  base64: BYTES,
  hex: BYTES,
  temporality: VARINT,
  bool: VARINT,
  double: FIXED64,
  int64: VARINT,
  uint64: VARINT,
  fixed64: FIXED64,
  sfixed64: FIXED64,
  uint32: VARINT,
  sint32: VARINT,
};

/** OTLP has enums as numbers; libraries that know protobuf only write names. Others do not make a difference. */
const temporalities: Readonly<Record<string, number>> = {
  1: 1,
  2: 2,
  AGGREGATION_TEMPORALITY_DELTA: 1,
  AGGREGATION_TEMPORALITY_CUMULATIVE: 2,
};

interface Range {
  readonly min: bigint;
  readonly max: bigint;
}

const unsigned = (bits: bigint): Range => ({ min: 0n, max: 2n ** bits - 1n });
const signed = (bits: bigint): Range => ({ min: -(2n ** (bits - 1n)), max: 2n ** (bits - 1n) - 1n });
const ranges = {
  int64: signed(64n),
  sfixed64: signed(64n),
  uint64: unsigned(64n),
  fixed64: unsigned(64n),
  uint32: unsigned(32n),
  sint32: signed(32n),
} as const satisfies Partial<Record<Scalar, Range>>;

/** The bytes of the ExportMetricsServiceRequest that the JSON is. Throws an OtlpJsonError. */
export function requestOfJson(bytes: Uint8Array): Uint8Array {
  return new Translator(bytes).run();
}

class Translator {
  readonly #bytes: Uint8Array;
  readonly #json: JsonScanner;
  readonly #out = new Scratch();
  readonly #text = new Scratch();
  #length = 0;
  /** Of the member at hand, for messages. */
  #name = 'the body';

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#json = new JsonScanner(bytes);
    this.#json.open(0, bytes.byteLength);
  }

  run(): Uint8Array {
    this.#message(request, 0);
    if (this.#json.peek() >= 0) this.#fail('something follows the object');
    return this.#out.bytes.subarray(0, this.#length);
  }

  #message(message: Message, depth: number): void {
    const json = this.#json;
    if (depth === DEPTH_MAX) this.#fail(`objects are nested more than ${DEPTH_MAX} deep`);
    if (!json.take(OPEN_OBJECT)) this.#fail(`${this.#name} is not an object`);
    for (let more = json.take(CLOSE_OBJECT) ? 0 : 1; more > 0; ) {
      if (!json.takeKey()) this.#fail('the name of a member is missing');
      const key = this.#takenText();
      const field = fieldOf(message, key);
      if (field === undefined) {
        if (!json.skipValue()) this.#fail(`the value of ${JSON.stringify(key)} is missing`);
      } else this.#member(key, field, depth);
      more = json.takeSeparator(CLOSE_OBJECT);
      if (more < 0) this.#fail('the members of an object are not separated by commas');
    }
  }

  #member(key: string, field: Field, depth: number): void {
    const json = this.#json;
    this.#name = key;
    if (!field.isList) {
      if (!this.#takeNull()) this.#value(key, field, depth);
      return;
    }
    if (this.#takeNull()) return;
    if (!json.take(OPEN_ARRAY)) this.#fail(`${key} is not a list`);
    for (let more = json.take(CLOSE_ARRAY) ? 0 : 1; more > 0; ) {
      this.#name = key;
      if (this.#takeNull()) this.#fail(`an item of ${key} is null`);
      this.#value(key, field, depth);
      more = json.takeSeparator(CLOSE_ARRAY);
      if (more < 0) this.#fail(`the items of ${key} are not separated by commas`);
    }
  }

  /** Steps over `null`. */
  #takeNull(): boolean {
    const json = this.#json;
    // No other value of JSON begins with an n.
    if (json.peek() !== 0x6e) return false;
    if (!json.takeToken() || this.#takenText() !== 'null') this.#fail(`${this.#name} has no value`);
    return true;
  }

  #value(key: string, { number, kind }: Field, depth: number): void {
    if (typeof kind === 'string') {
      this.#varint((number << 3) | wireTypes[kind], 0);
      this.#scalar(key, kind);
      return;
    }
    this.#varint((number << 3) | BYTES, 0);
    const begin = this.#beginLength();
    this.#message(kind(), depth + 1);
    this.#endLength(begin);
  }

  #scalar(key: string, kind: Scalar): void {
    const json = this.#json;
    const isText = json.peek() === QUOTE;
    const isTaken = isText ? json.takeString() : json.takeToken();
    if (!isTaken) this.#fail(`${key} has no value`);
    if (kind === 'text' || kind === 'base64' || kind === 'hex') {
      if (!isText) this.#fail(`${key} is not a text`);
      const begin = this.#beginLength();
      if (kind === 'text') {
        this.#length = unescapeJson(this.#bytes, json.start, json.stop, this.#out, this.#length);
      } else this.#binary(key, kind);
      this.#endLength(begin);
      return;
    }
    const value = this.#takenText();
    if (kind === 'bool') {
      if (isText || (value !== 'true' && value !== 'false')) this.#fail(`${key} is neither true nor false`);
      this.#varint(value === 'true' ? 1 : 0, 0);
    } else if (kind === 'temporality') {
      this.#varint(Object.hasOwn(temporalities, value) ? temporalities[value]! : 0, 0);
    } else if (kind === 'double') this.#double(key, value, isText);
    else this.#integer(key, value, kind);
  }

  /** Ids are hex in OTLP; libraries that know protobuf only write them in base64, which never looks like an id in hex. */
  #binary(key: string, kind: 'base64' | 'hex'): void {
    const text = this.#takenText();
    const isHex = kind === 'hex' && /^([\da-f]{2})*$/i.test(text);
    if (!isHex && !/^[\w+/-]*={0,2}$/.test(text))
      this.#fail(`${key} is not ${kind === 'hex' ? 'an id in hex' : 'base64'}`);
    const bytes = Buffer.from(text, isHex ? 'hex' : 'base64');
    this.#out.reserve(this.#length, bytes.byteLength).set(bytes, this.#length);
    this.#length += bytes.byteLength;
  }

  #double(key: string, text: string, isText: boolean): void {
    const isWord = isText && /^(NaN|-?Infinity)$/.test(text);
    if (!isWord && !JSON_NUMBER.test(text)) this.#fail(`${key} is not a number`);
    const bytes = this.#out.reserve(this.#length, 8);
    new DataView(bytes.buffer).setFloat64(this.#length, Number(text), true);
    this.#length += 8;
  }

  #integer(key: string, text: string, kind: keyof typeof ranges): void {
    const value = integerOf(text);
    if (value === undefined) this.#fail(`${key} is not an integer`);
    const { min, max } = ranges[kind];
    if (value < min || value > max) this.#fail(`${key} is out of range`);
    if (kind === 'sint32') {
      const number = Number(value);
      this.#varint(((number << 1) ^ (number >> 31)) >>> 0, 0);
      return;
    }
    const [low, high] = halvesOf(value);
    if (wireTypes[kind] === VARINT) {
      this.#varint(low, high);
      return;
    }
    const bytes = this.#out.reserve(this.#length, 8);
    const view = new DataView(bytes.buffer);
    view.setUint32(this.#length, low, true);
    view.setUint32(this.#length + 4, high, true);
    this.#length += 8;
  }

  /** The text of the last string or token. */
  #takenText(): string {
    const { start, stop } = this.#json;
    const end = unescapeJson(this.#bytes, start, stop, this.#text, 0);
    return Buffer.from(this.#text.bytes.buffer, 0, end).toString();
  }

  #varint(low: number, high: number): void {
    const bytes = this.#out.reserve(this.#length, VARINT_MAX);
    while (high > 0 || low >= 0x80) {
      bytes[this.#length++] = (low & 0x7f) | 0x80;
      low = ((low >>> 7) | (high << 25)) >>> 0;
      high >>>= 7;
    }
    bytes[this.#length++] = low;
  }

  /** Leaves room for a length; returns where what it counts begins. */
  #beginLength(): number {
    this.#out.reserve(this.#length, LENGTH_BYTES);
    this.#length += LENGTH_BYTES;
    return this.#length;
  }

  /** Always of five bytes, which need not be the fewest. */
  #endLength(begin: number): void {
    const { bytes } = this.#out;
    let length = this.#length - begin;
    for (let at = begin - LENGTH_BYTES; at < begin - 1; at++) {
      bytes[at] = (length & 0x7f) | 0x80;
      length >>>= 7;
    }
    bytes[begin - 1] = length;
  }

  #fail(what: string): never {
    throw new OtlpJsonError(`${what}, at byte ${this.#json.at}`);
  }
}

const JSON_NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;

function fieldOf(message: Message, key: string): Field | undefined {
  const name = key.includes('_') ? key.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase()) : key;
  return Object.hasOwn(message, name) ? message[name] : undefined;
}

/** Also written as `1e3` or `5.0`. */
function integerOf(text: string): number | bigint | undefined {
  if (/^-?\d+$/.test(text)) return text.length <= SAFE_DIGITS ? Number(text) : bigintOf(text);
  const number = JSON_NUMBER.test(text) ? Number(text) : Number.NaN;
  if (!Number.isInteger(number)) return undefined;
  return Number.isSafeInteger(number) ? number : BigInt(number);
}

/** Turning a text into a big integer takes the square of its length: none in range has more than 20 digits. */
const bigintOf = (text: string) => (text.length <= 40 ? BigInt(text) : 2n ** 65n);

function halvesOf(value: number | bigint): readonly [low: number, high: number] {
  if (typeof value === 'number') return [value >>> 0, Math.floor(value / TWO_TO_32) >>> 0];
  const bits = BigInt.asUintN(64, value);
  return [Number(bits & 0xffff_ffffn), Number(bits >> 32n)];
}
