/** How responses are written: common headers, error texts, and closing without cutting the client's sentence short. */
import type {
  IncomingHttpHeaders,
  IncomingMessage as NodeRequest,
  ServerResponse as NodeResponse,
} from 'node:http';
import type { Socket } from 'node:net';
import type { Answer } from '../protocol/protocol.ts';
import type { Clock } from '../util/clock.ts';
import { IncomingMessage, ServerResponse } from '../util/http.ts';
import { connectionOf } from './connections.ts';
import type { IngestValues } from './options.ts';

/** How long the rest of a refused body is read and thrown away, so that the client gets to read the response. */
const LINGER_MS = 2_000;
const TEXT = 'text/plain; charset=utf-8';

export type Headers = Readonly<Record<string, string>>;

/** A request, whoever read its head. */
export interface HttpRequest {
  readonly url?: string | undefined;
  readonly headers: IncomingHttpHeaders;
  /** Whether its body has come. */
  readonly complete: boolean;
  readonly socket: Socket;
}

export interface HttpResponse {
  statusCode: number;
  readonly headersSent: boolean;
  readonly destroyed: boolean;
  writeHead(status: number, headers: Readonly<Record<string, string | number>>): this;
  end(body?: string | Uint8Array): void;
  on(event: 'close', listener: () => void): void;
}

export class Replies {
  readonly #common: Headers;
  readonly #hasCommon: boolean;
  readonly #alwaysClose: boolean;
  readonly #clock: Clock;

  constructor(values: IngestValues, clock: Clock) {
    const common: Record<string, string> = {};
    const set = (name: string, value: string) => {
      if (value !== '') common[name] = value;
    };
    set('Strict-Transport-Security', values['http.header.hsts']);
    set('X-Frame-Options', values['http.header.frameOptions']);
    set('Content-Security-Policy', values['http.header.csp']);
    set('Access-Control-Allow-Origin', values['http.disableCORS'] ? '' : '*');
    this.#common = common;
    this.#hasCommon = Object.keys(common).length > 0;
    this.#alwaysClose = values['http.disableKeepAlive'];
    this.#clock = clock;
  }

  /** The headers that every response carries. */
  headers(request: HttpRequest): Headers {
    const mustClose = this.#mustClose(request) || (hasBody(request) && !request.complete);
    return mustClose ? { ...this.#common, Connection: 'close' } : this.#common;
  }

  send(request: HttpRequest, response: HttpResponse, answer: Answer): void {
    const mustClose = this.#mustClose(request);
    if (answer.body === undefined && answer.headers === undefined && !mustClose && !this.#hasCommon) {
      response.statusCode = answer.status;
      response.end();
      return;
    }
    const headers: Record<string, string | number> = { ...this.#common, ...answer.headers };
    if (answer.contentType !== undefined) headers['Content-Type'] = answer.contentType;
    if (answer.status !== 204) headers['Content-Length'] = Buffer.byteLength(answer.body ?? '');
    if (mustClose) headers.Connection = 'close';
    response.writeHead(answer.status, headers).end(answer.body);
  }

  /** An error as text. If the request has not come in completely, its connection is closed. */
  refuse(
    request: HttpRequest,
    response: HttpResponse,
    status: number,
    error: string,
    more: Headers = {},
  ): void {
    this.refuseWith(request, response, textOf(status, error), more);
  }

  /**
   * The same in any form.
   * @param isPatient whether to read what is still on its way, so that the client gets to read the response.
   */
  refuseWith(
    request: HttpRequest,
    response: HttpResponse,
    { status, body = '', contentType = TEXT }: Answer,
    more: Headers = {},
    isPatient = true,
  ): void {
    if (response.headersSent || response.destroyed) return;
    const isPartial = hasBody(request) && !request.complete;
    response.writeHead(status, {
      ...this.#common,
      'Content-Type': contentType,
      'X-Content-Type-Options': 'nosniff',
      'Content-Length': Buffer.byteLength(body),
      ...more,
      ...(isPartial || this.#mustClose(request) ? { Connection: 'close' } : {}),
    });
    const isSending = isPartial && request.headers.expect === undefined;
    // What is read directly is only refused before its end when it does not come.
    const isNodes = request instanceof IncomingMessage && response instanceof ServerResponse;
    if (isSending && isPatient && isNodes) this.#linger(request, response, body);
    else response.end(body);
  }

  /**
   * Closing a socket that has unread bytes resets the connection, and the client may lose the response. So the response
   * goes out whole, the rest of the body is thrown away for a while, and only then the connection is closed.
   */
  #linger(request: NodeRequest, response: NodeResponse, body: string | Uint8Array): void {
    response.flushHeaders();
    response.write(body);
    const cancel = this.#clock.after(LINGER_MS, () => response.end());
    const finish = () => {
      cancel();
      response.end();
    };
    request.on('data', () => {});
    request.on('end', finish);
    request.on('error', finish);
    request.on('close', finish);
    request.resume();
  }

  #mustClose(request: HttpRequest): boolean {
    return this.#alwaysClose || (connectionOf(request)?.isLast() ?? false);
  }
}

/** An error as text. */
export function textOf(status: number, error: string): Answer {
  return { status, body: error === '' ? '' : `${error}\n`, contentType: TEXT };
}

/** RFC 9112, 6: a request has a body if it says so. */
export function hasBody(request: HttpRequest): boolean {
  const { headers } = request;
  if (headers['transfer-encoding'] !== undefined) return true;
  return headers['content-length'] !== undefined && headers['content-length'] !== '0';
}
