/** What answers a request that was read directly: the same bytes as Node's `ServerResponse` would write. */
import type { Socket } from 'node:net';
import { STATUS_CODES } from '../util/http.ts';

type Headers = Readonly<Record<string, string | number>>;

export interface ResponseSettings {
  /** What is told of it in `Keep-Alive`; 0: nothing. */
  readonly idleSeconds: number;
  readonly socket: Socket;
  nowMs(): number;
  /** The answer is written, or the client is gone. */
  onEnd(isLast: boolean): void;
}

let dateSecond = -1;
let dateLine = '';

/** RFC 9110, 6.6.1; made once a second. */
function dateAt(nowMs: number): string {
  const second = Math.floor(nowMs / 1000);
  if (second !== dateSecond) {
    dateSecond = second;
    dateLine = `Date: ${new Date(second * 1000).toUTCString()}\r\n`;
  }
  return dateLine;
}

export class DirectResponse {
  statusCode = 200;
  readonly #settings: ResponseSettings;
  #headers: Headers = {};
  #listeners: (() => void)[] | undefined;
  #isOver = false;

  constructor(settings: ResponseSettings) {
    this.#settings = settings;
  }

  get headersSent(): boolean {
    return this.#isOver;
  }

  get destroyed(): boolean {
    return this.#isOver;
  }

  writeHead(status: number, headers: Headers): this {
    this.statusCode = status;
    this.#headers = headers;
    return this;
  }

  end(body?: string | Uint8Array): void {
    if (this.#isOver) return;
    const { socket, idleSeconds } = this.#settings;
    const headers = this.#headers;
    const isLast = headers.Connection === 'close';
    const bytes = typeof body === 'string' ? Buffer.from(body) : body;
    let head = `HTTP/1.1 ${this.statusCode} ${STATUS_CODES[this.statusCode] ?? 'unknown'}\r\n`;
    for (const name of Object.keys(headers)) head += `${name}: ${headers[name]}\r\n`;
    head += dateAt(this.#settings.nowMs());
    if (!isLast) {
      head += 'Connection: keep-alive\r\n';
      if (idleSeconds > 0) head += `Keep-Alive: timeout=${idleSeconds}\r\n`;
    }
    const hasLength = headers['Content-Length'] !== undefined || this.statusCode === 204;
    head += hasLength ? '\r\n' : `Content-Length: ${bytes?.byteLength ?? 0}\r\n\r\n`;
    if (bytes === undefined || bytes.byteLength === 0) socket.write(head, 'latin1');
    else socket.write(Buffer.concat([Buffer.from(head, 'latin1'), bytes]));
    this.close(isLast);
  }

  on(_event: 'close', listener: () => void): void {
    this.#listeners ??= [];
    this.#listeners.push(listener);
  }

  /** Nothing more goes out. */
  close(isLast: boolean): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#settings.onEnd(isLast);
    for (const listener of this.#listeners ?? []) listener();
  }
}
