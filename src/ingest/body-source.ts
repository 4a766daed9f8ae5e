/**
 * The bytes of a request as somebody asks for them: a few chunks are read ahead, and what is in the socket. Somebody who
 * stops asking lets the client wait.
 */
import type { IncomingMessage } from 'node:http';
import type { Clock } from '../util/clock.ts';
import type { BodyFailure } from './body-reader.ts';
import type { BodyWatch, Watched } from './body-watch.ts';

/** Why there are no more bytes although the body has not ended. */
export type SourceFailure = Exclude<BodyFailure, 'too_large'> | 'stopping';

export class SourceEnded extends Error {
  readonly failure: SourceFailure;

  constructor(failure: SourceFailure) {
    super(`the body ended early: ${failure}`);
    this.failure = failure;
  }
}

export interface BodySourcePorts {
  readonly watch: BodyWatch;
  readonly clock: Clock;
}

export interface BodyBegun {
  /** Bytes that were read before. */
  readonly length: number;
  /** They are all there is. */
  readonly isEnded: boolean;
}

/** Of 64 KiB: to stop and start reading for every one of them would cost more than to copy it. */
const CHUNKS_AHEAD_MAX = 4;

export class BodySource implements Watched {
  readonly #request: IncomingMessage;
  readonly #ports: BodySourcePorts;
  readonly #chunks: Uint8Array[] = [];
  #length: number;
  #isEnded: boolean;
  /** Whether the request is paused. */
  #isStopped = false;
  #failure: SourceFailure | undefined;
  #wake: (() => void) | undefined;
  /** Since when nobody asks. */
  #idleFromMs: number;
  windowFromMs = 0;
  windowLength = 0;

  /** The request is paused. */
  constructor(request: IncomingMessage, ports: BodySourcePorts, { length, isEnded }: BodyBegun) {
    this.#request = request;
    this.#ports = ports;
    this.#length = length;
    this.#isEnded = isEnded;
    this.#idleFromMs = ports.clock.monotonicMs();
    request.on('data', (chunk: Buffer) => this.#onData(chunk));
    request.on('end', () => {
      this.#isEnded = true;
      this.#awake();
    });
    request.on('error', () => {});
    request.on('close', () => this.fail('gone'));
    if (!isEnded) this.#pause();
    ports.watch.add(this);
  }

  get length(): number {
    return this.#length;
  }

  /** Whether it was told to stop. */
  get isStopping(): boolean {
    return this.#failure === 'stopping';
  }

  /** Whether nobody asks: the client waits then, and is not slow. */
  get isPaused(): boolean {
    return this.#wake === undefined;
  }

  /** Undefined at the end of the body; rejects with a SourceEnded. */
  async next(): Promise<Uint8Array | undefined> {
    while (this.#chunks.length === 0 && !this.#isEnded && this.#failure === undefined) await this.#read();
    const chunk = this.#chunks.shift();
    if (chunk !== undefined) return chunk;
    if (this.#failure !== undefined && !this.#isEnded) throw new SourceEnded(this.#failure);
    return undefined;
  }

  #read(): Promise<void> {
    this.windowFromMs += this.#ports.clock.monotonicMs() - this.#idleFromMs;
    return new Promise((resolve) => {
      this.#wake = resolve;
      if (!this.#isStopped) return;
      this.#isStopped = false;
      this.#request.resume();
    });
  }

  #pause(): void {
    this.#isStopped = true;
    this.#request.pause();
  }

  /** Ends it; what has come can be had still. */
  fail(failure: SourceFailure): void {
    this.#failure ??= failure;
    this.#awake();
  }

  /** Nobody will ask any more. */
  close(): void {
    this.#ports.watch.delete(this);
    this.fail('gone');
  }

  #onData(chunk: Uint8Array): void {
    if (this.#failure !== undefined) return;
    this.#length += chunk.byteLength;
    this.#chunks.push(chunk);
    if (this.#chunks.length >= CHUNKS_AHEAD_MAX) this.#pause();
    this.#awake();
  }

  #awake(): void {
    const wake = this.#wake;
    if (wake === undefined) return;
    this.#wake = undefined;
    this.#idleFromMs = this.#ports.clock.monotonicMs();
    wake();
  }
}
