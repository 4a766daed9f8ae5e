/** A server for the gRPC method of a protocol, at an address of its own, over HTTP/2 with or without TLS. */
import {
  createSecureServer,
  createServer,
  type Http2SecureServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type ServerOptions,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { GrpcMethod, OptionValues, Protocol } from '../protocol/protocol.ts';
import { rpcCodes } from '../protocol/rpc-status.ts';
import type { Clock } from '../util/clock.ts';
import { messageOf, SluiceError } from '../util/error.ts';
import type { Counter, Meter } from '../util/meter.ts';
import { Connections } from './connections.ts';
import { encodingOf, endCall, GrpcCall, timeoutOf } from './grpc-call.ts';
import { readMetadata } from './grpc-metadata.ts';
import { Insert, type InsertPorts, InsertTarget } from './insert.ts';
import { InsertMetrics } from './insert-metrics.ts';
import { parseListenAddress } from './listen-address.ts';
import type { IngestValues } from './options.ts';
import { CertificateWatch, readCredentials, type TlsSettings } from './tls.ts';

/** What one connection may cost. Nothing that has not come yet takes memory, except for what is said here. */
const LIMITS: ServerOptions = {
  settings: { maxConcurrentStreams: 100, maxHeaderListSize: 16 * 1024, enablePush: false },
  maxHeaderListPairs: 100,
  /** MB. */
  maxSessionMemory: 4,
  maxSettings: 32,
  maxSessionInvalidFrames: 50,
  maxSessionRejectedStreams: 100,
  /** Calls that clients begin and take back at once (CVE-2023-44487): a store of them, and how many a second fill it up. */
  streamResetBurst: 200,
  streamResetRate: 33,
};
/** As in connections.ts: so that clients of a restarted instance do not all come back at once. */
const AGE_JITTER = 0.1;

export interface GrpcSettings {
  readonly address: string;
  readonly tls: TlsSettings | undefined;
}

/** Where the method is served; undefined for nowhere. Throws a SluiceError for settings that make no sense. */
export function grpcSettings(method: GrpcMethod, options: OptionValues): GrpcSettings | undefined {
  const address = String(options[method.addressOption] ?? '');
  if (address === '') return undefined;
  parseListenAddress(address);
  const [certFile, keyFile] = [method.tlsCertOption, method.tlsKeyOption].map((name) =>
    String(options[name] ?? ''),
  );
  if (certFile === '' && keyFile === '') return { address, tls: undefined };
  if (!certFile || !keyFile) {
    throw new SluiceError(
      'tls-files',
      `cannot listen on ${address} with TLS: the certificate or its key is missing; set -${method.tlsCertOption} and -${method.tlsKeyOption}`,
    );
  }
  return { address, tls: { certFile, keyFile, minVersion: 'TLSv1.2' } };
}

/** A connection: it is closed, with GOAWAY, when it was idle for a time or, after a call, when it is old. */
class Connection {
  readonly session: ServerHttp2Session;
  readonly client: string;
  readonly #clock: Clock;
  readonly #idleMs: number;
  readonly #closeAfterMs: number;
  #calls = 0;
  #cancelIdle = () => {};

  constructor(session: ServerHttp2Session, values: IngestValues, clock: Clock) {
    this.session = session;
    const { remoteAddress = 'unknown', remotePort = 0 } = session.socket;
    this.client = `${remoteAddress}:${remotePort}`;
    this.#clock = clock;
    this.#idleMs = values['http.idleConnTimeout'];
    const ageMsMax = values['http.connTimeout'] * (1 + Math.random() * AGE_JITTER);
    this.#closeAfterMs = ageMsMax === 0 ? Number.POSITIVE_INFINITY : clock.monotonicMs() + ageMsMax;
    session.on('close', () => this.#cancelIdle());
    this.#waitForCall();
  }

  begin(stream: ServerHttp2Stream): void {
    this.#calls++;
    this.#cancelIdle();
    stream.on('close', () => {
      this.#calls--;
      if (this.#clock.monotonicMs() >= this.#closeAfterMs) this.close();
      else if (this.#calls === 0) this.#waitForCall();
    });
  }

  /** Takes no new calls; those in work end first. */
  close(): void {
    if (!this.session.closed) this.session.close();
  }

  #waitForCall(): void {
    this.#cancelIdle = this.#clock.after(this.#idleMs, () => this.close());
  }
}

export class GrpcServer {
  readonly #method: GrpcMethod;
  readonly #settings: GrpcSettings;
  readonly #values: IngestValues;
  readonly #ports: InsertPorts;
  readonly #target: InsertTarget;
  readonly #connections: Connections;
  readonly #requests: Counter;
  readonly #unsupported: Counter;
  readonly #sessions = new Map<object, Connection>();
  #server: Http2Server | Http2SecureServer | undefined;
  #certificates: CertificateWatch | undefined;
  #isDraining = false;

  constructor(
    protocol: Protocol,
    method: GrpcMethod,
    settings: GrpcSettings,
    ports: { readonly values: IngestValues; readonly meter: Meter; readonly insert: InsertPorts },
  ) {
    const { values, meter, insert } = ports;
    this.#method = method;
    this.#settings = settings;
    this.#values = values;
    this.#ports = insert;
    this.#target = new InsertTarget(protocol, method.path, new InsertMetrics(meter, protocol), insert);
    this.#requests = meter.counter('vm_http_requests_all_total', 'HTTP requests, whatever their path.');
    this.#unsupported = meter.counter('vm_http_request_errors_total', 'Requests that were refused.', {
      path: '*',
      reason: 'unsupported',
    });
    this.#connections = new Connections(
      { name: settings.tls === undefined ? 'grpc' : 'grpcs', address: settings.address, ageMsMax: 0 },
      { clock: insert.clock, meter },
    );
  }

  get bound(): AddressInfo | undefined {
    return (this.#server?.address() as AddressInfo | null) ?? undefined;
  }

  /** Throws a SluiceError when the address or the certificate cannot be used. */
  async listen(): Promise<void> {
    const { address } = this.#settings;
    const server = await this.#createServer();
    this.#server = server;
    server.maxConnections = this.#values['http.maxConnections'];
    this.#connections.attach(server);
    server.on('session', (session) => this.#begin(session));
    const onStream = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, _: number, raw: string[]) =>
      this.#handle(stream, headers, raw);
    server.on('stream', onStream);
    // A session that failed is closed by Node; the client knows.
    server.on('sessionError', () => {});
    const { host, port } = parseListenAddress(address);
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause) => {
        const error = `cannot listen on ${address}: ${messageOf(cause)}; set another -${this.#method.addressOption}`;
        reject(new SluiceError('listen', error, { cause }));
      });
      server.listen({ port, host }, resolve);
    });
    server.removeAllListeners('error');
    server.on('error', (error) =>
      this.#ports.log.error('a listener failed', { address, error: messageOf(error) }),
    );
  }

  async #createServer(): Promise<Http2Server | Http2SecureServer> {
    const { tls } = this.#settings;
    if (tls === undefined) return createServer(LIMITS);
    const credentials = await readCredentials(tls);
    try {
      const handshakeTimeout = this.#values['http.headerTimeout'];
      const server = createSecureServer({ ...LIMITS, ...credentials, handshakeTimeout });
      this.#certificates = new CertificateWatch(server, tls, this.#ports);
      await this.#certificates.check();
      return server;
    } catch (cause) {
      const error = `cannot use the TLS certificate ${tls.certFile}: ${messageOf(cause)}; check that it belongs to ${tls.keyFile}`;
      throw new SluiceError('tls-files', error, { cause });
    }
  }

  #begin(session: ServerHttp2Session): void {
    const connection = new Connection(session, this.#values, this.#ports.clock);
    this.#sessions.set(session, connection);
    session.on('close', () => this.#sessions.delete(session));
    session.on('error', () => {});
    if (this.#isDraining) connection.close();
  }

  #handle(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, rawHeaders: readonly string[]): void {
    this.#requests.inc();
    stream.on('error', () => {});
    const connection = this.#sessions.get(stream.session ?? {});
    if (connection === undefined) {
      stream.close();
      return;
    }
    connection.begin(stream);
    if (headers[':method'] !== 'POST' || !/^application\/grpc\b/.test(headers['content-type'] ?? '')) {
      this.#unsupported.inc();
      stream.respond({ ':status': headers[':method'] === 'POST' ? 415 : 405 }, { endStream: true });
      stream.close();
      return;
    }
    this.#call(stream, headers, rawHeaders, connection.client);
  }

  #call(
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    rawHeaders: readonly string[],
    client: string,
  ): void {
    const [path = ''] = String(headers[':path']).split('?', 1);
    if (path !== this.#method.path) {
      this.#unsupported.inc();
      const error = `cannot call ${JSON.stringify(path.slice(0, 200))}: there is no such method; use ${this.#method.path}`;
      endCall(stream, rpcCodes.unimplemented, error);
      return;
    }
    const { gate, clock } = this.#ports;
    if (gate.check('basic', { headers, url: path }) !== undefined) {
      const error =
        'cannot authorize the call: name or password is missing or wrong; send basic auth as authorization';
      endCall(stream, rpcCodes.unauthenticated, error);
      return;
    }
    this.#target.path.requests.inc();
    const timeoutMs = timeoutOf(headers['grpc-timeout'] as string | undefined);
    const call = new GrpcCall(stream, {
      method: this.#method,
      target: this.#target,
      headers,
      client,
      onSlow: () => this.#connections.tooSlow(),
    });
    if (encodingOf(headers) === undefined) {
      const error = `cannot read the message: grpc-encoding ${JSON.stringify(headers['grpc-encoding'])} is unknown; use gzip or none`;
      this.#target.path.errors.inc();
      endCall(stream, rpcCodes.unimplemented, error);
      return;
    }
    if (timeoutMs === 'bad') {
      call.refuse(
        400,
        `cannot read grpc-timeout ${JSON.stringify(headers['grpc-timeout'])}: it is not of the form 10S`,
      );
      return;
    }
    const { enableMultitenantHandlers: hasTenants, enableMultitenancyViaHeaders: viaHeaders } = this.#values;
    const metadata = readMetadata(headers, rawHeaders, hasTenants && viaHeaders);
    if ('error' in metadata) {
      call.refuse(400, metadata.error);
      return;
    }
    if (timeoutMs !== undefined) {
      const error = 'the call did not end within the time that the client gave it';
      stream.on(
        'close',
        clock.after(timeoutMs, () => endCall(stream, rpcCodes.deadlineExceeded, error)),
      );
    }
    const arrival = { parameters: this.#method.parameters ?? {}, receivedMs: clock.nowMs() };
    const message = this.#target.protocol.name;
    new Insert(this.#target, call, { message, ...metadata, arrival }).start(undefined);
  }

  /** Takes no new connections and no new calls; those in work end first. */
  async close(): Promise<void> {
    this.#isDraining = true;
    this.#certificates?.stop();
    const server = this.#server;
    if (server === undefined) return;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const connection of this.#sessions.values()) connection.close();
    await closed;
  }

  /** Ends everything that is left; returns how many connections that were. */
  destroy(): number {
    for (const { session } of this.#sessions.values()) session.destroy();
    return this.#connections.destroy();
  }
}
