/**
 * CSV, with the meaning of its columns in the query parameter `format` (`csv-format.ts`). Every metric column is a series.
 * A cell that begins with a quote, single or double, ends with it, and a doubled one inside stands for it; line ends inside
 * are not taken. Empty cells are left out. A first line that does not fit is taken for a header.
 * A row that cannot be read is left out and counted; the others are taken.
 */
import { options, type Values } from '../config/option.ts';
import { badRequest, receiveBody } from './content-encoding.ts';
import { type Column, parseCsvFormat } from './csv-format.ts';
import { eachLine, firstLineOf, linePieces, type TakeLine } from './lines.ts';
import { NumberReader } from './number.ts';
import type { ParseFailure, ParseRequest, Protocol, Reception, RequestHead } from './protocol.ts';
import { Scratch } from './scratch.ts';
import type { SeriesSink } from './series-sink.ts';

const PATH = '/api/v1/import/csv';
const DOUBLE_QUOTE = 0x22;
const SINGLE_QUOTE = 0x27;
const COMMA = 0x2c;
/** Above it a number of seconds does not fit into 64 bits of milliseconds. */
const SECONDS_MAX = 2 ** 63 / 1000;
const NANOSECOND_DIGITS = 6;

const csvOptions = options({
  csvTrimTimestamp: {
    kind: 'duration',
    default: 1,
    min: 1,
    summary: 'Round timestamps of CSV down to a multiple of this.',
  },
});
type CsvOptions = Values<typeof csvOptions>;

/** A cell takes two numbers: where its text begins and ends. */
const CELL = 2;

class CsvParser {
  readonly #bytes: Uint8Array;
  readonly #sink: SeriesSink;
  readonly #columns: readonly Column[];
  readonly #trimMs: number;
  readonly #nowMs: number;
  readonly #firstLine: number;
  readonly #numbers = new NumberReader();
  /** Text of cells in which quotes are doubled. */
  readonly #scratch = new Scratch();
  readonly #cells: number[] = [];
  readonly #values: number[] = [];
  #timestampMs = 0;
  #why = '';

  constructor(
    bytes: Uint8Array,
    columns: readonly Column[],
    request: ParseRequest<CsvOptions>,
    sink: SeriesSink,
  ) {
    this.#bytes = bytes;
    this.#sink = sink;
    this.#columns = columns;
    this.#trimMs = request.options.csvTrimTimestamp;
    this.#nowMs = request.receivedMs;
    this.#firstLine = firstLineOf(request.parameters);
  }

  run(): ParseFailure {
    const bytes = this.#bytes;
    const take: TakeLine = (start, end, line) => {
      if (!this.#readCells(start, end)) this.#sink.skip(line, this.#why, bytes, start, end);
      else if (this.#readRow()) this.#write();
      else if (line > 1) this.#sink.skip(line, this.#why, bytes, start, end);
      return undefined;
    };
    return eachLine(bytes, take, { first: this.#firstLine, sink: this.#sink });
  }

  /** Notes the cells of all columns; the others are stepped over. */
  #readCells(start: number, end: number): boolean {
    this.#cells.length = 0;
    let at = start;
    let position = 1;
    for (const column of this.#columns) {
      for (; ; position++) {
        if (at > end) return this.#fail('there are too few columns');
        const next = this.#cell(at, end);
        if (next < 0) return this.#fail('a quote is not closed at the end of its cell');
        at = next + 1;
        if (position === column.position) break;
        this.#cells.length -= CELL;
      }
      position++;
    }
    const noted = this.#cells.length;
    while (at <= end) {
      const next = this.#cell(at, end);
      if (next < 0) return this.#fail('a quote is not closed at the end of its cell');
      at = next + 1;
    }
    this.#cells.length = noted;
    return true;
  }

  /** Notes the cell at `start`; returns where its comma is, or -1. Offsets below 0 lie in the scratch, from -1 on. */
  #cell(start: number, end: number): number {
    const bytes = this.#bytes;
    const quote = bytes[start];
    let at = start;
    if (start === end || (quote !== DOUBLE_QUOTE && quote !== SINGLE_QUOTE)) {
      while (at < end && bytes[at] !== COMMA) at++;
      this.#cells.push(start, at);
      return at;
    }
    let doubled = 0;
    for (at = start + 1; ; at++) {
      if (at >= end) return -1;
      if (bytes[at] !== quote) continue;
      if (at + 1 >= end || bytes[at + 1] !== quote) break;
      doubled++;
      at++;
    }
    if (at + 1 < end && bytes[at + 1] !== COMMA) return -1;
    if (doubled === 0) this.#cells.push(start + 1, at);
    else this.#pushUnquoted(start + 1, at, quote);
    return at + 1;
  }

  #scratchUsed = 0;

  #pushUnquoted(start: number, end: number, quote: number): void {
    if (this.#cells.every((offset) => offset >= 0)) this.#scratchUsed = 0;
    const from = this.#scratchUsed;
    const scratch = this.#scratch.reserve(from, end - start);
    let out = from;
    for (let at = start; at < end; at++) {
      scratch[out++] = this.#bytes[at]!;
      if (this.#bytes[at] === quote) at++;
    }
    this.#scratchUsed = out;
    this.#cells.push(-1 - from, -1 - out);
  }

  /** Reads numbers and time of the noted cells; false when one of them makes no sense. */
  #readRow(): boolean {
    this.#values.length = 0;
    this.#timestampMs = this.#nowMs;
    for (let index = 0; index < this.#columns.length; index++) {
      const column = this.#columns[index]!;
      if (column.type === 'label') continue;
      const { bytes, start, end } = this.#textOf(index);
      if (start === end) continue;
      if (column.type === 'metric') {
        if (!this.#numbers.read(bytes, start, end)) return this.#fail('a value is not a number');
        this.#values[index] = this.#numbers.value;
      } else if (column.type === 'time') {
        const given = this.#timeOf(column, bytes, start, end);
        if (given === undefined) return this.#fail('the time is not in the format');
        if (given !== 0) this.#timestampMs = given;
      }
    }
    return true;
  }

  #textOf(index: number): { bytes: Uint8Array; start: number; end: number } {
    const start = this.#cells[index * CELL]!;
    const end = this.#cells[index * CELL + 1]!;
    if (start >= 0) return { bytes: this.#bytes, start, end };
    return { bytes: this.#scratch.bytes, start: -1 - start, end: -1 - end };
  }

  #timeOf(
    { kind, read }: Extract<Column, { type: 'time' }>,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): number | undefined {
    const numbers = this.#numbers;
    if (kind === 'text') return read?.(Buffer.from(bytes.subarray(start, end)).toString());
    if (!numbers.readInteger(bytes, start, end)) return undefined;
    if (kind === 'unix_ms') return numbers.value;
    if (kind === 'unix_s') return Math.abs(numbers.value) > SECONDS_MAX ? undefined : numbers.value * 1000;
    if (numbers.digits <= NANOSECOND_DIGITS) return 0;
    // Digits are dropped from the text: nanoseconds do not fit into a double.
    numbers.readInteger(bytes, start, end - NANOSECOND_DIGITS);
    return numbers.value;
  }

  /** One series for each metric; the labels are encoded once. */
  #write(): void {
    const sink = this.#sink;
    const timestampMs = this.#timestampMs - (this.#timestampMs % this.#trimMs);
    let from = -1;
    let to = 0;
    let labels = 0;
    for (let index = 0; index < this.#columns.length; index++) {
      const column = this.#columns[index]!;
      const value = this.#values[index];
      if (column.type !== 'metric' || value === undefined) continue;
      sink.begin();
      sink.name(column.name, 0, column.name.byteLength);
      const start = sink.position;
      const before = sink.labels;
      if (from < 0) this.#writeLabels();
      else sink.repeat(from, to, labels);
      labels = sink.labels - before;
      from = start;
      to = sink.position;
      sink.sample(value, timestampMs);
      sink.end();
    }
  }

  #writeLabels(): void {
    for (let index = 0; index < this.#columns.length; index++) {
      const column = this.#columns[index]!;
      if (column.type !== 'label') continue;
      const { bytes, start, end } = this.#textOf(index);
      if (start < end) this.#sink.label(column.name, 0, column.name.byteLength, bytes, start, end);
    }
  }

  #fail(why: string): false {
    this.#why = why;
    return false;
  }
}

const pieces = linePieces();

function receive(head: RequestHead): Reception {
  const format = head.query.get('format') ?? '';
  const found = parseCsvFormat(format);
  return 'error' in found ? badRequest(found.error) : receiveBody(head, { parameters: { format }, pieces });
}

function parse(bytes: Uint8Array, request: ParseRequest<CsvOptions>, sink: SeriesSink): ParseFailure {
  const found = parseCsvFormat(request.parameters.format ?? '');
  return 'error' in found ? found.error : new CsvParser(bytes, found.columns, request, sink).run();
}

export const csv: Protocol = {
  name: 'csvimport',
  summary: 'CSV, with the meaning of its columns in the query.',
  routes: [PATH, `/prometheus${PATH}`].map((path) => ({ path, counterPath: PATH })),
  options: csvOptions,
  accepted: { status: 204 },
  receive,
  parse,
};
