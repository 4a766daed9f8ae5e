/** One address that is listened on, with or without TLS. */
import type { RequestListener, Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Clock } from '../util/clock.ts';
import { messageOf, SluiceError } from '../util/error.ts';
import { createServer } from '../util/http.ts';
import type { Logger } from '../util/logger.ts';
import type { Meter } from '../util/meter.ts';
import { answerClientError } from './client-error.ts';
import { Connections } from './connections.ts';
import { FIELDS_MAX } from './direct-head.ts';
import { type DirectRoutes, DirectServer } from './direct-server.ts';
import { parseListenAddress } from './listen-address.ts';
import type { IngestValues } from './options.ts';
import { CertificateWatch, readCredentials, type TlsSettings, tlsSettings } from './tls.ts';

/** Who was told how long a connection is kept may use all of it; as long as Node's. */
const IDLE_GRACE_MS = 1_000;
/** Node looks for connections whose head is late this often at most. */
const CHECK_MS_MAX = 1_000;

export interface ListenerPorts {
  readonly clock: Clock;
  readonly meter: Meter;
  readonly log: Logger;
}

export class Listener {
  readonly connections: Connections;
  readonly #address: string;
  readonly #tls: TlsSettings | undefined;
  readonly #values: IngestValues;
  readonly #ports: ListenerPorts;
  #server: Server | undefined;
  #certificates: CertificateWatch | undefined;
  #direct: DirectServer | undefined;

  /** Throws a SluiceError if the settings make no sense. */
  constructor(values: IngestValues, index: number, ports: ListenerPorts) {
    this.#address = values.httpListenAddr[index] ?? '';
    parseListenAddress(this.#address);
    this.#tls = tlsSettings(values, index);
    this.#values = values;
    this.#ports = ports;
    this.connections = new Connections(
      {
        name: this.#tls === undefined ? 'http' : 'https',
        address: this.#address,
        ageMsMax: values['http.connTimeout'],
      },
      ports,
    );
  }

  /** The address that is really used; undefined while not listening. */
  get bound(): AddressInfo | undefined {
    return (this.#server?.address() as AddressInfo | null) ?? undefined;
  }

  get url(): string {
    const bound = this.bound;
    if (bound === undefined) return '';
    const host = bound.address === '::' || bound.address === '0.0.0.0' ? 'localhost' : bound.address;
    const shown = host.includes(':') ? `[${host}]` : host;
    return `${this.#tls === undefined ? 'http' : 'https'}://${shown}:${bound.port}`;
  }

  /** Throws a SluiceError. */
  async listen(onRequest: RequestListener, direct: DirectRoutes): Promise<void> {
    const server = await this.#createServer(onRequest);
    this.#server = server;
    server.keepAliveTimeout = this.#values['http.idleConnTimeout'];
    server.maxHeadersCount = FIELDS_MAX;
    server.maxConnections = this.#values['http.maxConnections'];
    server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') this.connections.tooSlow();
      answerClientError(error, socket);
    });
    // Without a listener Node would answer 100 before authorization; whoever reads the body does it.
    server.on('checkContinue', onRequest);
    server.on('checkExpectation', onRequest);
    if (this.#tls === undefined) this.#readDirectly(server, direct);
    else this.connections.attach(server);
    const { host, port } = parseListenAddress(this.#address);
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause: NodeJS.ErrnoException) => reject(listenError(this.#address, cause)));
      server.listen({ port, host }, resolve);
    });
    server.removeAllListeners('error');
    server.on('error', (error) =>
      this.#ports.log.error('the listener failed', { address: this.#address, error: messageOf(error) }),
    );
  }

  /** Takes no new connections and closes idle ones; resolves when all are closed. */
  close(): Promise<void> {
    this.#certificates?.stop();
    this.#direct?.stop();
    const server = this.#server;
    if (server === undefined) return Promise.resolve();
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    this.connections.drain();
    return closed;
  }

  #readDirectly(server: Server, routes: DirectRoutes): void {
    const { connections } = this;
    connections.watchDrops(server);
    // Like Node: 0 is no limit.
    const idleMs = this.#values['http.idleConnTimeout'];
    const idleMsMax = idleMs === 0 ? Number.POSITIVE_INFINITY : idleMs + IDLE_GRACE_MS;
    const headMs = this.#values['http.headerTimeout'];
    const times = { idleMs, idleMsMax, headMs, checkMs: checkMsOf(headMs) };
    this.#direct = new DirectServer(server, { connections, clock: this.#ports.clock, ...times, ...routes });
  }

  async #createServer(onRequest: RequestListener): Promise<Server> {
    const headersTimeout = this.#values['http.headerTimeout'];
    const shared = {
      headersTimeout,
      // Bodies have a minimum rate instead, see `BodyWatch`; a large one on a slow link may take its time.
      requestTimeout: 0,
      connectionsCheckingInterval: checkMsOf(headersTimeout),
    };
    if (this.#tls === undefined) return createServer(shared, onRequest);
    const credentials = await readCredentials(this.#tls);
    try {
      const server = createTlsServer(
        { ...shared, ...credentials, handshakeTimeout: headersTimeout },
        onRequest,
      );
      this.#certificates = new CertificateWatch(server, this.#tls, this.#ports);
      await this.#certificates.check();
      return server;
    } catch (cause) {
      throw new SluiceError(
        'tls-files',
        `cannot use the TLS certificate ${this.#tls.certFile}: ${messageOf(cause)}; check that it belongs to ${this.#tls.keyFile}`,
        { cause },
      );
    }
  }
}

function checkMsOf(headMs: number): number {
  return Math.min(CHECK_MS_MAX, Math.ceil(headMs / 4));
}

const listenHints: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program listens there; stop it or set another -httpListenAddr',
  EACCES: 'ports below 1024 need a privilege; set another -httpListenAddr',
  EADDRNOTAVAIL: 'this machine does not have the address; set another -httpListenAddr',
};

function listenError(address: string, cause: NodeJS.ErrnoException): SluiceError {
  const hint = listenHints[cause.code ?? ''] ?? 'set another -httpListenAddr';
  return new SluiceError('listen', `cannot listen on ${address}: ${cause.message}; ${hint}`, { cause });
}
