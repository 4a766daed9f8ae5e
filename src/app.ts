/** The wiring of the main thread: ingest → engine → queues → delivery. */
import path from 'node:path';
import { Acknowledgement, type AcknowledgementConfig } from './acknowledgement.ts';
import { Admin } from './admin.ts';
import { AggregationMetrics } from './aggregation-metrics.ts';
import { AggregationState } from './aggregation-state.ts';
import { version, versionLabel } from './cli/version.ts';
import type { Config } from './config/config.ts';
import { formatProblem } from './config/problem.ts';
import { prepareDataDirectory } from './data-directory.ts';
import { ConnectionStats } from './deliver/connection-stats.ts';
import { Dispatch } from './dispatch.ts';
import { Distribution } from './distribution.ts';
import { DropExamples } from './drop-examples.ts';
import type { EngineConfig } from './engine/messages.ts';
import { EnginePool } from './engine/pool.ts';
import type { PoolPorts } from './engine/pool-ports.ts';
import { Quarantine } from './engine/quarantine.ts';
import { createExplainer, explainerSource } from './explainer.ts';
import { IngestionRate } from './ingest/ingestion-rate.ts';
import { SelfScrape } from './ingest/self-scrape.ts';
import { HttpServer } from './ingest/server.ts';
import { compileKernel } from './kernel/kernel.ts';
import { type Body, type Counts, type Intake, noCounts, type Verdict } from './model/body.ts';
import { schema } from './options.ts';
import { Outlet } from './outlet.ts';
import { protocolOptions } from './protocol/index.ts';
import type { WhenFull } from './queue/config.ts';
import { type Fs, nodeFs } from './queue/file/fs.ts';
import { meteredFs } from './queue/file/metered-fs.ts';
import { Reserve } from './queue/file/reserve.ts';
import { registerRelayMetrics } from './relay-metrics.ts';
import { type Group, groupDestinations } from './route/groups.ts';
import { AdminServer } from './service/admin-server.ts';
import { createEndpoints } from './service/index.ts';
import type { Status } from './service/status.ts';
import { Shaping } from './shaping.ts';
import { TopTalkers } from './talkers.ts';
import { flagValues, registerAppMetrics } from './telemetry/app.ts';
import type { Metrics } from './telemetry/metrics.ts';
import { registerProcessMetrics } from './telemetry/process.ts';
import { watchRuntime } from './telemetry/runtime.ts';
import { assert } from './util/assert.ts';
import type { Clock } from './util/clock.ts';
import { messageOf } from './util/error.ts';
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
/** The part of the allowed memory for what is decided about series. */
const PLAN_SHARE = 0.25;
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
  readonly #dispatch: Dispatch;
  #engine: EnginePool | undefined;
  readonly #acknowledgement: Acknowledgement;
  readonly #aggregation: AggregationState;
  readonly #aggregationMetrics: AggregationMetrics;
  readonly #shaping: Shaping;
  readonly #distribution: Distribution;
  readonly #rate: IngestionRate;
  readonly #talkers: TopTalkers;
  #reloading: Promise<void> = Promise.resolve();
  readonly #examples = new DropExamples();
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
    const files = meteredFs(nodeFs, metrics, clock);
    this.#reserve = new Reserve(this.#dataDirectory, { fs: files, log, meter: metrics });
    this.#fs = this.#reserve.fs;
    this.#outlets = this.#createOutlets();
    this.#distribution = new Distribution(config, this.#outlets, {
      clock,
      log,
      meter: metrics,
      onPlacement: () => this.#regroup(),
    });
    this.#dispatch = new Dispatch(this.#outlets, this.#distribution);
    this.#shaping = new Shaping(config, { clock, log, env: ports.env, meter: metrics });
    this.#acknowledgement = new Acknowledgement(
      {
        promise: values['remoteWrite.ack'] as AcknowledgementConfig['promise'],
        dataDirectory: this.#dataDirectory,
        journalBytesMax: values['remoteWrite.ackMaxBytes'],
      },
      { fs: this.#fs, clock, log, meter: metrics },
    );
    this.#aggregation = new AggregationState(
      { dataDirectory: this.#dataDirectory, isKept: values['streamAggr.keepState'] },
      {
        fs: this.#fs,
        clock,
        log,
        isActive: () => this.#engine?.aggregation.isActive ?? false,
        // A queue without a file must not fill the journal for the others.
        isSafeTo: (id) => this.#dispatch.isSafeTo(id, this.#acknowledgement.full),
        seqUpTo: (id) => this.#acknowledgement.seqUpTo(id),
      },
    );
    const stages = () => this.#engine?.aggregation.stages ?? [];
    const losses = () => this.#engine?.aggregation.losses ?? 0;
    const told = { meter: metrics, stages, losses, destinations: this.#outlets };
    this.#aggregationMetrics = new AggregationMetrics(told);
    this.#admin = new Admin({
      outlets: this.#outlets,
      dataDirectory: this.#dataDirectory,
      fs: this.#fs,
      clock,
      log,
      explainer: () => this.#explainer(),
      lately: () => this.#talkers.lately(),
    });
    const metricsText = () => metrics.text();
    this.#http = new HttpServer({
      values,
      protocolOptions: protocolOptions(values),
      intake: this,
      endpoints: createEndpoints({
        version,
        metricsText,
        setOptions: () => [...config.set].map(([name, value]) => ({ name, value })),
        status: { status: () => this.#status(), top: () => this.#talkers.shown() },
        reload: () => void this.reload('/-/reload'),
        explain: (text) => this.#explainer()(text),
        relabel: this.#shaping.source,
        aggregation: { stages: () => this.#shaping.stagesWith(stages()) },
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
    this.#talkers = new TopTalkers(clock, async () => this.#engine?.report());
    this.#rate = new IngestionRate(values.maxIngestionRate, { clock, meter: metrics });
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
    await this.#shaping.load();
    this.#share();
    await prepareDataDirectory(this.#dataDirectory);
    await this.#adminServer.lock();
    try {
      await this.#reserve.open();
      await this.#takeUpQueues();
      await this.#acknowledgement.open();
      const engine = this.#startEngine(await this.#aggregation.open());
      await this.#acknowledgement.replay(engine, this.#aggregation.takenSeq);
      engine.wake();
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
    this.#rate.stop();
    await this.#selfScrape.stop();
    await this.#http.close();
    await this.#engine?.close(this.#config.values['streamAggr.keepState']);
    const isOut = (this.#engine?.heldBodies ?? 0) === 0;
    this.#reserve.stop();
    const deadlineMs = this.#config.values['remoteWrite.drainTimeout'];
    const safe = await Promise.all(this.#outlets.map((outlet) => this.#stopOutlet(outlet, deadlineMs)));
    await this.#quarantine.idle();
    this.#stopWatching();
    const isSafe = isOut && safe.every(Boolean);
    // What could not be written elsewhere stays in the journal, and with it the older state of aggregation that it goes on from.
    const isKept = (isSafe || !this.#acknowledgement.isKept) && (await this.#aggregation.close());
    if (isSafe && isKept) this.#acknowledgement.release(this.#engine, this.#outlets);
    await this.#closeFiles();
    if (isSafe && isKept) log.info('stopped; nothing is lost');
    return isSafe && isKept;
  }

  /** Reads the rule files again. A request is treated by the old rules or by the new ones as a whole. */
  reload(reason: string): Promise<void> {
    this.#ports.log.info('reloading', { reason });
    this.#reloading = this.#reloading.then(async () => {
      if (!(await this.#shaping.reload())) return;
      this.#share();
      this.#regroup();
    });
    return this.#reloading;
  }

  #explainer() {
    return createExplainer(explainerSource(this.#shaping, this.#distribution, this.#outlets));
  }

  /** Tells destinations what they get of the series. */
  #share(): void {
    this.#aggregationMetrics.follow(this.#shaping.shape.config);
    for (const [index, outlet] of this.#outlets.entries()) {
      outlet.setShare({
        form: this.#shaping.shape.formOf[index]!,
        shard: this.#distribution.shardOf(index),
      });
    }
  }

  /** A second signal: the phases that wait for others end at once. */
  hurry(): void {
    void this.#http.close();
  }

  /** What earlier runs, and a vmagent before us, left for the destinations. */
  async #takeUpQueues(): Promise<void> {
    for (const [index, outlet] of this.#outlets.entries()) {
      await outlet.open();
      await this.#admin.takeOverVmagent(outlet, this.#config.destinations[index]!.url);
    }
    await this.#admin.findOrphans();
    this.#adminServer.serve(this.#admin.actions);
  }

  async #closeFiles(): Promise<void> {
    try {
      await this.#acknowledgement.close();
      await this.#adminServer.close();
    } catch (error) {
      this.#ports.log.error('cannot close the files of the data directory', { error: messageOf(error) });
    }
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

  // The engine.

  #startEngine(restored: Uint8Array<ArrayBuffer> | undefined): EnginePool {
    const { clock, log } = this.#ports;
    const groups = this.#currentGroups();
    this.#dispatch.follow(1, groups);
    const ports: PoolPorts = {
      clock,
      log,
      module: compileKernel(),
      onBlock: (group, generation, block) => this.#dispatch.block(group, generation, block, this.#mayDrop),
      onAccepted: (counts, isReplay) => {
        for (const outlet of this.#outlets) outlet.accept(counts, isReplay);
      },
      onDropped: (dropped, generation) => this.#dispatch.drop(dropped, generation),
      onDropExample: (example) => this.#examples.add(example),
      commit: this.#acknowledgement.commit,
      onQuarantined: (body, client) => {
        this.#quarantine.keep(body, client);
        void this.#dispatch.settleQuarantined(this.#engine);
      },
      onTold: (told, generation) => this.#dispatch.tell(told, generation),
      onObserved: (observed) => this.#aggregationMetrics.observe(observed),
      onState: (state) => this.#aggregation.offer(state),
    };
    this.#engine = new EnginePool(this.#engineConfig(groups), ports, restored);
    return this.#engine;
  }

  #currentGroups(): Group[] {
    return groupDestinations(this.#distribution.unified(this.#outlets.map((outlet) => outlet.needs)));
  }

  #engineConfig(groups: readonly Group[]): EngineConfig {
    const { values } = this.#config;
    return {
      groups: groups.map(({ members: _, ...needs }) => needs),
      shape: this.#shaping.engineShape(this.#distribution.shards),
      maxRowsPerBlock: values['remoteWrite.maxRowsPerBlock'],
      maxBlockBytes: values['remoteWrite.maxBlockSize'],
      maxMetadataPerBlock: values['remoteWrite.maxMetadataPerBlock'],
      flushIntervalMs: values['remoteWrite.flushInterval'],
      bodyBytesMax: values.maxInsertRequestSize,
      planBytesMax: this.#memory.allowedBytes * PLAN_SHARE,
      protocolOptions: protocolOptions(values),
    };
  }

  /** A destination wants its blocks in another form. */
  #regroup(): void {
    if (this.#engine === undefined) return;
    const groups = this.#currentGroups();
    this.#dispatch.follow(this.#engine.configure(this.#engineConfig(groups)), groups);
  }

  get #mayDrop(): boolean {
    return this.#config.values['remoteWrite.dropSamplesOnOverload'];
  }

  /** What waits for a destination in unfinished blocks. */
  #inEngine(destination: number): Readonly<Counts> {
    return this.#engine === undefined ? noCounts : this.#dispatch.pendingOf(destination, this.#engine);
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
    const judged = this.#engine.submit(body);
    this.#talkers.note(body.client, judged);
    return this.#rate.pace(judged);
  }

  #planAdapt(): void {
    this.#cancelAdapt = this.#ports.clock.after(ADAPT_EVERY_MS, () => {
      for (const outlet of this.#outlets) outlet.maintain();
      this.#distribution.observe();
      void this.#aggregation.maintain();
      this.#acknowledgement.release(this.#engine, this.#outlets, this.#aggregation.neededFrom);
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
      drops: this.#examples.shown,
    };
  }

  #registerMetrics(): void {
    const { metrics: meter, clock } = this.#ports;
    const about = {
      version,
      versionLabel,
      flags: flagValues(schema, this.#config.set),
      memory: this.#memory,
    };
    registerAppMetrics(meter, about, clock);
    registerProcessMetrics(meter, { clock });
    registerRelayMetrics(meter, {
      ledger: this.#outlets[0]!.queue.ledger,
      inEngine: () => this.#inEngine(0),
      engine: () => this.#engine,
      orphanBytes: () => this.#admin.orphans.reduce((sum, { bytes }) => sum + bytes, 0),
      seriesLimits: this.#shaping.seriesLimits,
    });
  }
}
