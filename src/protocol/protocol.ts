/**
 * The contract of an ingest protocol: which HTTP paths and which listeners it has, what it says of a request by looking
 * at its head alone, and how a body of it becomes series. Both threads load these files, the main thread for the head and
 * the engine for the body, so nothing here knows of a server, a socket or a worker.
 * A new protocol is one file beside this one and one line in `index.ts`.
 */
import type { OptionTable } from '../config/option.ts';
import type { TextScanner } from '../kernel/text-scanner.ts';
import type { BodyEncoding, Counts, Label, Parameters, ParseNotes } from '../model/body.ts';
import type { SeriesSink } from './series-sink.ts';

export interface Route {
  /** Without `-http.pathPrefix`. Requests of every method come here, as in vmagent. */
  readonly path: string;
  /** The `path` label of `vmagent_http_requests_total`; aliases share one counter. */
  readonly counterPath: string;
  /** Paths that begin with `path` belong to the route too. */
  readonly prefix?: boolean;
}

export interface Answer {
  readonly status: number;
  /** Absent: no body. */
  readonly body?: string | Uint8Array;
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** How answers are worded for clients that read them, once the body is there. */
export interface Wording {
  /** @param notes what was left out; absent: nothing. */
  accepted(notes: ParseNotes | undefined): Answer;
  refused(status: number, error: string): Answer;
}

/** The head of a request. */
export interface RequestHead {
  readonly route: Route;
  /** As the client wrote it, without `-http.pathPrefix` and the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Unix milliseconds. */
  readonly receivedMs: number;
  /** Names in lower case. Empty if the header is absent. */
  header(name: string): string;
}

/** How a body that is larger than fits into memory is cut into pieces, each of which is a body of the protocol. */
export interface Pieces {
  /** What an item is called in messages. */
  readonly item: 'line' | 'block';
  /** Bytes at the beginning of the body that belong to every piece. */
  readonly headBytes: number;
  /** The option with the longest item, in bytes. Absent: -maxInsertRequestSize. */
  readonly itemOption?: string;
  /**
   * Where the last whole item ends in the bytes from `start`, where one begins; `start` if there is none. What lies before
   * `from` was looked at before, and no item ended there. What can never become an item is one.
   */
  lastEnd(bytes: Uint8Array, start: number, from: number): number;
}

/** What becomes of a request, decided before its body is read. */
export type Reception =
  | {
      readonly kind: 'body';
      readonly encoding: BodyEncoding;
      /** What the parser must know of the head; absent for protocols without one. */
      readonly parameters?: Parameters;
      /** Labels that the head gives to every series, before those of `extra_label`. */
      readonly labels?: readonly Label[];
      /** Absent: `Protocol.accepted`. */
      readonly accepted?: Answer;
      /** Absent: `accepted` whatever was left out, and errors as text. */
      readonly wording?: Wording;
      /** Absent: the body is taken whole or not at all, whatever its size. */
      readonly pieces?: Pieces;
      /** What `Body.protocol` says. Absent: the name of the protocol. */
      readonly message?: string;
      /**
       * Headers that tell what was taken of the body, on every answer to it. With them, what was left out of it makes the answer
       * a 400.
       */
      readonly receipt?: (taken: Readonly<Counts>) => Readonly<Record<string, string>>;
    }
  /** An answer that needs no body, such as a handshake. */
  | { readonly kind: 'answer'; readonly answer: Answer; readonly isCounted?: boolean }
  | {
      readonly kind: 'refusal';
      readonly status: number;
      readonly error: string;
      readonly wording?: Wording;
    };

/** The values of all protocols' options, by flag; a protocol knows its own by `Values` of its table. */
export type OptionValues = Readonly<Record<string, unknown>>;

/** What a parser knows besides the bytes. */
export interface ParseRequest<Options extends OptionValues = OptionValues> {
  /** With `firstItem`, the number of the first line or block, for a piece of a larger body. */
  readonly parameters: Parameters;
  /** When the request came, in Unix milliseconds: the timestamp of rows without one. */
  readonly receivedMs: number;
  readonly options: Options;
  /** Takes lines ahead of the parser, which has to give the same series. Absent: the parser reads them all. */
  readonly scanner?: TextScanner | undefined;
}

/** Why a whole request is refused with 400; undefined when everything that can be read is in the sink. */
export type ParseFailure = string | undefined;

/** Lines that come by TCP and UDP, to an address of their own. */
export interface LineListening {
  /** The option with the address; empty listens nowhere. */
  readonly addressOption: string;
  /** What the parser gets for every piece. */
  readonly parameters?: Parameters;
  /** The option with the longest line, in bytes. Absent: 256 KiB. */
  readonly lineOption?: string;
  /** A protocol with an HTTP address of its own, which is served here too: a connection is its own unless it begins with `p`. */
  readonly http?: Protocol;
}

/** A unary method of gRPC, at an address of its own, whose message is a body of the protocol. */
export interface GrpcMethod {
  /** The option with the address; empty listens nowhere. */
  readonly addressOption: string;
  /** The options with a certificate and its key; both empty: without TLS. */
  readonly tlsCertOption: string;
  readonly tlsKeyOption: string;
  /** `/package.Service/Method`. */
  readonly path: string;
  /** What the parser gets for every message. */
  readonly parameters?: Parameters;
  /** The message that answers one that was taken. */
  response(notes: ParseNotes | undefined): Uint8Array;
}

/** For protocols without routes. */
export function refuseHttp(): Reception {
  return {
    kind: 'refusal',
    status: 400,
    error: 'cannot take this protocol over HTTP: it has a listener of its own',
  };
}

export interface Protocol {
  /** Registry key, the `type` and `protocol` label of metrics, and `Body.protocol`. */
  readonly name: string;
  /** The `protocol` label of requests, where several protocols share it. Absent: `name`. */
  readonly family?: string;
  /** One sentence for the documentation. */
  readonly summary: string;
  readonly routes: readonly Route[];
  /** The option with an address where alone the routes are served; empty serves them nowhere. Absent: beside all others. */
  readonly httpAddressOption?: string;
  /** Absent: HTTP only. */
  readonly lines?: LineListening;
  /** Absent: not over gRPC. */
  readonly grpc?: GrpcMethod;
  readonly options: OptionTable;
  /** The option that bounds its bodies, before and after decompression. Absent: -maxInsertRequestSize. */
  readonly sizeOption?: string;
  /** Whether there are rows that are right and no samples, such as events. */
  readonly ignoresRows?: boolean;
  /** The answer to a body that was accepted, and to an empty one. */
  readonly accepted: Answer;
  receive(head: RequestHead, options: OptionValues): Reception;
  /**
   * Puts the rows of a body, decompressed, into the sink. The same bytes and the same request give the same series in the
   * same order: after a death of the engine they are read again. Never throws by itself; passes on what the sink throws.
   * Absent: the body is a WriteRequest already.
   */
  parse?(bytes: Uint8Array, request: ParseRequest, sink: SeriesSink): ParseFailure;
  /**
   * Whether the scanner finds what series have in common as well as a search of all bytes does, so that it makes the snappy
   * elements of the message.
   */
  readonly hasElements?: true;
}
