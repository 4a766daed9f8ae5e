/** Listens on TCP and UDP, at one address, for a protocol whose lines come without requests. */
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { Intake, Parameters } from '../model/body.ts';
import type { Protocol } from '../protocol/protocol.ts';
import type { Clock } from '../util/clock.ts';
import { messageOf, SluiceError } from '../util/error.ts';
import type { Logger } from '../util/logger.ts';
import type { Counter, Meter } from '../util/meter.ts';
import type { Admission } from './admission.ts';
import { Connections } from './connections.ts';
import { InsertMetrics } from './insert-metrics.ts';
import { LineStream } from './line-stream.ts';
import { parseListenAddress } from './listen-address.ts';

const LINE_BYTES_MAX = 256 * 1024;
const LOG_EVERY_MS = 5_000;
/** For datagrams while the thread is busy. Linux gives twice what is asked for, up to twice `net.core.rmem_max`. */
const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;
const LOWER_P = 0x70;
/** How long a connection may say nothing before it is known what it speaks. */
const FIRST_BYTE_MS_MAX = 5_000;

export interface LineListenerSettings {
  /** The option with the address, for messages. */
  readonly option: string;
  readonly address: string;
  readonly parameters: Parameters;
  readonly lineBytesMax: number;
  readonly connectionsMax: number;
}

/** Takes over connections that speak HTTP; `begin` is what was read from them. */
export interface HttpTaker {
  take(socket: Socket, begin: Uint8Array): void;
}

export interface LineListenerPorts {
  readonly intake: Intake;
  readonly admission: Admission;
  readonly clock: Clock;
  readonly meter: Meter;
  readonly log: Logger;
  /** Absent: every connection has lines. */
  readonly http?: HttpTaker | undefined;
}

/** The settings of a protocol's listener; undefined where it is not to listen. Throws a SluiceError for a bad address. */
export function lineListenerSettings(
  { lines }: Protocol,
  options: Readonly<Record<string, unknown>>,
  connectionsMax: number,
): LineListenerSettings | undefined {
  const address = lines === undefined ? '' : String(options[lines.addressOption] ?? '');
  if (lines === undefined || address === '') return undefined;
  parseListenAddress(address);
  const lineBytesMax =
    lines.lineOption === undefined ? LINE_BYTES_MAX : (options[lines.lineOption] as number);
  return {
    option: lines.addressOption,
    address,
    parameters: lines.parameters ?? {},
    lineBytesMax,
    connectionsMax,
  };
}

interface NetCounters {
  readonly requests: Counter;
  readonly errors: Counter;
}

export class LineListener {
  readonly #protocol: Protocol;
  readonly #settings: LineListenerSettings;
  readonly #ports: LineListenerPorts;
  readonly #metrics: InsertMetrics;
  readonly #connections: Connections;
  readonly #tcp: NetCounters;
  readonly #udp: NetCounters;
  readonly #streams = new Set<LineStream>();
  #server: Server | undefined;
  #socket: UdpSocket | undefined;
  #datagrams: LineStream | undefined;

  constructor(protocol: Protocol, settings: LineListenerSettings, ports: LineListenerPorts) {
    this.#protocol = protocol;
    this.#settings = settings;
    this.#ports = ports;
    this.#metrics = new InsertMetrics(ports.meter, protocol);
    this.#connections = new Connections(
      { name: protocol.name, address: settings.address, ageMsMax: 0 },
      ports,
    );
    this.#tcp = this.#countersOf('tcp');
    this.#udp = this.#countersOf('udp');
  }

  /** The TCP address, which is the UDP address too; undefined while not listening. */
  get bound(): AddressInfo | undefined {
    return (this.#server?.address() as AddressInfo | null) ?? undefined;
  }

  /** Bytes that came and are not taken. */
  get pendingBytes(): number {
    return [...this.#streams].reduce((sum, { pendingBytes }) => sum + pendingBytes, 0);
  }

  #countersOf(net: 'tcp' | 'udp'): NetCounters {
    const labels = { type: this.#protocol.name, name: 'write', net };
    const { meter } = this.#ports;
    return {
      requests: meter.counter('vm_ingestserver_requests_total', 'Connections, or datagrams.', labels),
      errors: meter.counter(
        'vm_ingestserver_request_errors_total',
        'Connections or pieces that failed.',
        labels,
      ),
    };
  }

  /** Throws a SluiceError when the address cannot be used; nothing listens then. */
  async listen(): Promise<void> {
    const { host, port } = parseListenAddress(this.#settings.address);
    // A client of HTTP may have said all and still wait for the answer.
    const server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket));
    server.maxConnections = this.#settings.connectionsMax;
    this.#connections.attach(server);
    this.#server = server;
    try {
      server.listen({ port, host });
      await once(server, 'listening');
      await this.#listenUdp(host, this.bound!);
    } catch (cause) {
      await this.close();
      const { address, option } = this.#settings;
      throw new SluiceError(
        'listen',
        `cannot listen on ${address}: ${messageOf(cause)}; set another -${option}`,
        { cause },
      );
    }
    const failed = (error: Error) =>
      this.#ports.log.error('a listener failed', {
        address: this.#settings.address,
        error: messageOf(error),
      });
    server.on('error', failed);
    this.#socket?.on('error', failed);
  }

  async #listenUdp(host: string | undefined, { port, family }: AddressInfo): Promise<void> {
    const socket = createSocket(family === 'IPv6' ? 'udp6' : 'udp4');
    this.#socket = socket;
    const stream = this.#stream(
      'udp',
      this.#udp,
      () => {},
      () => {},
    );
    this.#datagrams = stream;
    socket.on('message', (datagram) => this.#takeDatagram(stream, datagram));
    socket.bind({ port, address: host });
    await once(socket, 'listening');
    try {
      socket.setRecvBufferSize(RECEIVE_BUFFER_BYTES);
    } catch {
      // The system gives no more than it has; what it gave stays.
    }
  }

  #takeDatagram(stream: LineStream, datagram: Uint8Array): void {
    this.#udp.requests.inc();
    if (!stream.isFull) {
      stream.push(datagram, true);
      return;
    }
    this.#udp.errors.inc();
    this.#ports.log
      .limited(`datagrams ${this.#protocol.name}`, LOG_EVERY_MS)
      .warn('datagrams are lost: they come faster than they are taken', { protocol: this.#protocol.name });
  }

  /** By its first byte a connection is one of HTTP or of lines, which all begin with `put`. */
  #accept(socket: Socket): void {
    const { http, clock } = this.#ports;
    if (http === undefined) {
      this.#take(socket);
      return;
    }
    const cancel = clock.after(FIRST_BYTE_MS_MAX, () => socket.destroy());
    socket.once('close', cancel);
    socket.once('data', (chunk) => {
      cancel();
      if (chunk[0] === LOWER_P) {
        this.#take(socket);
        socket.emit('data', chunk);
      } else {
        socket.pause();
        http.take(socket, chunk);
      }
    });
  }

  #take(socket: Socket): void {
    this.#tcp.requests.inc();
    const client = `${socket.remoteAddress ?? 'unknown'}:${socket.remotePort ?? 0}`;
    const stream = this.#stream(
      client,
      this.#tcp,
      () => socket.resume(),
      () => socket.destroy(),
    );
    socket.on('data', (chunk) => {
      stream.push(chunk);
      if (stream.isFull) socket.pause();
    });
    socket.on('end', () => {
      stream.end(true);
      socket.end();
    });
    // Connections listens to errors; whatever happened, no half line is taken.
    socket.on('close', () => stream.end(false));
  }

  #stream(client: string, { errors }: NetCounters, onRoom: () => void, onBroken: () => void): LineStream {
    const { parameters, lineBytesMax } = this.#settings;
    const stream = new LineStream(
      { protocol: this.#protocol.name, parameters, lineBytesMax, client },
      { ...this.#ports, metrics: this.#metrics, errors, onRoom, onBroken },
    );
    this.#streams.add(stream);
    void stream.done.then(() => this.#streams.delete(stream));
    return stream;
  }

  /** Takes nothing new; resolves when all whole lines that came are taken. Never throws. */
  async close(): Promise<void> {
    const server = this.#server;
    if (server?.listening) server.close();
    this.#connections.destroy();
    this.#datagrams?.end(true);
    this.#socket?.close();
    this.#socket = undefined;
    // `close` of the sockets comes in a later turn.
    for (const stream of this.#streams) stream.end(false);
    await Promise.all([...this.#streams].map(({ done }) => done));
  }
}
