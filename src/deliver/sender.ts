/**
 * Sends the blocks of one destination: N loops, each of which leases a block and stays with it until the destination has
 * taken it or refused it for good. The queue never leases two blocks with a common series at the same time, so a retry
 * in its loop keeps the order of every series. Main thread only; nothing is thrown out of a loop.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Transport, WireBlock } from '../destination/destination.ts';
import { toSnappy } from '../destination/recode.ts';
import {
  blockOf,
  describeFirst,
  halve,
  type Message,
  messageOf as readMessage,
} from '../destination/split.ts';
import type { Block, Codec } from '../model/block.ts';
import { type Counts, noCounts } from '../model/body.ts';
import type { BlockEnd, BlockSource, Lease, LeaseKind, Outcome } from '../model/delivery.ts';
import { type Clock, sleep } from '../util/clock.ts';
import { messageOf, SluiceError } from '../util/error.ts';
import type { Logger } from '../util/logger.ts';
import type { Meter } from '../util/meter.ts';
import { RateLimiter } from '../util/rate-limit.ts';
import { Ramp } from './ramp.ts';
import { escapeText } from './redact.ts';
import { actionFor, type Rule } from './response-policy.ts';
import { Backoff, type BackoffLimits, parseRetryAfter } from './retry.ts';
import { SenderMetrics } from './sender-metrics.ts';
import { isPartial, isTaken, lostOf, partsOf } from './written.ts';

/** The same message about a destination at most this often. */
const LOG_EVERY_MS = 5000;
/** A block with very many bad series is not worth more requests; what is then still refused is parked as it is. */
const CUT_REQUESTS_MAX = 256;
/** How long an aborted attempt may take to notice, before its block goes back to the queue regardless. */
const ABORT_GRACE_MS = 500;

export interface SenderConfig {
  readonly name: string;
  /** For logs, metrics and pages: `1:secret-url`. */
  readonly shownUrl: string;
  /** Number of blocks that may be under way at the same time. */
  readonly parallel: number;
  /** Number of further blocks, which have just come. */
  readonly freshParallel: number;
  readonly backoff: BackoffLimits;
  /** Compressed bytes a second; 0 is no limit. */
  readonly rateLimitBytesPerS: number;
  /** Keep making zstd blocks after the destination turned one down. */
  readonly forceVmProto: boolean;
  /** The codec that the destination's blocks are made with at first. */
  readonly codec: Codec;
  /** What refusals mean. */
  readonly policy: readonly Rule[];
}

/** What a destination refused for good, and why. */
export interface DeadLetter {
  readonly block: WireBlock;
  readonly counts: Readonly<Counts>;
  readonly status: number;
  /** The destination's words. */
  readonly message: string;
  /** The first series in it. */
  readonly series: string;
}

export interface SenderPorts {
  readonly source: BlockSource;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly log: Logger;
  readonly meter: Meter;
  /** In [0, 1). */
  readonly random?: () => number;
  /** Keeps what was refused for good. Rejects when that is not possible: the block is then tried again. */
  readonly park: (letter: DeadLetter) => Promise<void>;
  /** Called once, when the destination turned zstd down: blocks for it should be made as snappy from now on. */
  readonly onDowngrade?: () => void;
}

export interface SenderStatus {
  readonly name: string;
  readonly shownUrl: string;
  readonly codec: Codec;
  /** Blocks under way, those that wait for their next attempt included. */
  readonly inFlight: number;
  readonly lastError: string | undefined;
  /** Whether the last thing that it did was an error. */
  readonly isFailing: boolean;
  readonly hasTakenBlocks: boolean;
  /** Whether a block waits for its next attempt. */
  readonly isWaiting: boolean;
}

/** A destination's refusal. */
interface Refusal {
  readonly status: number;
  readonly text: string;
  /** What of the block it has not taken; absent where that is not known. */
  readonly lost?: Readonly<Counts> | undefined;
}

/** What became of one attempt. */
type Attempt =
  | ({ readonly kind: 'delivered'; readonly bytes: number } & Partial<Refusal>)
  | { readonly kind: 'repack' }
  | { readonly kind: 'retry'; readonly retryAfterMs?: number | undefined }
  | ({ readonly kind: 'cut' | 'park' | 'drop' | 'partial' } & Refusal);

/** What is known of a block that is delivered in parts. */
interface Parting {
  readonly lease: Lease;
  readonly backoff: Backoff;
  readonly parts: { kind: BlockEnd; counts: Readonly<Counts> }[];
  requests: number;
}

/** The daemon stops in the middle of a block that is delivered in parts. */
class Stopped extends Error {}

export class Sender {
  readonly #config: SenderConfig;
  readonly #ports: SenderPorts;
  readonly #clock: Clock;
  readonly #metrics: SenderMetrics;
  readonly #limiter: RateLimiter;
  readonly #ramp: Ramp;
  readonly #random: () => number;
  /** Aborted first: ends waits. */
  readonly #stopping = new AbortController();
  /** Aborted at the deadline: ends attempts. */
  readonly #deadline = new AbortController();
  /** Blocks under way; each leaves exactly once. */
  readonly #open = new Set<Lease>();
  readonly #waiting = new Set<Lease>();
  /** One block after another is recompressed, so that a backlog of zstd blocks does not stall the main thread. */
  #repacking: Promise<unknown> = Promise.resolve();
  #codec: Codec;
  /** No new leases: a stop has met its deadline or a failure. */
  #halted = false;
  #onQuiet: (() => void) | undefined;
  #lastError: string | undefined;
  #isFailing = false;
  #hasTakenBlocks = false;

  constructor(config: SenderConfig, ports: SenderPorts) {
    this.#config = config;
    this.#ports = ports;
    this.#clock = ports.clock;
    this.#codec = config.codec;
    this.#random = ports.random ?? Math.random;
    this.#metrics = new SenderMetrics(
      ports.meter,
      config.shownUrl,
      config.parallel,
      config.rateLimitBytesPerS,
    );
    this.#ramp = new Ramp(config.parallel + config.freshParallel);
    this.#limiter = new RateLimiter(config.rateLimitBytesPerS, ports.clock, this.#metrics.rateLimitReached);
  }

  start(): void {
    for (let i = 0; i < this.#config.parallel; i++) void this.#loop('oldest');
    for (let i = 0; i < this.#config.freshParallel; i++) void this.#loop('fresh');
  }

  /**
   * Sends what the queue still has until it is empty, an attempt fails, or `deadlineMs` have gone by; then nothing is
   * leased any more, and every block that was not taken is back in the queue. Resolves within the deadline plus half a
   * second, whatever the destination does. The transport is closed by its owner.
   */
  async stop(deadlineMs: number): Promise<void> {
    // Waits end with this, and where there was one, so does the leasing.
    this.#stopping.abort(new Error('the daemon stops'));
    const cancel = this.#clock.after(deadlineMs, () => {
      this.#halted = true;
      this.#deadline.abort(new Error('the daemon stops'));
    });
    const cancelGrace = this.#clock.after(deadlineMs + ABORT_GRACE_MS, () => {
      for (const lease of [...this.#open]) this.#putBack(lease);
    });
    await this.#quiet();
    this.#halted = true;
    cancel();
    cancelGrace();
  }

  status(): SenderStatus {
    return {
      name: this.#config.name,
      shownUrl: this.#config.shownUrl,
      codec: this.#codec,
      inFlight: this.#open.size,
      lastError: this.#lastError,
      isFailing: this.#isFailing,
      hasTakenBlocks: this.#hasTakenBlocks,
      isWaiting: this.#waiting.size > 0,
    };
  }

  async #loop(kind: LeaseKind): Promise<void> {
    while (!this.#halted) {
      let lease: Lease | undefined;
      try {
        lease = await this.#ports.source.lease(kind);
        if (lease === undefined) return;
        if (this.#halted) return lease.putBack();
        this.#open.add(lease);
        await this.#deliver(lease);
      } catch (error) {
        // Our own mistake or the queue's: the block goes back, and the loop lives on, slowly.
        this.#failed('a sender failed unexpectedly; its block goes back to the queue', messageOf(error));
        if (lease !== undefined) this.#putBack(lease);
        if (this.#stopping.signal.aborted) this.#halted = true;
        await sleep(this.#clock, this.#config.backoff.minMs, this.#stopping.signal);
      }
    }
  }

  async #deliver(lease: Lease): Promise<void> {
    const startMs = this.#clock.monotonicMs();
    const backoff = new Backoff(this.#config.backoff, this.#random);
    await this.#limiter.take(lease.block.bytes.byteLength, this.#stopping.signal);
    let block = await this.#inCodec(lease, lease.block);
    while (block !== undefined && this.#open.has(lease)) {
      block = await this.#step(lease, block, backoff);
      if (block !== undefined) this.#metrics.retries.inc();
    }
    this.#metrics.sendDurationSeconds.inc((this.#clock.monotonicMs() - startMs) / 1000);
  }

  /** One attempt and what follows from it: the block for the next attempt, or undefined when the lease has ended. */
  async #step(lease: Lease, block: WireBlock, backoff: Backoff): Promise<WireBlock | undefined> {
    const attempt = await this.#attempt(block, lease.block.counts);
    if (attempt.kind === 'delivered') {
      const { lost, bytes, status = 0, text = '' } = attempt;
      const outcome = lost ? partsOf({ kind: 'rejected', counts: lost }) : ({ kind: 'delivered' } as const);
      // Exemplars are left aside where their storage is off: that is for the ledger, and no news each time.
      const isNews = lost !== undefined && lost.samples + lost.histograms > 0;
      this.#end(lease, bytes, outcome, isNews ? { status, text } : undefined);
      return undefined;
    }
    if (attempt.kind === 'repack') {
      this.#downgrade();
      return this.#repack(lease, block);
    }
    if (attempt.kind !== 'retry') {
      if (await this.#settle(lease, block, backoff, attempt)) return undefined;
    }
    if (await this.#wait(lease, backoff.nextMs(attempt.kind === 'retry' ? attempt.retryAfterMs : undefined)))
      return this.#inCodec(lease, block);
    this.#putBack(lease);
    return undefined;
  }

  async #attempt(block: WireBlock, counts: Readonly<Counts>): Promise<Attempt> {
    await this.#ramp.start(this.#stopping.signal);
    let attempt: Attempt = { kind: 'retry' };
    try {
      attempt = await this.#send(block, counts);
    } finally {
      this.#ramp.end(attempt.kind === 'retry');
    }
    return attempt;
  }

  async #send(block: WireBlock, counts: Readonly<Counts>): Promise<Attempt> {
    const startMs = this.#clock.monotonicMs();
    try {
      const response = await this.#ports.transport.send(block, this.#deadline.signal);
      const { status, retryAfter, text, written, sentBytes: bytes = block.bytes.byteLength } = response;
      const lost = lostOf(counts, written);
      this.#metrics.answered(status);
      if (isTaken(status)) return { kind: 'delivered', bytes, lost, status, text };
      if ((status === 400 || status === 415) && block.codec === 'zstd') return { kind: 'repack' };
      const action = actionFor(this.#config.policy, status, text);
      if (action !== 'retry' && action !== 'hold') {
        // What was taken is not sent again.
        if (isPartial(written)) return { kind: 'partial', status, text, lost: lost ?? noCounts };
        return { kind: action === 'split' || action === 'bisect' ? 'cut' : action, status, text };
      }
      this.#failed('cannot send a block; it will be tried again', textOf({ status, text }));
      const longestMs = action === 'hold' ? this.#config.backoff.maxMs : undefined;
      return { kind: 'retry', retryAfterMs: longestMs ?? parseRetryAfter(retryAfter, this.#clock.nowMs()) };
    } catch (error) {
      if (!this.#deadline.signal.aborted) {
        this.#metrics.errors.inc();
        this.#failed('cannot send a block; it will be tried again', messageOf(error));
      }
      return { kind: 'retry' };
    } finally {
      this.#metrics.durationSeconds.observe((this.#clock.monotonicMs() - startMs) / 1000);
    }
  }

  /** A block that will never be taken as it is. Tells whether it has ended; otherwise it is tried again. */
  async #settle(
    lease: Lease,
    block: WireBlock,
    backoff: Backoff,
    refusal: Attempt & Refusal,
  ): Promise<boolean> {
    const { kind, lost } = refusal;
    const { byteLength } = block.bytes;
    if (kind === 'drop' || kind === 'partial') {
      const end = kind === 'drop' ? 'rejected' : 'partly_delivered';
      const outcome = lost ? partsOf({ kind: 'rejected', counts: lost }) : ({ kind: end } as const);
      this.#end(lease, byteLength, outcome, refusal);
      return true;
    }
    const parting: Parting = { lease, backoff, parts: [], requests: 1 };
    try {
      const message = await readMessage(block);
      if (kind === 'park') await this.#park(parting, message, block, refusal);
      else await this.#halve(parting, message, refusal);
    } catch (error) {
      if (error instanceof Stopped) return false;
      // Its bytes cannot be read, by us or by anybody.
      if (error instanceof SluiceError && error.code === 'undecodable') {
        this.#end(lease, byteLength, { kind: 'rejected' }, refusal);
        return true;
      }
      this.#failed('cannot keep what a destination refused; it will be tried again', messageOf(error));
      return false;
    }
    this.#end(lease, byteLength, partsOf(...parting.parts), refusal);
    return true;
  }

  /** Sends the halves of a message that was refused, the first one first, so that every series stays in order. */
  async #halve(parting: Parting, message: Message, refusal: Refusal): Promise<void> {
    const halves = parting.requests < CUT_REQUESTS_MAX ? halve(message) : undefined;
    if (halves === undefined) {
      await this.#park(parting, message, await blockOf(message, this.#codec), refusal);
      return;
    }
    for (const half of halves) await this.#sendPart(parting, half);
  }

  async #sendPart(parting: Parting, message: Message): Promise<void> {
    const { lease, backoff, parts } = parting;
    let block = await blockOf(message, this.#codec);
    while (this.#open.has(lease)) {
      parting.requests++;
      const attempt = await this.#attempt(block, message.counts);
      switch (attempt.kind) {
        case 'delivered':
          if (attempt.lost !== undefined) parts.push({ kind: 'rejected', counts: attempt.lost });
          return;
        case 'repack':
          block = await toSnappy(block);
          break;
        case 'retry':
          if (!(await this.#wait(lease, backoff.nextMs(attempt.retryAfterMs)))) throw new Stopped();
          this.#metrics.retries.inc();
          break;
        case 'cut':
          return this.#halve(parting, message, attempt);
        case 'park':
          return this.#park(parting, message, block, attempt);
        default:
          parts.push({
            kind: attempt.kind === 'drop' || attempt.lost !== undefined ? 'rejected' : 'partly_delivered',
            counts: attempt.lost ?? message.counts,
          });
          return;
      }
    }
    throw new Stopped();
  }

  async #park(
    parting: Parting,
    message: Message,
    block: WireBlock,
    { status, text }: Refusal,
  ): Promise<void> {
    const { counts } = message;
    await this.#ports.park({ block, counts, status, message: text, series: describeFirst(message) });
    parting.parts.push({ kind: 'dead_lettered', counts });
  }

  /** The block as the destination wants it now; undefined when that cannot be made and the lease has ended. */
  async #inCodec(lease: Lease, block: WireBlock): Promise<WireBlock | undefined> {
    return block.codec === 'zstd' && this.#codec === 'snappy' ? this.#repack(lease, block) : block;
  }

  async #repack(lease: Lease, block: WireBlock): Promise<WireBlock | undefined> {
    const turn = this.#repacking.then(() => toSnappy(block));
    this.#repacking = turn.catch(() => {});
    try {
      return await turn;
    } catch (error) {
      if (!(error instanceof SluiceError)) throw error;
      this.#end(lease, block.bytes.byteLength, { kind: 'rejected' }, { status: 0, text: messageOf(error) });
      return undefined;
    }
  }

  #downgrade(): void {
    if (this.#config.forceVmProto || this.#codec === 'snappy') return;
    this.#codec = 'snappy';
    this.#ports.log.info(
      'the destination does not take zstd; it gets the Prometheus protocol (snappy) until the next start',
      { destination: this.#config.shownUrl },
    );
    this.#ports.onDowngrade?.();
  }

  /** Whether the whole time went by; false when the daemon stops. */
  async #wait(lease: Lease, waitMs: number): Promise<boolean> {
    this.#waiting.add(lease);
    const whole = await sleep(this.#clock, waitMs, this.#stopping.signal);
    this.#waiting.delete(lease);
    // A destination that fails while the daemon stops gets no more blocks.
    if (!whole) this.#halted = true;
    return whole;
  }

  #end(lease: Lease, bytes: number, outcome: Outcome, refusal?: Refusal): void {
    if (!this.#open.delete(lease)) return;
    if (outcome.kind === 'delivered' || outcome.kind === 'parts') {
      this.#hasTakenBlocks = true;
      this.#isFailing = false;
    }
    if (refusal === undefined) this.#metrics.delivered(bytes, lease.block.counts);
    else this.#refused(lease.block, outcome, refusal);
    if (this.#ports.transport.isDoneWith?.(lease.block.bytes)) lease.block.memory?.unpin();
    lease.end(outcome);
    this.#noteQuiet();
  }

  #putBack(lease: Lease): void {
    if (!this.#open.delete(lease)) return;
    lease.putBack();
    this.#noteQuiet();
  }

  #noteError(text: string): string {
    this.#isFailing = true;
    this.#lastError = escapeText(text);
    return this.#lastError;
  }

  #failed(message: string, cause: string): void {
    const error = this.#noteError(cause);
    const fields = { destination: this.#config.shownUrl, error };
    this.#ports.log.limited(`send ${this.#config.name}`, LOG_EVERY_MS).warn(message, fields);
  }

  #refused({ counts }: Block, outcome: Outcome, refusal: Refusal): void {
    // One that takes the most of a block works.
    const error = isTaken(refusal.status) ? 'it says that it took less' : this.#noteError(textOf(refusal));
    const lost = outcome.kind === 'parts' ? outcome.parts : [{ kind: outcome.kind, counts }];
    if (lost.some(({ kind }) => kind === 'rejected' || kind === 'dead_lettered'))
      this.#metrics.packetsDropped.inc();
    for (const { kind, counts: of } of lost) {
      this.#ports.log.limited(`${kind} ${this.#config.name}`, LOG_EVERY_MS).error(refusals[kind], {
        destination: this.#config.shownUrl,
        error,
        series: of.series,
        samples: of.samples,
      });
    }
  }

  #noteQuiet(): void {
    if (this.#open.size === 0) this.#onQuiet?.();
  }

  /** Resolves when no block is under way and none follows. */
  async #quiet(): Promise<void> {
    for (;;) {
      // A loop that has just ended a block takes the next one before the turn of the event loop is over.
      await nextTurn();
      if (this.#open.size === 0) return;
      await new Promise<void>((resolve) => {
        this.#onQuiet = resolve;
      });
    }
  }
}

const refusals: Readonly<Record<BlockEnd, string>> = {
  delivered: 'the destination took a block',
  partly_delivered: 'the destination took a part of a block; what it refused is not known',
  rejected: 'the destination refused samples for good; they are dropped and counted as rejected',
  dead_lettered: 'the destination refused samples for good; they are kept among the dead letters',
};

function textOf({ status, text }: Refusal): string {
  if (status === 0) return text;
  return text === '' ? `status ${status}` : `status ${status}: ${text}`;
}
