/** What scenarios share: the generator and sink processes, which core is whose, and one measured piece of work. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Child, startChild } from './load/calls.ts';
import { type Account, addAccount, emptyAccount } from './load/checksum.ts';
import type { FormatName } from './load/formats.ts';
import type { GeneratorMethods, SendSummary, WorkloadSummary } from './load/generator.ts';
import type { SinkMethods } from './load/sink.ts';
import { accountOf } from './load/verify.ts';
import type { WorkloadSpec } from './load/workload.ts';
import { type Relay, type RunningRelay, startRelay } from './relay.ts';
import { cpuSeconds, peakRssBytes } from './usage.ts';

/** Where the sinks take blocks. */
const SINK_PATH = '/api/v1/write';
/** Longer than any flush interval plus jitter of the relays, so that quiet means drained. */
const QUIET_MS = 3_000;

/** A relay may hold what it got last for a flush interval. */
const FLUSH_MS = 2_000;
/** A relay may hold what it got last in memory for some seconds before it goes to disk. */
const OUTAGE_AFTER_LOAD_MS = 8_000;

/**
 * What must arrive: `all` at every destination; `sharded`: each sample at one of them; `shaped`: what rules make of it,
 * the same from every relay; `outputs`: what aggregation tells, which depends on when windows ended, so only that something
 * came, and less than was sent.
 */
export type Arrival = 'all' | 'sharded' | 'shaped' | 'outputs';

export interface Work {
  readonly workload: WorkloadSpec;
  /** `remote-write` if absent. */
  readonly format?: FormatName;
  /** Sent, drained and verified, but not measured: the relay has met every series and its code is compiled. */
  readonly warmUpSamples: number;
  readonly samples: number;
  /** Instead of requests: one that is so long, whatever `samples` says. */
  readonly importBytes?: number;
  readonly connections: number;
  readonly destinations: number;
  readonly flags: readonly string[];
  /** Samples a second; as fast as the relay takes them if it is missing. */
  readonly rate?: number;
  /** True: the relay has one half of the cores for itself. False: all processes share all cores. */
  readonly pinned: boolean;
  /** These destinations are down while the samples are sent, and come back when all were. */
  readonly outage?: readonly number[];
  /** `all` if absent. */
  readonly arrives?: Arrival;
  /** How long the sinks must hear nothing until everything is taken to be out; longer than windows of aggregation. */
  readonly quietMs?: number;
}

export interface Outcome {
  /** Of the outage: CPU-seconds after it until everything had arrived, and bytes on disk at its end. */
  readonly drainCpuSeconds: number;
  readonly diskBytes: number;
  /** For each destination, the share of its requests that it had got two seconds after the load. */
  readonly deliveredDuringLoad: readonly number[];
  /** Samples that were sent in the measured part (each arrives once at every destination). */
  readonly samples: number;
  readonly cpuSeconds: number;
  readonly peakRssBytes: number;
  /** Compressed bytes that one destination got for one sample. */
  readonly bytesPerSample: number;
  /** From the first request to the last body at a destination. */
  readonly wallSeconds: number;
  readonly refused: number;
  readonly latencyMs: SendSummary['latencyMs'];
  readonly requestsOut: number;
}

/** `taskset` in front of relay and load, so that they do not share a core. */
function pins(): { relay: string[]; load: string[] } {
  const cores = availableParallelism();
  try {
    execFileSync('taskset', ['--version'], { stdio: 'ignore' });
  } catch {
    return { relay: [], load: [] };
  }
  if (cores < 2) return { relay: [], load: [] };
  const half = Math.floor(cores / 2);
  return { relay: ['taskset', '-c', `0-${half - 1}`], load: ['taskset', '-c', `${half}-${cores - 1}`] };
}

export class Bench {
  readonly directory = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
  readonly pins = pins();
  readonly #children = new Map<boolean, { generator: Child<GeneratorMethods>; sink: Child<SinkMethods> }>();
  #prepared = '';
  #summary: WorkloadSummary | undefined;
  #runs = 0;
  /** What arrived from the relay that was measured first, where rules change it. */
  readonly #shaped = new Map<Work, readonly Account[]>();

  /** What the workload that was prepared last looks like. */
  get workload(): WorkloadSummary | undefined {
    return this.#summary;
  }

  start(
    relay: Relay,
    work: Pick<Work, 'flags' | 'pinned'>,
    sinkPorts: readonly number[],
  ): Promise<RunningRelay> {
    return startRelay(relay, {
      directory: join(this.directory, `run-${++this.#runs}`),
      destinations: sinkPorts.map((port) => `http://127.0.0.1:${port}${SINK_PATH}`),
      flags: work.flags,
      prefix: work.pinned ? this.pins.relay : [],
    });
  }

  /** Starts the relay, sends it the work, waits until it is drained, and checks that every sample arrived. */
  async run(relay: Relay, work: Work): Promise<Outcome> {
    const { generator, sink } = this.#load(work.pinned);
    const summary = await this.#prepare(generator, work);
    const ports = await sink.call('open', { directory: this.directory, count: work.destinations });
    const running = await this.start(relay, work, ports);
    const perRequest = summary.samples / summary.bodies;
    const send = (samples: number, rate?: number) =>
      generator.call('send', {
        port: running.port,
        requests: Math.ceil(samples / perRequest),
        connections: work.connections,
        ...(rate === undefined ? {} : { requestsPerSecond: rate / perRequest }),
      });
    const quietMs = work.quietMs ?? QUIET_MS;
    const warmUp = await send(work.warmUpSamples);
    await sink.call('quiet', { quietMs });
    const cpuBefore = cpuSeconds(running.pid);
    const startMs = performance.now();
    if (work.outage !== undefined) await sink.call('setDown', work.outage);
    const { importBytes: bytes } = work;
    const sent =
      bytes === undefined
        ? await send(work.samples, work.rate)
        : await generator.call('sendImport', { port: running.port, bytes });
    const cpuAtEnd = cpuSeconds(running.pid);
    if (work.outage !== undefined) await delay(FLUSH_MS);
    const requestsDuringLoad = (await sink.call('kept', undefined)).map(({ lengths }) => lengths.length);
    if (work.outage !== undefined) await delay(OUTAGE_AFTER_LOAD_MS - FLUSH_MS);
    const diskBytes = bytesBelow(running.dataDirectory);
    if (work.outage !== undefined) await sink.call('setDown', []);
    const { sinceLastMs } = await sink.call('quiet', { quietMs });
    const wallSeconds = (performance.now() - startMs - sinceLastMs) / 1000;
    const cpu = cpuSeconds(running.pid) - cpuBefore;
    const peak = peakRssBytes(running.pid);
    await running.stop();
    const kept = await sink.call('kept', undefined);
    const arrived: Account[] = [];
    for (const destination of kept) arrived.push(await accountOf(destination));
    await sink.call('close', undefined);
    const expected = emptyAccount();
    addAccount(expected, warmUp.account);
    addAccount(expected, sent.account);
    this.#check(relay, work, expected, arrived);
    return {
      samples: sent.account.samples,
      cpuSeconds: cpu,
      drainCpuSeconds: cpu - (cpuAtEnd - cpuBefore),
      diskBytes,
      deliveredDuringLoad: requestsDuringLoad.map((count, index) => count / kept[index]!.offsets.length),
      peakRssBytes: peak,
      bytesPerSample: kept[0]!.lengths.reduce((sum, length) => sum + length, 0) / expected.samples,
      wallSeconds,
      refused: warmUp.refused + sent.refused,
      latencyMs: sent.latencyMs,
      requestsOut: kept[0]!.offsets.length,
    };
  }

  #check(relay: Relay, work: Work, sent: Account, arrived: readonly Account[]): void {
    if (work.arrives === 'sharded') {
      const sum = emptyAccount();
      for (const one of arrived) addAccount(sum, one);
      checkArrived(relay, sent, sum);
      return;
    }
    if (work.arrives === 'outputs') {
      for (const { samples } of arrived) {
        if (samples > 0 && samples < sent.samples) continue;
        throw new Error(`${relay.name}: ${samples} outputs arrived of ${sent.samples} samples`);
      }
      return;
    }
    const shaped = this.#shaped.get(work) ?? arrived;
    if (work.arrives === 'shaped') this.#shaped.set(work, shaped);
    for (const [index, one] of arrived.entries()) {
      checkArrived(relay, work.arrives === 'shaped' ? shaped[index]! : sent, one);
    }
  }

  async close(): Promise<void> {
    for (const { generator, sink } of this.#children.values()) {
      await generator.close();
      await sink.close();
    }
    rmSync(this.directory, { recursive: true, force: true });
  }

  #load(pinned: boolean) {
    let load = this.#children.get(pinned);
    if (!load) {
      const prefix = pinned ? this.pins.load : [];
      const generator = startChild<GeneratorMethods>('generator.ts', prefix);
      load = { generator, sink: startChild<SinkMethods>('sink.ts', prefix) };
      this.#children.set(pinned, load);
    }
    return load;
  }

  async #prepare(generator: Child<GeneratorMethods>, work: Work): Promise<WorkloadSummary> {
    const { workload, format = 'remote-write' } = work;
    const key = JSON.stringify([work.pinned, workload, format]);
    if (this.#prepared !== key) {
      this.#summary = await generator.call('prepare', { workload, format });
      this.#prepared = key;
    }
    return this.#summary!;
  }
}

function bytesBelow(directory: string): number {
  let sum = 0;
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    const at = statSync(join(directory, name), { throwIfNoEntry: false });
    if (at?.isFile()) sum += at.size;
  }
  return sum;
}

function checkArrived(relay: Relay, expected: Account, account: Account): void {
  if (account.samples === expected.samples && account.checksum === expected.checksum) return;
  const difference = account.samples - expected.samples;
  const what =
    difference === 0
      ? 'the number of samples is right, but they are not the ones sent'
      : `${difference} samples`;
  throw new Error(`${relay.name}: what arrived is not what was sent (${expected.samples} samples): ${what}`);
}
