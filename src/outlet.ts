/**
 * One destination on the main thread: its queue, its senders, the way to it, and its part of the ledger and metrics.
 * Blocks come in by `push`; what it wants of the engine is `needs`.
 */
import type { Destination } from './config/config.ts';
import type { ConnectionStats } from './deliver/connection-stats.ts';
import { type DestinationSetup, openTransport, senderConfigOf } from './deliver/open.ts';
import { type DeliverValues, parallelOf } from './deliver/options.ts';
import { Sender } from './deliver/sender.ts';
import type { Transport } from './destination/destination.ts';
import { kinds } from './ledger/ledger.ts';
import type { Block, Codec } from './model/block.ts';
import type { Counts } from './model/body.ts';
import type { QueueConfig } from './queue/config.ts';
import { DeadLetters, type DeadLettersConfig } from './queue/dead-letters.ts';
import type { Fs } from './queue/file/fs.ts';
import { DestinationQueue } from './queue/queue.ts';
import type { BlockNeeds } from './route/groups.ts';
import { ParallelPolicy } from './route/parallel.ts';
import type { DestinationStatus } from './service/status.ts';
import type { Clock } from './util/clock.ts';
import type { Logger } from './util/logger.ts';
import type { Meter } from './util/meter.ts';

export interface OutletSettings {
  readonly queue: QueueConfig;
  readonly deadLetters: DeadLettersConfig;
  readonly takesMetadata: boolean;
  readonly compressLevel: number;
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
  /** What waits for this destination in unfinished blocks. */
  readonly inEngine: () => Readonly<Counts>;
}

export class Outlet {
  readonly name: string;
  readonly shownUrl: string;
  readonly queue: DestinationQueue;
  readonly deadLetters: DeadLetters;
  readonly #settings: OutletSettings;
  readonly #ports: OutletPorts;
  readonly #transport: Transport;
  readonly #sender: Sender;
  readonly #policy: ParallelPolicy;
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
    this.deadLetters = new DeadLetters(settings.deadLetters, ports);
    const setup: DestinationSetup = { name, url, shownUrl, values };
    this.#transport = openTransport(setup, ports);
    const config = senderConfigOf(setup);
    this.#codec = config.codec;
    this.#policy = new ParallelPolicy(parallelOf(values));
    this.#sender = new Sender(config, {
      source: this.queue,
      transport: this.#transport,
      ...ports,
      park: ({ block, ...letter }) => {
        const { bytes, ...wire } = block;
        return this.deadLetters.park({ destination: name, ...letter, ...wire, block: bytes });
      },
      onDowngrade: () => {
        this.#codec = 'snappy';
        ports.onNeeds();
      },
    });
    this.#register(settings.queue.directory);
  }

  get needs(): BlockNeeds {
    return {
      codec: this.#codec,
      level: this.#settings.compressLevel,
      metadata: this.#settings.takesMetadata,
      parallel: this.#parallel,
    };
  }

  /** Looks after the queue and at its backlog; call it regularly. */
  maintain(): void {
    this.queue.maintain();
    // More lanes do not help a destination that takes nothing, and cost the engine three times the work.
    const backlog = this.#isFailing ? 0 : this.queue.pendingBlocks;
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

  /** Counts a client's request that was accepted. */
  accept(counts: Readonly<Counts>, isReplay = false): void {
    this.queue.ledger.accept(counts, this.#settings.takesMetadata, isReplay);
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

  get isPaused(): boolean {
    return this.queue.isPaused;
  }

  /** Whether the last attempt failed. */
  get #isFailing(): boolean {
    const { lastErrorAtMs, lastSuccessAtMs } = this.#sender.status();
    return lastErrorAtMs !== undefined && lastErrorAtMs >= (lastSuccessAtMs ?? 0);
  }

  status(): DestinationStatus {
    const { lastError, lastSuccessAtMs, backoffUntilMs } = this.#sender.status();
    const failing = this.#isFailing;
    const waits = backoffUntilMs === undefined ? '' : '; waiting to try again';
    return {
      name: this.name,
      url: this.shownUrl,
      state: this.isPaused
        ? 'paused'
        : failing
          ? `${lastError}${waits}`
          : lastSuccessAtMs === undefined
            ? 'nothing sent yet'
            : 'ok',
      isHealthy: !failing,
      ledger: this.columns(),
      pendingBytes: this.queue.pendingBytes,
    };
  }

  columns() {
    return this.queue.ledger.columns(this.#ports.inEngine(), this.queue.pendingCounts);
  }

  #register(directory: string): void {
    const { meter } = this.#ports;
    const { queue, shownUrl: url } = this;
    const { ledger } = queue;
    const at = { path: directory, url };
    const remoteWrite = (name: string) => `vmagent_remotewrite_${name}`;
    const count = (name: string, help: string, read: () => number) =>
      meter.counterOf(remoteWrite(name), help, at, read);
    const gauge = (name: string, help: string, read: () => number) =>
      meter.gaugeOf(remoteWrite(name), help, at, read);
    count('rows_pushed_after_relabel_total', 'Samples for the destination.', () => ledger.received.samples);
    count('push_failures_total', 'Blocks that came to a full queue.', () => queue.dropped.blocks);
    count('samples_dropped_total', 'Samples dropped at a full queue.', () => {
      return ledger.ended.dropped_queue_full.samples;
    });
    count('metadata_dropped_total', 'Metadata entries dropped at a full queue.', () => {
      return ledger.ended.dropped_queue_full.metadata;
    });
    gauge('pending_data_bytes', 'Compressed bytes that wait.', () => queue.pendingBytes);
    gauge('pending_inmemory_blocks', 'Blocks that wait in memory.', () => queue.memoryBlocks);
    gauge('queue_blocked', '1 while the queue is full.', () => (queue.full ? 1 : 0));
    meter.gaugeOf('sluice_destination_oldest_age_seconds', 'Age of the oldest unsent block.', { url }, () => {
      return queue.oldestAgeMs / 1_000;
    });
    meter.gaugeOf('sluice_destination_lanes', 'Blocks with disjoint series side by side.', { url }, () => {
      return this.#parallel;
    });
    this.#registerFiles(directory);
    const own = { destination: this.name, url };
    meter.gaugeOf('sluice_dead_letters', 'What the destination refused for good and is kept.', own, () => {
      return this.deadLetters.count;
    });
    meter.gaugeOf(
      'sluice_dead_letter_bytes',
      'Bytes of the dead letters.',
      own,
      () => this.deadLetters.bytes,
    );
    meter.counterOf(
      'sluice_dead_letters_dropped_total',
      'Dead letters that made room for others.',
      own,
      () => {
        return this.deadLetters.dropped;
      },
    );
    for (const kind of kinds) {
      for (const { column } of this.columns()) {
        meter.counterOf(
          `sluice_ledger_destination_${kind}`,
          'Where everything went, by column of the ledger; received + replayed + recovered is the sum of the others.',
          { destination: this.name, url, column },
          () => this.columns().find((other) => other.column === column)!.counts[kind],
        );
      }
    }
  }

  /** vmagent's names, so that its alerts fire on what is dropped here. */
  #registerFiles(directory: string): void {
    const { meter } = this.#ports;
    const { queue } = this;
    const at = { path: directory, name: this.shownUrl };
    const count = (name: string, help: string, read: () => number) =>
      meter.counterOf(`vm_persistentqueue_${name}`, help, at, read);
    count('blocks_dropped_total', 'Blocks dropped at a full queue.', () => queue.dropped.blocks);
    count('bytes_dropped_total', 'Compressed bytes dropped at a full queue.', () => queue.dropped.bytes);
    count('bytes_written_total', 'Bytes written to queue files.', () => queue.fileTraffic.written.bytes);
    count('bytes_read_total', 'Bytes read from queue files.', () => queue.fileTraffic.read.bytes);
    count('blocks_written_total', 'Blocks written to queue files.', () => queue.fileTraffic.written.records);
    count('blocks_read_total', 'Blocks read from queue files.', () => queue.fileTraffic.read.records);
    meter.gaugeOf(
      'vm_persistentqueue_bytes_pending',
      'Bytes that wait in queue files.',
      at,
      () => queue.unloadedBytes,
    );
    const own = { destination: this.name, url: this.shownUrl };
    meter.counterOf(
      'sluice_queue_damaged_records_total',
      'Records of queue files that could not be read.',
      own,
      () => {
        return queue.fileTraffic.damage.records;
      },
    );
    meter.counterOf(
      'sluice_queue_damaged_bytes_total',
      'Bytes of queue files that could not be read.',
      own,
      () => {
        return queue.fileTraffic.damage.bytes;
      },
    );
    meter.gaugeOf('sluice_queue_broken', '1 while queue files cannot be written or read.', own, () => {
      return queue.failure === undefined ? 0 : 1;
    });
  }
}
