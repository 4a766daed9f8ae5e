/**
 * One write request from its head to its answer:
 *
 *     head ─▶ auth ─▶ protocol, extra labels, declared length ─▶ body ─▶ token ─▶ declared decoded size ─▶ engine ─▶ answer
 *
 * Bodies that can be cut into pieces are taken in pieces (`body-stream.ts`) when they are larger than `wholeBytesMax`.
 *
 * The token is taken when the body is complete, or earlier when more than a small body has come, and given back with
 * the verdict: a client that trickles a few bytes holds none.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  type Arrival,
  type Body,
  type BodyEncoding,
  type Counts,
  type Intake,
  type Label,
  noCounts,
  type ParseNotes,
  type Tenant,
  type Verdict,
} from '../model/body.ts';
import type { Answer, OptionValues, Pieces, Protocol, Reception, Route } from '../protocol/protocol.ts';
import type { BufferPool } from '../util/buffer-pool.ts';
import type { Clock } from '../util/clock.ts';
import { messageOf } from '../util/error.ts';
import type { Logger } from '../util/logger.ts';
import type { Gate } from './access.ts';
import type { Admission, Waiter } from './admission.ts';
import { type BodyFailure, BodyReader, type BodySink } from './body-reader.ts';
import { BodySource } from './body-source.ts';
import { BodyStream, type StreamEnd, type StreamSettings } from './body-stream.ts';
import type { BodyWatch } from './body-watch.ts';
import { connectionOf } from './connections.ts';
import { declaredSize } from './decoding.ts';
import type { InsertMetrics, PathMetrics } from './insert-metrics.ts';
import { queryOf } from './query.ts';
import { type Headers, hasBody, type Replies } from './reply.ts';
import { Head, type InsertPlace } from './request-head.ts';
import type { Streams } from './streams.ts';
import { withTenant } from './tenant-labels.ts';

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
  readonly streams: Streams;
  readonly log: Logger;
}

interface Plan {
  readonly encoding: BodyEncoding;
  readonly tenant: Tenant | undefined;
  readonly extraLabels: readonly Label[];
  readonly arrival: Arrival | undefined;
  readonly accepted: Answer;
  readonly message: string;
  readonly receipt: ((taken: Readonly<Counts>) => Headers) | undefined;
  /** Absent: the body is taken whole or not at all. */
  readonly pieces: Pieces | undefined;
}

/** Larger ones are taken in pieces, where that goes: compressed ones are some ten times as large. */
function wholeBytesMax(encoding: BodyEncoding): number {
  return encoding === 'plain' ? 1024 * 1024 : 256 * 1024;
}

/** One path of a protocol. */
export class InsertRoute {
  readonly protocol: Protocol;
  readonly route: Route;
  readonly metrics: InsertMetrics;
  readonly path: PathMetrics;
  readonly ports: InsertPorts;
  readonly bytesMax: number;
  readonly sizeOption: string;

  constructor(protocol: Protocol, route: Route, metrics: InsertMetrics, ports: InsertPorts) {
    this.protocol = protocol;
    this.route = route;
    this.metrics = metrics;
    this.path = metrics.path(route.counterPath);
    this.ports = ports;
    const { sizeOption } = protocol;
    this.bytesMax = sizeOption === undefined ? ports.bytesMax : (ports.protocolOptions[sizeOption] as number);
    this.sizeOption = sizeOption ?? 'maxInsertRequestSize';
  }

  /** Answers the request sooner or later, whatever happens. */
  handle(request: IncomingMessage, response: ServerResponse, place?: InsertPlace): void {
    const { gate, replies } = this.ports;
    const { bytesMax } = this;
    const denial = gate.check('basic', request);
    if (denial !== undefined) {
      replies.refuse(request, response, denial.status, denial.error, denial.headers);
      return;
    }
    if (place?.error !== undefined) {
      this.path.requests.inc();
      this.refuse(request, response, 400, place.error);
      return;
    }
    const query = queryOf(request.url ?? '');
    const head = new Head(this.route, request, query.parameters, this.ports.pathPrefix, place);
    const reception = this.protocol.receive(head, this.ports.protocolOptions);
    if (reception.kind === 'answer') {
      if (reception.isCounted) this.path.requests.inc();
      replies.send(request, response, reception.answer);
      return;
    }
    this.path.requests.inc();
    if (reception.kind === 'refusal') this.refuse(request, response, reception.status, reception.error);
    else if (query.error !== undefined) this.refuse(request, response, 400, query.error);
    else {
      const plan = this.#planOf(reception, query.extraLabels, place?.tenant);
      const expected = contentLength(request);
      if (!hasBody(request)) replies.send(request, response, answerOf(plan, noCounts));
      else if (expected !== undefined && expected > bytesMax && plan.pieces === undefined) {
        this.metrics.readCalls.inc();
        this.metrics.readErrors.inc();
        this.refuse(
          request,
          response,
          413,
          this.tooLarge('its Content-Length is', expected),
          plan.receipt?.(noCounts),
        );
      } else {
        if (request.headers.expect !== undefined) response.writeContinue();
        new Insert(this, request, response, plan).start(expected);
      }
    }
  }

  #planOf(
    reception: Extract<Reception, { kind: 'body' }>,
    queryLabels: readonly Label[],
    tenant: Tenant | undefined,
  ): Plan {
    const {
      encoding,
      parameters,
      labels = [],
      accepted = this.protocol.accepted,
      receipt,
      pieces,
    } = reception;
    return {
      message: reception.message ?? this.protocol.name,
      receipt,
      // A block of snappy is whole or nothing.
      pieces: encoding === 'snappy' ? undefined : pieces,
      encoding,
      tenant,
      extraLabels: withTenant(labels.length === 0 ? queryLabels : [...labels, ...queryLabels], tenant),
      arrival: parameters && { parameters, receivedMs: this.ports.clock.nowMs() },
      accepted,
    };
  }

  tooLarge(what: string, bytes: number): string {
    return `cannot take the body: ${what} ${bytes} bytes, and the limit is ${this.bytesMax}; send smaller requests or raise -${this.sizeOption}`;
  }

  refuse(
    request: IncomingMessage,
    response: ServerResponse,
    status: number,
    error: string,
    headers: Headers = {},
    isPatient = true,
  ): void {
    this.path.errors.inc();
    this.ports.log.limited(`insert ${status}`, LOG_EVERY_MS).warn('refused a write request', {
      status,
      error,
      path: request.url?.split('?', 1)[0],
      client: connectionOf(request)?.client,
    });
    this.ports.replies.refuse(request, response, status, error, headers, isPatient);
  }
}

class Insert implements BodySink {
  readonly #route: InsertRoute;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #plan: Plan;
  #reader!: BodyReader;
  #hasToken = false;
  /** Among the bodies that may become streams, which gather without a token. */
  #hasSeat = false;
  #waiter: Waiter | undefined;

  constructor(route: InsertRoute, request: IncomingMessage, response: ServerResponse, plan: Plan) {
    this.#route = route;
    this.#request = request;
    this.#response = response;
    this.#plan = plan;
  }

  start(expected: number | undefined): void {
    const { ports, metrics } = this.#route;
    metrics.readCalls.inc();
    const { pieces, encoding } = this.#plan;
    let { bytesMax } = this.#route;
    const goesOn = pieces && ((bytes: Uint8Array) => this.#goOn(bytes, false));
    if (pieces !== undefined) {
      bytesMax = Math.min(bytesMax, wholeBytesMax(encoding));
      // It need not gather first.
      if (expected !== undefined && expected > bytesMax) bytesMax = 0;
    }
    this.#reader = new BodyReader(this.#request, { bytesMax, expected, goesOn }, ports, this);
    this.#reader.start();
  }

  large(): void {
    if (this.#plan.pieces !== undefined && this.#takeSeat()) return;
    if (this.#takeToken()) return;
    this.#reader.pause();
    this.#waitForToken(() => this.#reader.resume());
  }

  complete(bytes: Uint8Array): void {
    if (bytes.byteLength === 0) {
      this.#reader.release();
      this.#giveSeat();
      this.#giveToken();
      this.#route.ports.replies.send(this.#request, this.#response, answerOf(this.#plan, noCounts));
    } else if (this.#takeToken()) {
      this.#submit(bytes);
    } else {
      this.#response.on('close', () => this.#leaveQueue());
      this.#waitForToken(() => this.#submit(bytes));
    }
  }

  failed(failure: BodyFailure): void {
    const { metrics, bytesMax } = this.#route;
    this.#waiter?.leave();
    this.#waiter = undefined;
    this.#giveSeat();
    this.#giveToken();
    metrics.readErrors.inc();
    if (failure === 'too_large') this.#refuse(413, this.#route.tooLarge('it has more than', bytesMax));
    else this.#sourceFailed(failure, '');
  }

  /** @param progress what to tell of the part that was taken. */
  #sourceFailed(failure: 'gone' | 'too_slow', progress: string): void {
    if (failure === 'gone') {
      this.#route.path.errors.inc();
    } else {
      connectionOf(this.#request)?.tooSlow();
      // Not 408: senders take a 4xx for final and drop the data.
      const error = `${progress}cannot read the body: it came in too slowly; send it again (-insert.bodyIdleTimeout)`;
      this.#refuse(503, error, { retryAfterS: RETRY_AFTER_S, isPatient: false });
    }
  }

  #submit(bytes: Uint8Array): void {
    const { ports, metrics } = this.#route;
    const { encoding, extraLabels, tenant, arrival, message: protocol } = this.#plan;
    const declared = declaredSize(bytes, encoding);
    const isTooLarge = declared !== undefined && declared > this.#route.bytesMax;
    if (isTooLarge && this.#plan.pieces !== undefined) {
      this.#goOn(bytes, true);
      return;
    }
    this.#giveSeat();
    if (isTooLarge) {
      this.#reader.release();
      this.#giveToken();
      metrics.readErrors.inc();
      this.#refuse(413, this.#route.tooLarge('it declares, decompressed,', declared));
      return;
    }
    const client = connectionOf(this.#request)?.client ?? 'unknown';
    const body: Body = { bytes, encoding, protocol, extraLabels, tenant, arrival, client };
    let verdict: Promise<Verdict>;
    try {
      verdict = ports.intake.submit(body);
    } catch (error) {
      verdict = Promise.reject(error);
    }
    // What it becomes decompressed shows only now.
    const isCompressed = this.#plan.pieces !== undefined && encoding !== 'plain';
    const again = isCompressed ? new Uint8Array(bytes) : undefined;
    this.#reader.release();
    // The bytes are in the engine's memory now; only where those pile up does the limiter count them as well.
    if (ports.intake.hasRoom) this.#giveToken();
    verdict.then(
      (result) => {
        if (!result.ok && result.reason === 'too_large' && again !== undefined) this.#goOn(again, true);
        else this.#answer(result);
      },
      (error) => this.#broken(error),
    );
  }

  /** The body is larger than what is taken whole. */
  #goOn(bytes: Uint8Array, isEnded: boolean): void {
    if (this.#takeSeat() || this.#takeToken()) {
      void this.#stream(bytes, isEnded);
    } else {
      this.#response.on('close', () => this.#leaveQueue());
      this.#waitForToken(() => void this.#stream(bytes, isEnded));
    }
  }

  /** With a seat or a token. */
  async #stream(bytes: Uint8Array, isEnded: boolean): Promise<void> {
    const { ports, metrics, bytesMax, sizeOption } = this.#route;
    const { pieces, encoding, arrival, extraLabels, tenant, message: protocol } = this.#plan;
    // A copy: the slice of a Buffer would be none.
    const first = new Uint8Array(bytes);
    this.#reader.release();
    if (this.#takeSeat()) this.#giveToken();
    const source = new BodySource(this.#request, ports, { length: first.byteLength, isEnded });
    const { itemOption } = pieces!;
    const client = connectionOf(this.#request)?.client ?? 'unknown';
    const settings: StreamSettings = {
      pieces: pieces!,
      itemBytesMax: itemOption === undefined ? bytesMax : (ports.protocolOptions[itemOption] as number),
      itemOption: itemOption ?? sizeOption,
      encoding,
      arrival: arrival!,
      body: { protocol, extraLabels, tenant, client },
      keepsToken: this.#hasToken,
      maxQueueMs: ports.maxQueueMs,
    };
    const onTaken = (counts: Counts, notes: ParseNotes | undefined) => {
      metrics.accepted(counts, notes, tenant);
      if (notes !== undefined) this.#tell(notes);
    };
    ports.streams.add(source);
    const end = await new BodyStream(source, settings, { ...ports, onTaken }).run(first);
    ports.streams.delete(source);
    this.#giveSeat();
    this.#giveToken();
    this.#streamed(end);
  }

  #streamed(end: StreamEnd): void {
    const { ports, metrics } = this.#route;
    if (end.kind === 'taken') {
      ports.replies.send(this.#request, this.#response, this.#plan.accepted);
      return;
    }
    if (end.kind === 'refused' && end.reason === 'malformed') metrics.unmarshalErrors.inc();
    else metrics.readErrors.inc();
    if (end.kind !== 'refused') this.#sourceFailed(end.kind, end.text);
    else this.#refuse(end.status, end.text, { retryAfterS: end.retryAfterS ?? retryAfterOf(end.status) });
  }

  #answer(verdict: Verdict): void {
    this.#giveToken();
    const { metrics, ports } = this.#route;
    if (verdict.ok) {
      metrics.accepted(verdict.counts, verdict.notes, this.#plan.tenant);
      const { notes } = verdict;
      if (notes !== undefined) this.#tell(notes);
      const taken = notes?.taken ?? verdict.counts;
      if (this.#plan.receipt === undefined || (notes?.rowsInvalid ?? 0) === 0) {
        ports.replies.send(this.#request, this.#response, answerOf(this.#plan, taken));
      } else this.#refuse(400, `cannot take all of the request: ${notes!.examples.join('; ')}`, { taken });
      return;
    }
    if (verdict.reason === 'malformed') metrics.unmarshalErrors.inc();
    else if (verdict.reason === 'too_large') metrics.readErrors.inc();
    const retryAfterS = verdict.retryAfterS ?? retryAfterOf(verdict.status);
    this.#refuse(verdict.status, verdict.error, { retryAfterS });
  }

  #tell({ rowsInvalid, examples }: ParseNotes): void {
    if (rowsInvalid === 0) return;
    const { ports, protocol } = this.#route;
    ports.log.limited(`invalid ${protocol.name}`, LOG_EVERY_MS).warn('left out rows that make no sense', {
      protocol: protocol.name,
      rows: rowsInvalid,
      examples,
      client: connectionOf(this.#request)?.client,
    });
  }

  /** The engine never rejects; if it does, the client may send again. */
  #broken(error: unknown): void {
    this.#giveToken();
    this.#route.ports.log.error('BUG: the engine failed to judge a body', { error: messageOf(error) });
    this.#refuse(503, 'cannot process the request: internal error; send it again', {
      retryAfterS: RETRY_AFTER_S,
    });
  }

  #takeSeat(): boolean {
    this.#hasSeat ||= this.#route.ports.streams.enter();
    return this.#hasSeat;
  }

  #giveSeat(): void {
    if (!this.#hasSeat) return;
    this.#hasSeat = false;
    this.#route.ports.streams.leave();
  }

  #takeToken(): boolean {
    this.#hasToken ||= this.#route.ports.admission.tryTake();
    return this.#hasToken;
  }

  #giveToken(): void {
    if (!this.#hasToken) return;
    this.#hasToken = false;
    this.#route.ports.admission.give();
  }

  #waitForToken(go: () => void): void {
    this.#waiter = this.#route.ports.admission.wait(
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
    this.#giveSeat();
    this.#reader.abandon();
    const { maxQueueMs } = this.#route.ports;
    const error = `cannot start the insert within ${maxQueueMs / 1000} s: all places of -maxConcurrentInserts are taken or too many wait; send less at the same time, or raise -insert.maxQueueDuration or the number of CPUs`;
    this.#refuse(503, error, { retryAfterS: RETRY_AFTER_S });
  }

  #leaveQueue(): void {
    if (this.#waiter === undefined) return;
    this.#waiter.leave();
    this.#waiter = undefined;
    this.#giveSeat();
    this.#reader.abandon();
    this.#route.path.errors.inc();
  }

  #refuse(
    status: number,
    error: string,
    { retryAfterS, taken = noCounts, isPatient }: RefusalMore = {},
  ): void {
    const headers = {
      ...this.#plan.receipt?.(taken),
      ...(retryAfterS !== undefined && { 'Retry-After': String(retryAfterS) }),
    };
    this.#route.refuse(this.#request, this.#response, status, error, headers, isPatient);
  }
}

const retryAfterOf = (status: number): number | undefined => (status === 503 ? RETRY_AFTER_S : undefined);

interface RefusalMore {
  readonly retryAfterS?: number | undefined;
  /** What was taken nevertheless. */
  readonly taken?: Readonly<Counts>;
  readonly isPatient?: boolean;
}

function answerOf({ accepted, receipt }: Plan, taken: Readonly<Counts>): Answer {
  return receipt === undefined ? accepted : { ...accepted, headers: receipt(taken) };
}

function contentLength(request: IncomingMessage): number | undefined {
  const text = request.headers['content-length'];
  return text === undefined ? undefined : Number(text);
}
