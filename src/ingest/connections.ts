/**
 * The open connections of one listener: counted for metrics, limited in age, and closed in good order at a stop.
 * Node's HTTP parser reads a socket's bytes natively, so calls are not counted, only bytes.
 */
import type { ServerResponse } from 'node:http';
import type { Server, Socket } from 'node:net';
import type { Clock } from '../util/clock.ts';
import type { Counter, Meter } from '../util/meter.ts';

/** The age limit is spread by this part, so that clients of a restarted instance do not all come back at once. */
const AGE_JITTER = 0.1;
const SWEEP_MS = 5_000;
/** A response that makes no progress for this long has a client that does not read. */
const WRITE_STALL_MS = 30_000;

export interface ConnectionSettings {
  /** `http`, `grpc`, either with an `s` for TLS, or a protocol of lines; and the address as configured. Labels of the metrics. */
  readonly name: string;
  readonly address: string;
  /** 0: no limit. */
  readonly ageMsMax: number;
}

/** Node has no place for what belongs to a connection; a property is cheaper than a map for every request. */
const key = Symbol('connection');

interface TrackedSocket extends Socket {
  [key]?: Connection;
}

/** The connection that a request came by. */
export function connectionOf(request: { readonly socket: Socket }): Connection | undefined {
  return (request.socket as TrackedSocket)[key];
}

export class Connection {
  readonly socket: Socket;
  readonly #owner: Connections;
  readonly #closeAfterMs: number;
  #client: string | undefined;
  #isExpired = false;
  requests = 0;
  /** For stalled writes: bytes that had gone out, and since when it is so many. */
  written = 0;
  writtenSinceMs: number;

  constructor(socket: Socket, owner: Connections, nowMs: number, ageMsMax: number) {
    this.socket = socket;
    this.#owner = owner;
    const spreadMs = ageMsMax * (1 + Math.random() * AGE_JITTER);
    this.#closeAfterMs = ageMsMax === 0 ? Number.POSITIVE_INFINITY : nowMs + spreadMs;
    this.writtenSinceMs = nowMs;
  }

  begin(response: ServerResponse): void {
    this.began();
    response.on('close', () => this.ended());
  }

  /** A request; `ended` tells of its response. */
  began(): void {
    this.requests++;
  }

  ended(): void {
    this.requests--;
    this.#owner.responded(this);
  }

  /** Whether the response that is about to be written should be the last one. */
  isLast(): boolean {
    if (this.#isExpired || this.#owner.isDraining) return true;
    this.#isExpired = this.#owner.expires(this.#closeAfterMs);
    return this.#isExpired;
  }

  /** Address and port of the client, for messages. */
  get client(): string {
    this.#client ??= `${this.socket.remoteAddress ?? 'unknown'}:${this.socket.remotePort ?? 0}`;
    return this.#client;
  }

  /** The client sent too slowly. */
  tooSlow(): void {
    this.#owner.tooSlow();
  }
}

export class Connections {
  readonly #settings: ConnectionSettings;
  readonly #clock: Clock;
  readonly #open = new Set<Connection>();
  /** Sockets as accepted; for TLS these carry the sockets of `#open`, and may be in the handshake still. */
  readonly #accepted = new Set<Socket>();
  readonly #accepts: Counter;
  readonly #ageClosed: Counter;
  readonly #readTimeouts: Counter;
  readonly #writeTimeouts: Counter;
  readonly #errors: Readonly<Record<'accept' | 'read' | 'write' | 'close', Counter>>;
  #closedRead = 0;
  #closedWritten = 0;
  #isDraining = false;
  #cancelSweep: () => void;

  constructor(settings: ConnectionSettings, ports: { readonly clock: Clock; readonly meter: Meter }) {
    this.#settings = settings;
    this.#clock = ports.clock;
    const { meter } = ports;
    const labels = { name: settings.name, addr: settings.address };
    const counter = (what: string, help: string, more = {}) =>
      meter.counter(`vm_tcplistener_${what}_total`, help, { ...labels, ...more });
    this.#accepts = counter('accepts', 'Connections accepted.');
    this.#readTimeouts = counter('read_timeouts', 'Connections closed because the client sent too slowly.');
    this.#writeTimeouts = counter('write_timeouts', 'Connections closed because the client did not read.');
    const errors = (type: string) =>
      counter('errors', 'Errors of the listener and its connections.', { type });
    this.#errors = {
      accept: errors('accept'),
      read: errors('read'),
      write: errors('write'),
      close: errors('close'),
    };
    this.#ageClosed = meter.counter(
      'vm_http_conn_timeout_closed_conns_total',
      'Connections closed because they were older than -http.connTimeout.',
    );
    meter.gaugeOf('vm_tcplistener_conns', 'Open connections.', labels, () => this.#accepted.size);
    meter.counterOf('vm_tcplistener_read_bytes_total', 'Bytes read from connections.', labels, () =>
      this.#sum(this.#closedRead, (socket) => socket.bytesRead),
    );
    meter.counterOf('vm_tcplistener_written_bytes_total', 'Bytes written to connections.', labels, () =>
      this.#sum(this.#closedWritten, (socket) => socket.bytesWritten),
    );
    this.#cancelSweep = this.#clock.after(SWEEP_MS, () => this.#sweep());
  }

  /** All connections of a server. */
  attach(server: Server): void {
    server.on('connection', (socket) => this.#accept(socket));
    const isSecure = this.#settings.name === 'https' || this.#settings.name === 'grpcs';
    server.on(isSecure ? 'secureConnection' : 'connection', (socket: Socket) => this.#track(socket));
    server.on('tlsClientError', () => this.#errors.accept.inc());
    this.watchDrops(server);
  }

  /** Those that a server refuses; its others come by `take`. */
  watchDrops(server: Server): void {
    server.on('drop', () => this.#errors.accept.inc());
  }

  /** One connection without TLS. */
  take(socket: Socket): Connection {
    this.#accept(socket);
    return this.#track(socket);
  }

  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** Counts a connection that is past its age. */
  expires(closeAfterMs: number): boolean {
    if (this.#clock.monotonicMs() < closeAfterMs) return false;
    this.#ageClosed.inc();
    return true;
  }

  responded(connection: Connection): void {
    if (this.#isDraining && connection.requests === 0) connection.socket.destroySoon();
  }

  tooSlow(): void {
    this.#readTimeouts.inc();
  }

  /** Closes what has no request in work; the rest is closed after its response. */
  drain(): void {
    this.#isDraining = true;
    for (const connection of this.#open) {
      if (connection.requests === 0) connection.socket.destroySoon();
    }
  }

  /** Ends everything that is left; returns how many connections that were. */
  destroy(): number {
    // A server is closed before its last sockets have told that they are.
    const left = [...this.#accepted].filter(({ destroyed }) => !destroyed).length;
    for (const connection of this.#open) connection.socket.destroy();
    for (const socket of this.#accepted) socket.destroy();
    this.#cancelSweep();
    return left;
  }

  #accept(socket: Socket): void {
    this.#accepts.inc();
    this.#accepted.add(socket);
    socket.on('close', () => this.#accepted.delete(socket));
  }

  #track(socket: Socket): Connection {
    const connection = new Connection(socket, this, this.#clock.monotonicMs(), this.#settings.ageMsMax);
    (socket as TrackedSocket)[key] = connection;
    this.#open.add(connection);
    socket.on('error', (error: NodeJS.ErrnoException) => {
      // Parse errors come here too; they are the client's and answered elsewhere.
      if (error.syscall === 'write') this.#errors.write.inc();
      else if (error.syscall !== undefined) this.#errors.read.inc();
    });
    socket.on('close', () => {
      this.#open.delete(connection);
      this.#closedRead += socket.bytesRead;
      this.#closedWritten += socket.bytesWritten;
    });
    return connection;
  }

  #sum(closed: number, of: (socket: Socket) => number): number {
    let sum = closed;
    for (const connection of this.#open) sum += of(connection.socket);
    return sum;
  }

  #sweep(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const connection of this.#open) {
      const { socket } = connection;
      // `bytesWritten` includes what waits in our memory, so the difference is what the system has taken.
      const gone = socket.bytesWritten - socket.writableLength;
      if (socket.writableLength === 0 || gone !== connection.written) {
        connection.written = gone;
        connection.writtenSinceMs = nowMs;
      } else if (nowMs - connection.writtenSinceMs >= WRITE_STALL_MS) {
        this.#writeTimeouts.inc();
        socket.destroy();
      }
    }
    this.#cancelSweep = this.#clock.after(SWEEP_MS, () => this.#sweep());
  }
}
