/**
 * A connection whose write requests are read without Node's HTTP server: heads into a small buffer that all connections
 * share, bodies into the engine's memory, where the system puts them at once. What is not plain (`direct-head.ts`), and what
 * there is no room for, goes to Node's server, and the connection with it, for good.
 *
 *     head ─▶ body ─▶ verdict ─▶ head …
 *       └───────▶ Node's server
 */
import type { Socket } from 'node:net';
import type { BodyRoom } from '../model/body.ts';
import type { Clock } from '../util/clock.ts';
import { copyBytes } from '../util/copy-bytes.ts';
import type { BodyFailure } from './body-reader.ts';
import type { BodyWatch, Watched } from './body-watch.ts';
import type { Connection } from './connections.ts';
import { type DirectHead, type DirectHeadRead, HeadReader } from './direct-head.ts';
import { DirectResponse, type ResponseSettings } from './direct-response.ts';
import type { Insert } from './insert.ts';
import type { HttpRequest } from './reply.ts';

/** Reading is synchronous: what is in here belongs to the connection that is called. */
const shared = Buffer.alloc(16 * 1024);
/** Larger heads are Node's, which refuses them. */
const HEAD_BYTES_MAX = 16 * 1024;
/** More than this is not kept of requests that come before the last one is answered; the client waits then. */
const PENDING_BYTES_MAX = 64 * 1024;

class DirectRequest implements HttpRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly socket: Socket;
  complete = false;

  constructor({ url, headers }: DirectHead, socket: Socket) {
    this.url = url;
    this.headers = headers;
    this.socket = socket;
  }
}

/** What all connections of a listener share. */
export interface DirectPorts {
  readonly idleMs: number;
  readonly idleMsMax: number;
  readonly headMs: number;
  readonly watch: BodyWatch;
  readonly clock: Clock;
  /** Undefined if the request must be looked at more closely. */
  find(request: DirectRequest, response: DirectResponse): Insert | undefined;
  reserve(byteLength: number): BodyRoom | undefined;
  /** A request was begun. */
  onRequest(): void;
  handOver(socket: Socket, read: Uint8Array): void;
  /** Answers to what is no request; the code is Node's. */
  clientError(code: string, socket: Socket): void;
  /** It is closed, or somebody else's. */
  ended(connection: DirectConnection): void;
}

interface BodyInWork {
  readonly room: BodyRoom;
  readonly insert: Insert;
  readonly request: DirectRequest;
}

const nothing = Buffer.alloc(0);

export class DirectConnection implements Watched {
  readonly #ports: DirectPorts;
  readonly #heads = new HeadReader();
  #socket!: Socket;
  #connection!: Connection;
  #responses!: ResponseSettings;
  /** Where the next read goes, if that is not `shared`. */
  #target: Uint8Array = shared;
  /** Bytes that wait for more of their head, or for the answer to the request before them. */
  #pending: Buffer = nothing;
  #body: BodyInWork | undefined;
  #response: DirectResponse | undefined;
  #isHandedOver = false;
  #isIdle = false;
  /** Since when it is idle, or a head is awaited. */
  #sinceMs: number;
  /** Bytes of the body that came. */
  length = 0;
  readonly isPaused = false;
  windowFromMs = 0;
  windowLength = 0;

  constructor(ports: DirectPorts) {
    this.#ports = ports;
    this.#sinceMs = ports.clock.monotonicMs();
  }

  /** Called once, before anything is read. */
  attach(socket: Socket, connection: Connection): void {
    this.#socket = socket;
    this.#connection = connection;
    const { idleMs, clock } = this.#ports;
    const onEnd = (isLast: boolean) => this.#answered(isLast);
    this.#responses = { idleSeconds: Math.floor(idleMs / 1000), socket, nowMs: () => clock.nowMs(), onEnd };
    socket.on('end', () => this.#onEnd());
    socket.on('close', () => this.#onClose());
  }

  /** For `net.Socket`: where the next bytes go. */
  buffer(): Uint8Array {
    return this.#target;
  }

  /** For `net.Socket`: so many bytes were read. False: no more for the moment. */
  read(count: number, into: Uint8Array): boolean {
    // It is somebody else's, or its last answer is on the way: what comes now would get none.
    if (this.#isHandedOver || this.#socket.writableEnded) return true;
    if (into !== shared) {
      this.#onBody(count);
      return true;
    }
    const bytes = shared.subarray(0, count);
    // A pipelined body: the system was told of its place too late.
    if (this.#body !== undefined) this.#onMore(bytes);
    else if (this.#response !== undefined) return this.#keep(bytes);
    else this.#onHead(bytes);
    return true;
  }

  /** Whether it was idle, or slow with a head, for too long. */
  check(nowMs: number): void {
    const { idleMsMax, headMs } = this.#ports;
    // Who does not read an answer is found elsewhere (`Connections`).
    const { writableEnded, writableNeedDrain } = this.#socket;
    if (this.#response !== undefined || writableEnded || writableNeedDrain) return;
    if (nowMs - this.#sinceMs < (this.#isIdle ? idleMsMax : headMs)) return;
    this.#ports.ended(this);
    if (this.#isIdle) this.#socket.destroySoon();
    else this.#ports.clientError('ERR_HTTP_REQUEST_TIMEOUT', this.#socket);
  }

  /** The body comes too slowly. */
  fail(failure: BodyFailure): void {
    // Its memory goes to somebody else now.
    this.#socket.pause();
    this.#leaveBody().insert.failed(failure);
  }

  #onHead(more: Buffer): void {
    const bytes = this.#pending.byteLength === 0 ? more : Buffer.concat([this.#pending, more]);
    const end = bytes.indexOf('\r\n\r\n');
    if (end < 0 && bytes.byteLength < HEAD_BYTES_MAX) {
      if (this.#isIdle) this.#sinceMs = this.#ports.clock.monotonicMs();
      this.#isIdle = false;
      // A copy: the others read into the same memory.
      this.#pending = Buffer.from(bytes);
      return;
    }
    const isWhole = end >= 0 && end < HEAD_BYTES_MAX;
    const read = isWhole ? this.#heads.read(bytes.toString('latin1', 0, end)) : undefined;
    if (read === undefined || !this.#begin(read)) {
      this.#handOver(bytes);
      return;
    }
    this.#pending = nothing;
    this.#onMore(bytes.subarray(end + 4));
  }

  #begin({ head, contentLength }: DirectHeadRead): boolean {
    const request = new DirectRequest(head, this.#socket);
    const response = new DirectResponse(this.#responses);
    const insert = contentLength === 0 ? undefined : this.#ports.find(request, response);
    // Not before: a stranger moves no memory.
    const room = insert && this.#ports.reserve(contentLength);
    if (insert === undefined || room === undefined) return false;
    this.#ports.onRequest();
    this.#connection.began();
    this.#response = response;
    this.#body = { room, insert, request };
    this.length = 0;
    insert.begin(room);
    return true;
  }

  /** Bytes of a body that are not in their place yet, and perhaps of the next request. */
  #onMore(bytes: Buffer): void {
    const { room } = this.#body!;
    const count = Math.min(bytes.byteLength, room.bytes.byteLength - this.length);
    copyBytes(room.bytes, this.length, bytes.subarray(0, count));
    // A copy, before the answer asks for them.
    if (count < bytes.byteLength) this.#pending = Buffer.from(bytes.subarray(count));
    const wasNew = this.length === 0;
    this.#onBody(count);
    if (wasNew && this.#body !== undefined) this.#ports.watch.add(this);
  }

  #onBody(count: number): void {
    const { room, insert, request } = this.#body!;
    this.length += count;
    if (this.length < room.bytes.byteLength) {
      this.#target = room.bytes.subarray(this.length);
      return;
    }
    this.#leaveBody();
    request.complete = true;
    insert.complete(room.bytes);
  }

  #leaveBody(): BodyInWork {
    const body = this.#body!;
    this.#body = undefined;
    this.#target = shared;
    this.#ports.watch.delete(this);
    return body;
  }

  /** Bytes of a next request, before this one is answered. */
  #keep(bytes: Buffer): boolean {
    this.#pending = Buffer.concat([this.#pending, bytes]);
    return this.#pending.byteLength < PENDING_BYTES_MAX;
  }

  #answered(isLast: boolean): void {
    this.#response = undefined;
    const socket = this.#socket;
    this.#connection.ended();
    if (isLast) {
      socket.destroySoon();
      return;
    }
    this.#isIdle = this.#pending.byteLength === 0;
    this.#sinceMs = this.#ports.clock.monotonicMs();
    if (socket.writableNeedDrain) {
      // Who does not read answers may not have more of them.
      socket.pause();
      socket.once('drain', () => this.#goOn());
    } else if (!this.#isIdle) {
      // Not from within the answer, whose end others may still have to hear of.
      process.nextTick(() => this.#goOn());
    }
  }

  /** With what came before the last answer. */
  #goOn(): void {
    const socket = this.#socket;
    if (socket.destroyed || socket.writableEnded) return;
    this.#sinceMs = this.#ports.clock.monotonicMs();
    const pending = this.#pending;
    this.#pending = nothing;
    if (pending.byteLength > 0) this.#onHead(pending);
    const isFull = this.#pending.byteLength >= PENDING_BYTES_MAX || socket.writableNeedDrain;
    if (!this.#isHandedOver && !isFull) socket.resume();
  }

  #handOver(bytes: Buffer): void {
    this.#isHandedOver = true;
    this.#pending = nothing;
    this.#ports.ended(this);
    this.#ports.handOver(this.#socket, Buffer.from(bytes));
  }

  #onEnd(): void {
    if (this.#isHandedOver) return;
    const isHead = this.#response === undefined && this.#pending.byteLength > 0;
    const isPartial = isHead || this.#body !== undefined;
    if (isPartial) this.#ports.clientError('HPE_INVALID_EOF_STATE', this.#socket);
    // Who waits for an answer may have closed its side only, but Node takes that for an end, too.
    else this.#socket.destroySoon();
  }

  #onClose(): void {
    if (this.#isHandedOver) return;
    this.#ports.ended(this);
    if (this.#body !== undefined) this.fail('gone');
    this.#response?.close(true);
  }
}
