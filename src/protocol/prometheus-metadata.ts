/** Comments of the text exposition that say something: `# HELP name text` and `# TYPE name type`, with single blanks. */
import type { SeriesSink } from './series-sink.ts';

const NEWLINE = 0x0a;
const SPACE = 0x20;
const BACKSLASH = 0x5c;
const LOWER_N = 0x6e;

/** `MetricType` of proto/remote.proto. */
const metricTypes: Readonly<Record<string, number>> = {
  unknown: 0,
  untyped: 0,
  counter: 1,
  gauge: 2,
  histogram: 3,
  gaugehistogram: 4,
  summary: 5,
  info: 6,
  stateset: 7,
};

/** Joins the HELP and TYPE lines of one name when they follow each other. */
export class MetadataReader {
  readonly #sink: SeriesSink;
  #family: Buffer | undefined;
  #type = 0;
  #help: Uint8Array = new Uint8Array();

  constructor(sink: SeriesSink) {
    this.#sink = sink;
  }

  /** Takes a comment; false when it is a TYPE line that makes no sense, which takes the HELP before it along. */
  read(bytes: Uint8Array, start: number, end: number): boolean {
    const line = Buffer.from(bytes.subarray(start, end));
    const kind = line.toString('latin1', 0, 7);
    if (kind !== '# HELP ' && kind !== '# TYPE ') return true;
    const space = line.indexOf(SPACE, 7);
    const isType = kind === '# TYPE ';
    // A HELP without a text says nothing.
    if (space < 0 && !isType) return true;
    const family = line.subarray(7, space < 0 ? line.byteLength : space);
    const rest = space < 0 ? Buffer.alloc(0) : line.subarray(space + 1);
    if (this.#family === undefined || !this.#family.equals(family)) {
      this.flush();
      this.#family = family;
    }
    if (!isType) {
      const help = new Uint8Array(rest.byteLength);
      this.#help = help.subarray(0, unescapeHelp(rest, help));
      return true;
    }
    const type = rest.toString('latin1');
    if (!Object.hasOwn(metricTypes, type)) {
      this.#forget();
      return false;
    }
    this.#type = metricTypes[type]!;
    return true;
  }

  /** Puts what was read of the last name into the sink. */
  flush(): void {
    if (this.#family !== undefined && this.#family.byteLength > 0) {
      this.#sink.metadata(this.#type, this.#family, this.#help);
    }
    this.#forget();
  }

  #forget(): void {
    this.#family = undefined;
    this.#type = 0;
    this.#help = new Uint8Array();
  }
}

function unescapeHelp(from: Uint8Array, to: Uint8Array): number {
  let out = 0;
  for (let at = 0; at < from.byteLength; at++) {
    let byte = from[at]!;
    const escaped = byte === BACKSLASH ? from[at + 1] : undefined;
    if (escaped === BACKSLASH || escaped === LOWER_N) {
      byte = escaped === LOWER_N ? NEWLINE : escaped;
      at++;
    }
    to[out++] = byte;
  }
  return out;
}
