/** The contract of a service endpoint: a page or a check beside the write paths. Endpoints live in `src/service/`. */
import type { Answer } from '../protocol/protocol.ts';
import type { Access } from './access.ts';

export interface EndpointRequest {
  readonly query: URLSearchParams;
  /** The fields of a posted form; none unless the endpoint reads them. */
  readonly form: URLSearchParams;
  /** The daemon was told to stop, and serves for -http.shutdownDelay only. */
  readonly isDraining: boolean;
}

export interface EndpointAnswer extends Answer {
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Endpoint {
  /** Without -http.pathPrefix; the first one is the `path` label of `vm_http_requests_total`. */
  readonly paths: readonly [string, ...string[]];
  readonly access: Access;
  /** Others get 405; absent: every method, as in vmagent. */
  readonly methods?: readonly string[];
  readonly readsForm?: true;
  handle(request: EndpointRequest): EndpointAnswer | Promise<EndpointAnswer>;
}
