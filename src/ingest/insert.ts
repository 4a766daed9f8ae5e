/**
 * One write request from its head to its answer:
 *
 *     head ─▶ auth ─▶ protocol, extra labels, declared length ─▶ body ─▶ token ─▶ declared decoded size ─▶ engine ─▶ answer
 *
 * The token is taken when the body is complete, or earlier when more than a small body has come, and given back with
 * the verdict: a client that trickles a few bytes holds none.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  ACCOUNT_LABEL,
  type Arrival,
  type Body,
  type BodyEncoding,
  type Counts,
  type Intake,
  type Label,
  noCounts,
  type ParseNotes,
  PROJECT_LABEL,
  type Tenant,
  type Verdict,
} from '../model/body.ts';
import type { Answer, OptionValues, Protocol, Reception, RequestHead, Route } from '../protocol/protocol.ts';
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
import { type Headers, hasBody, type Replies } from './reply.ts';

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

/** Where a request was found, if that is not the path that it names. */
export interface InsertPlace {
  /** As if it were the path of the request. */
  readonly path: string;
  readonly tenant: Tenant | undefined;
  /** Why the path makes no sense. */
  readonly error?: string;
}

interface Plan {
  readonly encoding: BodyEncoding;
  readonly tenant: Tenant | undefined;
  readonly extraLabels: readonly Label[];
  readonly arrival: Arrival | undefined;
  readonly accepted: Answer;
  readonly message: string;
  readonly receipt: ((taken: Readonly<Counts>) => Headers) | undefined;
}

class Head implements RequestHead {
  readonly route: Route;
  readonly query: URLSearchParams;
  readonly #request: IncomingMessage;
  readonly #prefix: string;
  readonly #place: InsertPlace | undefined;

  constructor(
    route: Route,
    request: IncomingMessage,
    query: URLSearchParams,
    prefix: string,
    place?: InsertPlace,
  ) {
    this.route = route;
    this.query = query;
    this.#request = request;
    this.#prefix = prefix;
    this.#place = place;
  }

  get path(): string {
    if (this.#place !== undefined) return this.#place.path;
    const [path = ''] = (this.#request.url ?? '').split('?', 1);
    return path.replace(/\/{2,}/g, '/').slice(this.#prefix.length);
  }

  header(name: string): string {
    return String(this.#request.headers[name] ?? '');
  }
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
      else if (expected !== undefined && expected > bytesMax) {
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
    const { encoding, parameters, labels = [], accepted = this.protocol.accepted, receipt } = reception;
    return {
      message: reception.message ?? this.protocol.name,
      receipt,
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
    const { bytesMax } = this.#route;
    this.#reader = new BodyReader(this.#request, { bytesMax, expected }, ports, this);
    this.#reader.start();
  }

  large(): void {
    if (this.#takeToken()) return;
    this.#reader.pause();
    this.#waitForToken(() => this.#reader.resume());
  }

  complete(bytes: Uint8Array): void {
    if (bytes.byteLength === 0) {
      this.#reader.release();
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
    this.#giveToken();
    metrics.readErrors.inc();
    if (failure === 'gone') {
      this.#route.path.errors.inc();
    } else if (failure === 'too_large') {
      this.#refuse(413, this.#route.tooLarge('it has more than', bytesMax));
    } else {
      connectionOf(this.#request)?.tooSlow();
      // Not 408: senders take a 4xx for final and drop the data.
      const error = 'cannot read the body: it came in too slowly; send it again (-insert.bodyIdleTimeout)';
      this.#refuse(503, error, { retryAfterS: RETRY_AFTER_S, isPatient: false });
    }
  }

  #submit(bytes: Uint8Array): void {
    const { ports, metrics } = this.#route;
    const { encoding, extraLabels, tenant, arrival, message: protocol } = this.#plan;
    const declared = declaredSize(bytes, encoding);
    if (declared !== undefined && declared > this.#route.bytesMax) {
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
    const retryAfterS = verdict.retryAfterS ?? (verdict.status === 503 ? RETRY_AFTER_S : undefined);
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
    this.#reader.abandon();
    const { maxQueueMs } = this.#route.ports;
    const error = `cannot start the insert within ${maxQueueMs / 1000} s: all places of -maxConcurrentInserts are taken or too many wait; send less at the same time, or raise -insert.maxQueueDuration or the number of CPUs`;
    this.#refuse(503, error, { retryAfterS: RETRY_AFTER_S });
  }

  #leaveQueue(): void {
    if (this.#waiter === undefined) return;
    this.#waiter.leave();
    this.#waiter = undefined;
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

/** The labels of a tenant, one array each, so that its requests share their format. */
const tenantLabels = new WeakMap<Tenant, readonly Label[]>();

/** Those of the tenant come last, and are the only ones of their names. */
function withTenant(labels: readonly Label[], tenant: Tenant | undefined): readonly Label[] {
  if (tenant === undefined) return labels;
  let own = tenantLabels.get(tenant);
  if (own === undefined) {
    own = [
      { name: ACCOUNT_LABEL, value: String(tenant.accountId) },
      { name: PROJECT_LABEL, value: String(tenant.projectId) },
    ];
    tenantLabels.set(tenant, own);
  }
  if (labels.length === 0) return own;
  return [...labels.filter(({ name }) => name !== ACCOUNT_LABEL && name !== PROJECT_LABEL), ...own];
}

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
