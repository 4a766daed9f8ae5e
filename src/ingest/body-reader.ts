/**
 * Reads the body of one request into memory that grows only as bytes arrive, whatever the client declared.
 * A body that comes in one chunk, as small ones do, is handed on as it is.
 */
import type { IncomingMessage } from 'node:http';
import type { BufferPool } from '../util/buffer-pool.ts';
import { freeChunk } from '../util/free-buffer.ts';
import type { BodyWatch, Watched } from './body-watch.ts';

/** A body this small is read without a token: it holds less memory than its socket. See `BodySink.large`. */
const SMALL_BYTES_MAX = 16 * 1024;
/** What a Content-Length alone is worth; more is allocated when this much has really come. */
const START_BYTES_MAX = 256 * 1024;

/** And how much more than what has come. */
const GROWTH = 4;

export type BodyFailure = 'too_large' | 'too_slow' | 'gone';

export interface BodySink {
  /** More has come than a small body, and it is not all yet. The sink may `pause()` until it can take more. */
  large(): void;
  /** `bytes` are valid until `release()`. */
  complete(bytes: Uint8Array): void;
  failed(failure: BodyFailure): void;
}

export interface BodyLimits {
  readonly bytesMax: number;
  /** From Content-Length; undefined for a chunked body. */
  readonly expected: number | undefined;
  /**
   * Called instead of `failed('too_large')`: somebody else reads on. The request is paused, and `bytes` are valid until
   * `release()`.
   */
  readonly goesOn?: ((bytes: Uint8Array) => void) | undefined;
}

export class BodyReader implements Watched {
  readonly #request: IncomingMessage;
  readonly #limits: BodyLimits;
  readonly #pool: BufferPool;
  readonly #watch: BodyWatch;
  readonly #sink: BodySink;
  #first: Uint8Array | undefined;
  #buffer: ArrayBuffer | undefined;
  #target: Uint8Array | undefined;
  #length = 0;
  #isLarge = false;
  #isOver = false;
  isPaused = false;
  windowFromMs = 0;
  windowLength = 0;

  constructor(
    request: IncomingMessage,
    limits: BodyLimits,
    ports: { readonly pool: BufferPool; readonly watch: BodyWatch },
    sink: BodySink,
  ) {
    this.#request = request;
    this.#limits = limits;
    this.#pool = ports.pool;
    this.#watch = ports.watch;
    this.#sink = sink;
  }

  get length(): number {
    return this.#length;
  }

  /** From here on exactly one of `complete` and `failed` is called, never before this returns. */
  start(): void {
    this.#watch.add(this);
    const request = this.#request;
    request.on('data', (chunk: Buffer) => this.#onData(chunk));
    request.on('end', () => this.#onEnd());
    // An error is always followed by `close`.
    request.on('error', () => {});
    request.on('close', () => this.fail('gone'));
  }

  pause(): void {
    this.isPaused = true;
    this.#request.pause();
  }

  resume(): void {
    this.isPaused = false;
    this.#watch.renew(this);
    this.#request.resume();
  }

  fail(failure: BodyFailure): void {
    if (this.#isOver) return;
    this.#finish();
    this.release();
    this.#sink.failed(failure);
  }

  /** Stops reading without a word to the sink, and gives the memory back. */
  abandon(): void {
    this.#finish();
    this.release();
  }

  /** Gives the memory back; the bytes must not be used any more. */
  release(): void {
    if (this.#buffer !== undefined) this.#pool.give(this.#buffer);
    this.#buffer = undefined;
    this.#target = undefined;
    this.#freeFirst();
  }

  #freeFirst(): void {
    if (this.#first !== undefined) freeChunk(this.#first);
    this.#first = undefined;
  }

  #finish(): void {
    this.#isOver = true;
    this.#watch.delete(this);
  }

  #onData(chunk: Uint8Array): void {
    if (this.#isOver) return;
    const length = this.#length + chunk.byteLength;
    const isTooLarge = length > this.#limits.bytesMax;
    if (isTooLarge && this.#limits.goesOn === undefined) {
      this.fail('too_large');
      return;
    }
    if (this.#length === 0) this.#first = chunk;
    else this.#append(chunk, length);
    this.#length = length;
    if (isTooLarge) {
      this.#finish();
      this.#request.pause();
      this.#limits.goesOn!(this.#bytes);
      return;
    }
    if (this.#isLarge || length <= SMALL_BYTES_MAX || length === this.#limits.expected) return;
    this.#isLarge = true;
    this.#sink.large();
  }

  #onEnd(): void {
    if (this.#isOver) return;
    this.#finish();
    this.#sink.complete(this.#bytes);
  }

  get #bytes(): Uint8Array {
    return this.#target?.subarray(0, this.#length) ?? this.#first ?? new Uint8Array();
  }

  #append(chunk: Uint8Array, length: number): void {
    const target = this.#roomFor(length);
    target.set(chunk, this.#length);
    freeChunk(chunk);
  }

  /** The target, grown to `length` bytes; what has come so far is in it. */
  #roomFor(length: number): Uint8Array {
    const old = this.#target;
    if (old !== undefined && length <= old.byteLength) return old;
    const hoped = Math.min(this.#limits.expected ?? 0, Math.max(START_BYTES_MAX, GROWTH * this.#length));
    const buffer = this.#pool.take(Math.max(length, hoped));
    const target = new Uint8Array(buffer);
    target.set(old?.subarray(0, this.#length) ?? this.#first ?? []);
    if (this.#buffer !== undefined) this.#pool.give(this.#buffer);
    this.#freeFirst();
    this.#buffer = buffer;
    this.#target = target;
    return target;
  }
}
