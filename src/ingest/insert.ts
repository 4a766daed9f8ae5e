/**
 * One write request from its head to its answer:
 *
 *     head ─▶ auth ─▶ protocol, extra labels, declared length ─▶ body ─▶ token ─▶ declared decoded size ─▶ engine ─▶ answer
 *
 * The token is taken when the body is complete, or earlier when more than a small body has come, and given back with
 * the verdict: a client that trickles a few bytes holds none.
 */
import type { Readable } from 'node:stream';
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
import type { OptionValues, Protocol } from '../protocol/protocol.ts';
import type { BufferPool } from '../util/buffer-pool.ts';
import type { Clock } from '../util/clock.ts';
import { messageOf } from '../util/error.ts';
import type { Logger } from '../util/logger.ts';
import type { Gate } from './access.ts';
import type { Admission, Waiter } from './admission.ts';
import { type BodyFailure, BodyReader, type BodySink } from './body-reader.ts';
import type { BodyWatch } from './body-watch.ts';
import { declaredSize } from './decoding.ts';
import type { InsertMetrics, PathMetrics } from './insert-metrics.ts';
import type { Replies } from './reply.ts';

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
  /** What the body is called in `Body.protocol`. */
  readonly message: string;
  readonly tenant: Tenant | undefined;
  readonly extraLabels: readonly Label[];
  readonly arrival: Arrival | undefined;
}

export interface EncodedBytes {
  readonly bytes: Uint8Array;
  readonly encoding: BodyEncoding;
}

export interface RefusalMore {
  readonly retryAfterS?: number | undefined;
  /** What was taken nevertheless. */
  readonly taken?: Readonly<Counts>;
  /** False: what is still on its way is not read, though the client may then not get to read the answer. */
  readonly isPatient?: boolean;
}

/** The other end of an insert: where its body comes from, and where its answer goes. */
export interface Exchange {
  readonly source: Readable;
  /** Bytes that come beside those of the body. */
  readonly frameBytes: number;
  readonly client: string | undefined;
  /** Whether a body of which something was left out is refused, though the rest was taken. */
  readonly isStrict: boolean;
  /** The body out of what came; or why there is none. */
  bodyOf(bytes: Uint8Array): EncodedBytes | string;
  /** Exactly one of these two is called, once. @param notes what was left out; undefined: nothing. */
  accept(taken: Readonly<Counts>, notes?: ParseNotes): void;
  refuse(status: number, error: string, more?: RefusalMore): void;
  /** The client is gone, or has its answer. */
  onClose(listener: () => void): void;
  /** The body came too slowly. */
  tooSlow(): void;
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
      if (typeof body !== 'string') this.#exchange.accept(noCounts);
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
      this.#exchange.refuse(503, error, { retryAfterS: RETRY_AFTER_S, isPatient: false });
    }
  }

  #submit({ bytes, encoding }: EncodedBytes): void {
    const { ports, metrics } = this.#target;
    const { extraLabels, tenant, arrival, message: protocol } = this.#plan;
    const declared = declaredSize(bytes, encoding);
    if (declared !== undefined && declared > this.#target.bytesMax) {
      this.#reader.release();
      this.#giveToken();
      metrics.readErrors.inc();
      this.#refuse(413, this.#target.tooLarge('it declares, decompressed,', declared));
      return;
    }
    const client = this.#exchange.client ?? 'unknown';
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
    const { metrics } = this.#target;
    if (verdict.ok) {
      const { counts, notes } = verdict;
      metrics.accepted(counts, notes, this.#plan.tenant);
      if (notes !== undefined) this.#tell(notes);
      const taken = notes?.taken ?? counts;
      if (!this.#exchange.isStrict || (notes?.rowsInvalid ?? 0) === 0) this.#exchange.accept(taken, notes);
      else this.#refuse(400, `cannot take all of the request: ${notes!.examples.join('; ')}`, { taken });
      return;
    }
    if (verdict.reason === 'malformed') metrics.unmarshalErrors.inc();
    else if (verdict.reason === 'too_large') metrics.readErrors.inc();
    const retryAfterS = verdict.retryAfterS ?? (verdict.status === 503 ? RETRY_AFTER_S : undefined);
    this.#refuse(verdict.status, verdict.error, { retryAfterS });
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
    this.#refuse(503, 'cannot process the request: internal error; send it again', {
      retryAfterS: RETRY_AFTER_S,
    });
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
    this.#refuse(503, error, { retryAfterS: RETRY_AFTER_S });
  }

  #leaveQueue(): void {
    if (this.#waiter === undefined) return;
    this.#waiter.leave();
    this.#waiter = undefined;
    this.#reader.abandon();
    this.#target.path.errors.inc();
  }

  #refuse(status: number, error: string, more?: RefusalMore): void {
    this.#exchange.refuse(status, error, more);
  }
}
