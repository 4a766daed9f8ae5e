/** The write paths below `/insert/`: each protocol's, for a tenant (-enableMultitenantHandlers). */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { InsertRoute } from './insert.ts';
import { readTenantPath } from './tenant.ts';

export interface TenantRoutesConfig {
  /** -enableMultitenancyViaHeaders. */
  readonly viaHeaders: boolean;
  /** Paths of this address lie below it, as seen behind the tenant. */
  readonly base?: string;
}

/** Protocols that have a place of their own; everything else is below `/prometheus`. */
const FAMILY = /^\/(prometheus|influx|opentelemetry|zabbixconnector|newrelic|datadog|opentsdb)(\/|$)/;
const REMOTE_WRITE = '/prometheus/api/v1/write';

export class TenantRoutes {
  readonly #config: TenantRoutesConfig;
  readonly #exact = new Map<string, InsertRoute>();
  readonly #prefixes: (readonly [string, InsertRoute])[] = [];

  constructor(routes: Iterable<InsertRoute>, config: TenantRoutesConfig) {
    this.#config = config;
    for (const insert of routes) {
      const path = `${config.base ?? ''}${insert.route.path}`;
      if (!FAMILY.test(path)) continue;
      if (insert.route.prefix) this.#prefixes.push([path, insert]);
      else this.#exact.set(path, insert);
      if (path !== REMOTE_WRITE) continue;
      for (const short of ['/prometheus', '/prometheus/']) this.#exact.set(short, insert);
    }
  }

  /** `path` begins with `/insert/`, without -http.pathPrefix and query, and with single slashes. False when nothing is there. */
  handle(path: string, request: IncomingMessage, response: ServerResponse): boolean {
    const read = readTenantPath(path, this.#config.viaHeaders, (name) => String(request.headers[name] ?? ''));
    if ('error' in read) {
      const [route] = this.#exact.values();
      route?.handle(request, response, { path: '', tenant: undefined, error: read.error });
      return route !== undefined;
    }
    const base = this.#config.base ?? '';
    const insert =
      this.#exact.get(read.rest) ?? this.#prefixes.find(([prefix]) => read.rest.startsWith(prefix))?.[1];
    if (insert === undefined) return false;
    insert.handle(request, response, { path: read.rest.slice(base.length), tenant: read.tenant });
    return true;
  }
}
