/**
 * One request and its answer, as undici tells them: its status settles a request that was taken, and the text one that was not.
 * What follows a settled answer matters for the connection only. Main thread only.
 *
 * undici's `request()` gives a stream for the answer and listens to a signal: twice the work of all the rest, for answers that are
 * nearly always empty.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import type { Clock } from '../util/clock.ts';
import { TEXT_BYTES_MAX } from './redact.ts';

/** What is read of an answer so that its connection can be used again; past that a new one is cheaper. */
const DRAIN_BYTES_MAX = 64 * 1024;
const DRAIN_MS = 5000;

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<IncomingHttpHeaders>;
  /** The beginning of what the peer says; empty when it has taken the request. */
  readonly text: string;
}

export class Exchange implements Dispatcher.DispatchHandler {
  /** Rejects when no status came. */
  readonly answer: Promise<Answer>;
  readonly #clock: Clock;
  #settle!: (answer: Answer) => void;
  #fail!: (error: unknown) => void;
  #controller: Dispatcher.DispatchController | undefined;
  #abortion: { readonly reason: Error } | undefined;
  /** 0 until it came. */
  #status = 0;
  #headers: IncomingHttpHeaders = {};
  readonly #chunks: Uint8Array[] = [];
  #bytes = 0;
  #isOver = false;
  #cancelDrain: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.answer = new Promise((resolve, reject) => {
      this.#settle = resolve;
      this.#fail = reject;
    });
  }

  /** Ends it and its connection, if it is not settled; at the latest when there is a connection. */
  abort(reason: Error): void {
    this.#abortion ??= { reason };
    this.#fail(reason);
    this.#controller?.abort(reason);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#abortion !== undefined) controller.abort(this.#abortion.reason);
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: IncomingHttpHeaders,
  ): void {
    // Informational: the answer follows.
    if (status < 200) return;
    this.#status = status;
    this.#headers = headers;
    // The block is safe as soon as the status says so.
    if (status < 300) this.#settle({ status, headers, text: '' });
    // Nearly every answer is here as a whole.
    queueMicrotask(() => {
      if (!this.#isOver) this.#cancelDrain = this.#clock.after(DRAIN_MS, () => this.#leave());
    });
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Uint8Array): void {
    if (this.#bytes < TEXT_BYTES_MAX) this.#chunks.push(chunk.subarray(0, TEXT_BYTES_MAX - this.#bytes));
    this.#bytes += chunk.byteLength;
    if (this.#bytes > DRAIN_BYTES_MAX) this.#leave();
  }

  onResponseEnd(): void {
    this.#end();
  }

  onResponseError(_controller: Dispatcher.DispatchController | undefined, error: Error): void {
    // The status is what counts; the text is for people.
    if (this.#status === 0) this.#fail(error);
    this.#end();
  }

  /** The rest of the answer is not worth its time. */
  #leave(): void {
    this.#end();
    this.#controller?.abort(new Error('the answer is too long or too slow'));
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#cancelDrain?.();
    if (this.#status < 300) return;
    const text = Buffer.concat(this.#chunks).toString('utf8');
    this.#settle({ status: this.#status, headers: this.#headers, text });
  }
}
