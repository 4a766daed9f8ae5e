/** Turns the body of a protocol that has a parser into a WriteRequest message. Engine thread only. */
import type { WriteRequestFound } from '../kernel/kernel.ts';
import type { TextScanner } from '../kernel/text-scanner.ts';
import type { Cut, Parameters, ParseNotes } from '../model/body.ts';
import { protocolOf } from '../protocol/index.ts';
import type { OptionValues, Protocol } from '../protocol/protocol.ts';
import { SeriesSink, SinkFull } from '../protocol/series-sink.ts';
import type { SinkMemory } from '../protocol/sink-memory.ts';
import { freeOwned } from '../util/free-buffer.ts';
import { decodeContent } from './content.ts';
import type { BodyFormat } from './messages.ts';

/**
 * What a request may become: lines of many fields repeat their tags in every series. Real ones grow to some five times
 * their size.
 */
const GROWTH_MAX = 8;
/** Room for it is made in one piece mostly. */
const GROWTH_COMMON = 2;
/** Smaller bodies are joined and compressed together. */
const ELEMENTS_FROM_BYTES = 16 * 1024;
const MESSAGE_BYTES_MIN = 1024 * 1024;
/** A little less than a power of two, which is what linear memory is taken by. */
const MESSAGE_BYTES_MAX = 256 * 1024 * 1024 - 64 * 1024;

export interface BodyParserConfig {
  /** For protocols without a limit of their own, in bytes. */
  readonly bodyBytesMax: number;
  readonly protocolOptions: OptionValues;
}

export type ParsedBody =
  | {
      readonly message: Uint8Array;
      readonly found: WriteRequestFound;
      readonly cuts: readonly Cut[];
      readonly notes: ParseNotes | undefined;
    }
  | { readonly status: 400; readonly reason: 'malformed'; readonly error: string }
  | { readonly status: 413; readonly reason: 'too_large'; readonly error: string };

export class BodyParser {
  readonly #config: BodyParserConfig;
  readonly #scanner: TextScanner | undefined;
  readonly #sink: SeriesSink;

  /**
   * @param scanner absent: the parsers read every line themselves.
   * @param room where messages are written.
   */
  constructor(config: BodyParserConfig, scanner?: TextScanner, room?: SinkMemory) {
    this.#config = config;
    this.#scanner = scanner;
    this.#sink = new SeriesSink(MESSAGE_BYTES_MIN, room);
  }

  /**
   * Undefined when the body is remote write, which needs no parser. The message is valid until the next call.
   * @param wantsElements whether scanners shall make its snappy elements as well; see `TextScanner.elements`.
   */
  parse(format: BodyFormat, wire: Uint8Array, wantsElements = false): ParsedBody | undefined {
    const protocol = protocolOf(format.protocol);
    if (protocol?.parse === undefined) return undefined;
    const option = protocol.sizeOption ?? 'maxInsertRequestSize';
    const bytesMax = this.#bytesMaxOf(protocol);
    const content = decodeContent(wire, format.encoding, bytesMax);
    if (content === 'too_large') {
      return tooLarge(
        `decompressed it has more than ${bytesMax} bytes`,
        `send smaller requests or raise -${option}`,
      );
    }
    if ('error' in content) return { status: 400, reason: 'malformed', error: content.error };
    const isWorthIt = protocol.hasElements === true && content.bytes.byteLength >= ELEMENTS_FROM_BYTES;
    this.#scanner?.elements.begin(wantsElements && isWorthIt);
    const parsed = this.#parse(protocol, format, content.bytes);
    freeOwned(content.bytes, content.owned);
    return parsed;
  }

  #parse(protocol: Protocol, { arrival }: BodyFormat, bytes: Uint8Array): ParsedBody {
    const sink = this.#sink;
    const grown = Math.max(MESSAGE_BYTES_MIN, GROWTH_MAX * this.#bytesMaxOf(protocol));
    sink.reset(Math.min(MESSAGE_BYTES_MAX, grown), GROWTH_COMMON * bytes.byteLength);
    const request = {
      parameters: arrival?.parameters ?? {},
      receivedMs: arrival?.receivedMs ?? 0,
      options: this.#config.protocolOptions,
      scanner: this.#scanner,
    };
    try {
      const error = protocol.parse!(bytes, request, sink);
      if (error !== undefined) return { status: 400, reason: 'malformed', error };
    } catch (error) {
      if (!(error instanceof SinkFull)) throw error;
      return tooLarge(
        'its series take too much memory, because they repeat their labels',
        'send smaller requests',
      );
    }
    const { bytes: message, found, cuts } = sink;
    return { message, found, cuts, notes: notesOf(sink, request.parameters) };
  }

  #bytesMaxOf({ sizeOption }: Protocol): number {
    if (sizeOption === undefined) return this.#config.bodyBytesMax;
    return this.#config.protocolOptions[sizeOption] as number;
  }
}

function notesOf(sink: SeriesSink, { firstItem }: Parameters): ParseNotes | undefined {
  const { rowsInvalid, rowsIgnored, items, examples } = sink;
  const rows = sink.samples + sink.histograms;
  const rowsRead = sink.rowsRead ?? rows;
  // There may be something to tell of rows that were taken.
  const isAsExpected = examples.length === 0 && rowsInvalid === 0 && rowsIgnored === 0 && rowsRead === rows;
  if (isAsExpected && firstItem === undefined) return undefined;
  const ignored = rowsIgnored === 0 ? {} : { rowsIgnored };
  return { rowsRead, rowsInvalid, ...ignored, items, examples: [...examples] };
}

function tooLarge(why: string, remedy: string): ParsedBody {
  return { status: 413, reason: 'too_large', error: `cannot take the request: ${why}; ${remedy}` };
}
