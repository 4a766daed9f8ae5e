/**
 * The telnet commands of OpenTSDB, over TCP and UDP:
 *
 *     put <metric> <timestamp> <value> [tag=value…]
 *
 * A timestamp that fits into 32 bits is in seconds, any other in milliseconds. A line that cannot be read is left out and
 * counted. http://opentsdb.net/docs/build/html/api_telnet/put.html
 */
import { options, type Values } from '../config/option.ts';
import { eachLine } from './lines.ts';
import { isTimestamp, NumberReader } from './number.ts';
import { opentsdbHttp } from './opentsdb-http.ts';
import { type ParseFailure, type ParseRequest, type Protocol, refuseHttp } from './protocol.ts';
import type { SeriesSink } from './series-sink.ts';

const SPACE = 0x20;
const EQUALS = 0x3d;
const PUT = Buffer.from('put ');
const SECOND_MS = 1_000;
const SECONDS_LIMIT = 2 ** 32;

const opentsdbOptions = options({
  opentsdbListenAddr: {
    kind: 'string',
    default: '',
    placeholder: 'host:port',
    summary:
      'Take telnet `put` lines of OpenTSDB at this TCP and UDP address, usually `:4242`. Empty takes none.',
  },
  opentsdbTrimTimestamp: {
    kind: 'duration',
    default: SECOND_MS,
    min: 1,
    summary: 'Round timestamps of OpenTSDB telnet lines down to a multiple of this, where it is above 1s.',
  },
});
type OpentsdbOptions = Values<typeof opentsdbOptions>;

class TelnetParser {
  readonly #bytes: Uint8Array;
  readonly #sink: SeriesSink;
  readonly #nowMs: number;
  readonly #trimMs: number;
  readonly #numbers = new NumberReader();
  /** Where tags begin, where their `=` is, and where they end. */
  readonly #tags: number[] = [];
  #why = '';

  constructor(bytes: Uint8Array, { options, receivedMs }: ParseRequest<OpentsdbOptions>, sink: SeriesSink) {
    this.#bytes = bytes;
    this.#sink = sink;
    this.#nowMs = receivedMs - (receivedMs % SECOND_MS);
    this.#trimMs = options.opentsdbTrimTimestamp > SECOND_MS ? options.opentsdbTrimTimestamp : 1;
  }

  run(): ParseFailure {
    const bytes = this.#bytes;
    return eachLine(bytes, (start, end, line) => {
      if (!this.#line(start, end)) this.#sink.skip(line, this.#why, bytes, start, end);
      return undefined;
    });
  }

  #line(start: number, end: number): boolean {
    const bytes = this.#bytes;
    const numbers = this.#numbers;
    for (let index = 0; index < PUT.byteLength; index++) {
      if (start + index >= end || bytes[start + index] !== PUT[index]) return this.#fail('it is no put');
    }
    const metric = this.#wordAfter(start + PUT.byteLength, end);
    const metricEnd = this.#wordEnd(metric, end);
    const time = this.#wordAfter(metricEnd, end);
    const timeEnd = this.#wordEnd(time, end);
    const value = this.#wordAfter(timeEnd, end);
    const valueEnd = this.#wordEnd(value, end);
    if (value === end) return this.#fail('metric, timestamp and value are not all there');
    if (!numbers.read(bytes, time, timeEnd) || !isTimestamp(numbers.value)) {
      return this.#fail('the timestamp is not a number');
    }
    const timestampMs = this.#millisecondsOf(Math.trunc(numbers.value));
    if (!numbers.read(bytes, value, valueEnd)) return this.#fail('the value is not a number');
    if (!this.#readTags(valueEnd, end)) return false;
    this.#write(metric, metricEnd, numbers.value, timestampMs - (timestampMs % this.#trimMs));
    return true;
  }

  #millisecondsOf(timestamp: number): number {
    if (timestamp === 0) return this.#nowMs;
    return timestamp > 0 && timestamp < SECONDS_LIMIT ? timestamp * SECOND_MS : timestamp;
  }

  #wordAfter(start: number, end: number): number {
    let at = start;
    while (at < end && this.#bytes[at] === SPACE) at++;
    return at;
  }

  #wordEnd(start: number, end: number): number {
    let at = start;
    while (at < end && this.#bytes[at] !== SPACE) at++;
    return at;
  }

  #readTags(start: number, end: number): boolean {
    this.#tags.length = 0;
    for (let at = this.#wordAfter(start, end); at < end; ) {
      const tagEnd = this.#wordEnd(at, end);
      let equals = at;
      while (equals < tagEnd && this.#bytes[equals] !== EQUALS) equals++;
      if (equals === tagEnd) return this.#fail('a tag has no value');
      // A tag without name or value says nothing.
      if (equals > at && equals + 1 < tagEnd) this.#tags.push(at, equals, tagEnd);
      at = this.#wordAfter(tagEnd, end);
    }
    return true;
  }

  #write(metric: number, metricEnd: number, value: number, timestampMs: number): void {
    const bytes = this.#bytes;
    const sink = this.#sink;
    const tags = this.#tags;
    sink.begin();
    sink.name(bytes, metric, metricEnd);
    for (let at = 0; at < tags.length; at += 3) {
      sink.label(bytes, tags[at]!, tags[at + 1]!, bytes, tags[at + 1]! + 1, tags[at + 2]!);
    }
    sink.sample(value, timestampMs);
    sink.end();
  }

  #fail(why: string): false {
    this.#why = why;
    return false;
  }
}

function parse(bytes: Uint8Array, request: ParseRequest<OpentsdbOptions>, sink: SeriesSink): ParseFailure {
  return new TelnetParser(bytes, request, sink).run();
}

export const opentsdb: Protocol = {
  name: 'opentsdb',
  summary: 'Telnet put lines of OpenTSDB, over TCP and UDP.',
  routes: [],
  lines: { addressOption: 'opentsdbListenAddr', http: opentsdbHttp },
  options: opentsdbOptions,
  accepted: { status: 204 },
  receive: refuseHttp,
  parse,
};
