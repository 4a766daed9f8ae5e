/**
 * StatsD, over TCP and UDP, with the extensions of DogStatsD up to 1.5:
 *
 *     name[,tag=value…]:value[:value…]|type[|@rate][|#tag:value,…][|T seconds][|…]
 *
 * A line becomes a series with its type in the label `__statsd_metric_type__`, as in vmagent 1.102.0-rc1, so that
 * aggregation rules can pick by type. Nothing is remembered from line to line, so increments stay increments: rules add
 * them up. Other sections (container, external data, cardinality) say nothing about values and are ignored; events and
 * service checks are no samples. A line that cannot be read is left out and counted.
 * https://github.com/statsd/statsd/blob/master/docs/metric_types.md
 * https://docs.datadoghq.com/extend/dogstatsd/datagram_shell
 */
import { options, type Values } from '../config/option.ts';
import { hash53 } from '../util/hash53.ts';
import { eachLine } from './lines.ts';
import { isTimestamp, NumberReader } from './number.ts';
import { type ParseFailure, type ParseRequest, type Protocol, refuseHttp } from './protocol.ts';
import type { SeriesSink } from './series-sink.ts';

const TAB = 0x09;
const SPACE = 0x20;
const HASH = 0x23;
const PLUS = 0x2b;
const COMMA = 0x2c;
const MINUS = 0x2d;
const COLON = 0x3a;
const EQUALS = 0x3d;
const AT = 0x40;
const UPPER_T = 0x54;
const UNDERSCORE = 0x5f;
const PIPE = 0x7c;

const SECOND_MS = 1_000;
/** A double tells all integers of so many digits apart; members of sets with more are hashed. */
const EXACT_DIGITS_MAX = 15;
/** So that one line does not make a series which no block has room for. */
const SERIES_SAMPLES_MAX = 10_000;
/**
 * How many copies the sampled lines of one body may make together; they may take half of the room that the sink has. A body has
 * up to half a MiB, so lines of 26 bytes with one value each never make as many with the default of -statsd.maxSampleCopies.
 */
const COPIES_MAX = 2_000_000;
const SAMPLE_BYTES_MAX = 22;

const TYPE_LABEL = Buffer.from('__statsd_metric_type__');
/** What becomes of a value: added up, kept, collected, counted. */
type Kind = 'increment' | 'gauge' | 'distribution' | 'set';
const LOWER_M = 0x6d;
const LOWER_S = 0x73;
/** By the only byte of the type; `ms` is the one that has two. */
const KINDS: readonly (Kind | undefined)[] = Array.from({ length: 256 }, (_, byte) => {
  const kinds: Record<string, Kind> = {
    c: 'increment',
    m: 'increment',
    g: 'gauge',
    h: 'distribution',
    d: 'distribution',
    s: 'set',
  };
  return kinds[String.fromCharCode(byte)];
});
/** The type of changes of gauges: ours. */
const GAUGE_DELTA = Buffer.from('gd');

const statsdOptions = options({
  statsdListenAddr: {
    kind: 'string',
    default: '',
    placeholder: 'host:port',
    summary:
      'Take StatsD and DogStatsD lines at this TCP and UDP address, usually `:8125`. Empty takes none. Needs aggregation rules.',
  },
  'statsd.disableAggregationEnforcement': {
    kind: 'bool',
    default: false,
    summary: 'Take StatsD without aggregation rules: every line goes on as a sample of its own.',
  },
  'statsd.gaugeDeltas': {
    kind: 'bool',
    default: true,
    ours: true,
    summary:
      'Values of gauges with a sign are changes, of type `gd`, as in StatsD. With false they are values, as in DogStatsD.',
  },
  'statsd.maxSampleCopies': {
    kind: 'int',
    default: 100,
    min: 1,
    max: 10_000,
    ours: true,
    summary:
      'A timer, histogram or distribution with a sample rate counts as often as it stands for, at most so many times.',
  },
});
type StatsdOptions = Values<typeof statsdOptions>;

const isBlank = (byte: number | undefined) => byte === SPACE || byte === TAB;

/** What the sections behind the values of one line say. */
class Sections {
  kind: Kind = 'gauge';
  typeStart = 0;
  typeEnd = 0;
  rate = 1;
  tagsStart = 0;
  tagsEnd = 0;
  timestampMs = 0;
}

class StatsdParser {
  readonly #bytes: Uint8Array;
  readonly #sink: SeriesSink;
  readonly #options: StatsdOptions;
  readonly #nowMs: number;
  readonly #numbers = new NumberReader();
  readonly #sections = new Sections();
  /** Of the line at hand. */
  readonly #values: number[] = [];
  readonly #isDelta: boolean[] = [];
  /** How many more copies the body may make. */
  #copiesLeft: number;
  #why = '';

  constructor(bytes: Uint8Array, { options, receivedMs }: ParseRequest<StatsdOptions>, sink: SeriesSink) {
    this.#bytes = bytes;
    this.#sink = sink;
    this.#options = options;
    this.#nowMs = receivedMs;
    this.#copiesLeft = Math.min(COPIES_MAX, sink.room / 2 / SAMPLE_BYTES_MAX);
  }

  run(): ParseFailure {
    const bytes = this.#bytes;
    let rows = 0;
    const failure = eachLine(bytes, (from, to, line) => {
      let start = from;
      while (start < to && isBlank(bytes[start])) start++;
      let end = to;
      while (end > start && isBlank(bytes[end - 1])) end--;
      if (start === end) return undefined;
      if (this.#isNoSample(start, end)) this.#sink.ignore();
      else if (this.#line(start, end)) rows++;
      else this.#sink.skip(line, this.#why, bytes, start, end);
      return undefined;
    });
    this.#sink.rowsRead = rows;
    return failure;
  }

  /** `_e{…` is an event, `_sc|…` a service check. */
  #isNoSample(start: number, end: number): boolean {
    const bytes = this.#bytes;
    if (bytes[start] !== UNDERSCORE || end - start < 4) return false;
    const text = String.fromCharCode(bytes[start + 1]!, bytes[start + 2]!, bytes[start + 3]!);
    return text.startsWith('e{') || text === 'sc|';
  }

  #line(start: number, end: number): boolean {
    const pipe = this.#find(PIPE, start, end);
    if (pipe === end) return this.#fail('there is no type');
    const colon = this.#find(COLON, start, pipe);
    if (colon === pipe) return this.#fail('there is no value');
    if (colon === start) return this.#fail('there is no metric name');
    if (!this.#readSections(pipe + 1, end)) return false;
    const { kind, rate } = this.#sections;
    this.#values.length = 0;
    this.#isDelta.length = 0;
    const isRead = kind === 'set' ? this.#readMember(colon + 1, pipe) : this.#readValues(colon + 1, pipe);
    if (!isRead) return false;
    const copies = kind === 'distribution' ? this.#copiesFor(rate) : 1;
    const more = (copies - 1) * this.#values.length;
    if (more > this.#copiesLeft) {
      return this.#fail('too much is sampled at once; pack fewer values or lower -statsd.maxSampleCopies');
    }
    this.#copiesLeft -= more;
    this.#write(start, colon, copies);
    return true;
  }

  /** Type, rate, tags and timestamp, in any order but the type first. */
  #readSections(start: number, end: number): boolean {
    const bytes = this.#bytes;
    const sections = this.#sections;
    sections.rate = 1;
    sections.tagsStart = sections.tagsEnd = 0;
    sections.timestampMs = this.#nowMs;
    sections.typeStart = start;
    sections.typeEnd = this.#find(PIPE, start, end);
    const kind = this.#kindOf(start, sections.typeEnd);
    if (kind === undefined) return this.#fail('the type is none of c, g, ms, h, d, s and m');
    sections.kind = kind;
    for (let at = sections.typeEnd + 1; at < end; ) {
      const next = this.#find(PIPE, at, end);
      const first = bytes[at];
      if (first === HASH) {
        sections.tagsStart = at + 1;
        sections.tagsEnd = next;
      } else if (first === AT && !this.#readRate(at + 1, next)) return false;
      else if (first === UPPER_T && !this.#readTimestamp(at + 1, next)) return false;
      at = next + 1;
    }
    return true;
  }

  #kindOf(start: number, end: number): Kind | undefined {
    const bytes = this.#bytes;
    if (end - start === 1) return KINDS[bytes[start]!];
    const isTimer = end - start === 2 && bytes[start] === LOWER_M && bytes[start + 1] === LOWER_S;
    return isTimer ? 'distribution' : undefined;
  }

  #readRate(start: number, end: number): boolean {
    const numbers = this.#numbers;
    if (!numbers.read(this.#bytes, start, end) || !(numbers.value > 0 && numbers.value <= 1)) {
      return this.#fail('the sample rate is not above 0 and up to 1');
    }
    this.#sections.rate = numbers.value;
    return true;
  }

  #readTimestamp(start: number, end: number): boolean {
    const numbers = this.#numbers;
    if (!numbers.readUnsigned(this.#bytes, start, end) || !isTimestamp(numbers.value * SECOND_MS)) {
      return this.#fail('the timestamp is no number of seconds');
    }
    if (numbers.value > 0) this.#sections.timestampMs = numbers.value * SECOND_MS;
    return true;
  }

  #readValues(start: number, end: number): boolean {
    const { kind, rate } = this.#sections;
    for (let at = start; at <= end; ) {
      const next = this.#find(COLON, at, end);
      const first = this.#bytes[at];
      const hasSign = kind === 'gauge' && (first === PLUS || first === MINUS) && next - at > 1;
      if (!this.#numbers.read(this.#bytes, hasSign && first === PLUS ? at + 1 : at, next)) {
        return this.#fail('a value is not a number');
      }
      this.#values.push(kind === 'increment' ? this.#numbers.value / rate : this.#numbers.value);
      this.#isDelta.push(hasSign && this.#options['statsd.gaugeDeltas']);
      at = next + 1;
    }
    return true;
  }

  /** The whole text, colons too, is one member. What a double cannot tell from others is hashed. */
  #readMember(start: number, end: number): boolean {
    if (start === end) return this.#fail('there is no value');
    const numbers = this.#numbers;
    const isNumber = end - start <= EXACT_DIGITS_MAX && numbers.read(this.#bytes, start, end);
    const isExact = isNumber && Number.isFinite(numbers.value);
    this.#values.push(isExact ? numbers.value : hash53(this.#bytes, start, end));
    this.#isDelta.push(false);
    return true;
  }

  #copiesFor(rate: number): number {
    return Math.min(this.#options['statsd.maxSampleCopies'], Math.round(1 / rate));
  }

  /** One series, or several where changes and values of a gauge take turns, or where there are very many samples. */
  #write(start: number, nameEnd: number, copies: number): void {
    const sink = this.#sink;
    const values = this.#values;
    let labelsEnd = 0;
    let labels = 0;
    let room = 0;
    for (let index = 0; index < values.length; index++) {
      const isDelta = this.#isDelta[index]!;
      const isOther = index === 0 || isDelta !== this.#isDelta[index - 1];
      for (let copy = 0; copy < copies; copy++) {
        if ((isOther && copy === 0) || room === 0) {
          if (index + copy > 0) sink.end();
          sink.begin();
          const before = sink.labels;
          if (isOther && copy === 0) labelsEnd = this.#writeLabels(start, nameEnd, isDelta);
          else sink.repeat(0, labelsEnd, labels);
          labels = sink.labels - before;
          room = SERIES_SAMPLES_MAX;
        }
        sink.sample(values[index]!, this.#sections.timestampMs);
        room--;
      }
    }
    sink.end();
  }

  /** Returns where they end. */
  #writeLabels(start: number, nameEnd: number, isDelta: boolean): number {
    const bytes = this.#bytes;
    const sink = this.#sink;
    const { typeStart, typeEnd, tagsStart, tagsEnd } = this.#sections;
    const comma = this.#find(COMMA, start, nameEnd);
    // A comma may be a part of the name: only with an `=` there are tags behind it.
    const metricEnd = comma > start && this.#find(EQUALS, comma, nameEnd) < nameEnd ? comma : nameEnd;
    sink.name(bytes, start, metricEnd);
    if (isDelta) this.#writeType(GAUGE_DELTA, 0, GAUGE_DELTA.byteLength);
    else this.#writeType(bytes, typeStart, typeEnd);
    this.#writeTags(EQUALS, metricEnd + 1, nameEnd);
    this.#writeTags(COLON, tagsStart, tagsEnd);
    return sink.position;
  }

  #writeType(type: Uint8Array, start: number, end: number): void {
    this.#sink.label(TYPE_LABEL, 0, TYPE_LABEL.byteLength, type, start, end);
  }

  /** Tags without a name or value say nothing. */
  #writeTags(separator: number, start: number, end: number): void {
    for (let at = start; at < end; ) {
      const next = this.#find(COMMA, at, end);
      const middle = this.#find(separator, at, next);
      if (middle > at && middle + 1 < next) {
        this.#sink.label(this.#bytes, at, middle, this.#bytes, middle + 1, next);
      }
      at = next + 1;
    }
  }

  /** Where the byte is first; `end` if it is not there. */
  #find(byte: number, start: number, end: number): number {
    let at = start;
    while (at < end && this.#bytes[at] !== byte) at++;
    return at;
  }

  #fail(why: string): false {
    this.#why = why;
    return false;
  }
}

function parse(bytes: Uint8Array, request: ParseRequest<StatsdOptions>, sink: SeriesSink): ParseFailure {
  return new StatsdParser(bytes, request, sink).run();
}

export const statsd: Protocol = {
  name: 'statsd',
  summary: 'StatsD and DogStatsD, over TCP and UDP, for aggregation.',
  routes: [],
  lines: { addressOption: 'statsdListenAddr' },
  options: statsdOptions,
  accepted: { status: 204 },
  ignoresRows: true,
  receive: refuseHttp,
  parse,
};
