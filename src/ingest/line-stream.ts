/**
 * Lines that come without requests, from a TCP connection or from all datagrams of a UDP socket, on their way to the engine:
 * whole lines go there in pieces, one at a time and in order, through the same admission as requests. While a piece is
 * under way the next one gathers. There is nobody to answer to, so what cannot be taken for the moment is kept and tried
 * again, and `isFull` says when the source has to wait. Main thread only.
 */
import type { Intake, Parameters, Verdict } from '../model/body.ts';
import type { Clock } from '../util/clock.ts';
import { messageOf } from '../util/error.ts';
import type { Logger } from '../util/logger.ts';
import type { Counter } from '../util/meter.ts';
import type { Admission } from './admission.ts';
import type { InsertMetrics } from './insert-metrics.ts';

const NEWLINE = 0x0a;
const START_BYTES = 16 * 1024;
/** Besides the longest line: what gathers while a piece is under way. */
const GATHERED_BYTES_MAX = 256 * 1024;
const RETRY_MS = 1_000;
const LOG_EVERY_MS = 5_000;

export interface LineStreamSettings {
  readonly protocol: string;
  readonly parameters: Parameters;
  readonly lineBytesMax: number;
  readonly client: string;
}

export interface LineStreamPorts {
  readonly intake: Intake;
  readonly admission: Admission;
  readonly metrics: InsertMetrics;
  readonly errors: Counter;
  readonly clock: Clock;
  readonly log: Logger;
  /** There is room again after `isFull`. */
  readonly onRoom: () => void;
  /** The rest cannot be read: a line is too long. */
  readonly onBroken: () => void;
}

export class LineStream {
  readonly #settings: LineStreamSettings;
  readonly #ports: LineStreamPorts;
  #buffer = new Uint8Array(START_BYTES);
  #length = 0;
  /** Bytes of whole lines at the beginning of the buffer. */
  #whole = 0;
  /** What is under way, or waits to be tried again. */
  #piece: Uint8Array | undefined;
  #isBusy = false;
  #hasToken = false;
  #isEnded = false;
  #resolveDone = () => {};
  /** Resolves after `end`, when everything is taken. */
  readonly done = new Promise<void>((resolve) => {
    this.#resolveDone = resolve;
  });

  constructor(settings: LineStreamSettings, ports: LineStreamPorts) {
    this.#settings = settings;
    this.#ports = ports;
  }

  get isFull(): boolean {
    return this.#length >= GATHERED_BYTES_MAX + this.#settings.lineBytesMax;
  }

  /** Bytes that came and are not taken. */
  get pendingBytes(): number {
    return this.#length + (this.#piece?.byteLength ?? 0);
  }

  /**
   * Takes bytes; they are copied.
   * @param isWhole whether their last line is at its end, although no line end may be there.
   */
  push(chunk: Uint8Array, isWhole = false): void {
    if (this.#isEnded) return;
    const isOpen = isWhole && chunk.at(-1) !== NEWLINE;
    const length = chunk.byteLength + (isOpen ? 1 : 0);
    this.#reserve(this.#length + length);
    this.#buffer.set(chunk, this.#length);
    if (isOpen) this.#buffer[this.#length + chunk.byteLength] = NEWLINE;
    const newline = isOpen ? chunk.byteLength : chunk.lastIndexOf(NEWLINE);
    if (newline >= 0) this.#whole = this.#length + newline + 1;
    this.#length += length;
    this.#pump();
  }

  /** @param isWhole whether the source has ended by itself, so that its last line needs no line end. */
  end(isWhole: boolean): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    if (isWhole) this.#whole = this.#length;
    this.#length = this.#whole;
    this.#pump();
  }

  #reserve(needed: number): void {
    if (needed <= this.#buffer.byteLength) return;
    const grown = new Uint8Array(Math.max(needed, 2 * this.#buffer.byteLength));
    grown.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = grown;
  }

  #pump(): void {
    if (this.#isBusy) return;
    if (this.#whole === 0 && this.#piece === undefined) {
      if (this.#isEnded) this.#resolveDone();
      else if (this.#length > this.#settings.lineBytesMax) this.#breakOff();
      return;
    }
    this.#isBusy = true;
    const { admission } = this.#ports;
    if (admission.tryTake()) this.#submit();
    else
      admission.wait(
        () => this.#submit(),
        () => this.#retryLater(),
      );
  }

  #breakOff(): void {
    const { errors, log, onBroken } = this.#ports;
    const { protocol, client, lineBytesMax } = this.#settings;
    errors.inc();
    log.limited(`lines ${protocol}`, LOG_EVERY_MS).warn('a line is too long; the connection is closed', {
      protocol,
      client,
      bytesMax: lineBytesMax,
    });
    this.end(false);
    onBroken();
  }

  /** With a token. */
  #submit(): void {
    const { intake, clock } = this.#ports;
    const { protocol, parameters, client } = this.#settings;
    this.#hasToken = true;
    const bytes = this.#takePiece();
    const arrival = { parameters, receivedMs: clock.nowMs() };
    let verdict: Promise<Verdict>;
    try {
      verdict = intake.submit({ bytes, encoding: 'plain', protocol, extraLabels: [], arrival, client });
    } catch (error) {
      verdict = Promise.reject(error);
    }
    if (intake.hasRoom) this.#giveToken();
    verdict.then(
      (result) => this.#settled(result),
      (error) => this.#broken(error),
    );
  }

  #takePiece(): Uint8Array {
    if (this.#piece !== undefined) return this.#piece;
    this.#piece = this.#buffer.slice(0, this.#whole);
    this.#buffer.copyWithin(0, this.#whole, this.#length);
    const wasFull = this.isFull;
    this.#length -= this.#whole;
    this.#whole = 0;
    if (wasFull && !this.isFull) this.#ports.onRoom();
    return this.#piece;
  }

  #settled(verdict: Verdict): void {
    this.#giveToken();
    const { metrics, errors, log } = this.#ports;
    const { protocol, client } = this.#settings;
    const limited = log.limited(`lines ${protocol}`, LOG_EVERY_MS);
    if (!verdict.ok && verdict.retryAfterS !== undefined) {
      this.#retryLater();
      return;
    }
    if (verdict.ok) {
      metrics.accepted(verdict.counts, verdict.notes);
      const { rowsInvalid: rows = 0, examples } = verdict.notes ?? {};
      if (rows > 0) limited.warn('left out rows that make no sense', { protocol, rows, examples, client });
    } else {
      errors.inc();
      limited.warn('refused lines', { protocol, error: verdict.error, client });
    }
    this.#piece = undefined;
    this.#isBusy = false;
    this.#pump();
  }

  /** The engine never rejects; if it does, the lines are tried again. */
  #broken(error: unknown): void {
    this.#giveToken();
    this.#ports.log.error('BUG: the engine failed to judge lines', { error: messageOf(error) });
    this.#retryLater();
  }

  #retryLater(): void {
    this.#ports.clock.after(RETRY_MS, () => {
      this.#isBusy = false;
      this.#pump();
    });
  }

  #giveToken(): void {
    if (!this.#hasToken) return;
    this.#hasToken = false;
    this.#ports.admission.give();
  }
}
