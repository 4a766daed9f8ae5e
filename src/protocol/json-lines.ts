/**
 * JSON lines, as VictoriaMetrics exports them. One series a line:
 *
 *     {"metric":{"__name__":"up","job":"node"},"values":[1,null,"Inf"],"timestamps":[1700000000000,1700000015000,…]}
 *
 * Timestamps are integers in milliseconds. A line that cannot be read is left out and counted; the others are taken.
 * https://docs.victoriametrics.com/#json-line-format
 */
import { options, type Values } from '../config/option.ts';
import type { TextScanner } from '../kernel/text-scanner.ts';
import { receiveBody } from './content-encoding.ts';
import { JsonScanner, unescapeJson } from './json-scanner.ts';
import { eachLine, firstLineOf, linePieces } from './lines.ts';
import { NumberReader } from './number.ts';
import type { ParseFailure, ParseRequest, Protocol } from './protocol.ts';
import { Scratch } from './scratch.ts';
import type { SeriesSink } from './series-sink.ts';

const PATH = '/api/v1/import';
const QUOTE = 0x22;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

const METRIC = Buffer.from('metric');
const VALUES = Buffer.from('values');
const TIMESTAMPS = Buffer.from('timestamps');
const NULL = Buffer.from('null');

/** Strings among the values; the whole word Infinity is taken here only. */
const words: ReadonlyMap<string, number> = new Map(
  Object.entries({
    NaN: Number.NaN,
    nan: Number.NaN,
    null: Number.NaN,
    Null: Number.NaN,
    Inf: Infinity,
    inf: Infinity,
    Infinity,
    infinity: Infinity,
  }).flatMap(([word, value]) => [[word, value] as const, [`-${word}`, -value] as const]),
);
const WORD_LENGTH_MAX = 9;

const jsonOptions = options({
  'import.maxLineLen': {
    kind: 'bytes',
    default: 10 * 1024 * 1024,
    min: 1,
    summary:
      'The longest line that /api/v1/import takes. A longer one refuses the request, or what follows it.',
  },
});

/** A label takes six numbers: where name and value begin and end, and whether each has escapes. */
const SPAN = 6;

class JsonLineParser {
  readonly #bytes: Uint8Array;
  readonly #sink: SeriesSink;
  readonly #json: JsonScanner;
  readonly #numbers = new NumberReader();
  readonly #scratch = new Scratch();
  readonly #labels: number[] = [];
  readonly #values: number[] = [];
  readonly #timestamps: number[] = [];
  #why = '';

  constructor(bytes: Uint8Array, sink: SeriesSink) {
    this.#bytes = bytes;
    this.#sink = sink;
    this.#json = new JsonScanner(bytes);
  }

  run(bytesMax: number, first: number, scanner: TextScanner | undefined): ParseFailure {
    const bytes = this.#bytes;
    return eachLine(
      bytes,
      (start, end, line) => {
        if (this.#line(start, end)) this.#write();
        else this.#sink.skip(line, this.#why, bytes, start, end);
        return undefined;
      },
      {
        first,
        sink: this.#sink,
        limit: { bytesMax, option: 'import.maxLineLen' },
        scan: scanner?.jsonLines(bytes, this.#sink, bytesMax),
      },
    );
  }

  #line(start: number, end: number): boolean {
    const json = this.#json;
    json.open(start, end);
    this.#labels.length = 0;
    this.#values.length = 0;
    this.#timestamps.length = 0;
    if (!json.take(OPEN_OBJECT)) return this.#fail('it is not an object');
    if (!this.#members()) return false;
    if (json.peek() >= 0) return this.#fail('something follows the object');
    if (this.#labels.length === 0) return this.#fail('there are no labels in "metric"');
    if (this.#values.length === 0) return this.#fail('there is nothing in "values"');
    if (this.#values.length !== this.#timestamps.length) {
      return this.#fail('"values" and "timestamps" differ in length');
    }
    return true;
  }

  /** The first member of a name counts. */
  #members(): boolean {
    const json = this.#json;
    let hasMetric = false;
    let hasValues = false;
    let hasTimestamps = false;
    for (let more = json.take(CLOSE_OBJECT) ? 0 : 1; more > 0; ) {
      if (!json.takeKey()) return this.#fail('a key is missing');
      this.#unescapeKey();
      let isGood = true;
      if (!hasMetric && this.#isKey(METRIC)) {
        hasMetric = true;
        isGood = this.#readLabels();
      } else if (!hasValues && this.#isKey(VALUES)) {
        hasValues = true;
        isGood = this.#readNumbers(this.#values, () => this.#readValue(), 'a value is not a number');
      } else if (!hasTimestamps && this.#isKey(TIMESTAMPS)) {
        hasTimestamps = true;
        isGood = this.#readNumbers(
          this.#timestamps,
          () => this.#readTimestamp(),
          'a timestamp is not an integer',
        );
      } else isGood = json.skipValue() || this.#fail('a value is missing');
      if (!isGood) return false;
      more = json.takeSeparator(CLOSE_OBJECT);
      if (more < 0) return this.#fail('the members of the object are not separated by commas');
    }
    return true;
  }

  #keyLength = 0;

  #unescapeKey(): void {
    const { start, stop } = this.#json;
    this.#keyLength = unescapeJson(this.#bytes, start, stop, this.#scratch, 0);
  }

  #isKey(key: Uint8Array): boolean {
    const length = this.#keyLength;
    return length === key.byteLength && Buffer.compare(key, this.#scratch.bytes.subarray(0, length)) === 0;
  }

  #readLabels(): boolean {
    const json = this.#json;
    const labels = this.#labels;
    if (!json.take(OPEN_OBJECT)) return this.#fail('"metric" is not an object');
    for (let more = json.take(CLOSE_OBJECT) ? 0 : 1; more > 0; ) {
      if (!json.takeKey()) return this.#fail('the name of a label is missing');
      const { start, stop, isEscaped } = json;
      if (json.peek() === QUOTE) {
        if (!json.takeString()) return this.#fail('a closing quote is missing');
        if (start < stop) labels.push(start, stop, +isEscaped, json.start, json.stop, +json.isEscaped);
      } else {
        // Anything else stands for no text.
        if (!json.skipValue()) return this.#fail('the value of a label is missing');
        if (start < stop) labels.push(start, stop, +isEscaped, 0, 0, 0);
      }
      more = json.takeSeparator(CLOSE_OBJECT);
      if (more < 0) return this.#fail('labels are not separated by commas');
    }
    return true;
  }

  #readNumbers(into: number[], readOne: () => boolean, why: string): boolean {
    const json = this.#json;
    if (!json.take(OPEN_ARRAY)) return this.#fail('"values" and "timestamps" are not both arrays');
    for (let more = json.take(CLOSE_ARRAY) ? 0 : 1; more > 0; ) {
      if (!readOne()) return this.#fail(why);
      into.push(this.#numbers.value);
      more = json.takeSeparator(CLOSE_ARRAY);
      if (more < 0) return this.#fail('numbers are not separated by commas');
    }
    return true;
  }

  #readValue(): boolean {
    const json = this.#json;
    const numbers = this.#numbers;
    if (json.peek() === QUOTE) return json.takeString() && this.#readWord();
    if (!json.takeToken()) return false;
    if (json.is(NULL)) {
      numbers.value = Number.NaN;
      return true;
    }
    const isWholeWord = (this.#bytes[json.stop - 1]! | 0x20) === 0x79;
    return !isWholeWord && numbers.read(this.#bytes, json.start, json.stop);
  }

  #readWord(): boolean {
    const { start, stop } = this.#json;
    if (stop - start > WORD_LENGTH_MAX) return false;
    const value = words.get(Buffer.from(this.#bytes.subarray(start, stop)).toString('latin1'));
    if (value === undefined) return false;
    this.#numbers.value = value;
    return true;
  }

  #readTimestamp(): boolean {
    const json = this.#json;
    return json.takeToken() && this.#numbers.readInteger(this.#bytes, json.start, json.stop);
  }

  #write(): void {
    const sink = this.#sink;
    sink.begin();
    for (let at = 0; at < this.#labels.length; at += SPAN) this.#writeLabel(at);
    const values = this.#values;
    for (let index = 0; index < values.length; index++) sink.sample(values[index]!, this.#timestamps[index]!);
    sink.end();
  }

  #writeLabel(at: number): void {
    const labels = this.#labels;
    const bytes = this.#bytes;
    const start = labels[at]!;
    const stop = labels[at + 1]!;
    const valueStart = labels[at + 3]!;
    const valueStop = labels[at + 4]!;
    if (labels[at + 2] === 0 && labels[at + 5] === 0) {
      this.#sink.label(bytes, start, stop, bytes, valueStart, valueStop);
      return;
    }
    const nameEnd = unescapeJson(bytes, start, stop, this.#scratch, 0);
    const valueEnd = unescapeJson(bytes, valueStart, valueStop, this.#scratch, nameEnd);
    const text = this.#scratch.bytes;
    this.#sink.label(text, 0, nameEnd, text, nameEnd, valueEnd);
  }

  #fail(why: string): false {
    this.#why = why;
    return false;
  }
}

function parse(
  bytes: Uint8Array,
  request: ParseRequest<Values<typeof jsonOptions>>,
  sink: SeriesSink,
): ParseFailure {
  const { parameters, options, scanner } = request;
  return new JsonLineParser(bytes, sink).run(options['import.maxLineLen'], firstLineOf(parameters), scanner);
}

const pieces = linePieces('import.maxLineLen');

export const jsonLines: Protocol = {
  name: 'vmimport',
  summary: 'JSON lines as VictoriaMetrics exports them.',
  routes: [PATH, `/prometheus${PATH}`].map((path) => ({ path, counterPath: PATH })),
  options: jsonOptions,
  accepted: { status: 204 },
  receive: (head) => receiveBody(head, { pieces }),
  parse,
};
