/**
 * A body of any size on its way to the engine: read as it comes, decompressed, cut into pieces that are bodies themselves,
 * which go one at a time while the next one gathers. What was taken stays taken, whatever happens to the rest: the answer to
 * a failure says how much that is. Main thread only.
 *
 *     source ─▶ decoder ─▶ piece ─▶ token ─▶ engine ─▶ verdict
 *
 * The token is held from the moment when a piece is complete to its verdict, and longer only while a single item gathers
 * that is larger than a piece.
 */
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createGunzip, createInflate, createZstdDecompress } from 'node:zlib';
import {
  type Arrival,
  type Body,
  type BodyEncoding,
  type Counts,
  type Intake,
  type ParseNotes,
  type Verdict,
  ZSTD_WINDOW_LOG_MAX,
} from '../model/body.ts';
import type { Pieces } from '../protocol/protocol.ts';
import type { BufferPool } from '../util/buffer-pool.ts';
import { type Clock, sleep } from '../util/clock.ts';
import { messageOf } from '../util/error.ts';
import { freeChunk } from '../util/free-buffer.ts';
import type { Logger } from '../util/logger.ts';
import type { Admission } from './admission.ts';
import { type BodySource, SourceEnded, type SourceFailure } from './body-source.ts';

const DECODED_CHUNK_BYTES = 128 * 1024;
/** Large enough that a piece costs little beside its lines, small enough to share the memory that bodies wait in. */
const BUFFER_BYTES = 512 * 1024;
/** There is always room for a chunk behind it. */
const PIECE_BYTES = BUFFER_BYTES - DECODED_CHUNK_BYTES;
const RETRY_MS = 1_000;

export interface StreamSettings {
  readonly pieces: Pieces;
  /** Of the longest item. */
  readonly itemBytesMax: number;
  /** The option that sets it. */
  readonly itemOption: string;
  readonly encoding: BodyEncoding;
  readonly arrival: Arrival;
  /** What all pieces have in common. */
  readonly body: Pick<Body, 'protocol' | 'extraLabels' | 'tenant' | 'client'>;
  /** The caller holds a token for it all the time. */
  readonly keepsToken: boolean;
  /** For a token, and for an engine that cannot take a piece at the moment. */
  readonly maxQueueMs: number;
}

export interface StreamPorts {
  readonly intake: Intake;
  readonly admission: Admission;
  readonly clock: Clock;
  readonly pool: BufferPool;
  readonly log: Logger;
  readonly onTaken: (counts: Counts, notes: ParseNotes | undefined) => void;
}

/** How it ended. `gone`: there is nobody to answer to. */
export type StreamEnd =
  | { readonly kind: 'taken' }
  | { readonly kind: Exclude<SourceFailure, 'stopping'>; readonly text: string }
  | {
      readonly kind: 'refused';
      readonly status: number;
      readonly reason: 'malformed' | 'too_large' | 'overloaded';
      readonly text: string;
      readonly retryAfterS?: number | undefined;
    };

class Refused extends Error {
  readonly status: number;
  readonly reason: 'malformed' | 'too_large' | 'overloaded';
  readonly retryAfterS: number | undefined;

  constructor(status: number, reason: Refused['reason'], message: string, retryAfterS?: number) {
    super(message);
    this.status = status;
    this.reason = reason;
    this.retryAfterS = retryAfterS;
  }
}

export class BodyStream {
  readonly #settings: StreamSettings;
  readonly #ports: StreamPorts;
  readonly #source: BodySource;
  /** What gathers, head included, and what is under way. */
  #buffer: Uint8Array<ArrayBuffer>;
  #underWayBuffer: Uint8Array<ArrayBuffer> | undefined;
  #length = 0;
  /** No item ends before this. */
  #searched = 0;
  #hasToken = false;
  /** Settles with the verdict on the last piece. */
  #underWay: Promise<void> = Promise.resolve();
  #isBegun = false;
  /** Of the pieces that were taken. */
  #itemsTaken = 0;
  #samplesTaken = 0;

  constructor(source: BodySource, settings: StreamSettings, ports: StreamPorts) {
    this.#source = source;
    this.#settings = settings;
    this.#ports = ports;
    this.#buffer = new Uint8Array(ports.pool.take(BUFFER_BYTES));
  }

  /** @param first the bytes that came before those of the source. Never rejects. */
  async run(first: Uint8Array): Promise<StreamEnd> {
    let failure: unknown;
    try {
      for await (const chunk of this.#decoded(first)) await this.#push(chunk);
      if (this.#length > this.#settings.pieces.headBytes || !this.#isBegun) {
        await this.#give(this.#length);
      }
    } catch (error) {
      failure = error;
    }
    // A piece that is under way may have been refused, which came first then.
    await this.#underWay.catch((error) => {
      failure = error;
    });
    this.#giveToken();
    this.#source.close();
    this.#giveBuffer(this.#buffer);
    this.#giveBuffer(this.#underWayBuffer);
    return failure === undefined ? { kind: 'taken' } : this.#endBy(failure);
  }

  #endBy(failure: unknown): StreamEnd {
    const text = `${this.#progress}${messageOf(failure)}`;
    if (failure instanceof Refused) {
      const { status, reason, retryAfterS } = failure;
      return { kind: 'refused', status, reason, text, retryAfterS };
    }
    if (failure instanceof SourceEnded) {
      if (failure.failure !== 'stopping') return { kind: failure.failure, text: this.#progress };
      const error = 'the relay is shutting down; send the rest to another instance, or again';
      return { kind: 'refused', status: 503, reason: 'overloaded', text: `${this.#progress}${error}` };
    }
    const error = `cannot decode ${this.#settings.encoding} body: ${messageOf(failure)}`;
    return { kind: 'refused', status: 400, reason: 'malformed', text: `${this.#progress}${error}` };
  }

  /** What clients need to go on from where it ended. */
  get #progress(): string {
    const { item } = this.#settings.pieces;
    if (this.#itemsTaken === 0) return '';
    return `the first ${this.#itemsTaken} ${item}s of the body, with ${this.#samplesTaken} samples, were taken, what follows was not: `;
  }

  async *#decoded(first: Uint8Array): AsyncGenerator<Uint8Array> {
    const decoder = decoderOf(this.#settings.encoding);
    if (decoder === undefined) {
      yield* this.#wire(first);
      return;
    }
    const wire = Readable.from(this.#wire(first), { highWaterMark: 1 });
    const fed = pipeline(wire, decoder);
    // What is wrong comes out of the decoder.
    fed.catch(() => {});
    yield* decoder as AsyncIterable<Uint8Array>;
  }

  async *#wire(first: Uint8Array): AsyncGenerator<Uint8Array> {
    yield first;
    for (let chunk = await this.#source.next(); chunk !== undefined; chunk = await this.#source.next()) {
      yield chunk;
    }
  }

  async #push(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.byteLength; at += DECODED_CHUNK_BYTES) {
      const chunk = bytes.subarray(at, at + DECODED_CHUNK_BYTES);
      this.#append(chunk);
      if (this.#length >= PIECE_BYTES) await this.#cut();
    }
    freeChunk(bytes);
  }

  #append(chunk: Uint8Array): void {
    const needed = this.#length + chunk.byteLength;
    if (needed > this.#buffer.byteLength) {
      const grown = new Uint8Array(this.#ports.pool.take(needed));
      grown.set(this.#buffer.subarray(0, this.#length));
      this.#giveBuffer(this.#buffer);
      this.#buffer = grown;
    }
    this.#buffer.set(chunk, this.#length);
    this.#length = needed;
  }

  /** Gives the engine the whole items that are there. */
  async #cut(): Promise<void> {
    const { pieces, itemBytesMax, itemOption } = this.#settings;
    const { headBytes, item } = pieces;
    const end = pieces.lastEnd(this.#buffer.subarray(0, this.#length), headBytes, this.#searched);
    if (end > headBytes) {
      await this.#give(end);
      return;
    }
    this.#searched = this.#length;
    // The piece before it is taken, or ends all.
    await this.#underWay;
    if (this.#length - headBytes > itemBytesMax) {
      const number = this.#itemsTaken + 1;
      throw new Refused(
        400,
        'malformed',
        `cannot read ${item} ${number}: it has more than ${itemBytesMax} bytes; send shorter ${item}s or raise -${itemOption}`,
      );
    }
    // So much memory is not for everybody who sends slowly.
    await this.#takeToken();
  }

  /** Gives the engine what lies before `end` when the piece before it is taken. */
  async #give(end: number): Promise<void> {
    const { body, arrival } = this.#settings;
    await this.#underWay;
    await this.#takeToken();
    const parameters = { ...arrival.parameters, firstItem: String(this.#itemsTaken + 1) };
    const bytes = this.#buffer.subarray(0, end);
    const piece: Body = { ...body, bytes, encoding: 'plain', arrival: { ...arrival, parameters } };
    this.#isBegun = true;
    this.#underWay = this.#judged(piece);
    // It is asked for later.
    this.#underWay.catch(() => {});
    this.#begin(end);
  }

  /** A new piece: the head, and what lies behind `end`. */
  #begin(end: number): void {
    const before = this.#buffer;
    const head = before.subarray(0, Math.min(end, this.#settings.pieces.headBytes));
    const rest = before.subarray(end, this.#length);
    this.#length = head.byteLength + rest.byteLength;
    this.#searched = 0;
    this.#giveBuffer(this.#underWayBuffer);
    this.#underWayBuffer = before;
    this.#buffer = new Uint8Array(this.#ports.pool.take(Math.max(BUFFER_BYTES, this.#length)));
    this.#buffer.set(head);
    this.#buffer.set(rest, head.byteLength);
  }

  #giveBuffer(bytes: Uint8Array<ArrayBuffer> | undefined): void {
    if (bytes !== undefined) this.#ports.pool.give(bytes.buffer);
  }

  /** Rejects with a Refused. An engine that has no room for the moment is asked again. */
  async #judged(piece: Body): Promise<void> {
    const { clock, onTaken } = this.#ports;
    const untilMs = clock.monotonicMs() + this.#settings.maxQueueMs;
    for (;;) {
      const verdict = await this.#submit(piece);
      if (verdict.ok) {
        this.#itemsTaken += verdict.notes?.items ?? 0;
        this.#samplesTaken += verdict.counts.samples + verdict.counts.histograms;
        onTaken(verdict.counts, verdict.notes);
        return;
      }
      const { status, reason, error, retryAfterS } = verdict;
      const isBusy = retryAfterS !== undefined && !this.#source.isStopping;
      if (isBusy && clock.monotonicMs() + RETRY_MS < untilMs) {
        await sleep(clock, RETRY_MS);
        await this.#takeToken();
        continue;
      }
      const kind = reason === 'malformed' || reason === 'too_large' ? reason : 'overloaded';
      throw new Refused(status, kind, error, retryAfterS);
    }
  }

  /** With a token, which is given back. */
  async #submit(piece: Body): Promise<Verdict> {
    const { intake, log } = this.#ports;
    try {
      const verdict = intake.submit(piece);
      if (intake.hasRoom) this.#giveToken();
      return await verdict;
    } catch (error) {
      // It never rejects; if it does, the client may send again.
      log.error('BUG: the engine failed to judge a piece', { error: messageOf(error) });
      throw new Refused(503, 'overloaded', 'cannot process the request: internal error; send it again');
    } finally {
      this.#giveToken();
    }
  }

  async #takeToken(): Promise<void> {
    const { admission } = this.#ports;
    if (this.#hasToken || this.#settings.keepsToken) return;
    if (!admission.tryTake()) {
      await new Promise<void>((resolve, reject) => {
        const { maxQueueMs } = this.#settings;
        const error = `cannot go on with the insert within ${maxQueueMs / 1000} s: all places of -maxConcurrentInserts are taken or too many wait; send less at the same time, or raise -insert.maxQueueDuration or the number of CPUs`;
        admission.wait(resolve, () => reject(new Refused(503, 'overloaded', error)));
      });
    }
    this.#hasToken = true;
  }

  #giveToken(): void {
    if (!this.#hasToken) return;
    this.#hasToken = false;
    this.#ports.admission.give();
  }
}

function decoderOf(encoding: BodyEncoding) {
  const limits = { chunkSize: DECODED_CHUNK_BYTES };
  switch (encoding) {
    case 'gzip':
      return createGunzip(limits);
    case 'deflate':
      return createInflate(limits);
    case 'zstd':
      return createZstdDecompress({
        ...limits,
        params: { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG_MAX },
      });
    default:
      return undefined;
  }
}
