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
import { Destinations } from './destinations.ts';
import { Discovered } from './discovered.ts';
import { Distribution } from './distribution.ts';
import { DropExamples } from './drop-examples.ts';
import { hostFor } from './engine/host.ts';
import type { EngineConfig, GroupConfig } from './engine/messages.ts';
import { EnginePool } from './engine/pool.ts';
import type { PoolPorts } from './engine/pool-ports.ts';
import { Quarantine } from './engine/quarantine.ts';
import { createExplainer, explainerSource } from './explainer.ts';
import { IngestionRate } from './ingest/ingestion-rate.ts';
import { SelfScrape } from './ingest/self-scrape.ts';
import { HttpServer } from './ingest/server.ts';
import { compileKernel } from './kernel/kernel.ts';
import { type Body, type BodyRoom, type Intake, unavailable, type Verdict } from './model/body.ts';
import { schema } from './options.ts';
import type { Outlet } from './outlet.ts';
import { OutletFactory } from './outlet-factory.ts';
import { protocolOptions } from './protocol/index.ts';
import { type Fs, nodeFs } from './queue/file/fs.ts';
import { meteredFs } from './queue/file/metered-fs.ts';
import { Reserve } from './queue/file/reserve.ts';
import { registerRelayMetrics } from './relay-metrics.ts';
import { Rerouting } from './rerouting.ts';
import { discoveryOf } from './route/routing.ts';
import { AdminServer } from './service/admin-server.ts';
import { createEndpoints } from './service/index.ts';
import type { Status } from './service/status.ts';
import { Shaping } from './shaping.ts';
import { takeOverVmagent } from './takeover.ts';
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
const FULL =
  'queues or journal are full and nothing may be dropped; send it again later, or see / for what keeps them';
const NO_DESTINATION =
  'no destination is known yet; send it again later, or check -remoteWrite.discovery.service and the DNS server';
/** The part of the allowed memory for what is decided about series. */
const PLAN_SHARE = 0.25;
/** And for what is known of them otherwise. */
const SERIES_SHARE = 0.15;

export class App implements Intake {
  readonly #config: AppConfig;
  readonly #ports: AppPorts;
  readonly #dataDirectory: string;
  readonly #memory: MemoryLimit;
  readonly #fs: Fs;
  readonly #reserve: Reserve;
  readonly #admin: Admin;
  readonly #adminServer: AdminServer;
  readonly #quarantine: Quarantine;
  readonly #http: HttpServer;
  readonly #selfScrape: SelfScrape;
  readonly #stopWatching: () => void;
  #engine: EnginePool | undefined;
  readonly #acknowledgement: Acknowledgement;
  readonly #aggregation: AggregationState;
  readonly #aggregationMetrics: AggregationMetrics;
  readonly #shaping: Shaping;
  readonly #distribution: Distribution;
  readonly #destinations: Destinations;
  readonly #outlets: OutletFactory;
  readonly #rerouting: Rerouting;
  /** Undefined when the destinations are those of the configuration. */
  readonly #discovered: Discovered | undefined;
  /** There are destinations, and what the journal had is with them. */
  #isOpen = false;
  readonly #rate: IngestionRate;
  readonly #talkers: TopTalkers;
  #reloading: Promise<void> = Promise.resolve();
  readonly #examples = new DropExamples();
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
    const files = meteredFs(nodeFs, metrics, clock);
    this.#reserve = new Reserve(this.#dataDirectory, { fs: files, log, meter: metrics });
    this.#fs = this.#reserve.fs;
    this.#distribution = new Distribution(config, {
      clock,
      log,
      meter: metrics,
      onPlacement: () => this.#destinations.regroup(),
    });
    this.#shaping = new Shaping(config, { clock, log, env: ports.env, meter: metrics });
    this.#acknowledgement = new Acknowledgement(
      {
        promise: values['remoteWrite.ack'] as AcknowledgementConfig['promise'],
        dataDirectory: this.#dataDirectory,
        journalBytesMax: values['remoteWrite.ackMaxBytes'],
      },
      {
        fs: this.#fs,
        clock,
        log,
        meter: metrics,
        onRefused: (counts) => this.#destinations.refuse(counts),
      },
    );
    const engine = () => this.#engine;
    const members = () => this.#destinations.members;
    this.#rerouting = new Rerouting({ clock, log, engine, members });
    this.#destinations = this.#createDestinations();
    const destinations = this.#destinations;
    this.#outlets = new OutletFactory(config, {
      clock,
      log,
      meter: metrics,
      fs: this.#fs,
      env: ports.env,
      memoryBytes: this.#memory.allowedBytes,
      count: () => Math.max(destinations.all.length, config.destinations.length),
      onNeeds: () => destinations.regroup(),
      inEngine: (outlet) => destinations.inEngine(outlet),
    });
    this.#discovered = this.#createDiscovered();
    this.#aggregation = new AggregationState(
      { dataDirectory: this.#dataDirectory, isKept: values['streamAggr.keepState'] },
      {
        fs: this.#fs,
        clock,
        log,
        isActive: () => this.#engine?.aggregation.isActive ?? false,
        // A queue without a file must not fill the journal for the others.
        isSafeTo: (id) => destinations.isSafeTo(id, this.#acknowledgement.full),
        seqUpTo: (id) => this.#acknowledgement.seqUpTo(id),
      },
    );
    const stages = () => this.#engine?.aggregation.stages ?? [];
    const losses = () => this.#engine?.aggregation.losses ?? 0;
    const told = { meter: metrics, stages, losses, destinations: config.destinations };
    this.#aggregationMetrics = new AggregationMetrics(told);
    this.#admin = new Admin({
      queuesInHand: destinations.queuesInHand,
      get outlets() {
        return destinations.all;
      },
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

  #createDestinations(): Destinations {
    const { values, destinations } = this.#config;
    return new Destinations({
      distribution: this.#distribution,
      formOf: ({ name }) => {
        const place = destinations.findIndex((destination) => destination.name === name);
        return this.#shaping.shape.formOf[Math.max(0, place)]!;
      },
      configure: (groups) => this.#engine?.configure(this.#engineConfig(groups)),
      engine: () => this.#engine,
      mayDrop: values['remoteWrite.dropSamplesOnOverload'],
      onPlaced: (id, members) => this.#rerouting.placed(id, members),
    });
  }

  #createDiscovered(): Discovered | undefined {
    const { values, destinations } = this.#config;
    const discovery = discoveryOf(values);
    const { metrics } = this.#distribution;
    if (discovery === undefined || metrics === undefined) return undefined;
    const { clock, log } = this.#ports;
    return new Discovered(destinations[0]!, discovery, this.#dataDirectory, {
      clock,
      log,
      fs: this.#fs,
      metrics,
      destinations: this.#destinations,
      outlets: this.#outlets,
      rerouting: this.#rerouting,
      engine: () => this.#engine,
      onFirst: () => this.#openEngine(),
    });
  }

  /** Takes up what the last run left, then listens, then sends. Throws a SluiceError when that is not possible. */
  async start(): Promise<void> {
    await this.#shaping.load();
    this.#aggregationMetrics.follow(this.#shaping.shape.config);
    await prepareDataDirectory(this.#dataDirectory);
    await this.#adminServer.lock();
    try {
      await this.#reserve.open();
      await this.#takeUpQueues();
      await this.#acknowledgement.open();
      await this.#startEngine();
      if (this.#destinations.members.length > 0) await this.#openEngine();
      await this.#http.listen();
    } catch (error) {
      await this.#engine?.close();
      await this.#adminServer.close();
      throw error;
    }
    if (this.#discovered === undefined) for (const outlet of this.#destinations.members) outlet.start();
    else this.#discovered.run();
    this.#selfScrape.start();
    this.#planAdapt();
    const { log } = this.#ports;
    for (const warning of this.#config.warnings) log.warn(formatProblem(warning));
    const destinations = this.#destinations.members.map(({ name, shownUrl }) => `${name} (${shownUrl})`);
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
    await this.#discovered?.close();
    await this.#http.close();
    await this.#engine?.close(this.#config.values['streamAggr.keepState']);
    const isOut = (this.#engine?.heldBodies ?? 0) === 0;
    this.#reserve.stop();
    const deadlineMs = this.#config.values['remoteWrite.drainTimeout'];
    const { members, leaving } = this.#destinations;
    const stopAll = (outlets: readonly Outlet[]) =>
      Promise.all(outlets.map((outlet) => this.#stopOutlet(outlet, deadlineMs)));
    const safe = await stopAll(members);
    await this.#rerouting.close();
    safe.push(...(await stopAll(leaving)));
    await Promise.all([...this.#takeOvers, this.#quarantine.idle()]);
    this.#stopWatching();
    const isSafe = isOut && safe.every(Boolean);
    // What could not be written elsewhere stays in the journal, and with it the older state of aggregation that it goes on from.
    const isKept = (isSafe || !this.#acknowledgement.isKept) && (await this.#aggregation.close());
    if (isSafe && isKept) this.#acknowledgement.release(this.#engine, this.#destinations.all);
    await this.#closeFiles();
    if (isSafe && isKept) log.info('stopped; nothing is lost');
    return isSafe && isKept;
  }

  /** Reads the rule files again. A request is treated by the old rules or by the new ones as a whole. */
  reload(reason: string): Promise<void> {
    this.#ports.log.info('reloading', { reason });
    this.#reloading = this.#reloading.then(async () => {
      if (!(await this.#shaping.reload())) return;
      this.#aggregationMetrics.follow(this.#shaping.shape.config);
      this.#destinations.regroup();
    });
    return this.#reloading;
  }

  #explainer() {
    return createExplainer(explainerSource(this.#shaping, this.#distribution, this.#destinations.members));
  }

  /** A second signal: the phases that wait for others end at once. */
  hurry(): void {
    void this.#http.close();
  }

  /** What earlier runs, and a vmagent before us, left for the destinations. */
  async #takeUpQueues(): Promise<void> {
    if (this.#discovered === undefined) {
      const outlets = this.#config.destinations.map((destination) => this.#outlets.create(destination));
      for (const outlet of outlets) await outlet.open();
      this.#destinations.replace(outlets, []);
    } else await this.#discovered.open();
    const ports = { ...this.#ports, fs: this.#fs };
    for (const outlet of this.#destinations.members) {
      const { done } = await takeOverVmagent(outlet, outlet.url, this.#dataDirectory, ports);
      this.#takeOvers.push(done);
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

  async #startEngine(): Promise<void> {
    const destinations = this.#destinations;
    const ports: PoolPorts = {
      ...this.#ports,
      module: compileKernel(),
      startHost: await hostFor(this.#config.values['engine.thread']),
      onBlock: (group, generation, block) => destinations.distribute(group, generation, block),
      onAccepted: (accepted) => {
        destinations.accept(accepted);
        if (accepted.origin === 'client') this.#talkers.note(accepted.client, accepted.counts.samples);
      },
      onDropped: (dropped, generation) => destinations.drop(dropped, generation),
      onDropExample: (example) => this.#examples.add(example),
      commit: this.#acknowledgement.commit,
      onQuarantined: (body, client) => {
        this.#quarantine.keep(body, client);
        void destinations.settleQuarantined();
      },
      onTold: (told, generation) => destinations.tell(told, generation),
      onObserved: (observed) => this.#aggregationMetrics.observe(observed),
      states: this.#aggregation,
      isBehind: () => destinations.isBehind,
    };
    const restored = await this.#aggregation.open();
    this.#engine = new EnginePool(this.#engineConfig(destinations.begin()), ports, restored);
  }

  /** What the journal had goes first, then time goes on for aggregation. */
  async #openEngine(): Promise<void> {
    assert(this.#engine !== undefined, 'the engine is there before it is opened');
    await this.#acknowledgement.replay(this.#engine, this.#aggregation.takenSeq);
    this.#engine.wake();
    this.#isOpen = true;
  }

  #engineConfig(groups: readonly GroupConfig[]): EngineConfig {
    const { values } = this.#config;
    return {
      groups,
      shape: this.#shaping.engineShape(this.#distribution.shards),
      maxRowsPerBlock: values['remoteWrite.maxRowsPerBlock'],
      maxBlockBytes: values['remoteWrite.maxBlockSize'],
      maxMetadataPerBlock: values['remoteWrite.maxMetadataPerBlock'],
      flushIntervalMs: values['remoteWrite.flushInterval'],
      bodyBytesMax: values.maxInsertRequestSize,
      planBytesMax: this.#memory.allowedBytes * PLAN_SHARE,
      seriesBytesMax: values['memory.seriesBytes'] || this.#memory.allowedBytes * SERIES_SHARE,
      sparesSeriesMemory: values['memory.seriesBytes'] === 0,
      protocolOptions: protocolOptions(values),
    };
  }

  get hasRoom(): boolean {
    return this.#engine?.hasRoom ?? false;
  }

  reserve(byteLength: number): BodyRoom | undefined {
    return this.#engine?.reserve(byteLength);
  }

  /** Takes a body unless every destination is full and nothing may be dropped. */
  submit(body: Body): Promise<Verdict> {
    assert(this.#engine !== undefined, 'nothing listens before the engine is there');
    const { members } = this.#destinations;
    if (!this.#isOpen) return Promise.resolve(unavailable(NO_DESTINATION));
    const cannotKeep =
      members.some(({ queue }) => queue.refuses) ||
      this.#acknowledgement.full ||
      (!this.#config.values['remoteWrite.dropSamplesOnOverload'] && members.every(({ queue }) => queue.full));
    if (cannotKeep) return Promise.resolve(unavailable(FULL));
    return this.#rate.pace(this.#engine.submit(body));
  }

  #planAdapt(): void {
    this.#cancelAdapt = this.#ports.clock.after(ADAPT_EVERY_MS, () => {
      for (const outlet of this.#destinations.all) outlet.maintain();
      this.#distribution.observe();
      void this.#aggregation.maintain();
      this.#acknowledgement.release(this.#engine, this.#destinations.all, this.#aggregation.neededFrom);
      void this.#reserve.maintain();
      this.#planAdapt();
    });
  }

  // What is shown.

  #status(): Status {
    return {
      ledger: this.#destinations.way.wayToQueue(this.#destinations.inEngine()),
      destinations: this.#destinations.all.map((outlet) => outlet.status()),
      orphans: this.#admin.orphans,
      drops: this.#examples.shown,
    };
  }

  #registerMetrics(): void {
    const { metrics: meter, clock } = this.#ports;
    const flags = flagValues(schema, this.#config.set);
    registerAppMetrics(meter, { version, versionLabel, flags, memory: this.#memory }, clock);
    registerProcessMetrics(meter, { clock });
    registerRelayMetrics(meter, {
      ledger: this.#destinations.way,
      inEngine: () => this.#destinations.inEngine(),
      engine: () => this.#engine,
      orphanBytes: () => this.#admin.orphans.reduce((sum, { bytes }) => sum + bytes, 0),
      seriesLimits: this.#shaping.seriesLimits,
    });
  }
}
