/** The wiring of the main thread: ingest → engine → queues → delivery. */
import path from 'node:path';
import { Acknowledgement, type AcknowledgementConfig } from './acknowledgement.ts';
import { Admin } from './admin.ts';
import { version, versionLabel } from './cli/version.ts';
import type { Config } from './config/config.ts';
import { formatProblem } from './config/problem.ts';
import { prepareDataDirectory } from './data-directory.ts';
import { Distribution } from './distribution.ts';
import { DropExamples } from './drop-examples.ts';
import type { Dropped, EngineConfig } from './engine/messages.ts';
import { EnginePool } from './engine/pool.ts';
import { Quarantine } from './engine/quarantine.ts';
import { createExplainer, explainerSource } from './explainer.ts';
import { IngestionRate } from './ingest/ingestion-rate.ts';
import { SelfScrape } from './ingest/self-scrape.ts';
import { HttpServer } from './ingest/server.ts';
import { compileKernel } from './kernel/kernel.ts';
import type { Block } from './model/block.ts';
import { type Body, type Counts, type Intake, noCounts, type Verdict } from './model/body.ts';
import { schema } from './options.ts';
import type { Outlet } from './outlet.ts';
import { createOutlets } from './outlets.ts';
import { protocolOptions } from './protocol/index.ts';
import { type Fs, nodeFs } from './queue/file/fs.ts';
import { meteredFs } from './queue/file/metered-fs.ts';
import { Reserve } from './queue/file/reserve.ts';
import { registerRelayMetrics } from './relay-metrics.ts';
import { type Group, groupDestinations } from './route/groups.ts';
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
/** The part of the allowed memory for what is decided about series. */
const PLAN_SHARE = 0.25;

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
  readonly #shaping: Shaping;
  readonly #distribution: Distribution;
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
    this.#reserve = new Reserve(this.#dataDirectory, {
      fs: meteredFs(nodeFs, metrics, clock),
      log,
      meter: metrics,
    });
    this.#fs = this.#reserve.fs;
    this.#outlets = createOutlets(config, this.#memory, {
      ...ports,
      fs: this.#fs,
      onNeeds: () => this.#regroup(),
      inEngine: (index) => this.#inEngine(index),
    });
    this.#distribution = new Distribution(config, this.#outlets, {
      clock,
      log,
      meter: metrics,
      onPlacement: () => this.#regroup(),
    });
    this.#shaping = new Shaping(config, { clock, log, env: ports.env, meter: metrics });
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
    this.#rate.stop();
    await this.#selfScrape.stop();
    await this.#http.close();
    await this.#engine?.close();
    const isOut = (this.#engine?.heldBodies ?? 0) === 0;
    this.#reserve.stop();
    const deadlineMs = this.#config.values['remoteWrite.drainTimeout'];
    const safe = await Promise.all(this.#outlets.map((outlet) => this.#stopOutlet(outlet, deadlineMs)));
    await Promise.all([...this.#takeOvers, this.#quarantine.idle()]);
    this.#stopWatching();
    const isSafe = isOut && safe.every(Boolean);
    // What could not be written elsewhere stays in the journal.
    if (isSafe) this.#acknowledgement.release(this.#engine, this.#outlets);
    await this.#closeFiles();
    if (isSafe) log.info('stopped; nothing is lost');
    return isSafe;
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
      onDropped: (dropped, generation) => this.#drop(dropped, generation),
      onDropExample: (example) => this.#examples.add(example),
      commit: this.#acknowledgement.commit,
      onQuarantined: (body, client) => {
        this.#quarantine.keep(body, client);
        void this.#settleQuarantined();
      },
    });
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
    this.#groups.set(this.#engine.configure(this.#engineConfig(groups)), groups);
  }

  #distribute(group: number, generation: number, block: Block): void {
    for (const known of this.#groups.keys()) if (known < generation) this.#groups.delete(known);
    // While every destination is full, clients are refused, and what was acknowledged before is kept.
    const mayDrop =
      this.#config.values['remoteWrite.dropSamplesOnOverload'] ||
      this.#outlets.some(({ queue }) => !queue.full);
    const members = this.#groups.get(generation)?.[group]?.members ?? [];
    const takers = this.#distribution.takers(members);
    for (const member of members) {
      const outlet = this.#outlets[member]!;
      if (takers.includes(member)) {
        this.#distribution.placed(member, block.counts);
        outlet.push(block, mayDrop && !outlet.queue.refuses);
      } else outlet.drop('other_shard', block.counts);
    }
  }

  /** Counts what rules and limits keep from destinations. */
  #drop(dropped: readonly Dropped[], generation: number): void {
    const groups = this.#groups.get(generation) ?? [];
    for (const { group, reason, counts } of dropped) {
      const members = group === undefined ? this.#outlets.keys() : groups[group]!.members;
      for (const member of members) this.#outlets[member]!.drop(reason, counts);
    }
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
      (!this.#config.values['remoteWrite.dropSamplesOnOverload'] &&
        this.#outlets.every(({ queue }) => queue.full));
    if (cannotKeep) {
      return Promise.resolve({
        ok: false,
        status: 503,
        reason: 'overloaded',
        error:
          'cannot take the request: queues or journal are full and nothing may be dropped; send it again later, or see / for what keeps them',
        retryAfterS: 5,
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
      drops: this.#examples.shown,
    };
  }

  #registerMetrics(): void {
    const { metrics: meter, clock } = this.#ports;
    const flags = flagValues(schema, this.#config.set);
    registerAppMetrics(meter, { version, versionLabel, flags, memory: this.#memory }, clock);
    registerProcessMetrics(meter, { clock });
    const { values } = this.#config;
    registerRelayMetrics(meter, {
      ledger: this.#outlets[0]!.queue.ledger,
      inEngine: () => this.#inEngine(0),
      engine: () => this.#engine,
      orphanBytes: () => this.#admin.orphans.reduce((sum, { bytes }) => sum + bytes, 0),
      seriesLimits: {
        hourly: values['remoteWrite.maxHourlySeries'],
        daily: values['remoteWrite.maxDailySeries'],
      },
    });
  }
}
