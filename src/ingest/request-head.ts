/** The head of a write request as protocols see it. */
import type { Tenant } from '../model/body.ts';
import type { RequestHead, Route } from '../protocol/protocol.ts';
import type { Clock } from '../util/clock.ts';
import type { HttpRequest } from './reply.ts';

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
  readonly receivedMs: number;
  readonly #request: HttpRequest;
  readonly #prefix: string;
  readonly #place: InsertPlace | undefined;

  constructor(
    route: Route,
    request: HttpRequest,
    query: URLSearchParams,
    ports: { readonly pathPrefix: string; readonly clock: Pick<Clock, 'nowMs'> },
    place?: InsertPlace,
  ) {
    this.route = route;
    this.query = query;
    this.#request = request;
    this.receivedMs = ports.clock.nowMs();
    this.#prefix = ports.pathPrefix;
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
