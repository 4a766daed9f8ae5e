/**
 * What goes to the engine: bodies wait here until there is a message's worth of them. Main thread only.
 */
import type { Clock } from '../util/clock.ts';
import type { Held } from './held.ts';
import { type BodyFormat, IS_JUDGED, IS_TAKEN, type ToEngine } from './messages.ts';

/** A second `bodies` message lies ready while the engine works on the first, so that it never waits for the main thread. */
const BATCHES_IN_FLIGHT_MAX = 2;
/**
 * Waking the engine costs more than the work on a small body (25 µs against 2), so small bodies that come in quick
 * succession wait for others: until there are this many bytes, or this long since the last message.
 */
const GATHER_BYTES = 32 * 1024;
const GATHER_MS = 1;
/**
 * A message takes no more bodies once it has so many bytes: an engine on the main thread keeps everything else waiting while it works on
 * one.
 */
const MESSAGE_BYTES_MAX = 256 * 1024;

export class Outbox {
  readonly #clock: Clock;
  readonly #post: (message: ToEngine) => void;
  #waiting: Held[] = [];
  #waitingBytes = 0;
  #batchesInFlight = 0;
  #sentMs = 0;
  #isPlanned = false;
  /** There is an engine to post to. */
  #isOpen = false;
  #cancelGather: (() => void) | undefined;
  /** What the engine was told last. */
  #formats: readonly BodyFormat[] = [];

  constructor(clock: Clock, post: (message: ToEngine) => void) {
    this.#clock = clock;
    this.#post = post;
  }

  add(held: Held): void {
    this.#waiting.push(held);
    this.#waitingBytes += held.length;
    this.#schedule();
  }

  /** The engine is through with so many messages. */
  done(batches: number): void {
    this.#batchesInFlight -= batches;
    if (this.#waiting.length > 0) this.#schedule();
  }

  /** A new engine gets all of these, and nothing of what was on the way to the old one. Returns the number of messages that takes. */
  restart(held: Held[]): number {
    this.#waiting = held;
    this.#waitingBytes = held.reduce((sum, { length }) => sum + length, 0);
    this.#batchesInFlight = 0;
    this.#isOpen = true;
    this.#formats = [];
    this.send();
    return this.#batchesInFlight;
  }

  /** Nothing is sent until `restart`. */
  hold(): void {
    this.#isOpen = false;
  }

  /** All of them. */
  send(): void {
    while (this.#waiting.length > 0 && this.#isOpen) this.#sendOne();
  }

  #sendOne(): void {
    this.#cancelGather?.();
    this.#cancelGather = undefined;
    this.#post(this.#message(this.#take()));
    this.#sentMs = this.#clock.monotonicMs();
    this.#batchesInFlight++;
  }

  /** What one message has room for. */
  #take(): Held[] {
    const waiting = this.#waiting;
    let bytes = 0;
    let count = 0;
    while (count < waiting.length && bytes < MESSAGE_BYTES_MAX) bytes += waiting[count++]!.length;
    this.#waitingBytes -= bytes;
    if (count < waiting.length) return waiting.splice(0, count);
    this.#waiting = [];
    return waiting;
  }

  #sendWhenFree(): void {
    // Without an engine `restart` sends what waits; to plan that here would keep the CPU busy until then.
    if (!this.#isOpen || this.#waiting.length === 0 || this.#batchesInFlight >= BATCHES_IN_FLIGHT_MAX) return;
    this.#sendOne();
    if (this.#waiting.length > 0) this.#schedule();
  }

  /** Bodies that arrive in one turn of the event loop go over in one message. */
  #schedule(): void {
    if (this.#isPlanned || this.#batchesInFlight >= BATCHES_IN_FLIGHT_MAX) return;
    if (this.#waitingBytes >= GATHER_BYTES || this.#clock.monotonicMs() - this.#sentMs >= GATHER_MS) {
      this.#isPlanned = true;
      setImmediate(() => {
        this.#isPlanned = false;
        this.#sendWhenFree();
      });
    } else {
      this.#cancelGather ??= this.#clock.after(GATHER_MS, () => {
        this.#cancelGather = undefined;
        this.#sendWhenFree();
      });
    }
  }

  #message(bodies: readonly Held[]): ToEngine {
    const fields: number[] = [];
    const formats: BodyFormat[] = [];
    for (const body of bodies) {
      const { id, slab, offset, length, format, settle, isCommitting, arrivedMs, isTaken } = body;
      // The last one is nearly always it.
      let index = formats.lastIndexOf(format);
      if (index < 0) index = formats.push(format) - 1;
      const isJudged = settle === undefined || isCommitting;
      const flags = (isJudged ? IS_JUDGED : 0) + (isTaken ? IS_TAKEN : 0);
      fields.push(id, slab, offset, length, index, flags, arrivedMs);
    }
    const before = this.#formats;
    if (formats.length === before.length && formats.every((format, index) => format === before[index])) {
      return { kind: 'bodies', fields };
    }
    this.#formats = formats;
    return { kind: 'bodies', fields, formats };
  }
}
