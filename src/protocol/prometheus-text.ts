/**
 * Prometheus text exposition and OpenMetrics, pushed:
 *
 *     name{label="value",…} value [timestamp] [# comment or exemplar]
 *     {"name in any characters",label="value",…} value [timestamp]
 *     # HELP name text
 *     # TYPE name type
 *
 * A line that cannot be read is left out and counted; the others are taken. A timestamp that fits into 32 bits is in
 * seconds, with a fraction if it has one, and any other in milliseconds.
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 */
import { options } from '../config/option.ts';
import type { TextScanner } from '../kernel/text-scanner.ts';
import { badRequest, receiveBody } from './content-encoding.ts';
import { eachLine, firstLineOf, linePieces } from './lines.ts';
import { isTimestamp, NumberReader } from './number.ts';
import { MetadataReader } from './prometheus-metadata.ts';
import type { ParseFailure, ParseRequest, Protocol, Reception, RequestHead } from './protocol.ts';
import { pathLabels } from './pushgateway.ts';
import { Scratch } from './scratch.ts';
import type { SeriesSink } from './series-sink.ts';

const PATH = '/api/v1/import/prometheus';
const TAB = 0x09;
const NEWLINE = 0x0a;
const SPACE = 0x20;
const QUOTE = 0x22;
const HASH = 0x23;
const COMMA = 0x2c;
const EQUALS = 0x3d;
const BACKSLASH = 0x5c;
const LOWER_N = 0x6e;
const OPEN = 0x7b;
const CLOSE = 0x7d;
const INT32_LIMIT = 2 ** 31;

/** A label takes five numbers: where its name and its value begin and end, and which of them have escapes. */
const SPAN = 5;
const NAME_ESCAPED = 1;
const VALUE_ESCAPED = 2;

const isBlank = (byte: number | undefined) => byte === SPACE || byte === TAB;

class TextParser {
  readonly #bytes: Uint8Array;
  readonly #sink: SeriesSink;
  readonly #defaultMs: number;
  readonly #numbers = new NumberReader();
  /** The labels of the line at hand, `SPAN` numbers each. */
  readonly #spans: number[] = [];
  /** The metric name of the line at hand. */
  #nameStart = 0;
  #nameEnd = 0;
  #nameIsEscaped = false;
  /** Escaped text is written here without its escapes: a name first, a value behind it. */
  readonly #scratch = new Scratch();
  #why = '';
  readonly #metadata: MetadataReader;

  constructor(bytes: Uint8Array, sink: SeriesSink, defaultMs: number) {
    this.#bytes = bytes;
    this.#sink = sink;
    this.#defaultMs = defaultMs;
    this.#metadata = new MetadataReader(sink);
  }

  run(first: number, scanner: TextScanner | undefined): ParseFailure {
    const failure = eachLine(this.#bytes, (start, end, line) => this.#line(start, end, line), {
      first,
      sink: this.#sink,
      // Any number of digits can be given in the query.
      scan: Number.isSafeInteger(this.#defaultMs)
        ? scanner?.prometheusText(this.#bytes, this.#sink, this.#defaultMs)
        : undefined,
    });
    this.#metadata.flush();
    return failure;
  }

  #line(start: number, end: number, line: number): undefined {
    const bytes = this.#bytes;
    const from = this.#skipBlanks(start, end);
    if (from === end) return;
    if (bytes[from] !== HASH) {
      if (!this.#row(from, end)) this.#sink.skip(line, this.#why, bytes, start, end);
    } else if (!this.#metadata.read(bytes, from, end)) {
      this.#sink.skip(line, 'the TYPE is unknown', bytes, start, end);
    }
  }

  #row(start: number, end: number): boolean {
    const value = this.#series(start, end);
    if (value < 0) return false;
    const bytes = this.#bytes;
    let stop = value;
    while (stop < end && bytes[stop] !== HASH) stop++;
    while (stop > value && isBlank(bytes[stop - 1])) stop--;
    if (stop === value) return this.#fail('there is no value');
    let valueEnd = value;
    while (valueEnd < stop && !isBlank(bytes[valueEnd])) valueEnd++;
    if (!this.#numbers.read(bytes, value, valueEnd)) return this.#fail('the value is not a number');
    const number = this.#numbers.value;
    let timestampMs = this.#defaultMs;
    if (valueEnd < stop) {
      if (!this.#numbers.read(bytes, this.#skipBlanks(valueEnd, stop), stop)) {
        return this.#fail('the timestamp is not a number');
      }
      const given = millisecondsOf(this.#numbers.value);
      if (!isTimestamp(given)) return this.#fail('the timestamp is out of range');
      if (given !== 0) timestampMs = given;
    }
    this.#write(number, timestampMs);
    return true;
  }

  /** Notes name and labels; returns where the value begins, or -1. */
  #series(start: number, end: number): number {
    const bytes = this.#bytes;
    this.#spans.length = 0;
    this.#nameStart = start;
    this.#nameIsEscaped = false;
    let at = start;
    let blank = -1;
    // A brace behind ` #` belongs to an exemplar; behind a mere blank it may be that of the labels.
    for (; at < end && bytes[at] !== OPEN; at++) {
      if (isBlank(bytes[at])) {
        if (blank < 0) blank = at;
        if (bytes[at + 1] === HASH) at = end;
      }
    }
    if (at >= end) {
      if (blank < 0) return this.#failAt('there is no value');
      this.#nameEnd = blank;
      return this.#skipBlanks(blank, end);
    }
    let nameEnd = at;
    while (nameEnd > start && isBlank(bytes[nameEnd - 1])) nameEnd--;
    this.#nameEnd = nameEnd;
    const rest = this.#labels(at + 1, end);
    if (rest < 0) return -1;
    if (this.#nameStart === this.#nameEnd) return this.#failAt('there is no metric name');
    return this.#skipBlanks(rest, end);
  }

  /** Notes what stands between the braces; returns what follows the closing one, or -1. */
  #labels(from: number, end: number): number {
    const bytes = this.#bytes;
    let at = from;
    for (;;) {
      at = this.#skipBlanks(at, end);
      if (at < end && bytes[at] === CLOSE) return at + 1;
      at = this.#skipBlanks(this.#label(at, end), end);
      if (at < 0) return -1;
      if (at < end && bytes[at] === CLOSE) return at + 1;
      if (at >= end || bytes[at] !== COMMA) return this.#failAt('labels are not separated by commas');
      at++;
    }
  }

  /** Notes one label, or a quoted metric name; returns what follows it, or -1. */
  #label(start: number, end: number): number {
    const bytes = this.#bytes;
    let nameStart = start;
    let nameEnd: number;
    let flags = 0;
    let at: number;
    if (bytes[start] === QUOTE && start < end) {
      nameStart = start + 1;
      nameEnd = this.#closingQuote(nameStart, end);
      if (nameEnd < 0) return -1;
      if (this.#sawEscape) flags |= NAME_ESCAPED;
      at = this.#skipBlanks(nameEnd + 1, end);
      if (at >= end || bytes[at] !== EQUALS) return this.#quotedName(nameStart, nameEnd, at, flags !== 0);
    } else {
      at = start;
      while (at < end && bytes[at] !== EQUALS) {
        if (bytes[at] === CLOSE || bytes[at] === COMMA || bytes[at] === QUOTE) break;
        at++;
      }
      if (at >= end || bytes[at] !== EQUALS) return this.#failAt('a label has no value');
      nameEnd = at;
      while (nameEnd > nameStart && isBlank(bytes[nameEnd - 1])) nameEnd--;
    }
    at = this.#skipBlanks(at + 1, end);
    if (at >= end || bytes[at] !== QUOTE) return this.#failAt('the value of a label is not in double quotes');
    const valueEnd = this.#closingQuote(at + 1, end);
    if (valueEnd < 0) return -1;
    if (this.#sawEscape) flags |= VALUE_ESCAPED;
    if (nameStart < nameEnd) this.#spans.push(nameStart, nameEnd, at + 1, valueEnd, flags);
    return valueEnd + 1;
  }

  #quotedName(start: number, end: number, next: number, isEscaped: boolean): number {
    if (this.#nameStart !== this.#nameEnd) return this.#failAt('there are two metric names');
    this.#nameStart = start;
    this.#nameEnd = end;
    this.#nameIsEscaped = isEscaped;
    return next;
  }

  #sawEscape = false;

  #closingQuote(start: number, end: number): number {
    const bytes = this.#bytes;
    this.#sawEscape = false;
    for (let at = start; at < end; at++) {
      if (bytes[at] === QUOTE) return at;
      if (bytes[at] === BACKSLASH) {
        this.#sawEscape = true;
        at++;
      }
    }
    return this.#failAt('a closing quote is missing');
  }

  #write(value: number, timestampMs: number): void {
    const sink = this.#sink;
    const bytes = this.#bytes;
    const spans = this.#spans;
    sink.begin();
    if (this.#nameIsEscaped) {
      const end = this.#unescape(this.#nameStart, this.#nameEnd, 0);
      sink.name(this.#scratch.bytes, 0, end);
    } else sink.name(bytes, this.#nameStart, this.#nameEnd);
    for (let at = 0; at < spans.length; at += SPAN) {
      if (spans[at + 4] === 0)
        sink.label(bytes, spans[at]!, spans[at + 1]!, bytes, spans[at + 2]!, spans[at + 3]!);
      else this.#writeEscaped(at);
    }
    sink.sample(value, timestampMs);
    sink.end();
  }

  #writeEscaped(at: number): void {
    const spans = this.#spans;
    // Backslashes are kept where they escape nothing, so a label without escapes comes out as it is.
    const nameEnd = this.#unescape(spans[at]!, spans[at + 1]!, 0);
    const valueEnd = this.#unescape(spans[at + 2]!, spans[at + 3]!, nameEnd);
    const { bytes } = this.#scratch;
    this.#sink.label(bytes, 0, nameEnd, bytes, nameEnd, valueEnd);
  }

  /** Writes the text without its escapes to the scratch; returns its end there. */
  #unescape(start: number, end: number, into: number): number {
    const scratch = this.#scratch.reserve(into, end - start);
    return withoutEscapes(this.#bytes, start, end, scratch, into);
  }

  #skipBlanks(start: number, end: number): number {
    let at = start;
    while (at < end && at >= 0 && isBlank(this.#bytes[at])) at++;
    return at;
  }

  #fail(why: string): false {
    this.#why = why;
    return false;
  }

  #failAt(why: string): -1 {
    this.#why = why;
    return -1;
  }
}

/** `\\`, `\"` and `\n` become what they stand for; any other backslash stays. */
function withoutEscapes(from: Uint8Array, start: number, end: number, to: Uint8Array, into: number): number {
  let out = into;
  for (let at = start; at < end; at++) {
    let byte = from[at]!;
    if (byte === BACKSLASH && at + 1 < end) {
      const escaped = from[at + 1];
      if (escaped === BACKSLASH || escaped === QUOTE || escaped === LOWER_N) {
        byte = escaped === LOWER_N ? NEWLINE : escaped;
        at++;
      }
    }
    to[out++] = byte;
  }
  return out;
}

function millisecondsOf(timestamp: number): number {
  const isSeconds = timestamp >= -INT32_LIMIT && timestamp < INT32_LIMIT;
  return Math.trunc(isSeconds ? timestamp * 1000 : timestamp);
}

/** HELP and TYPE of a name stay together, and with what follows. */
const pieces = linePieces(undefined, (first) => first === HASH);

function receive(head: RequestHead): Reception {
  const timestamp = head.query.get('timestamp') ?? '';
  if (!/^[+-]?\d*$/.test(timestamp)) {
    return badRequest(
      `cannot read the query parameter timestamp=${JSON.stringify(timestamp)}: it is not an integer; give Unix milliseconds`,
    );
  }
  const found = pathLabels(head.path);
  if ('error' in found) return badRequest(found.error);
  return receiveBody(head, {
    parameters: Number(timestamp) > 0 ? { timestamp } : {},
    labels: found.labels,
    pieces,
    // What a Pushgateway answers.
    accepted: { status: head.path.includes('/metrics/job/') ? 200 : 204 },
  });
}

function parse(
  bytes: Uint8Array,
  { parameters, receivedMs, scanner }: ParseRequest,
  sink: SeriesSink,
): ParseFailure {
  const { timestamp } = parameters;
  const defaultMs = timestamp === undefined ? receivedMs : Number(timestamp);
  return new TextParser(bytes, sink, defaultMs).run(firstLineOf(parameters), scanner);
}

export const prometheusText: Protocol = {
  name: 'prometheus',
  summary: 'Prometheus text exposition and OpenMetrics, also at the paths of a Pushgateway.',
  routes: [PATH, `/prometheus${PATH}`].map((path) => ({ path, counterPath: PATH, prefix: true })),
  options: options({}),
  accepted: { status: 204 },
  receive,
  parse,
  hasElements: true,
};
