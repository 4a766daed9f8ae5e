/**
 * What destinations are to each other: copies, shards, or doors to one store. Tells which of them a series or a block is
 * for; looks at how they are doing where that matters.
 */
import type { Config } from './config/config.ts';
import type { Problem } from './config/problem.ts';
import type { ShapeConfig } from './engine/shape.ts';
import type { Counts } from './model/body.ts';
import type { schema } from './options.ts';
import type { Outlet } from './outlet.ts';
import type { BlockNeeds } from './route/groups.ts';
import { ShardHealth } from './route/health.ts';
import { discoveryOf, type RouteValues, type Routing, routingOf } from './route/routing.ts';
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
  /** Series are placed anew: ask for `shards` again. */
  readonly onPlacement: () => void;
}

/** What the engine is told about shards; empty without them. */
export type Shards = Pick<ShapeConfig, 'placement' | 'available' | 'placesForm'>;

export class Distribution {
  readonly #values: RouteValues;
  readonly #ports: DistributionPorts;
  /** Destinations come and go. */
  readonly #isDiscovered: boolean;
  /** Absent where every destination gets everything, always. */
  readonly #metrics: ShardingMetrics | undefined;
  readonly #endpoints = new Map<Outlet, EndpointMetrics>();
  #outlets: readonly Outlet[] = [];
  #routing: Routing = { kind: 'replicate' };
  #health: ShardHealth | undefined;
  #spread: Spread | undefined;

  constructor(
    { values, destinations }: Pick<Config<typeof schema.table>, 'values' | 'destinations'>,
    ports: DistributionPorts,
  ) {
    this.#values = values;
    this.#ports = ports;
    this.#isDiscovered = discoveryOf(values) !== undefined;
    const isReplication = routingOf(values, destinations).kind === 'replicate';
    this.#metrics = isReplication && !this.#isDiscovered ? undefined : new ShardingMetrics(ports.meter);
  }

  get metrics(): ShardingMetrics | undefined {
    return this.#metrics;
  }

  /** From now on these are the destinations; what is known of those that stay is kept. */
  replace(outlets: readonly Outlet[]): void {
    const before = this.#outlets;
    const from = outlets.map((outlet) => {
      const place = before.indexOf(outlet);
      return place < 0 ? undefined : place;
    });
    this.#outlets = outlets;
    this.#routing = routingOf(this.#values, outlets);
    this.#health = this.#healthOf(this.#routing, from);
    this.#spread = this.#spreadOf(this.#routing, from);
    for (const outlet of outlets) this.#watch(outlet);
    this.#showEndpoints();
  }

  #healthOf(routing: Routing, from: readonly (number | undefined)[]): ShardHealth | undefined {
    if (routing.kind !== 'shard') return undefined;
    this.#health?.replace(from);
    const { clock } = this.#ports;
    const onChange = (available: readonly boolean[]) => this.#placeAnew(available);
    return this.#health ?? new ShardHealth(from.length, routing.health, { clock, onChange });
  }

  #spreadOf(routing: Routing, from: readonly (number | undefined)[]): Spread | undefined {
    if (routing.kind !== 'spread') return undefined;
    this.#spread?.replace(from);
    return this.#spread ?? new Spread(from.length, routing.holdMs, this.#ports.clock);
  }

  #placeAnew(available: readonly boolean[]): void {
    this.#metrics?.rehashes.inc();
    this.#showEndpoints();
    const out = this.#outlets.filter((_, index) => !available[index]).map(({ name }) => name);
    this.#ports.log.warn('series are placed anew', { leftOut: out });
    this.#ports.onPlacement();
  }

  #showEndpoints(): void {
    const available = this.#health?.available ?? this.#outlets.map(() => true);
    this.#metrics?.endpoints.set(available.filter(Boolean).length);
  }

  #watch(outlet: Outlet): void {
    if (this.#metrics === undefined || this.#endpoints.has(outlet)) return;
    const metrics = this.#metrics.endpoint(outlet.name);
    this.#endpoints.set(outlet, metrics);
    outlet.attempts.listen({
      ended: (worked, seconds) => {
        metrics.exportLatencySeconds.observe(seconds);
        if (!worked) metrics.exportErrors.inc();
        const place = this.#outlets.indexOf(outlet);
        if (place < 0) return;
        if (worked) this.#spread?.worked(place);
        else this.#spread?.failed(place);
      },
    });
  }

  get kind(): Routing['kind'] {
    return this.#routing.kind;
  }

  /** A destination is gone for good. */
  forget(outlet: Outlet): void {
    if (this.#endpoints.delete(outlet)) this.#metrics?.forget(outlet.name);
  }

  /** For the engine; `available` is absent while all are. */
  get shards(): Shards {
    if (this.#routing.kind !== 'shard') return {};
    const { placement } = this.#routing;
    const available = this.#health?.available;
    return {
      placement,
      // What is placed a second time is known by the labels that its first destination saw.
      ...(this.#isDiscovered && { placesForm: true }),
      ...(available?.includes(false) && { available: [...available] }),
    };
  }

  /** The number of a destination among the shards; undefined when it is none. */
  shardOf(outlet: Outlet): number | undefined {
    return this.#routing.kind === 'shard' ? this.#outlets.indexOf(outlet) : undefined;
  }

  /** Doors to one store get the same blocks, so what one of them needs they all need. */
  unified(needs: readonly BlockNeeds[]): readonly BlockNeeds[] {
    if (this.#routing.kind !== 'spread') return needs;
    const [first] = needs;
    const common: BlockNeeds = {
      ...first!,
      codec: needs.some(({ codec }) => codec === 'snappy') ? 'snappy' : 'zstd',
      metadata: needs.some(({ metadata }) => metadata),
      withoutHistograms: needs.every(({ withoutHistograms }) => withoutHistograms),
      withoutExemplars: needs.every(({ withoutExemplars }) => withoutExemplars),
      takesStarts: needs.some(({ takesStarts }) => takesStarts),
      parallel: Math.max(...needs.map(({ parallel }) => parallel)),
    };
    return needs.map(() => common);
  }

  /** Whether a block is for one of the destinations that it is made for, and not for all of them. */
  get isSpread(): boolean {
    return this.#spread !== undefined;
  }

  /** Who gets a block that was spread over these destinations; some, or all, may not be destinations any more. */
  taker(members: readonly Outlet[]): Outlet | undefined {
    const current = members.filter((member) => this.#outlets.includes(member));
    if (current.length < 2 || this.#spread === undefined) return current[0] ?? members[0];
    const chosen = this.#spread.next((index) => current.includes(this.#outlets[index]!));
    return this.#outlets[chosen];
  }

  /** A destination got samples. */
  placed(outlet: Outlet, counts: Readonly<Counts>): void {
    this.#endpoints.get(outlet)?.datapoints.inc(counts.samples);
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
