/**
 * Graphite plaintext, over TCP and UDP, with tags:
 *
 *     metric[;tag=value…] value [timestamp]
 *
 * A line is read from its end, so that names may hold blanks. Timestamps are in seconds. A line that cannot be read is left
 * out and counted. https://graphite.readthedocs.io/en/latest/feeding-carbon.html#the-plaintext-protocol
 */
import { options, type Values } from '../config/option.ts';
import { eachLine } from './lines.ts';
import { isTimestamp, NumberReader } from './number.ts';
import { type ParseFailure, type ParseRequest, type Protocol, refuseHttp } from './protocol.ts';
import { Scratch } from './scratch.ts';
import type { SeriesSink } from './series-sink.ts';

const TAB = 0x09;
const SPACE = 0x20;
const DOT = 0x2e;
const COLON = 0x3a;
const SEMICOLON = 0x3b;
const EQUALS = 0x3d;
const UNDERSCORE = 0x5f;
const SECOND_MS = 1_000;

const graphiteOptions = options({
  graphiteListenAddr: {
    kind: 'string',
    default: '',
    placeholder: 'host:port',
    summary: 'Take Graphite plaintext at this TCP and UDP address, usually `:2003`. Empty takes none.',
  },
  graphiteTrimTimestamp: {
    kind: 'duration',
    default: SECOND_MS,
    min: 1,
    summary: 'Round timestamps of Graphite down to a multiple of this.',
  },
  'graphite.sanitizeMetricName': {
    kind: 'bool',
    default: false,
    summary:
      'Put `_` for characters other than letters, digits, `:`, `_` and `.` in names of metrics and tags, and one dot for several.',
  },
});
type GraphiteOptions = Values<typeof graphiteOptions>;

const isBlank = (byte: number | undefined) => byte === SPACE || byte === TAB;

class PlaintextParser {
  readonly #bytes: Uint8Array;
  readonly #sink: SeriesSink;
  readonly #options: GraphiteOptions;
  readonly #nowMs: number;
  readonly #numbers = new NumberReader();
  readonly #scratch = new Scratch();
  #why = '';

  constructor(bytes: Uint8Array, { options, receivedMs }: ParseRequest<GraphiteOptions>, sink: SeriesSink) {
    this.#bytes = bytes;
    this.#sink = sink;
    this.#options = options;
    this.#nowMs = receivedMs - (receivedMs % SECOND_MS);
  }

  run(): ParseFailure {
    const bytes = this.#bytes;
    return eachLine(bytes, (start, end, line) => {
      if (!this.#line(start, end)) this.#sink.skip(line, this.#why, bytes, start, end);
      return undefined;
    });
  }

  #line(from: number, to: number): boolean {
    const bytes = this.#bytes;
    let start = from;
    while (start < to && isBlank(bytes[start])) start++;
    const lastEnd = this.#trimEnd(start, to);
    const last = this.#wordBefore(start, lastEnd);
    const middleEnd = this.#trimEnd(start, last);
    const middle = this.#wordBefore(start, middleEnd);
    const hasTimestamp = middle > start;
    const nameEnd = hasTimestamp ? this.#trimEnd(start, middle) : middleEnd;
    if (nameEnd === start) return this.#fail('there is no value');
    const numbers = this.#numbers;
    let timestampMs = this.#nowMs;
    if (hasTimestamp) {
      if (!numbers.read(bytes, last, lastEnd) || !isTimestamp(numbers.value * SECOND_MS)) {
        return this.#fail('the timestamp is not a number');
      }
      const seconds = Math.trunc(numbers.value);
      // -1 is how Carbon's clients say now.
      if (seconds !== 0 && seconds !== -1) timestampMs = seconds * SECOND_MS;
    }
    const isNumber = hasTimestamp
      ? numbers.read(bytes, middle, middleEnd)
      : numbers.read(bytes, last, lastEnd);
    if (!isNumber) return this.#fail('the value is not a number');
    const metricEnd = this.#find(SEMICOLON, start, nameEnd);
    if (metricEnd === start) return this.#fail('there is no metric name');
    this.#write(
      start,
      metricEnd,
      nameEnd,
      numbers.value,
      timestampMs - (timestampMs % this.#options.graphiteTrimTimestamp),
    );
    return true;
  }

  /** `end` without the blanks before it. */
  #trimEnd(start: number, end: number): number {
    let at = end;
    while (at > start && isBlank(this.#bytes[at - 1])) at--;
    return at;
  }

  /** Where the word begins that ends at `end`. */
  #wordBefore(start: number, end: number): number {
    let at = end;
    while (at > start && !isBlank(this.#bytes[at - 1])) at--;
    return at;
  }

  #find(byte: number, start: number, end: number): number {
    let at = start;
    while (at < end && this.#bytes[at] !== byte) at++;
    return at;
  }

  #write(start: number, metricEnd: number, end: number, value: number, timestampMs: number): void {
    const bytes = this.#bytes;
    const sink = this.#sink;
    const isSanitized = this.#options['graphite.sanitizeMetricName'];
    sink.begin();
    if (isSanitized) sink.name(this.#scratch.bytes, 0, this.#sanitize(start, metricEnd));
    else sink.name(bytes, start, metricEnd);
    for (let at = metricEnd + 1; at < end; ) {
      const tagEnd = this.#find(SEMICOLON, at, end);
      const equals = this.#find(EQUALS, at, tagEnd);
      // A tag without name or value says nothing.
      if (equals > at && equals + 1 < tagEnd) {
        if (isSanitized)
          sink.label(this.#scratch.bytes, 0, this.#sanitize(at, equals), bytes, equals + 1, tagEnd);
        else sink.label(bytes, at, equals, bytes, equals + 1, tagEnd);
      }
      at = tagEnd + 1;
    }
    sink.sample(value, timestampMs);
    sink.end();
  }

  /** Writes the name to the scratch in characters that every receiver takes; returns its length. */
  #sanitize(start: number, end: number): number {
    const bytes = this.#bytes;
    const scratch = this.#scratch.reserve(0, end - start);
    let out = 0;
    for (let at = start; at < end; at++) {
      const byte = bytes[at]!;
      if (byte === DOT && at > start && bytes[at - 1] === DOT) continue;
      // What follows the first byte of a character in UTF-8 belongs to it.
      if ((byte & 0xc0) === 0x80) continue;
      scratch[out++] = isPlain(byte) ? byte : UNDERSCORE;
    }
    return out;
  }

  #fail(why: string): false {
    this.#why = why;
    return false;
  }
}

function isPlain(byte: number): boolean {
  const letter = byte | 0x20;
  return (
    (letter >= 0x61 && letter <= 0x7a) ||
    (byte >= 0x30 && byte <= COLON) ||
    byte === UNDERSCORE ||
    byte === DOT
  );
}

function parse(bytes: Uint8Array, request: ParseRequest<GraphiteOptions>, sink: SeriesSink): ParseFailure {
  return new PlaintextParser(bytes, request, sink).run();
}

export const graphite: Protocol = {
  name: 'graphite',
  summary: 'Graphite plaintext with tags, over TCP and UDP.',
  routes: [],
  lines: { addressOption: 'graphiteListenAddr' },
  options: graphiteOptions,
  accepted: { status: 204 },
  receive: refuseHttp,
  parse,
};
