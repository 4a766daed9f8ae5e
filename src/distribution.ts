/**
 * What destinations are to each other: copies, shards, or doors to one store. Tells which of them a series or a block is
 * for; looks at how they are doing where that matters.
 */
import type { Config } from './config/config.ts';
import type { Problem } from './config/problem.ts';
import type { Counts } from './model/body.ts';
import type { schema } from './options.ts';
import type { Outlet } from './outlet.ts';
import type { BlockNeeds } from './route/groups.ts';
import { ShardHealth } from './route/health.ts';
import type { PlacementSpec } from './route/placement.ts';
import { type Routing, routingOf } from './route/routing.ts';
import { type EndpointMetrics, ShardingMetrics } from './route/sharding-metrics.ts';
import { Spread } from './route/spread.ts';
import type { Clock } from './util/clock.ts';
import type { Logger } from './util/logger.ts';
import type { Meter } from './util/meter.ts';

const UNIFORM = [
  'remoteWrite.urlRelabelConfig',
  'remoteWrite.significantFigures',
  'remoteWrite.roundDigits',
  'remoteWrite.disableMetadata',
  'remoteWrite.streamAggr.config',
  'remoteWrite.streamAggr.keepInput',
  'remoteWrite.streamAggr.dropInput',
  'remoteWrite.streamAggr.dedupInterval',
  'remoteWrite.streamAggr.dropInputLabels',
] as const;

/** Any of the doors to one store may get a block, so it has to look the same for all. */
export function checkDistribution(config: Config<typeof schema.table>): Problem[] {
  const { values, destinations, where } = config;
  if (routingOf(values, destinations).kind !== 'spread') return [];
  return UNIFORM.filter((name) => new Set(destinations.map((one) => one.values[name])).size > 1).map(
    (name) => ({
      where: where(name),
      message: `-${name} is not the same for all destinations, and with -remoteWrite.routing=spread any may get a block`,
      hint: 'give one value for all',
    }),
  );
}

export interface DistributionPorts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly meter: Meter;
  /** Series are placed anew: ask for `available` again. */
  readonly onPlacement: () => void;
}

/** What the engine is told about shards; empty without them. */
export interface Shards {
  readonly placement?: PlacementSpec;
  readonly available?: readonly boolean[];
}

export class Distribution {
  readonly #routing: Routing;
  readonly #outlets: readonly Outlet[];
  readonly #health: ShardHealth | undefined;
  readonly #spread: Spread | undefined;
  readonly #metrics: readonly EndpointMetrics[] = [];
  #available: readonly boolean[] | undefined;

  constructor(
    { values, destinations }: Config<typeof schema.table>,
    outlets: readonly Outlet[],
    ports: DistributionPorts,
  ) {
    this.#routing = routingOf(values, destinations);
    this.#outlets = outlets;
    if (this.#routing.kind === 'replicate') return;
    const metrics = new ShardingMetrics(ports.meter);
    metrics.endpoints.set(outlets.length);
    this.#metrics = outlets.map(({ name }) => metrics.endpoint(name));
    if (this.#routing.kind === 'spread') {
      this.#spread = new Spread(outlets.length, this.#routing.holdMs, ports.clock);
    } else {
      const onChange = (available: boolean[]) => {
        this.#available = available;
        metrics.endpoints.set(available.filter(Boolean).length);
        metrics.rehashes.inc();
        const out = outlets.filter((_, index) => !available[index]).map(({ name }) => name);
        ports.log.warn('series are placed anew', { leftOut: out });
        ports.onPlacement();
      };
      this.#health = new ShardHealth(outlets.length, this.#routing.health, { clock: ports.clock, onChange });
    }
    for (const index of outlets.keys()) this.#watch(index);
  }

  #watch(index: number): void {
    const metrics = this.#metrics[index]!;
    this.#outlets[index]!.attempts.listen({
      ended: (worked, seconds) => {
        metrics.exportLatencySeconds.observe(seconds);
        if (!worked) metrics.exportErrors.inc();
        if (worked) this.#spread?.worked(index);
        else this.#spread?.failed(index);
      },
    });
  }

  get kind(): Routing['kind'] {
    return this.#routing.kind;
  }

  /** For the engine; `available` is absent while all are. */
  get shards(): Shards {
    if (this.#routing.kind !== 'shard') return {};
    const { placement } = this.#routing;
    return { placement, ...(this.#available?.includes(false) && { available: this.#available }) };
  }

  /** The number of a destination among the shards; undefined when it is none. */
  shardOf(index: number): number | undefined {
    return this.#routing.kind === 'shard' ? index : undefined;
  }

  /** Doors to one store get the same blocks, so what one of them needs they all need. */
  unified(needs: readonly BlockNeeds[]): readonly BlockNeeds[] {
    if (this.#routing.kind !== 'spread') return needs;
    const [first] = needs;
    const common: BlockNeeds = {
      ...first!,
      codec: needs.some(({ codec }) => codec === 'snappy') ? 'snappy' : 'zstd',
      metadata: needs.some(({ metadata }) => metadata),
      parallel: Math.max(...needs.map(({ parallel }) => parallel)),
    };
    return needs.map(() => common);
  }

  /** Which of a group's members get the next block. */
  takers(members: readonly number[]): readonly number[] {
    return this.#spread === undefined ? members : [this.#spread.next()];
  }

  /** A destination got samples. */
  placed(index: number, counts: Readonly<Counts>): void {
    this.#metrics[index]?.datapoints.inc(counts.samples);
  }

  /** Looks at how shards are doing; call it regularly. */
  observe(): void {
    this.#health?.observe(
      this.#outlets.map(({ attempts, fill, queue }) => ({
        // Nothing tells whether it still fails when there is nothing to send.
        failingSinceMs: queue.pendingBlocks > 0 ? attempts.failingSinceMs : undefined,
        lastSuccessMs: attempts.lastSuccessMs,
        queueFill: fill,
      })),
    );
  }
}
