/**
 * One destination on the main thread: its queue, its senders, the way to it, and its part of the ledger and metrics.
 * Blocks come in by `push`; what it wants of the engine is `needs`.
 */
import { rm } from 'node:fs/promises';
import type { Destination } from './config/config.ts';
import { Attempts } from './deliver/attempts.ts';
import type { ConnectionStats } from './deliver/connection-stats.ts';
import { type DestinationSetup, openTransport, senderConfigOf } from './deliver/open.ts';
import { type DeliverValues, parallelOf } from './deliver/options.ts';
import { Sender } from './deliver/sender.ts';
import type { Transport } from './destination/destination.ts';
import type { WithheldKind } from './ledger/ledger.ts';
import type { Block, Codec } from './model/block.ts';
import { type BodyOrigin, type Counts, REMOTE_WRITE_2 } from './model/body.ts';
import type { DropReason } from './model/drops.ts';
import { registerOutletMetrics } from './outlet-metrics.ts';
import type { QueueConfig } from './queue/config.ts';
import { DeadLetters, type DeadLettersConfig } from './queue/dead-letters.ts';
import type { Fs } from './queue/file/fs.ts';
import { DestinationQueue } from './queue/queue.ts';
import { Trend } from './queue/trend.ts';
import type { BlockNeeds } from './route/groups.ts';
import { ParallelPolicy } from './route/parallel.ts';
import type { DestinationStatus } from './service/status.ts';
import type { Clock } from './util/clock.ts';
import type { Logger } from './util/logger.ts';
import type { Meter } from './util/meter.ts';

/** How long requests that are under way to a destination that is gone may take; what is broken off may arrive twice. */
const LEAVE_MS = 2_000;

export interface OutletSettings {
  readonly queue: QueueConfig;
  readonly deadLetters: DeadLettersConfig;
  readonly withholds: readonly WithheldKind[];
  readonly compressLevel: number;
}

/** What it gets of the series that come in. */
export interface Share {
  /** The form in which it sees series: index into `ShapeConfig.forms`. */
  readonly form: number;
  /** Its number among the shards; undefined when it gets every series. */
  readonly shard: number | undefined;
}

export interface OutletPorts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly meter: Meter;
  readonly fs: Fs;
  readonly stats: ConnectionStats;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The destination wants its blocks in another form from now on: ask for `needs` again. */
  readonly onNeeds: () => void;
  /** What waits for a destination in unfinished blocks. */
  readonly inEngine: (outlet: Outlet) => Readonly<Counts>;
}

export class Outlet {
  readonly name: string;
  readonly shownUrl: string;
  readonly queue: DestinationQueue;
  readonly deadLetters: DeadLetters;
  readonly trend = new Trend();
  readonly attempts: Attempts;
  /** Of a vmagent's queue: what could not be read, and what was not read yet. */
  readonly takenOver = { unreadableBlocks: 0, lostBytes: 0, pendingBytes: 0 };
  readonly #settings: OutletSettings;
  readonly #ports: OutletPorts;
  readonly #transport: Transport;
  readonly #setup: DestinationSetup;
  #sender: Sender;
  #isLeaving = false;
  readonly #policy: ParallelPolicy;
  #share: Share = { form: 0, shard: undefined };
  #codec: Codec;
  #parallel = 1;

  constructor(
    destination: Destination<DeliverValues & Readonly<Record<string, unknown>>>,
    settings: OutletSettings,
    ports: OutletPorts,
  ) {
    const { name, url, shownUrl, values } = destination;
    this.name = name;
    this.shownUrl = shownUrl;
    this.#settings = settings;
    this.#ports = ports;
    this.queue = new DestinationQueue(settings.queue, ports);
    this.queue.ledger.withholds = settings.withholds;
    this.deadLetters = new DeadLetters(settings.deadLetters, ports);
    const setup: DestinationSetup = { name, url, shownUrl, values };
    this.attempts = new Attempts(ports.clock);
    this.#transport = this.attempts.watch(openTransport(setup, ports));
    this.#setup = setup;
    this.#codec = senderConfigOf(setup).codec;
    this.#policy = new ParallelPolicy(parallelOf(values));
    this.#sender = this.#createSender();
    registerOutletMetrics(ports.meter, this);
  }

  #createSender(): Sender {
    return new Sender(
      { ...senderConfigOf(this.#setup), codec: this.#codec },
      {
        source: this.queue,
        transport: this.#transport,
        ...this.#ports,
        park: ({ block, ...letter }) => {
          const { bytes, ...wire } = block;
          return this.deadLetters.park({ destination: this.name, ...letter, ...wire, block: bytes });
        },
        onDowngrade: () => {
          this.#codec = 'snappy';
          this.#ports.onNeeds();
        },
      },
    );
  }

  /** With credentials. */
  get url(): string {
    return this.#setup.url;
  }

  /** Blocks with disjoint series that it gets side by side. */
  get lanes(): number {
    return this.#parallel;
  }

  get needs(): BlockNeeds {
    const { withholds } = this.#settings;
    return {
      codec: this.#codec,
      level: this.#settings.compressLevel,
      metadata: !withholds.includes('metadata'),
      ...(withholds.includes('histograms') && { withoutHistograms: true }),
      ...(withholds.includes('exemplars') && { withoutExemplars: true }),
      ...(this.#setup.values['remoteWrite.protobufMessage'] === REMOTE_WRITE_2 && { takesStarts: true }),
      parallel: this.#parallel,
      ...this.#share,
    };
  }

  /** `needs` follow. */
  setShare(share: Share): void {
    this.#share = share;
  }

  /** Looks after the queue and at its backlog; call it regularly. */
  maintain(): void {
    this.queue.maintain();
    this.trend.note(this.queue.pendingBytes, this.#ports.clock.monotonicMs());
    if (this.#isLeaving) return;
    // More lanes do not help a destination that takes nothing, and cost the engine three times the work.
    const backlog = this.#sender.status().isFailing ? 0 : this.queue.pendingBlocks;
    const parallel = this.#policy.update(backlog, this.#ports.clock.monotonicMs());
    if (parallel === this.#parallel) return;
    this.#parallel = parallel;
    this.#ports.log.info('the destination gets its blocks over another number of lanes', {
      destination: this.shownUrl,
      lanes: parallel,
    });
    this.#ports.onNeeds();
  }

  /** Takes up what earlier runs left. Rejects when that cannot be read. */
  async open(): Promise<void> {
    await this.queue.open();
    await this.deadLetters.open();
  }

  start(): void {
    this.#sender.start();
  }

  /**
   * It is a destination no more: nothing is sent, and what waits is for leases of the kind `drain`. Resolves when what was
   * under way has arrived or is back, within seconds.
   */
  async leave(): Promise<void> {
    this.#isLeaving = true;
    this.queue.drain(true);
    await this.#sender.stop(LEAVE_MS);
  }

  /** It has come back: what waits is sent. */
  rejoin(): void {
    if (!this.#isLeaving) return;
    this.#isLeaving = false;
    this.queue.drain(false);
    this.#sender = this.#createSender();
    this.#sender.start();
  }

  get isLeaving(): boolean {
    return this.#isLeaving;
  }

  /** It left, and nothing waits any more: gives back its files and metrics. */
  async discard(): Promise<void> {
    this.queue.close();
    await this.#transport.close();
    await this.queue.spill();
    await rm(this.queue.config.directory, { recursive: true, force: true });
    const { meter } = this.#ports;
    for (const labels of [{ url: this.shownUrl }, { name: this.shownUrl }]) meter.remove(labels);
  }

  get withholds(): readonly WithheldKind[] {
    return this.#settings.withholds;
  }

  /** Counts a body that was accepted for it. */
  accept(counts: Readonly<Counts>, origin: BodyOrigin = 'client'): void {
    this.queue.ledger.accept(counts, origin);
  }

  /** Counts what the configuration keeps from it. */
  drop(reason: DropReason, counts: Readonly<Counts>): void {
    this.queue.ledger.drop(reason, counts);
  }

  /** Counts requests of the journal that are refused now and kept in the quarantine directory. */
  refuse(counts: Readonly<Counts>): void {
    this.queue.ledger.refuse(counts);
  }

  /** Takes a block; when the queue is full and `mayDrop`, the block is dropped and counted. */
  push(block: Block, mayDrop: boolean): void {
    if (this.queue.full && mayDrop) this.queue.drop(block);
    else this.queue.push(block);
  }

  /** Sends what can be sent within the deadline and writes the rest to disk; returns the number of blocks written. */
  async stop(deadlineMs: number): Promise<number> {
    await this.#sender.stop(deadlineMs);
    this.queue.close();
    await this.#transport.close();
    return this.queue.spill();
  }

  /** Stops sending, or goes on; what comes meanwhile waits. */
  pause(paused: boolean): { readonly paused: boolean } {
    this.queue.pause(paused);
    this.#ports.log.info(paused ? 'a destination is paused' : 'a destination is resumed', {
      destination: this.name,
    });
    return { paused };
  }

  /** How much of its queue's limit is used, 0 to 1; 0 where there is no limit. */
  get fill(): number {
    const { onDisk, diskBytesMax, brokenBytesMax } = this.queue.config;
    const bytesMax = onDisk ? diskBytesMax : brokenBytesMax;
    return bytesMax === 0 ? 0 : this.queue.pendingBytes / bytesMax;
  }

  get isPaused(): boolean {
    return this.queue.isPaused;
  }

  status(): DestinationStatus {
    const { lastError, isFailing, hasTakenBlocks, isWaiting } = this.#sender.status();
    const waits = isWaiting ? '; waiting to try again' : '';
    return {
      name: this.name,
      url: this.shownUrl,
      state: this.#isLeaving
        ? 'gone; what waits goes to the others'
        : this.isPaused
          ? 'paused'
          : isFailing
            ? `${lastError}${waits}`
            : hasTakenBlocks
              ? 'ok'
              : 'nothing sent yet',
      isHealthy: !isFailing && !this.#isLeaving,
      ledger: this.columns(),
      pendingBytes: this.queue.pendingBytes,
      oldestAgeS: this.queue.oldestAgeMs / 1000,
      secondsToFull:
        this.queue.roomBytes === undefined ? undefined : this.trend.secondsToFull(this.queue.roomBytes),
      secondsToDrain: this.trend.secondsToDrain,
      deadLetters: this.deadLetters.count,
    };
  }

  columns() {
    return this.queue.ledger.columns(this.#ports.inEngine(this), this.queue.pendingCounts);
  }
}
