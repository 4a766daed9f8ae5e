/** The head of a write request as protocols see it. */
import type { IncomingMessage } from 'node:http';
import type { Tenant } from '../model/body.ts';
import type { RequestHead, Route } from '../protocol/protocol.ts';

/** Where a request was found, if that is not the path that it names. */
export interface InsertPlace {
  /** As if it were the path of the request. */
  readonly path: string;
  readonly tenant: Tenant | undefined;
  /** Why the path makes no sense. */
  readonly error?: string;
}

export class Head implements RequestHead {
  readonly route: Route;
  readonly query: URLSearchParams;
  readonly #request: IncomingMessage;
  readonly #prefix: string;
  readonly #place: InsertPlace | undefined;

  constructor(
    route: Route,
    request: IncomingMessage,
    query: URLSearchParams,
    prefix: string,
    place?: InsertPlace,
  ) {
    this.route = route;
    this.query = query;
    this.#request = request;
    this.#prefix = prefix;
    this.#place = place;
  }

  get path(): string {
    if (this.#place !== undefined) return this.#place.path;
    const [path = ''] = (this.#request.url ?? '').split('?', 1);
    return path.replace(/\/{2,}/g, '/').slice(this.#prefix.length);
  }

  header(name: string): string {
    return String(this.#request.headers[name] ?? '');
  }
}
