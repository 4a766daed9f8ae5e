/** The wiring of the main thread: ingest → engine → queues → delivery. */
import { access, constants, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { Acknowledgement, type AcknowledgementConfig } from './acknowledgement.ts';
import { Admin } from './admin.ts';
import { version, versionLabel } from './cli/version.ts';
import type { Config } from './config/config.ts';
import { formatProblem } from './config/problem.ts';
import { ConnectionStats } from './deliver/connection-stats.ts';
import type { EngineConfig } from './engine/messages.ts';
import { EnginePool } from './engine/pool.ts';
import { Quarantine } from './engine/quarantine.ts';
import { SelfScrape } from './ingest/self-scrape.ts';
import { HttpServer } from './ingest/server.ts';
import { compileKernel } from './kernel/kernel.ts';
import { kinds } from './ledger/ledger.ts';
import type { Block } from './model/block.ts';
import { type Body, type Counts, type Intake, noCounts, type Verdict } from './model/body.ts';
import { schema } from './options.ts';
import { Outlet } from './outlet.ts';
import type { WhenFull } from './queue/config.ts';
import { type Fs, nodeFs } from './queue/file/fs.ts';
import { meteredFs } from './queue/file/metered-fs.ts';
import { Reserve } from './queue/file/reserve.ts';
import { type Group, groupDestinations } from './route/groups.ts';
import { AdminServer } from './service/admin-server.ts';
import { createEndpoints } from './service/index.ts';
import type { Status } from './service/status.ts';
import { takeOverVmagent } from './takeover.ts';
import { flagValues, registerAppMetrics } from './telemetry/app.ts';
import type { Metrics } from './telemetry/metrics.ts';
import { registerProcessMetrics } from './telemetry/process.ts';
import { watchRuntime } from './telemetry/runtime.ts';
import { assert } from './util/assert.ts';
import type { Clock } from './util/clock.ts';
import { messageOf, SluiceError } from './util/error.ts';
import type { Logger } from './util/logger.ts';
import { type MemoryLimit, memoryLimit } from './util/memory-limit.ts';

export type AppConfig = Config<typeof schema.table>;

export interface AppPorts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** How often backlogs are looked at. */
const ADAPT_EVERY_MS = 500;
/** The part of the allowed memory that queues may fill when files cannot be used; the program and the rest share the other. */
const QUEUE_SHARE = 0.4;
/** What waits for a destination in memory before its file is used: seconds of a large installation. */
const QUEUE_MEMORY_BYTES_MAX = 32 * 1024 * 1024;
const OVERLOAD_RETRY_AFTER_S = 5;

export class App implements Intake {
  readonly #config: AppConfig;
  readonly #ports: AppPorts;
  readonly #dataDirectory: string;
  readonly #memory: MemoryLimit;
  readonly #outlets: readonly Outlet[];
  readonly #fs: Fs;
  readonly #reserve: Reserve;
  readonly #admin: Admin;
  readonly #adminServer: AdminServer;
  readonly #quarantine: Quarantine;
  readonly #http: HttpServer;
  readonly #selfScrape: SelfScrape;
  readonly #stopWatching: () => void;
  /** Groups by the generation of the engine's configuration; blocks of an earlier one may still arrive. */
  readonly #groups = new Map<number, readonly Group[]>();
  #engine: EnginePool | undefined;
  readonly #acknowledgement: Acknowledgement;
  /** Queues of a vmagent that are being sent. */
  readonly #takeOvers: Promise<void>[] = [];
  #cancelAdapt = () => {};

  /** Throws a SluiceError when the settings make no sense together. */
  constructor(config: AppConfig, ports: AppPorts) {
    const { values } = config;
    const { clock, log, metrics } = ports;
    this.#config = config;
    this.#ports = ports;
    this.#dataDirectory = values['remoteWrite.tmpDataPath'];
    this.#memory = memoryLimit({
      allowedPercent: values['memory.allowedPercent'],
      allowedBytes: values['memory.allowedBytes'],
    });
    this.#adminServer = new AdminServer(this.#dataDirectory, clock);
    this.#quarantine = new Quarantine(path.join(this.#dataDirectory, 'quarantine'), clock, log);
    this.#reserve = new Reserve(this.#dataDirectory, {
      fs: meteredFs(nodeFs, metrics, clock),
      log,
      meter: metrics,
    });
    this.#fs = this.#reserve.fs;
    this.#outlets = this.#createOutlets();
    this.#acknowledgement = new Acknowledgement(
      {
        promise: values['remoteWrite.ack'] as AcknowledgementConfig['promise'],
        dataDirectory: this.#dataDirectory,
        journalBytesMax: values['remoteWrite.ackMaxBytes'],
      },
      { fs: this.#fs, clock, log, meter: metrics },
    );
    this.#admin = new Admin({
      outlets: this.#outlets,
      dataDirectory: this.#dataDirectory,
      fs: this.#fs,
      clock,
      log,
    });
    const metricsText = () => metrics.text();
    this.#http = new HttpServer({
      values,
      intake: this,
      endpoints: createEndpoints({
        version,
        metricsText,
        setOptions: () => [...config.set].map(([name, value]) => ({ name, value })),
        status: { status: () => this.#status() },
        clock,
        meter: metrics,
      }),
      clock,
      meter: metrics,
      log,
    });
    this.#selfScrape = new SelfScrape(
      {
        intervalMs: values.selfScrapeInterval,
        job: values.selfScrapeJob,
        instance: values.selfScrapeInstance,
        metadata: values.enableMetadata,
      },
      { metricsText, intake: this, clock, log },
    );
    this.#registerMetrics();
    this.#stopWatching = watchRuntime(metrics, clock);
  }

  get urls(): readonly string[] {
    return this.#http.urls;
  }

  #createOutlets(): Outlet[] {
    const { values, destinations } = this.#config;
    const { clock, log, metrics, env } = this.#ports;
    const stats = new ConnectionStats(metrics);
    const brokenBytesMax = Math.floor((this.#memory.allowedBytes * QUEUE_SHARE) / destinations.length);
    const memoryBytesMax = Math.min(brokenBytesMax, QUEUE_MEMORY_BYTES_MAX);
    return destinations.map((destination, index) => {
      const takesMetadata = values.enableMetadata && !destination.values['remoteWrite.disableMetadata'];
      return new Outlet(
        destination,
        {
          queue: {
            directory: path.join(this.#dataDirectory, 'queue', destination.name),
            onDisk: !destination.values['remoteWrite.disableOnDiskQueue'],
            memoryBytesMax,
            brokenBytesMax,
            diskBytesMax: destination.values['remoteWrite.maxDiskUsagePerURL'],
            whenFull: destination.values['remoteWrite.whenFull'] as WhenFull,
            ageMsMax: destination.values['remoteWrite.maxQueueAge'],
            freshFirst: destination.values['remoteWrite.inmemoryQueues'] > 0,
            synced: values['remoteWrite.ack'] === 'synced',
          },
          deadLetters: {
            directory: path.join(this.#dataDirectory, 'dead-letters', destination.name),
            bytesMax: destination.values['remoteWrite.maxDeadLetterBytes'],
          },
          takesMetadata,
          compressLevel: values['remoteWrite.vmProtoCompressLevel'],
        },
        {
          clock,
          log,
          meter: metrics,
          fs: this.#fs,
          stats,
          env,
          onNeeds: () => this.#regroup(),
          inEngine: () => this.#inEngine(index),
        },
      );
    });
  }

  /** Takes up what the last run left, then listens, then sends. Throws a SluiceError when that is not possible. */
  async start(): Promise<void> {
    await this.#prepareDataDirectory();
    await this.#adminServer.lock();
    try {
      await this.#reserve.open();
      await this.#takeUpQueues();
      await this.#acknowledgement.open();
      await this.#acknowledgement.replay(this.#startEngine());
      await this.#http.listen();
    } catch (error) {
      await this.#engine?.close();
      await this.#adminServer.close();
      throw error;
    }
    for (const outlet of this.#outlets) outlet.start();
    this.#selfScrape.start();
    this.#planAdapt();
    const { log } = this.#ports;
    for (const warning of this.#config.warnings) log.warn(formatProblem(warning));
    const destinations = this.#outlets.map(({ name, shownUrl }) => `${name} (${shownUrl})`);
    log.info('started', { version, listens: this.urls, destinations });
    const [url] = this.urls;
    log.info(`look at ${url}/ for where every sample went, and at ${url}/metrics`);
    log.info(`next: let Prometheus write here, remote_write: [{url: "${url}/api/v1/write"}]`);
  }

  /**
   * Stops in the order of the samples' way: no new requests, everything in work into blocks, blocks to destinations
   * within -remoteWrite.drainTimeout, the rest to disk. Tells whether everything is safe.
   */
  async stop(): Promise<boolean> {
    const { log } = this.#ports;
    this.#cancelAdapt();
    await this.#selfScrape.stop();
    await this.#http.close();
    await this.#engine?.close();
    this.#reserve.stop();
    const deadlineMs = this.#config.values['remoteWrite.drainTimeout'];
    const safe = await Promise.all(this.#outlets.map((outlet) => this.#stopOutlet(outlet, deadlineMs)));
    await Promise.all([...this.#takeOvers, this.#quarantine.idle()]);
    this.#stopWatching();
    const isSafe = safe.every(Boolean);
    // What could not be written elsewhere stays in the journal.
    if (isSafe) this.#acknowledgement.release(this.#engine, this.#outlets);
    await this.#acknowledgement.close();
    await this.#adminServer.close();
    if (isSafe) log.info('stopped; nothing is lost');
    return isSafe;
  }

  /** A second signal: the phases that wait for others end at once. */
  hurry(): void {
    void this.#http.close();
  }

  /** What earlier runs, and a vmagent before us, left for the destinations. */
  async #takeUpQueues(): Promise<void> {
    for (const [index, outlet] of this.#outlets.entries()) {
      await outlet.open();
      const { url } = this.#config.destinations[index]!;
      const { done } = await takeOverVmagent(outlet, url, this.#dataDirectory, {
        ...this.#ports,
        fs: this.#fs,
      });
      this.#takeOvers.push(done);
    }
    await this.#admin.findOrphans();
    this.#adminServer.serve(this.#admin.actions);
  }

  async #stopOutlet(outlet: Outlet, deadlineMs: number): Promise<boolean> {
    const { log } = this.#ports;
    const destination = outlet.shownUrl;
    try {
      const blocks = await outlet.stop(deadlineMs);
      if (blocks > 0)
        log.info('wrote unsent blocks to disk; the next start sends them', { destination, blocks });
      return true;
    } catch (error) {
      const { samples } = outlet.queue.pendingCounts;
      log.error('cannot write unsent blocks to disk; they are lost', {
        destination,
        samples,
        error: messageOf(error),
      });
      return false;
    }
  }

  async #prepareDataDirectory(): Promise<void> {
    const directory = this.#dataDirectory;
    try {
      await mkdir(directory, { recursive: true });
      await access(directory, constants.W_OK | constants.X_OK);
    } catch (cause) {
      throw new SluiceError(
        'data_directory',
        `cannot use the data directory ${path.resolve(directory)}: ${messageOf(cause)}; make it writable or give another one with -remoteWrite.tmpDataPath`,
        { cause },
      );
    }
  }

  // The engine.

  #startEngine(): EnginePool {
    const { clock, log } = this.#ports;
    const groups = this.#currentGroups();
    this.#groups.set(1, groups);
    this.#engine = new EnginePool(this.#engineConfig(groups), {
      clock,
      log,
      module: compileKernel(),
      onBlock: (group, generation, block) => this.#distribute(group, generation, block),
      onAccepted: (counts, isReplay) => {
        for (const outlet of this.#outlets) outlet.accept(counts, isReplay);
      },
      commit: this.#acknowledgement.commit,
      onQuarantined: (body, client) => {
        this.#quarantine.keep(body, client);
        void this.#settleQuarantined();
      },
    });
    return this.#engine;
  }

  #currentGroups(): Group[] {
    return groupDestinations(this.#outlets.map((outlet) => outlet.needs));
  }

  #engineConfig(groups: readonly Group[]): EngineConfig {
    const { values } = this.#config;
    return {
      groups: groups.map(({ codec, level, metadata, parallel }) => ({ codec, level, metadata, parallel })),
      maxRowsPerBlock: values['remoteWrite.maxRowsPerBlock'],
      maxBlockBytes: values['remoteWrite.maxBlockSize'],
      maxMetadataPerBlock: values['remoteWrite.maxMetadataPerBlock'],
      flushIntervalMs: values['remoteWrite.flushInterval'],
      bodyBytesMax: values.maxInsertRequestSize,
    };
  }

  /** A destination wants its blocks in another form. */
  #regroup(): void {
    if (this.#engine === undefined) return;
    const groups = this.#currentGroups();
    this.#groups.set(this.#engine.configure(this.#engineConfig(groups)), groups);
  }

  #distribute(group: number, generation: number, block: Block): void {
    for (const known of this.#groups.keys()) if (known < generation) this.#groups.delete(known);
    // While every destination is full, clients are refused, and what was acknowledged before is kept.
    const mayDrop = this.#mayDrop || this.#outlets.some(({ queue }) => !queue.full);
    for (const member of this.#groups.get(generation)?.[group]?.members ?? []) {
      const outlet = this.#outlets[member]!;
      outlet.push(block, mayDrop && !outlet.queue.refuses);
    }
  }

  get #mayDrop(): boolean {
    return this.#config.values['remoteWrite.dropSamplesOnOverload'];
  }

  /** What waits for a destination in unfinished blocks. */
  #inEngine(destination: number): Readonly<Counts> {
    if (this.#engine === undefined) return noCounts;
    const { generation, stats } = this.#engine;
    const group = this.#groups.get(generation)?.findIndex(({ members }) => members.includes(destination));
    return stats?.pending[group ?? -1] ?? noCounts;
  }

  /**
   * A request that was acknowledged and later quarantined may be in some blocks and missing in others. Once the engine is
   * through with everything before, what no column has is what was lost with it.
   */
  async #settleQuarantined(): Promise<void> {
    await this.#engine?.flush();
    for (const [index, { queue }] of this.#outlets.entries()) {
      queue.ledger.quarantine(queue.ledger.unaccounted(this.#inEngine(index)));
    }
  }

  get hasRoom(): boolean {
    return this.#engine?.hasRoom ?? false;
  }

  /** Takes a body unless every destination is full and nothing may be dropped. */
  submit(body: Body): Promise<Verdict> {
    assert(this.#engine !== undefined, 'nothing listens before the engine is there');
    const cannotKeep =
      this.#outlets.some(({ queue }) => queue.refuses) ||
      this.#acknowledgement.full ||
      (!this.#mayDrop && this.#outlets.every(({ queue }) => queue.full));
    if (cannotKeep) {
      return Promise.resolve({
        ok: false,
        status: 503,
        reason: 'overloaded',
        error:
          'cannot take the request: queues or journal are full and nothing may be dropped; send it again later, or see / for what keeps them',
        retryAfterS: OVERLOAD_RETRY_AFTER_S,
      });
    }
    return this.#engine.submit(body);
  }

  #planAdapt(): void {
    this.#cancelAdapt = this.#ports.clock.after(ADAPT_EVERY_MS, () => {
      for (const outlet of this.#outlets) outlet.maintain();
      this.#acknowledgement.release(this.#engine, this.#outlets);
      void this.#reserve.maintain();
      this.#planAdapt();
    });
  }

  // What is shown.

  #status(): Status {
    return {
      ledger: this.#outlets[0]!.queue.ledger.wayToQueue(this.#inEngine(0)),
      destinations: this.#outlets.map((outlet) => outlet.status()),
      orphans: this.#admin.orphans,
    };
  }

  #registerMetrics(): void {
    const { metrics: meter, clock } = this.#ports;
    const flags = flagValues(schema, this.#config.set);
    registerAppMetrics(meter, { version, versionLabel, flags, memory: this.#memory }, clock);
    registerProcessMetrics(meter, { clock });
    const first = this.#outlets[0]!.queue.ledger;
    for (const kind of kinds) {
      for (const { column } of first.wayToQueue(noCounts)) {
        meter.counterOf(
          `sluice_ledger_${kind}_total`,
          'Where everything went on its way to the queues; received is the sum of the others.',
          { column },
          () => {
            const columns = first.wayToQueue(this.#inEngine(0));
            return columns.find((other) => other.column === column)!.counts[kind];
          },
        );
      }
    }
    meter.counterOf(
      'vmagent_remotewrite_global_rows_pushed_before_relabel_total',
      'Samples that were accepted.',
      {},
      () => first.received.samples,
    );
    this.#registerEngineMetrics();
  }

  #registerEngineMetrics(): void {
    const { metrics: meter } = this.#ports;
    const gauge = (name: string, help: string, read: (engine: EnginePool) => number) =>
      meter.gaugeOf(`sluice_engine_${name}`, help, {}, () => (this.#engine ? read(this.#engine) : 0));
    meter.gaugeOf('sluice_orphaned_queue_bytes', 'Bytes of queues that belong to no destination.', {}, () => {
      return this.#admin.orphans.reduce((sum, { bytes }) => sum + bytes, 0);
    });
    gauge('memory_bytes', 'Linear memory of the engine.', ({ stats }) => stats?.memoryBytes ?? 0);
    gauge('series', 'Series in the series table.', ({ stats }) => stats?.seriesTableSize ?? 0);
    gauge('series_max', 'Room in the series table.', ({ stats }) => stats?.seriesTableCapacity ?? 0);
    gauge('held_requests', 'Requests that are not yet in finished blocks.', ({ heldBodies }) => heldBodies);
    gauge('arena_bytes', 'Memory for requests that are not yet in finished blocks.', ({ arenaBytes }) => {
      return arenaBytes;
    });
    meter.counterOf('sluice_engine_restarts_total', 'Deaths of the engine thread.', {}, () => {
      return this.#engine?.restarts ?? 0;
    });
    for (const lane of ['verbatim', 'join', 'column'] as const) {
      meter.counterOf(
        'sluice_engine_bodies_total',
        'Requests by the way that they took to the blocks of a group of destinations.',
        { lane },
        () => this.#engine?.stats?.lanes[lane] ?? 0,
      );
    }
  }
}
