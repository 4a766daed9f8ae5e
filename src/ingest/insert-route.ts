/** One path of a protocol over HTTP: from the head of a request to its body, and from the verdict to its answer. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { type Counts, type Label, noCounts, type ParseNotes, type Tenant } from '../model/body.ts';
import type { Protocol, Reception, Route } from '../protocol/protocol.ts';
import { connectionOf } from './connections.ts';
import {
  type EncodedBytes,
  type Exchange,
  Insert,
  type InsertPlan,
  type InsertPorts,
  InsertTarget,
  type RefusalMore,
  wholeBytesMax,
} from './insert.ts';
import type { InsertMetrics } from './insert-metrics.ts';
import { queryOf } from './query.ts';
import { type HttpRequest, type HttpResponse, hasBody, textOf } from './reply.ts';
import { Head, type InsertPlace } from './request-head.ts';
import { withTenant } from './tenant-labels.ts';

type BodyReception = Extract<Reception, { kind: 'body' }>;

export class InsertRoute {
  readonly route: Route;
  readonly protocol: Protocol;
  readonly #target: InsertTarget;
  readonly #ports: InsertPorts;

  constructor(protocol: Protocol, route: Route, metrics: InsertMetrics, ports: InsertPorts) {
    this.route = route;
    this.protocol = protocol;
    this.#target = new InsertTarget(protocol, route.counterPath, metrics, ports);
    this.#ports = ports;
  }

  /** Answers the request sooner or later, whatever happens. */
  handle(request: IncomingMessage, response: ServerResponse, place?: InsertPlace): void {
    const { gate, replies } = this.#ports;
    const { path } = this.#target;
    const denial = gate.check('basic', request);
    if (denial !== undefined) {
      replies.refuse(request, response, denial.status, denial.error, denial.headers);
      return;
    }
    if (place?.error !== undefined) {
      path.requests.inc();
      new HttpExchange(request, response, this.#target, undefined).refuse(400, place.error);
      return;
    }
    const query = queryOf(request.url ?? '');
    const head = new Head(this.route, request, query.parameters, this.#ports, place);
    const reception = this.protocol.receive(head, this.#ports.protocolOptions);
    if (reception.kind === 'answer') {
      if (reception.isCounted) path.requests.inc();
      replies.send(request, response, reception.answer);
      return;
    }
    path.requests.inc();
    const exchange = new HttpExchange(request, response, this.#target, reception);
    if (reception.kind === 'refusal') exchange.refuse(reception.status, reception.error);
    else if (query.error !== undefined) exchange.refuse(400, query.error);
    else if (!hasBody(request)) exchange.accept(noCounts);
    else this.#insert(exchange, request, response, this.#planOf(reception, query.extraLabels, place?.tenant));
  }

  /**
   * For a request whose body comes into the engine's memory: undefined if there is anything to say before it has come. It
   * is counted when it begins.
   */
  find(request: HttpRequest, response: HttpResponse): Insert | undefined {
    if (!this.#ports.gate.passesBasic(request)) return undefined;
    const query = queryOf(request.url ?? '');
    const head = new Head(this.route, request, query.parameters, this.#ports);
    const reception = this.protocol.receive(head, this.#ports.protocolOptions);
    if (reception.kind !== 'body' || query.error !== undefined) return undefined;
    const plan = this.#planOf(reception, query.extraLabels, undefined);
    const bytes = Number(request.headers['content-length']);
    if (bytes > (plan.streamed ? wholeBytesMax(plan.streamed.encoding) : this.#target.bytesMax))
      return undefined;
    return new Insert(this.#target, new HttpExchange(request, response, this.#target, reception), plan);
  }

  #insert(
    exchange: HttpExchange,
    request: IncomingMessage,
    response: ServerResponse,
    plan: InsertPlan,
  ): void {
    const expected = contentLength(request);
    const { bytesMax, metrics } = this.#target;
    if (expected !== undefined && expected > bytesMax && plan.streamed === undefined) {
      metrics.readCalls.inc();
      metrics.readErrors.inc();
      exchange.refuse(413, this.#target.tooLarge('its Content-Length is', expected));
      return;
    }
    if (request.headers.expect !== undefined) response.writeContinue();
    new Insert(this.#target, exchange, plan).start(expected);
  }

  #planOf(
    { encoding, parameters, labels = [], message = this.protocol.name, pieces }: BodyReception,
    queryLabels: readonly Label[],
    tenant: Tenant | undefined,
  ): InsertPlan {
    return {
      message,
      tenant,
      extraLabels: withTenant(labels.length === 0 ? queryLabels : [...labels, ...queryLabels], tenant),
      arrival: parameters && { parameters, receivedMs: this.#ports.clock.nowMs() },
      // A block of snappy is whole or nothing.
      streamed: pieces === undefined || encoding === 'snappy' ? undefined : { pieces, encoding },
    };
  }
}

class HttpExchange implements Exchange {
  readonly frameBytes = 0;
  readonly #request: HttpRequest;
  readonly #response: HttpResponse;
  readonly #target: InsertTarget;
  readonly #reception: Exclude<Reception, { kind: 'answer' }> | undefined;

  /** @param reception undefined when the protocol was not asked; then it is only refused. */
  constructor(
    request: HttpRequest,
    response: HttpResponse,
    target: InsertTarget,
    reception: Exclude<Reception, { kind: 'answer' }> | undefined,
  ) {
    this.#request = request;
    this.#response = response;
    this.#target = target;
    this.#reception = reception;
  }

  get source(): Readable {
    if (this.#request instanceof Readable) return this.#request;
    // All of it has come; what is left is to hear that the client is gone.
    const source = new Readable({ read() {} });
    this.onClose(() => source.destroy());
    return source;
  }

  get client(): string | undefined {
    return connectionOf(this.#request)?.client;
  }

  /** What the protocol says of a body that it takes. */
  get #body(): BodyReception | undefined {
    return this.#reception?.kind === 'body' ? this.#reception : undefined;
  }

  get isStrict(): boolean {
    return this.#body?.receipt !== undefined;
  }

  bodyOf(bytes: Uint8Array): EncodedBytes {
    return { bytes, encoding: this.#body!.encoding };
  }

  accept(taken: Readonly<Counts>, notes?: ParseNotes): void {
    const { accepted, wording, receipt } = this.#body!;
    const { ports, protocol } = this.#target;
    const answer = wording?.accepted(notes) ?? accepted ?? protocol.accepted;
    const told = receipt === undefined ? answer : { ...answer, headers: receipt(taken) };
    ports.replies.send(this.#request, this.#response, told);
  }

  refuse(
    status: number,
    error: string,
    { retryAfterS, taken = noCounts, isPatient = true }: RefusalMore = {},
  ): void {
    const [path] = (this.#request.url ?? '').split('?', 1);
    this.#target.noteRefusal(status, error, path, this.client);
    const headers = {
      ...this.#body?.receipt?.(taken),
      ...(retryAfterS !== undefined && { 'Retry-After': String(retryAfterS) }),
    };
    const answer = this.#reception?.wording?.refused(status, error) ?? textOf(status, error);
    this.#target.ports.replies.refuseWith(this.#request, this.#response, answer, headers, isPatient);
  }

  onClose(listener: () => void): void {
    this.#response.on('close', listener);
  }

  tooSlow(): void {
    connectionOf(this.#request)?.tooSlow();
  }
}

function contentLength(request: IncomingMessage): number | undefined {
  const text = request.headers['content-length'];
  return text === undefined ? undefined : Number(text);
}
