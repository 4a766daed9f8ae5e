/**
 * Takes the connections of a listening HTTP server before the server does, and reads what is plain itself
 * (`direct-connection.ts`). Why, and what that won: docs/decisions/0016-direct-reading.md.
 */
import type { Server } from 'node:http';
import { Socket } from 'node:net';
import type { Intake } from '../model/body.ts';
import type { Clock } from '../util/clock.ts';
import type { BodyWatch } from './body-watch.ts';
import type { Connections } from './connections.ts';
import { DirectConnection, type DirectPorts } from './direct-connection.ts';
import type { InsertRoute } from './insert-route.ts';

/** Larger bodies are read by Node's server, with its back pressure. */
const BODY_BYTES_MAX = 2 * 1024 * 1024;

export interface DirectRoutes {
  readonly watch: BodyWatch;
  readonly intake: Intake;
  /** By path. */
  readonly routes: ReadonlyMap<string, InsertRoute>;
  /** A request was begun. */
  onRequest(): void;
}

export interface DirectServerPorts extends DirectRoutes {
  readonly connections: Connections;
  readonly clock: Clock;
  /** Clients are told that a connection without a request is kept for so long; 0: nothing. */
  readonly idleMs: number;
  /** It is closed after so long. */
  readonly idleMsMax: number;
  /** And one whose head is not complete. */
  readonly headMs: number;
  /** Connections are looked at so often. */
  readonly checkMs: number;
}

/** What Node has of a socket beside its documented side. */
interface Inside {
  _handle: object | null;
  _server: Server | null;
  server: Server | null;
}

type ConnectionListener = (this: Server, socket: Socket) => void;

export class DirectServer {
  readonly #server: Server;
  readonly #ports: DirectServerPorts;
  readonly #serve: ConnectionListener;
  readonly #shared: DirectPorts;
  readonly #open = new Set<DirectConnection>();
  #cancelCheck: () => void;

  constructor(server: Server, ports: DirectServerPorts) {
    this.#server = server;
    this.#ports = ports;
    this.#shared = this.#sharedPorts();
    const [serve] = server.listeners('connection');
    this.#serve = serve as ConnectionListener;
    server.removeListener('connection', this.#serve);
    server.on('connection', (socket: Socket) => this.#take(socket));
    this.#cancelCheck = this.#planCheck();
  }

  stop(): void {
    this.#cancelCheck();
  }

  #sharedPorts(): DirectPorts {
    const { intake, routes } = this.#ports;
    return {
      ...this.#ports,
      reserve: (byteLength) => (byteLength > BODY_BYTES_MAX ? undefined : intake.reserve(byteLength)),
      find: (request, response) => {
        const { url } = request;
        const mark = url.indexOf('?');
        return routes.get(mark < 0 ? url : url.slice(0, mark))?.find(request, response);
      },
      handOver: (socket, read) => {
        socket.unshift(read);
        this.#serve.call(this.#server, socket);
        // Only now that its parser listens.
        process.nextTick(() => socket.resume());
      },
      clientError: (code, socket) =>
        this.#server.emit('clientError', Object.assign(new Error(), { code }), socket),
      ended: (connection) => this.#open.delete(connection),
    };
  }

  /**
   * Only a socket that is made for it reads into memory that it is given (`onread`), and a server makes none, so the handle
   * of the accepted one is put into another.
   */
  #take(accepted: Socket): void {
    const inside = accepted as unknown as Inside;
    const handle = inside._handle;
    inside._handle = null;
    inside._server = null;
    const direct = new DirectConnection(this.#shared);
    const onread = { buffer: () => direct.buffer(), callback: direct.read.bind(direct) };
    const options = { handle, allowHalfOpen: true, onread };
    const socket = new Socket(options as object);
    Object.assign(socket, { _server: this.#server, server: this.#server });
    direct.attach(socket, this.#ports.connections.take(socket));
    this.#open.add(direct);
  }

  #planCheck(): () => void {
    return this.#ports.clock.after(this.#ports.checkMs, () => {
      const nowMs = this.#ports.clock.monotonicMs();
      for (const connection of this.#open) connection.check(nowMs);
      this.#cancelCheck = this.#planCheck();
    });
  }
}
