/** A plain HTTP server for the routes of one protocol that has an address of its own, and for sockets that others accepted. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Protocol } from '../protocol/protocol.ts';
import { messageOf, SluiceError } from '../util/error.ts';
import { createServer } from '../util/http.ts';
import type { Counter, Meter } from '../util/meter.ts';
import { answerClientError } from './client-error.ts';
import { Connections, connectionOf } from './connections.ts';
import type { InsertPorts } from './insert.ts';
import { InsertMetrics } from './insert-metrics.ts';
import { InsertRoute } from './insert-route.ts';
import { parseListenAddress } from './listen-address.ts';
import type { IngestValues } from './options.ts';
import { TenantRoutes } from './tenant-routes.ts';

export interface RouteServerSettings {
  /** Empty: only sockets that `take` is given. */
  readonly address: string;
  /** The option with the address, for messages. */
  readonly option: string;
  /** Where those sockets come from; for metrics. */
  readonly sharedAddress: string;
}

export class RouteServer {
  readonly #settings: RouteServerSettings;
  readonly #insertPorts: InsertPorts;
  readonly #connections: Connections;
  readonly #routes: ReadonlyMap<string, InsertRoute>;
  readonly #tenants: TenantRoutes | undefined;
  readonly #requests: Counter;
  readonly #unsupported: Counter;
  readonly #server: Server;

  /** Throws a SluiceError for a bad address. */
  constructor(
    protocol: Protocol,
    settings: RouteServerSettings,
    ports: { readonly values: IngestValues; readonly meter: Meter; readonly insert: InsertPorts },
  ) {
    const { values, meter, insert } = ports;
    if (settings.address !== '') parseListenAddress(settings.address);
    this.#settings = settings;
    this.#insertPorts = { ...insert, pathPrefix: '' };
    const metrics = new InsertMetrics(meter, protocol);
    this.#routes = new Map(
      protocol.routes.map((route) => [
        route.path,
        new InsertRoute(protocol, route, metrics, this.#insertPorts),
      ]),
    );
    if (values.enableMultitenantHandlers) {
      const config = { viaHeaders: values.enableMultitenancyViaHeaders, base: '/opentsdb' };
      this.#tenants = new TenantRoutes(this.#routes.values(), config);
    }
    this.#requests = meter.counter('vm_http_requests_all_total', 'HTTP requests, whatever their path.');
    this.#unsupported = meter.counter('vm_http_request_errors_total', 'Requests that were refused.', {
      path: '*',
      reason: 'unsupported',
    });
    this.#connections = new Connections(
      {
        name: protocol.name,
        address: settings.address || settings.sharedAddress,
        ageMsMax: values['http.connTimeout'],
      },
      { clock: insert.clock, meter },
    );
    this.#server = createServer({ headersTimeout: values['http.headerTimeout'], requestTimeout: 0 });
    this.#server.keepAliveTimeout = values['http.idleConnTimeout'];
    this.#server.maxConnections = values['http.maxConnections'];
    this.#server.on('clientError', answerClientError);
    for (const event of ['request', 'checkContinue', 'checkExpectation']) {
      this.#server.on(event, (request, response) => this.#handle(request, response));
    }
    this.#connections.attach(this.#server);
  }

  get bound(): AddressInfo | undefined {
    return (this.#server.address() as AddressInfo | null) ?? undefined;
  }

  /** Throws a SluiceError when the address cannot be used. */
  async listen(): Promise<void> {
    const { address, option } = this.#settings;
    if (address === '') return;
    const { host, port } = parseListenAddress(address);
    const server = this.#server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause) => {
        const error = `cannot listen on ${address}: ${messageOf(cause)}; set another -${option}`;
        reject(new SluiceError('listen', error, { cause }));
      });
      server.listen({ port, host }, resolve);
    });
    server.removeAllListeners('error');
    server.on('error', (error) => {
      this.#insertPorts.log.error('a listener failed', { address, error: messageOf(error) });
    });
  }

  /** Serves a socket that another listener accepted; `begin` is what was read from it. */
  take(socket: Socket, begin: Uint8Array): void {
    socket.unshift(begin);
    this.#server.emit('connection', socket);
    // Only now that the parser listens.
    process.nextTick(() => socket.resume());
  }

  #handle(request: IncomingMessage, response: ServerResponse): void {
    this.#requests.inc();
    connectionOf(request)?.begin(response);
    const path = (request.url ?? '').split('?', 1)[0]!.replace(/\/{2,}/g, '/');
    if (path.startsWith('/insert/') && this.#tenants?.handle(path, request, response)) return;
    const route = this.#routes.get(path);
    if (route !== undefined) {
      route.handle(request, response);
      return;
    }
    this.#unsupported.inc();
    const known = [...this.#routes.keys()].join(', ');
    const error = `cannot serve ${JSON.stringify(path.slice(0, 200))}: there is no such path at this address; use ${known}`;
    this.#insertPorts.replies.refuse(request, response, 404, error);
  }

  /** Takes no new connections; those with a request in work end after it. */
  async close(): Promise<void> {
    const server = this.#server;
    const closed = server.listening
      ? new Promise<void>((resolve) => server.close(() => resolve()))
      : Promise.resolve();
    this.#connections.drain();
    await closed;
  }

  /** Ends everything that is left; returns how many connections that were. */
  destroy(): number {
    return this.#connections.destroy();
  }
}
