/**
 * One write request from its head to its answer:
 *
 *     head ─▶ auth ─▶ protocol, extra labels, declared length ─▶ body ─▶ token ─▶ declared decoded size ─▶ engine ─▶ answer
 *
 * The token is taken when the body is complete, or earlier when more than a small body has come, and given back with
 * the verdict: a client that trickles a few bytes holds none.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import type { Arrival, Body, BodyEncoding, Intake, Label, ParseNotes, Verdict } from '../model/body.ts';
import type { OptionValues, Protocol, Reception, RequestHead, Route } from '../protocol/protocol.ts';
import type { BufferPool } from '../util/buffer-pool.ts';
import type { Clock } from '../util/clock.ts';
import { messageOf } from '../util/error.ts';
import type { Logger } from '../util/logger.ts';
import type { Gate } from './access.ts';
import type { Admission, Waiter } from './admission.ts';
import { type BodyFailure, BodyReader, type BodySink } from './body-reader.ts';
import type { BodyWatch } from './body-watch.ts';
import { connectionOf } from './connections.ts';
import { declaredSize } from './decoding.ts';
import type { InsertMetrics, PathMetrics } from './insert-metrics.ts';
import { queryOf } from './query.ts';
import { hasBody, type Replies, textOf } from './reply.ts';

/** Long enough for a burst to pass, short enough to be forgotten by clients that retry anyway. */
const RETRY_AFTER_S = 5;
const LOG_EVERY_MS = 5_000;

/** What all write paths share. */
export interface InsertPorts {
  /** For protocols without a limit of their own. */
  readonly bytesMax: number;
  readonly maxQueueMs: number;
  readonly protocolOptions: OptionValues;
  readonly pathPrefix: string;
  readonly clock: Clock;
  readonly intake: Intake;
  readonly admission: Admission;
  readonly gate: Gate;
  readonly replies: Replies;
  readonly pool: BufferPool;
  readonly watch: BodyWatch;
  readonly log: Logger;
}

/** Whatever can be inserted into: a protocol by one of its ways. */
export class InsertTarget {
  readonly protocol: Protocol;
  readonly metrics: InsertMetrics;
  readonly path: PathMetrics;
  readonly ports: InsertPorts;
  readonly bytesMax: number;
  readonly sizeOption: string;

  constructor(protocol: Protocol, counterPath: string, metrics: InsertMetrics, ports: InsertPorts) {
    this.protocol = protocol;
    this.metrics = metrics;
    this.path = metrics.path(counterPath);
    this.ports = ports;
    const { sizeOption } = protocol;
    this.bytesMax = sizeOption === undefined ? ports.bytesMax : (ports.protocolOptions[sizeOption] as number);
    this.sizeOption = sizeOption ?? 'maxInsertRequestSize';
  }

  tooLarge(what: string, bytes: number): string {
    return `cannot take the body: ${what} ${bytes} bytes, and the limit is ${this.bytesMax}; send smaller requests or raise -${this.sizeOption}`;
  }

  noteRefusal(status: number, error: string, path: string | undefined, client: string | undefined): void {
    this.path.errors.inc();
    this.ports.log
      .limited(`insert ${status}`, LOG_EVERY_MS)
      .warn('refused a write request', { status, error, path, client });
  }
}

/** What of a request is not in its body. */
export interface InsertPlan {
  readonly extraLabels: readonly Label[];
  readonly arrival: Arrival | undefined;
}

export interface EncodedBytes {
  readonly bytes: Uint8Array;
  readonly encoding: BodyEncoding;
}

/** The other end of an insert: where its body comes from, and where its answer goes. */
export interface Exchange {
  readonly source: Readable;
  /** Bytes that come beside those of the body. */
  readonly frameBytes: number;
  readonly client: string | undefined;
  /** The body out of what came; or why there is none. */
  bodyOf(bytes: Uint8Array): EncodedBytes | string;
  /** Exactly one of these two is called, once. @param notes what was left out; undefined: nothing. */
  accept(notes: ParseNotes | undefined): void;
  /** @param isPatient whether to read what is still on its way, so that the client gets to read the answer. */
  refuse(status: number, error: string, retryAfterS?: number, isPatient?: boolean): void;
  /** The client is gone, or has its answer. */
  onClose(listener: () => void): void;
  /** The body came too slowly. */
  tooSlow(): void;
}

class Head implements RequestHead {
  readonly route: Route;
  readonly query: URLSearchParams;
  readonly receivedMs: number;
  readonly #request: IncomingMessage;
  readonly #prefix: string;

  constructor(route: Route, request: IncomingMessage, query: URLSearchParams, ports: InsertPorts) {
    this.route = route;
    this.query = query;
    this.receivedMs = ports.clock.nowMs();
    this.#request = request;
    this.#prefix = ports.pathPrefix;
  }

  get path(): string {
    const [path = ''] = (this.#request.url ?? '').split('?', 1);
    return path.replace(/\/{2,}/g, '/').slice(this.#prefix.length);
  }

  header(name: string): string {
    return String(this.#request.headers[name] ?? '');
  }
}

/** One path of a protocol. */
export class InsertRoute {
  readonly #protocol: Protocol;
  readonly #route: Route;
  readonly #target: InsertTarget;
  readonly #ports: InsertPorts;

  constructor(protocol: Protocol, route: Route, metrics: InsertMetrics, ports: InsertPorts) {
    this.#protocol = protocol;
    this.#route = route;
    this.#target = new InsertTarget(protocol, route.counterPath, metrics, ports);
    this.#ports = ports;
  }

  /** Answers the request sooner or later, whatever happens. */
  handle(request: IncomingMessage, response: ServerResponse): void {
    const { gate, replies } = this.#ports;
    const denial = gate.check('basic', request);
    if (denial !== undefined) {
      replies.refuse(request, response, denial.status, denial.error, denial.headers);
      return;
    }
    const query = queryOf(request.url ?? '');
    const head = new Head(this.#route, request, query.parameters, this.#ports);
    const reception = this.#protocol.receive(head, this.#ports.protocolOptions);
    const { path } = this.#target;
    if (reception.kind === 'answer') {
      if (reception.isCounted) path.requests.inc();
      replies.send(request, response, reception.answer);
      return;
    }
    path.requests.inc();
    const exchange = new HttpExchange(request, response, this.#target, reception);
    if (reception.kind === 'refusal') exchange.refuse(reception.status, reception.error);
    else if (query.error !== undefined) exchange.refuse(400, query.error);
    else if (!hasBody(request)) exchange.accept(undefined);
    else this.#insert(exchange, request, response, { ...reception, extraLabels: query.extraLabels });
  }

  #insert(
    exchange: HttpExchange,
    request: IncomingMessage,
    response: ServerResponse,
    { parameters, labels = [], extraLabels }: BodyReception & Pick<InsertPlan, 'extraLabels'>,
  ): void {
    const expected = contentLength(request);
    const { bytesMax, metrics } = this.#target;
    if (expected !== undefined && expected > bytesMax) {
      metrics.readCalls.inc();
      metrics.readErrors.inc();
      exchange.refuse(413, this.#target.tooLarge('its Content-Length is', expected));
      return;
    }
    if (request.headers.expect !== undefined) response.writeContinue();
    const plan: InsertPlan = {
      extraLabels: labels.length === 0 ? extraLabels : [...labels, ...extraLabels],
      arrival: parameters && { parameters, receivedMs: this.#ports.clock.nowMs() },
    };
    new Insert(this.#target, exchange, plan).start(expected);
  }
}

type BodyReception = Extract<Reception, { kind: 'body' }>;

class HttpExchange implements Exchange {
  readonly frameBytes = 0;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #target: InsertTarget;
  readonly #reception: Exclude<Reception, { kind: 'answer' }>;

  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    target: InsertTarget,
    reception: Exclude<Reception, { kind: 'answer' }>,
  ) {
    this.#request = request;
    this.#response = response;
    this.#target = target;
    this.#reception = reception;
  }

  get source(): Readable {
    return this.#request;
  }

  get client(): string | undefined {
    return connectionOf(this.#request)?.client;
  }

  bodyOf(bytes: Uint8Array): EncodedBytes {
    return { bytes, encoding: (this.#reception as BodyReception).encoding };
  }

  accept(notes: ParseNotes | undefined): void {
    const { accepted, wording } = this.#reception as BodyReception;
    const { ports, protocol } = this.#target;
    const answer = wording?.accepted(notes) ?? accepted ?? protocol.accepted;
    ports.replies.send(this.#request, this.#response, answer);
  }

  refuse(status: number, error: string, retryAfterS?: number, isPatient = true): void {
    const { ports } = this.#target;
    const [path] = (this.#request.url ?? '').split('?', 1);
    this.#target.noteRefusal(status, error, path, this.client);
    const more = retryAfterS === undefined ? {} : { 'Retry-After': String(retryAfterS) };
    const answer = this.#reception.wording?.refused(status, error) ?? textOf(status, error);
    ports.replies.refuseWith(this.#request, this.#response, answer, more, isPatient);
  }

  onClose(listener: () => void): void {
    this.#response.on('close', listener);
  }

  tooSlow(): void {
    connectionOf(this.#request)?.tooSlow();
  }
}

/** From the first byte of a body to its answer. */
export class Insert implements BodySink {
  readonly #target: InsertTarget;
  readonly #exchange: Exchange;
  readonly #plan: InsertPlan;
  #reader!: BodyReader;
  #hasToken = false;
  #waiter: Waiter | undefined;

  constructor(target: InsertTarget, exchange: Exchange, plan: InsertPlan) {
    this.#target = target;
    this.#exchange = exchange;
    this.#plan = plan;
  }

  /** @param expected how many bytes the client said; undefined if it did not. */
  start(expected: number | undefined): void {
    const { ports, metrics } = this.#target;
    metrics.readCalls.inc();
    const { source, frameBytes } = this.#exchange;
    const bytesMax = this.#target.bytesMax + frameBytes;
    this.#reader = new BodyReader(source, { bytesMax, expected }, ports, this);
    this.#reader.start();
  }

  large(): void {
    if (this.#takeToken()) return;
    this.#reader.pause();
    this.#waitForToken(() => this.#reader.resume());
  }

  complete(bytes: Uint8Array): void {
    const body = this.#exchange.bodyOf(bytes);
    if (typeof body === 'string' || body.bytes.byteLength === 0) {
      this.#reader.release();
      this.#giveToken();
      if (typeof body !== 'string') this.#exchange.accept(undefined);
      else {
        this.#target.metrics.readErrors.inc();
        this.#refuse(400, body);
      }
    } else if (this.#takeToken()) {
      this.#submit(body);
    } else {
      this.#exchange.onClose(() => this.#leaveQueue());
      this.#waitForToken(() => this.#submit(body));
    }
  }

  failed(failure: BodyFailure): void {
    const { metrics, bytesMax } = this.#target;
    this.#waiter?.leave();
    this.#waiter = undefined;
    this.#giveToken();
    metrics.readErrors.inc();
    if (failure === 'gone') {
      this.#target.path.errors.inc();
    } else if (failure === 'too_large') {
      this.#refuse(413, this.#target.tooLarge('it has more than', bytesMax));
    } else {
      this.#exchange.tooSlow();
      // Not 408: senders take a 4xx for final and drop the data.
      const error = 'cannot read the body: it came in too slowly; send it again (-insert.bodyIdleTimeout)';
      this.#exchange.refuse(503, error, RETRY_AFTER_S, false);
    }
  }

  #submit({ bytes, encoding }: EncodedBytes): void {
    const { ports, metrics, protocol } = this.#target;
    const { extraLabels, arrival } = this.#plan;
    const declared = declaredSize(bytes, encoding);
    if (declared !== undefined && declared > this.#target.bytesMax) {
      this.#reader.release();
      this.#giveToken();
      metrics.readErrors.inc();
      this.#refuse(413, this.#target.tooLarge('it declares, decompressed,', declared));
      return;
    }
    const client = this.#exchange.client ?? 'unknown';
    const body: Body = { bytes, encoding, protocol: protocol.name, extraLabels, arrival, client };
    let verdict: Promise<Verdict>;
    try {
      verdict = ports.intake.submit(body);
    } catch (error) {
      verdict = Promise.reject(error);
    }
    this.#reader.release();
    // The bytes are in the engine's memory now; only where those pile up does the limiter count them as well.
    if (ports.intake.hasRoom) this.#giveToken();
    verdict.then(
      (result) => this.#answer(result),
      (error) => this.#broken(error),
    );
  }

  #answer(verdict: Verdict): void {
    this.#giveToken();
    const { metrics } = this.#target;
    if (verdict.ok) {
      metrics.accepted(verdict.counts, verdict.notes);
      if (verdict.notes !== undefined) this.#tell(verdict.notes);
      this.#exchange.accept(verdict.notes);
      return;
    }
    if (verdict.reason === 'malformed') metrics.unmarshalErrors.inc();
    else if (verdict.reason === 'too_large') metrics.readErrors.inc();
    this.#refuse(
      verdict.status,
      verdict.error,
      verdict.retryAfterS ?? (verdict.status === 503 ? RETRY_AFTER_S : undefined),
    );
  }

  #tell({ rowsInvalid, examples }: ParseNotes): void {
    if (examples.length === 0) return;
    const { ports, protocol } = this.#target;
    ports.log.limited(`invalid ${protocol.name}`, LOG_EVERY_MS).warn('left out rows that make no sense', {
      protocol: protocol.name,
      rows: rowsInvalid,
      examples,
      client: this.#exchange.client,
    });
  }

  /** The engine never rejects; if it does, the client may send again. */
  #broken(error: unknown): void {
    this.#giveToken();
    this.#target.ports.log.error('BUG: the engine failed to judge a body', { error: messageOf(error) });
    this.#refuse(503, 'cannot process the request: internal error; send it again', RETRY_AFTER_S);
  }

  #takeToken(): boolean {
    this.#hasToken ||= this.#target.ports.admission.tryTake();
    return this.#hasToken;
  }

  #giveToken(): void {
    if (!this.#hasToken) return;
    this.#hasToken = false;
    this.#target.ports.admission.give();
  }

  #waitForToken(go: () => void): void {
    this.#waiter = this.#target.ports.admission.wait(
      () => {
        this.#waiter = undefined;
        this.#hasToken = true;
        go();
      },
      () => this.#refusedToken(),
    );
  }

  #refusedToken(): void {
    // Already left, or the refusal crossed with the client's going.
    if (this.#waiter === undefined) return;
    this.#waiter = undefined;
    this.#reader.abandon();
    const { maxQueueMs } = this.#target.ports;
    const error = `cannot start the insert within ${maxQueueMs / 1000} s: all places of -maxConcurrentInserts are taken or too many wait; send less at the same time, or raise -insert.maxQueueDuration or the number of CPUs`;
    this.#refuse(503, error, RETRY_AFTER_S);
  }

  #leaveQueue(): void {
    if (this.#waiter === undefined) return;
    this.#waiter.leave();
    this.#waiter = undefined;
    this.#reader.abandon();
    this.#target.path.errors.inc();
  }

  #refuse(status: number, error: string, retryAfterS?: number): void {
    this.#exchange.refuse(status, error, retryAfterS);
  }
}

function contentLength(request: IncomingMessage): number | undefined {
  const text = request.headers['content-length'];
  return text === undefined ? undefined : Number(text);
}
