/**
 * InfluxDB line protocol, over HTTP as InfluxDB 1 and 2 take it, and over TCP and UDP:
 *
 *     measurement[,tag=value…] field=value[,field=value…] [timestamp]
 *
 * Every field is a series `measurement_field` with the tags as labels. Over HTTP one bad line refuses the request, unless
 * the header `Stream-Mode: 1` or -influx.forceStreamMode asks for leaving bad lines out, as the listeners do.
 * https://docs.influxdata.com/influxdb/v1/write_protocols/line_protocol_reference/
 */
import { options, type Values } from '../config/option.ts';
import type { TakeLines, TextScanner } from '../kernel/text-scanner.ts';
import { receiveBody } from './content-encoding.ts';
import { excerpt } from './excerpt.ts';
import { eachLine, firstLineOf, linePieces } from './lines.ts';
import { NumberReader } from './number.ts';
import type { ParseFailure, ParseRequest, Protocol, Reception, RequestHead } from './protocol.ts';
import { Scratch } from './scratch.ts';
import type { SeriesSink } from './series-sink.ts';

const SPACE = 0x20;
const QUOTE = 0x22;
const HASH = 0x23;
const COMMA = 0x2c;
const EQUALS = 0x3d;
const BACKSLASH = 0x5c;
const LOWER_F = 0x66;
const LOWER_I = 0x69;
const LOWER_T = 0x74;
const LOWER_U = 0x75;

const influxOptions = options({
  'influx.databaseNames': {
    kind: 'string',
    arity: 'list',
    default: ['_internal'],
    placeholder: 'name',
    summary: 'What `SHOW DATABASES` at /query answers; some clients ask before they write.',
  },
  'influx.forceStreamMode': {
    kind: 'bool',
    default: false,
    summary: 'Leave bad lines out instead of refusing the request, as the header `Stream-Mode: 1` asks for.',
  },
  'influx.maxLineSize': {
    kind: 'bytes',
    default: 256 * 1024,
    min: 1,
    summary:
      'The longest line that is taken where bad lines are left out. A longer one refuses the request, or what follows it.',
  },
  'influx.maxRequestSize': {
    kind: 'bytes',
    default: 64 * 1024 * 1024,
    min: 1,
    max: 1024 * 1024 * 1024,
    summary:
      'The largest body in InfluxDB line protocol, before and after decompression. Larger ones get 413, or are taken in pieces where bad lines are left out.',
  },
  influxListenAddr: {
    kind: 'string',
    default: '',
    placeholder: 'host:port',
    summary: 'Take InfluxDB line protocol at this TCP and UDP address, usually `:8089`. Empty takes none.',
  },
  influxDBLabel: {
    kind: 'string',
    default: 'db',
    placeholder: 'label',
    summary: 'The label that gets the query parameter `db`, unless a tag of this name is there.',
  },
  influxMeasurementFieldSeparator: {
    kind: 'string',
    default: '_',
    summary: 'What stands between measurement and field in the name of a metric.',
  },
  influxSkipMeasurement: {
    kind: 'bool',
    default: false,
    summary: 'Name metrics by the field alone.',
  },
  influxSkipSingleField: {
    kind: 'bool',
    default: false,
    summary: 'Name metrics by the measurement alone where a line has one field only.',
  },
  influxTrimTimestamp: {
    kind: 'duration',
    default: 1,
    min: 1,
    summary: 'Round timestamps down to a multiple of this.',
  },
});
type InfluxOptions = Values<typeof influxOptions>;

/** How a timestamp becomes milliseconds: digits that are dropped, or a factor. */
interface Precision {
  readonly dropped: number;
  readonly factor: number;
}

const MINUTE_MS = 60_000;
const precisions: Readonly<Record<string, Precision>> = {
  ns: { dropped: 6, factor: 1 },
  u: { dropped: 3, factor: 1 },
  us: { dropped: 3, factor: 1 },
  µ: { dropped: 3, factor: 1 },
  ms: { dropped: 0, factor: 1 },
  s: { dropped: 0, factor: 1_000 },
  m: { dropped: 0, factor: MINUTE_MS },
  h: { dropped: 0, factor: 60 * MINUTE_MS },
};
const SECONDS = precisions.s!;

/** Without a precision the size tells it: seconds have up to 11 digits, milliseconds 14, microseconds 17. */
function guessedPrecision(digits: number, isNegative: boolean): Precision {
  if (isNegative || digits < 12) return SECONDS;
  if (digits < 15) return precisions.ms!;
  return digits < 18 ? precisions.u! : precisions.ns!;
}

/** Words that mean 1 or 0. */
const booleans: ReadonlyMap<string, number> = new Map([
  ...['t', 'T', 'true', 'True', 'TRUE'].map((word) => [word, 1] as const),
  ...['f', 'F', 'false', 'False', 'FALSE'].map((word) => [word, 0] as const),
]);
const BOOLEAN_LENGTH_MAX = 5;

/** A field takes three numbers: where its key begins and ends, and its value. */
const FIELD = 3;

class LineParser {
  readonly #bytes: Uint8Array;
  readonly #sink: SeriesSink;
  readonly #options: InfluxOptions;
  readonly #precision: Precision | undefined;
  readonly #nowMs: number;
  readonly #separator: Uint8Array;
  readonly #dbLabel: Uint8Array;
  readonly #db: Uint8Array;
  readonly #scanner: TextScanner | undefined;
  readonly #firstLine: number;
  readonly #numbers = new NumberReader();
  readonly #fields: number[] = [];
  /** Measurement and separator, and behind them the field at hand. */
  readonly #name = new Scratch();
  readonly #tag = new Scratch();
  #why = '';

  constructor(bytes: Uint8Array, request: ParseRequest<InfluxOptions>, sink: SeriesSink) {
    const { parameters, receivedMs, options, scanner } = request;
    this.#bytes = bytes;
    this.#scanner = scanner;
    this.#firstLine = firstLineOf(parameters);
    this.#sink = sink;
    this.#options = options;
    this.#precision = Object.hasOwn(precisions, parameters.precision ?? '')
      ? precisions[parameters.precision!]
      : undefined;
    // As coarse as the timestamps that are given.
    const unitMs = this.#precision?.factor ?? 1;
    this.#nowMs = receivedMs - (receivedMs % unitMs);
    this.#separator = Buffer.from(options.influxMeasurementFieldSeparator);
    this.#dbLabel = Buffer.from(options.influxDBLabel);
    this.#db = Buffer.from(parameters.db ?? '');
  }

  run(isStream: boolean): ParseFailure {
    const bytes = this.#bytes;
    const bytesMax = isStream ? this.#options['influx.maxLineSize'] : Number.POSITIVE_INFINITY;
    let rows = 0;
    const scan = this.#scan(bytesMax);
    const scanOn =
      scan &&
      ((start: number) => {
        const taken = scan(start);
        rows += taken.rows;
        return taken;
      });
    const failure = eachLine(
      bytes,
      (start, end, line) => {
        if (bytes[start] === HASH) return undefined;
        if (this.#line(start, end)) rows++;
        else if (isStream) this.#sink.skip(line, this.#why, bytes, start, end);
        else return `cannot read line ${line}, ${excerpt(bytes, start, end)}: ${this.#why}`;
        return undefined;
      },
      {
        first: this.#firstLine,
        sink: this.#sink,
        limit: { bytesMax, option: 'influx.maxLineSize' },
        scan: scanOn,
      },
    );
    this.#sink.rowsRead = rows;
    return failure;
  }

  #scan(lineBytesMax: number): TakeLines | undefined {
    const options = this.#options;
    const unit = this.#precision;
    // A duration may have a fraction.
    if (!Number.isSafeInteger(options.influxTrimTimestamp)) return undefined;
    return this.#scanner?.influx(this.#bytes, this.#sink, {
      nowMs: this.#trimmed(this.#nowMs),
      trimMs: options.influxTrimTimestamp,
      unit: unit && { divisor: 10 ** unit.dropped, factor: unit.factor },
      skipMeasurement: options.influxSkipMeasurement,
      skipSingleField: options.influxSkipSingleField,
      lineBytesMax,
      separator: this.#separator,
      dbKey: this.#dbLabel,
      db: this.#db,
    });
  }

  #line(start: number, end: number): boolean {
    const bytes = this.#bytes;
    const keyEnd = this.#find(SPACE, start, end);
    if (keyEnd === end) return this.#fail('there are no fields');
    let fieldsStart = keyEnd;
    while (fieldsStart < end && bytes[fieldsStart] === SPACE) fieldsStart++;
    const fieldsEnd = this.#findUnquoted(SPACE, fieldsStart, end);
    if (!this.#readFields(fieldsStart, fieldsEnd)) return false;
    const measurementEnd = this.#find(COMMA, start, keyEnd);
    if (!this.#checkTags(measurementEnd, keyEnd)) return false;
    const timestampMs = this.#timestamp(fieldsEnd, end);
    if (timestampMs === undefined) return this.#fail('the timestamp is not an integer');
    this.#write(start, measurementEnd, keyEnd, timestampMs);
    return true;
  }

  /** Where the first such byte without a backslash stands; `end` if nowhere. */
  #find(byte: number, start: number, end: number): number {
    const bytes = this.#bytes;
    let at = start;
    while (at < end && bytes[at] !== byte) at += bytes[at] === BACKSLASH ? 2 : 1;
    return Math.min(at, end);
  }

  /** The same, outside double quotes. */
  #findUnquoted(byte: number, start: number, end: number): number {
    const bytes = this.#bytes;
    let isQuoted = false;
    let at = start;
    while (at < end && (isQuoted || bytes[at] !== byte)) {
      if (bytes[at] === QUOTE) isQuoted = !isQuoted;
      at += bytes[at] === BACKSLASH ? 2 : 1;
    }
    return Math.min(at, end);
  }

  #readFields(start: number, end: number): boolean {
    this.#fields.length = 0;
    for (let at = start; at <= end; ) {
      const fieldEnd = this.#findUnquoted(COMMA, at, end);
      const equals = this.#find(EQUALS, at, fieldEnd);
      if (equals === fieldEnd) return this.#fail('a field has no value');
      if (equals === at) return this.#fail('a field has no name');
      if (!this.#readValue(equals + 1, fieldEnd)) return false;
      this.#fields.push(at, equals, this.#numbers.value);
      at = fieldEnd + 1;
    }
    return true;
  }

  #readValue(start: number, end: number): boolean {
    const bytes = this.#bytes;
    const numbers = this.#numbers;
    if (start === end) return this.#fail('a field has an empty value');
    if (bytes[start] === QUOTE) {
      if (end - start < 2 || bytes[end - 1] !== QUOTE) {
        return this.#fail('a closing quote is missing; text over several lines is not taken');
      }
      return this.#readLoosely(start + 1, end - 1);
    }
    const last = bytes[end - 1];
    if (last === LOWER_I || last === LOWER_U) {
      const isInteger =
        last === LOWER_I
          ? numbers.readInteger(bytes, start, end - 1)
          : numbers.readUnsigned(bytes, start, end - 1);
      return isInteger || this.#fail('the value of a field is not an integer');
    }
    return this.#readBoolean(start, end) || this.#readLoosely(start, end);
  }

  #readBoolean(start: number, end: number): boolean {
    const first = this.#bytes[start]! | 0x20;
    if ((first !== LOWER_T && first !== LOWER_F) || end - start > BOOLEAN_LENGTH_MAX) return false;
    const value = booleans.get(Buffer.from(this.#bytes.subarray(start, end)).toString('latin1'));
    if (value === undefined) return false;
    this.#numbers.value = value;
    return true;
  }

  /** Text that is no number counts as 0, so that lines with strings among their fields are taken. */
  #readLoosely(start: number, end: number): boolean {
    if (!this.#numbers.read(this.#bytes, start, end)) this.#numbers.value = 0;
    return true;
  }

  #checkTags(measurementEnd: number, end: number): boolean {
    for (let at = measurementEnd; at < end; ) {
      const tagEnd = this.#find(COMMA, at + 1, end);
      if (this.#find(EQUALS, at + 1, tagEnd) === tagEnd) return this.#fail('a tag has no value');
      at = tagEnd;
    }
    return true;
  }

  /** Undefined when it makes no sense. */
  #timestamp(from: number, end: number): number | undefined {
    const bytes = this.#bytes;
    const numbers = this.#numbers;
    let start = from;
    while (start < end && bytes[start] === SPACE) start++;
    if (start === end) return this.#trimmed(this.#nowMs);
    if (!numbers.readInteger(bytes, start, end)) return undefined;
    if (numbers.value === 0) return this.#trimmed(this.#nowMs);
    const { dropped, factor } = this.#precision ?? guessedPrecision(numbers.digits, numbers.value < 0);
    if (dropped > 0) {
      // Digits are dropped from the text: nanoseconds do not fit into a double.
      if (numbers.digits <= dropped) return 0;
      numbers.readInteger(bytes, start, end - dropped);
    }
    return this.#trimmed(numbers.value * factor);
  }

  #trimmed(timestampMs: number): number {
    return timestampMs - (timestampMs % this.#options.influxTrimTimestamp);
  }

  /** One series for each field; the tags are encoded once. */
  #write(start: number, measurementEnd: number, keyEnd: number, timestampMs: number): void {
    const sink = this.#sink;
    const fields = this.#fields;
    const prefix = this.#namePrefix(start, measurementEnd);
    const isNamedByField = prefix === 0 || fields.length > FIELD || !this.#options.influxSkipSingleField;
    let from = 0;
    let to = 0;
    let labels = 0;
    for (let index = 0; index < fields.length; index += FIELD) {
      sink.begin();
      const nameEnd = isNamedByField
        ? this.#unescape(fields[index]!, fields[index + 1]!, this.#name, prefix)
        : prefix - this.#separator.byteLength;
      sink.name(this.#name.bytes, 0, nameEnd);
      const tags = sink.position;
      const before = sink.labels;
      if (index > 0) sink.repeat(from, to, labels);
      else this.#writeTags(measurementEnd, keyEnd);
      labels = sink.labels - before;
      from = tags;
      to = sink.position;
      sink.sample(fields[index + 2]!, timestampMs);
      sink.end();
    }
  }

  /** Writes what names begin with to the scratch; returns its length. */
  #namePrefix(start: number, measurementEnd: number): number {
    if (start === measurementEnd || this.#options.influxSkipMeasurement) return 0;
    const separator = this.#separator;
    const end = this.#unescape(start, measurementEnd, this.#name, 0);
    this.#name.reserve(end, separator.byteLength).set(separator, end);
    return end + separator.byteLength;
  }

  #writeTags(measurementEnd: number, end: number): void {
    const sink = this.#sink;
    const tag = this.#tag;
    let hasDb = this.#db.byteLength === 0;
    for (let at = measurementEnd; at < end; ) {
      const tagEnd = this.#find(COMMA, at + 1, end);
      const equals = this.#find(EQUALS, at + 1, tagEnd);
      const keyEnd = this.#unescape(at + 1, equals, tag, 0);
      const valueEnd = this.#unescape(equals + 1, tagEnd, tag, keyEnd);
      if (keyEnd > 0 && valueEnd > keyEnd) {
        sink.label(tag.bytes, 0, keyEnd, tag.bytes, keyEnd, valueEnd);
        hasDb ||= Buffer.compare(this.#dbLabel, tag.bytes.subarray(0, keyEnd)) === 0;
      }
      at = tagEnd;
    }
    if (!hasDb) {
      sink.label(this.#dbLabel, 0, this.#dbLabel.byteLength, this.#db, 0, this.#db.byteLength);
    }
  }

  /** Writes the text without its escapes to the scratch, from `into` on; returns its end there. */
  #unescape(start: number, end: number, scratch: Scratch, into: number): number {
    const bytes = this.#bytes;
    const target = scratch.reserve(into, end - start);
    let out = into;
    for (let at = start; at < end; at++) {
      if (bytes[at] === BACKSLASH && at + 1 < end && isEscapable(bytes[at + 1]!)) at++;
      target[out++] = bytes[at]!;
    }
    return out;
  }

  #fail(why: string): false {
    this.#why = why;
    return false;
  }
}

function isEscapable(byte: number): boolean {
  return byte === COMMA || byte === SPACE || byte === EQUALS || byte === BACKSLASH;
}

const JSON_TYPE = 'application/json';
const HEALTH = '{"name":"influxdb", "message":"ready for queries and writes", "status":"pass", "checks":[]}';

const pieces = linePieces('influx.maxLineSize');

function receive(head: RequestHead, options: InfluxOptions): Reception {
  const { counterPath } = head.route;
  if (counterPath === '/influx/query') {
    const series = [
      { name: 'databases', columns: ['name'], values: options['influx.databaseNames'].map((name) => [name]) },
    ];
    const body = JSON.stringify({ results: [{ statement_id: 0, series }] });
    return { kind: 'answer', isCounted: true, answer: { status: 200, body, contentType: JSON_TYPE } };
  }
  if (counterPath === '/influx/health') {
    const answer = { status: 200, body: HEALTH, contentType: 'text/plain; charset=utf-8' };
    return { kind: 'answer', isCounted: true, answer };
  }
  const isStream = options['influx.forceStreamMode'] || head.header('stream-mode') === '1';
  return receiveBody(head, {
    ...(isStream ? { pieces } : {}),
    parameters: {
      ...(isStream ? { mode: 'stream' } : {}),
      db: head.query.get('db') ?? '',
      precision: head.query.get('precision') ?? '',
    },
  });
}

function parse(bytes: Uint8Array, request: ParseRequest<InfluxOptions>, sink: SeriesSink): ParseFailure {
  return new LineParser(bytes, request, sink).run(request.parameters.mode === 'stream');
}

export const influx: Protocol = {
  name: 'influx',
  summary: 'InfluxDB line protocol at the paths of InfluxDB 1 and 2, and over TCP and UDP.',
  routes: [
    ...['/write', '/api/v2/write', '/influx/write', '/influx/api/v2/write'].map((path) => ({
      path,
      counterPath: '/influx/write',
    })),
    ...['/query', '/influx/query'].map((path) => ({ path, counterPath: '/influx/query' })),
    { path: '/influx/health', counterPath: '/influx/health' },
  ],
  lines: {
    addressOption: 'influxListenAddr',
    parameters: { mode: 'stream' },
    lineOption: 'influx.maxLineSize',
  },
  options: influxOptions,
  sizeOption: 'influx.maxRequestSize',
  accepted: { status: 204 },
  receive,
  parse,
  hasElements: true,
};
