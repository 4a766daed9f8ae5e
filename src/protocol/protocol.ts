/**
 * The contract of an ingest protocol: which HTTP paths it has, and what it says of a request by looking at its head
 * alone. Both threads load these files, so nothing here knows of a server, a socket or a worker.
 * A new protocol is one file beside this one and one line in `index.ts`.
 */
import type { OptionTable } from '../config/option.ts';
import type { BodyEncoding } from '../model/body.ts';

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
  readonly body?: string;
  readonly contentType?: string;
}

/** The head of a request. */
export interface RequestHead {
  readonly query: URLSearchParams;
  /** Names in lower case. Empty if the header is absent. */
  header(name: string): string;
}

/** What becomes of a request, decided before its body is read. */
export type Reception =
  | { readonly kind: 'body'; readonly encoding: BodyEncoding }
  /** An answer that needs no body, such as a handshake; it is not counted as a write. */
  | { readonly kind: 'answer'; readonly answer: Answer }
  | { readonly kind: 'refusal'; readonly status: number; readonly error: string };

export interface Protocol {
  /** Registry key, the `type` and `protocol` label of metrics, and `Body.protocol`. */
  readonly name: string;
  /** One sentence for the documentation. */
  readonly summary: string;
  readonly routes: readonly Route[];
  readonly options: OptionTable;
  /** The answer to a body that was accepted, and to an empty one. */
  readonly accepted: Answer;
  receive(head: RequestHead): Reception;
}
