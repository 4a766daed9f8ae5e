/**
 * The HTTP side of the daemon: listeners, routes, stop. Fastify finds the route and runs the service endpoints; write
 * paths leave it at its first hook and work on the raw request, which costs 1 µs of ~25 µs a small request, where
 * Fastify's own reply costs 4, and no body ever lies in a buffer that Fastify sized.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Intake } from '../model/body.ts';
import { protocols } from '../protocol/index.ts';
import type { OptionValues, Protocol, Route } from '../protocol/protocol.ts';
import { BufferPool } from '../util/buffer-pool.ts';
import { type Clock, sleep } from '../util/clock.ts';
import { messageOf } from '../util/error.ts';
import type { Logger } from '../util/logger.ts';
import type { Counter, Meter } from '../util/meter.ts';
import { type Access, Gate } from './access.ts';
import { Admission } from './admission.ts';
import { BodyWatch } from './body-watch.ts';
import { connectionOf } from './connections.ts';
import type { Endpoint } from './endpoint.ts';
import { FORM_BYTES_MAX, readForm } from './form.ts';
import { GrpcServer, grpcSettings } from './grpc-server.ts';
import type { InsertPorts } from './insert.ts';
import { InsertMetrics } from './insert-metrics.ts';
import { InsertRoute } from './insert-route.ts';
import { LineListener, lineListenerSettings } from './line-listener.ts';
import { Listener } from './listener.ts';
import type { IngestValues } from './options.ts';
import { queryOf } from './query.ts';
import { Replies } from './reply.ts';
import { RouteServer } from './route-server.ts';
import { Streams } from './streams.ts';
import { TenantRoutes } from './tenant-routes.ts';

const SHOWN_PATH_LENGTH_MAX = 200;

export interface HttpServerPorts {
  readonly values: IngestValues;
  /** The values of all protocols' options, by flag. */
  readonly protocolOptions: OptionValues;
  readonly intake: Intake;
  readonly endpoints: readonly Endpoint[];
  readonly clock: Clock;
  readonly meter: Meter;
  readonly log: Logger;
}

export class HttpServer {
  readonly #values: IngestValues;
  readonly #ports: HttpServerPorts;
  readonly #listeners: readonly Listener[];
  readonly #lineListeners: readonly LineListener[];
  readonly #routeServers: ReadonlyMap<Protocol, RouteServer>;
  readonly #grpcServers: readonly GrpcServer[];
  readonly #prefix: string;
  readonly #replies: Replies;
  readonly #gate: Gate;
  readonly #app: FastifyInstance;
  readonly #requests: Counter;
  readonly #unsupported: Counter;
  readonly #pool = new BufferPool();
  readonly #watch: BodyWatch;
  readonly #streams = new Streams();
  /** Write paths that need no router. */
  readonly #direct = new Map<string, InsertRoute>();
  readonly #stopping = new AbortController();
  #isDraining = false;
  #closed: Promise<void> | undefined;

  /** Throws a SluiceError if the settings make no sense. */
  constructor(ports: HttpServerPorts) {
    const { values, meter } = ports;
    this.#values = values;
    this.#ports = ports;
    this.#listeners = values.httpListenAddr.map((_, index) => new Listener(values, index, ports));
    this.#prefix = normalizedPrefix(values['http.pathPrefix']);
    this.#replies = new Replies(values, ports.clock);
    this.#gate = new Gate(values, meter);
    this.#watch = new BodyWatch(values['insert.bodyIdleTimeout'], ports.clock);
    this.#requests = meter.counter('vm_http_requests_all_total', 'HTTP requests, whatever their path.');
    this.#unsupported = meter.counter('vm_http_request_errors_total', 'Requests that were refused.', {
      path: '*',
      reason: 'unsupported',
    });
    const insertPorts = this.#insertPorts();
    this.#app = this.#createApp(insertPorts);
    this.#routeServers = this.#createRouteServers(insertPorts);
    this.#lineListeners = this.#createLineListeners(insertPorts);
    this.#grpcServers = this.#createGrpcServers(insertPorts);
  }

  /** The bound addresses, in the order of -httpListenAddr. */
  get addresses(): readonly AddressInfo[] {
    return this.#listeners.map(({ bound }) => bound).filter((bound) => bound !== undefined);
  }

  /** The bound addresses for gRPC, in the order of the protocols. */
  get grpcAddresses(): readonly AddressInfo[] {
    return this.#grpcServers.map(({ bound }) => bound).filter((bound) => bound !== undefined);
  }

  /** For messages: `http://localhost:8429`, with the path prefix. */
  get urls(): readonly string[] {
    return this.#listeners.map(({ url }) => `${url}${this.#prefix}`);
  }

  /** Throws a SluiceError when an address cannot be used; nothing listens then. */
  async listen(): Promise<void> {
    await this.#app.ready();
    const onRequest = (request: IncomingMessage, response: ServerResponse) => {
      this.#requests.inc();
      connectionOf(request)?.begin(response);
      this.#app.routing(request, response);
    };
    const direct = {
      intake: this.#ports.intake,
      watch: this.#watch,
      routes: this.#direct,
      onRequest: () => this.#requests.inc(),
    };
    try {
      for (const listener of this.#listeners) await listener.listen(onRequest, direct);
      for (const server of this.#routeServers.values()) await server.listen();
      for (const listener of this.#lineListeners) await listener.listen();
      for (const server of this.#grpcServers) await server.listen();
    } catch (error) {
      await this.#closeListeners(0);
      throw error;
    }
  }

  /**
   * Stops in good order: 503 on /health for -http.shutdownDelay, then no new connections, then requests in work have
   * -http.maxGracefulShutdownDuration to finish. Never throws. A second call shortens the first phase to nothing.
   */
  close(): Promise<void> {
    if (this.#closed !== undefined) this.#stopping.abort();
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#isDraining = true;
    const delayMs = this.#values['http.shutdownDelay'];
    if (delayMs > 0) await sleep(this.#ports.clock, delayMs, this.#stopping.signal);
    await this.#closeListeners(this.#values['http.maxGracefulShutdownDuration']);
    await this.#app.close();
  }

  async #closeListeners(withinMs: number): Promise<void> {
    const closed = Promise.all(this.#everyListener.map((one) => one.close()));
    const done = new AbortController();
    // What could go on for hours gets an answer while there is time for one.
    void sleep(this.#ports.clock, withinMs / 2, done.signal).then(() => this.#streams.stop());
    await Promise.race([closed, sleep(this.#ports.clock, withinMs, done.signal)]);
    done.abort();
    const listeners = this.#listeners.map(({ connections }) => connections);
    const http = [...listeners, ...this.#routeServers.values(), ...this.#grpcServers];
    const left = http.reduce((sum, one) => sum + one.destroy(), 0);
    if (left > 0) this.#ports.log.warn('closed connections with unfinished requests', { connections: left });
    const bytes = this.#lineListeners.reduce((sum, { pendingBytes }) => sum + pendingBytes, 0);
    if (bytes > 0) this.#ports.log.error('lines that could not be taken before the stop are lost', { bytes });
    const servers = [...this.#listeners, ...this.#routeServers.values(), ...this.#grpcServers];
    await Promise.all(servers.map((one) => one.close()));
  }

  get #everyListener(): readonly { close(): Promise<void> }[] {
    return [...this.#listeners, ...this.#routeServers.values(), ...this.#lineListeners, ...this.#grpcServers];
  }

  #createApp(ports: InsertPorts): FastifyInstance {
    const app = fastify({
      logger: false,
      exposeHeadRoutes: false,
      routerOptions: { ignoreDuplicateSlashes: true },
      frameworkErrors: (_error, request, reply) => {
        reply.hijack();
        this.#replies.refuse(request.raw, reply.raw, 400, 'cannot read the URL: it is not valid');
      },
    });
    // Nothing that Fastify serves itself has a body worth reading.
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('*', (_request, _payload, done) => done(null));
    app.setNotFoundHandler((request, reply) => this.#notFound(request, reply));
    app.setErrorHandler((error, request, reply) => this.#failed(error, request, reply));
    const inserts = Object.values<Protocol>(protocols)
      .filter(({ httpAddressOption }) => httpAddressOption === undefined)
      .flatMap((protocol) => this.#addProtocol(app, protocol, ports));
    if (this.#values.enableMultitenantHandlers) this.#addTenants(app, inserts);
    for (const endpoint of this.#ports.endpoints) this.#addEndpoint(app, endpoint);
    if (this.#prefix !== '') {
      app.get(this.#prefix, (_request, reply) => reply.redirect(`${this.#prefix}/`, 302));
    }
    return app;
  }

  #insertPorts(): InsertPorts {
    const { values, protocolOptions, intake, clock, log } = this.#ports;
    const maxQueueMs = values['insert.maxQueueDuration'];
    return {
      bytesMax: values.maxInsertRequestSize,
      maxQueueMs,
      protocolOptions,
      pathPrefix: this.#prefix,
      clock,
      intake,
      admission: new Admission({ capacity: values.maxConcurrentInserts, maxQueueMs }, this.#ports),
      gate: this.#gate,
      replies: this.#replies,
      pool: this.#pool,
      watch: this.#watch,
      streams: this.#streams,
      log,
    };
  }

  #createRouteServers(insert: InsertPorts): ReadonlyMap<Protocol, RouteServer> {
    const { meter, protocolOptions } = this.#ports;
    const addressOf = (option: string | undefined) => String(protocolOptions[option ?? ''] ?? '');
    const servers = new Map<Protocol, RouteServer>();
    const all = Object.values<Protocol>(protocols);
    for (const protocol of all) {
      const { httpAddressOption: option } = protocol;
      if (option === undefined) continue;
      const address = addressOf(option);
      const sharedAddress = addressOf(
        all.find(({ lines }) => lines?.http === protocol)?.lines?.addressOption,
      );
      if (address === '' && sharedAddress === '') continue;
      const settings = { option, address, sharedAddress };
      servers.set(protocol, new RouteServer(protocol, settings, { values: this.#values, meter, insert }));
    }
    return servers;
  }

  #createLineListeners({ intake, admission, clock, log }: InsertPorts): LineListener[] {
    const { meter, protocolOptions } = this.#ports;
    const connectionsMax = this.#values['http.maxConnections'];
    return Object.values<Protocol>(protocols).flatMap((protocol) => {
      const settings = lineListenerSettings(protocol, protocolOptions, connectionsMax);
      if (settings === undefined) return [];
      const http = protocol.lines?.http && this.#routeServers.get(protocol.lines.http);
      return [new LineListener(protocol, settings, { intake, admission, clock, meter, log, http })];
    });
  }

  #createGrpcServers(insert: InsertPorts): GrpcServer[] {
    const { meter, protocolOptions } = this.#ports;
    return Object.values<Protocol>(protocols).flatMap((protocol) => {
      const settings = protocol.grpc && grpcSettings(protocol.grpc, protocolOptions);
      if (protocol.grpc === undefined || settings === undefined) return [];
      return [new GrpcServer(protocol, protocol.grpc, settings, { values: this.#values, meter, insert })];
    });
  }

  #addTenants(app: FastifyInstance, inserts: readonly InsertRoute[]): void {
    const viaHeaders = this.#values.enableMultitenancyViaHeaders;
    const tenants = new TenantRoutes(inserts, { viaHeaders });
    app.all(
      `${this.#prefix}/insert/*`,
      {
        onRequest: (request, reply, done) => {
          const [path = ''] = (request.raw.url ?? '').split('?', 1);
          const own = path.replace(/\/{2,}/g, '/').slice(this.#prefix.length);
          if (tenants.handle(own, request.raw, reply.raw)) reply.hijack();
          else done();
        },
      },
      (request, reply) => this.#notFound(request, reply),
    );
  }

  #addProtocol(app: FastifyInstance, protocol: Protocol, ports: InsertPorts): readonly InsertRoute[] {
    const metrics = new InsertMetrics(this.#ports.meter, protocol);
    return protocol.routes.map((route) => {
      const insert = new InsertRoute(protocol, route, metrics, ports);
      this.#direct.set(`${this.#prefix}${route.path}`, insert);
      app.all(
        `${this.#prefix}${patternOf(route)}`,
        {
          onRequest: (request, reply) => {
            reply.hijack();
            insert.handle(request.raw, reply.raw);
          },
        },
        () => undefined,
      );
      return insert;
    });
  }

  #addEndpoint(app: FastifyInstance, endpoint: Endpoint): void {
    const requests = this.#ports.meter.counter('vm_http_requests_total', 'Requests to service endpoints.', {
      path: endpoint.paths[0],
    });
    for (const path of endpoint.paths) {
      app.all(
        `${this.#prefix}${path}`,
        {
          onRequest: (request, reply, done) => {
            requests.inc();
            if (this.#mayPass(endpoint.access, request, reply)) done();
          },
        },
        (request, reply) => this.#serve(endpoint, request, reply),
      );
    }
  }

  async #serve(endpoint: Endpoint, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    if (endpoint.methods !== undefined && !endpoint.methods.includes(request.method)) {
      const allow = endpoint.methods.join(', ');
      reply.hijack();
      const error = `cannot ${request.method} this path; use ${allow}`;
      this.#replies.refuse(request.raw, reply.raw, 405, error, { Allow: allow });
      return;
    }
    const ports = { pool: this.#pool, watch: this.#watch };
    const hasForm = endpoint.readsForm === true && request.method === 'POST';
    const form = hasForm ? await readForm(request.raw, ports) : new URLSearchParams();
    if (!(form instanceof URLSearchParams)) {
      reply.hijack();
      const isLarge = form === 'too_large';
      const cause = isLarge ? `it is larger than ${FORM_BYTES_MAX} bytes` : 'it did not come in time';
      this.#replies.refuse(request.raw, reply.raw, isLarge ? 413 : 408, `cannot read the form: ${cause}`);
      return;
    }
    const query = queryOf(request.raw.url ?? '').parameters;
    const answer = await endpoint.handle({ query, form, isDraining: this.#isDraining });
    reply.code(answer.status).headers(this.#replies.headers(request.raw));
    if (answer.headers !== undefined) reply.headers(answer.headers);
    if (answer.contentType !== undefined) reply.type(answer.contentType);
    await reply.send(answer.body);
  }

  #mayPass(access: Access, request: FastifyRequest, reply: FastifyReply): boolean {
    const denial = this.#gate.check(access, request.raw);
    if (denial === undefined) return true;
    reply.hijack();
    this.#replies.refuse(request.raw, reply.raw, denial.status, denial.error, denial.headers);
    return false;
  }

  #notFound(request: FastifyRequest, reply: FastifyReply): void {
    if (!this.#mayPass('basic', request, reply)) return;
    this.#unsupported.inc();
    reply.hijack();
    const path = JSON.stringify((request.raw.url ?? '').split('?', 1)[0]!.slice(0, SHOWN_PATH_LENGTH_MAX));
    const error = `cannot serve ${path}: there is no such path; ${this.#prefix}/ lists the pages, and remote write goes to ${this.#prefix}/api/v1/write`;
    this.#replies.refuse(request.raw, reply.raw, 404, error);
  }

  #failed(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
    this.#ports.log.error('an endpoint failed', {
      path: request.raw.url?.split('?', 1)[0],
      error: messageOf(error),
    });
    reply.hijack();
    this.#replies.refuse(request.raw, reply.raw, 500, 'cannot serve the page: internal error; see the log');
  }
}

/** `/relay` from `relay`, `/relay/`, `/relay`; empty for none. */
function normalizedPrefix(text: string): string {
  const trimmed = text.replace(/^\/+|\/+$/g, '');
  return trimmed === '' ? '' : `/${trimmed}`;
}

function patternOf(route: Route): string {
  return route.prefix ? `${route.path}*` : route.path;
}
