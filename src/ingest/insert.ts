/**
 * One write request from its head to its answer:
 *
 *     head ─▶ auth ─▶ protocol, extra labels, declared length ─▶ body ─▶ token ─▶ declared decoded size ─▶ engine ─▶ answer
 *
 * Bodies that can be cut into pieces are taken in pieces (`body-stream.ts`) when they are larger than `wholeBytesMax`.
 *
 * The token is taken when the body is complete, or earlier when more than a small body has come, and given back with
 * the verdict: a client that trickles a few bytes holds none. Bodies that come into the engine's memory (`direct-server.ts`)
 * are bounded by the room there is, and take theirs at the end.
 */
import type { Readable } from 'node:stream';
import {
  type Arrival,
  type Body,
  type BodyEncoding,
  type BodyRoom,
  type Counts,
  type Intake,
  type Label,
  noCounts,
  type ParseNotes,
  type Tenant,
  type Verdict,
} from '../model/body.ts';
import type { OptionValues, Pieces, Protocol } from '../protocol/protocol.ts';
import type { BufferPool } from '../util/buffer-pool.ts';
import type { Clock } from '../util/clock.ts';
import { copyBytes } from '../util/copy-bytes.ts';
import { messageOf } from '../util/error.ts';
import type { Logger } from '../util/logger.ts';
import type { Gate } from './access.ts';
import type { Admission, Waiter } from './admission.ts';
import { type BodyFailure, BodyReader, type BodySink } from './body-reader.ts';
import { BodySource } from './body-source.ts';
import { BodyStream, type StreamEnd, type StreamSettings } from './body-stream.ts';
import type { BodyWatch } from './body-watch.ts';
import { declaredSize } from './decoding.ts';
import type { InsertMetrics, PathMetrics } from './insert-metrics.ts';
import type { Replies } from './reply.ts';
import type { Streams } from './streams.ts';

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
  /** Absent: the body is taken whole or not at all. */
  readonly streamed?: { readonly pieces: Pieces; readonly encoding: BodyEncoding } | undefined;
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

/** In memory that nobody shares. */
function copyOf(bytes: Uint8Array): Uint8Array {
  const copy = new Uint8Array(bytes.byteLength);
  copyBytes(copy, 0, bytes);
  return copy;
}

/** Larger ones are taken in pieces, where that goes: compressed ones are some ten times as large. */
export function wholeBytesMax(encoding: BodyEncoding): number {
  return encoding === 'plain' ? 2 * 1024 * 1024 : 256 * 1024;
}

/** From the first byte of a body to its answer. */
export class Insert implements BodySink {
  readonly #target: InsertTarget;
  readonly #exchange: Exchange;
  readonly #plan: InsertPlan;
  #reader: BodyReader | undefined;
  /** The engine's memory that the body comes into, if it does. */
  #room: BodyRoom | undefined;
  #hasToken = false;
  /** Among the bodies that may become streams, which gather without a token. */
  #hasSeat = false;
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
    const { streamed } = this.#plan;
    let bytesMax = this.#target.bytesMax + frameBytes;
    const goesOn = streamed && ((bytes: Uint8Array) => this.#goOn(bytes, false));
    if (streamed !== undefined) {
      bytesMax = Math.min(bytesMax, wholeBytesMax(streamed.encoding));
      // It need not gather first.
      if (expected !== undefined && expected > bytesMax) bytesMax = 0;
    }
    this.#reader = new BodyReader(source, { bytesMax, expected, goesOn }, ports, this);
    this.#reader.start();
  }

  /** Instead of `start`, when somebody else reads into `room`: the caller tells of the end. The request is not counted yet. */
  begin(room: BodyRoom): void {
    const { path, metrics } = this.#target;
    path.requests.inc();
    metrics.readCalls.inc();
    this.#room = room;
  }

  large(): void {
    if (this.#plan.streamed !== undefined && this.#takeSeat()) return;
    if (this.#takeToken()) return;
    const reader = this.#reader!;
    reader.pause();
    this.#waitForToken(() => reader.resume());
  }

  complete(bytes: Uint8Array): void {
    const body = this.#exchange.bodyOf(bytes);
    if (typeof body === 'string' || body.bytes.byteLength === 0) {
      this.#release();
      this.#giveSeat();
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
    this.#room?.release();
    this.#giveSeat();
    this.#giveToken();
    metrics.readErrors.inc();
    if (failure === 'too_large') this.#refuse(413, this.#target.tooLarge('it has more than', bytesMax));
    else this.#sourceFailed(failure, '');
  }

  /** @param progress what to tell of the part that was taken. */
  #sourceFailed(failure: 'gone' | 'too_slow', progress: string): void {
    if (failure === 'gone') {
      this.#target.path.errors.inc();
    } else {
      this.#exchange.tooSlow();
      // Not 408: senders take a 4xx for final and drop the data.
      const error = `${progress}cannot read the body: it came in too slowly; send it again (-insert.bodyIdleTimeout)`;
      this.#refuse(503, error, { retryAfterS: RETRY_AFTER_S, isPatient: false });
    }
  }

  #submit({ bytes, encoding }: EncodedBytes): void {
    const { ports, metrics } = this.#target;
    const { extraLabels, tenant, arrival, message: protocol, streamed } = this.#plan;
    const declared = declaredSize(bytes, encoding);
    const isTooLarge = declared !== undefined && declared > this.#target.bytesMax;
    if (isTooLarge && streamed !== undefined) {
      this.#goOn(bytes, true);
      return;
    }
    this.#giveSeat();
    if (isTooLarge) {
      this.#release();
      this.#giveToken();
      metrics.readErrors.inc();
      this.#refuse(413, this.#target.tooLarge('it declares, decompressed,', declared));
      return;
    }
    const client = this.#exchange.client ?? 'unknown';
    const room = this.#room;
    const body: Body = { bytes, room, encoding, protocol, extraLabels, tenant, arrival, client };
    let verdict: Promise<Verdict>;
    try {
      verdict = ports.intake.submit(body);
    } catch (error) {
      verdict = Promise.reject(error);
    }
    // What it becomes decompressed shows only now.
    const isCompressed = streamed !== undefined && encoding !== 'plain';
    const again = isCompressed ? copyOf(bytes) : undefined;
    this.#release();
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
      this.#exchange.onClose(() => this.#leaveQueue());
      this.#waitForToken(() => void this.#stream(bytes, isEnded));
    }
  }

  /** With a seat or a token. */
  async #stream(bytes: Uint8Array, isEnded: boolean): Promise<void> {
    const { ports, metrics, bytesMax, sizeOption } = this.#target;
    const { arrival, extraLabels, tenant, message: protocol } = this.#plan;
    const { pieces, encoding } = this.#plan.streamed!;
    // A copy: the slice of a Buffer would be none.
    const first = copyOf(bytes);
    this.#release();
    if (this.#takeSeat()) this.#giveToken();
    const source = new BodySource(this.#exchange.source, ports, { length: first.byteLength, isEnded });
    const { itemOption } = pieces;
    const client = this.#exchange.client ?? 'unknown';
    const settings: StreamSettings = {
      pieces,
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
    const { metrics } = this.#target;
    if (end.kind === 'taken') {
      this.#exchange.accept(noCounts);
      return;
    }
    if (end.kind === 'refused' && end.reason === 'malformed') metrics.unmarshalErrors.inc();
    else metrics.readErrors.inc();
    if (end.kind !== 'refused') this.#sourceFailed(end.kind, end.text);
    else this.#refuse(end.status, end.text, { retryAfterS: end.retryAfterS ?? retryAfterOf(end.status) });
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
    const retryAfterS = verdict.retryAfterS ?? retryAfterOf(verdict.status);
    this.#refuse(verdict.status, verdict.error, { retryAfterS });
  }

  #tell({ rowsInvalid, examples }: ParseNotes): void {
    if (examples.length === 0) return;
    const { ports, protocol } = this.#target;
    const what = rowsInvalid > 0 ? 'rows' : 'parts of rows';
    ports.log.limited(`invalid ${protocol.name}`, LOG_EVERY_MS).warn(`left out ${what} that make no sense`, {
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

  #takeSeat(): boolean {
    this.#hasSeat ||= this.#target.ports.streams.enter();
    return this.#hasSeat;
  }

  #giveSeat(): void {
    if (!this.#hasSeat) return;
    this.#hasSeat = false;
    this.#target.ports.streams.leave();
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
    this.#giveSeat();
    this.#abandon();
    const { maxQueueMs } = this.#target.ports;
    const error = `cannot start the insert within ${maxQueueMs / 1000} s: all places of -maxConcurrentInserts are taken or too many wait; send less at the same time, or raise -insert.maxQueueDuration or the number of CPUs`;
    this.#refuse(503, error, { retryAfterS: RETRY_AFTER_S });
  }

  #leaveQueue(): void {
    if (this.#waiter === undefined) return;
    this.#waiter.leave();
    this.#waiter = undefined;
    this.#giveSeat();
    this.#abandon();
    this.#target.path.errors.inc();
  }

  /** The bytes of the body are not looked at any more. */
  #release(): void {
    this.#reader?.release();
    this.#room?.release();
  }

  #abandon(): void {
    this.#reader?.abandon();
    this.#room?.release();
  }

  #refuse(status: number, error: string, more?: RefusalMore): void {
    this.#exchange.refuse(status, error, more);
  }
}

const retryAfterOf = (status: number): number | undefined => (status === 503 ? RETRY_AFTER_S : undefined);
