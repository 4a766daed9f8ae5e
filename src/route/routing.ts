/** From options to what the parts of this folder are made of, and what can be wrong with them together. */
import type { Values } from '../config/option.ts';
import type { Problem } from '../config/problem.ts';
import { type DiscoveryConfig, openResolver } from './discovery.ts';
import { parseService } from './endpoint.ts';
import type { HealthPolicy, WhenDown } from './health.ts';
import type { routeOptions } from './options.ts';
import type { PlacementMode, PlacementSpec } from './placement.ts';

export type RouteValues = Values<typeof routeOptions>;

export type Routing =
  | { readonly kind: 'replicate' }
  | { readonly kind: 'shard'; readonly placement: PlacementSpec; readonly health: HealthPolicy }
  | { readonly kind: 'spread'; readonly holdMs: number };

/** What the checks look at; a `Config` with these options is one. */
export interface RoutingConfig {
  readonly values: RouteValues;
  readonly destinations: readonly {
    readonly name: string;
    readonly url: string;
    readonly where: string;
    readonly values: {
      readonly 'remoteWrite.disableOnDiskQueue': boolean;
      readonly 'remoteWrite.maxDiskUsagePerURL': number;
    };
  }[];
  readonly set: ReadonlyMap<string, string>;
  where(option: string): string;
}

/**
 * Sharding with as many copies as destinations is plain replication, and one destination needs no turns. URLs are in the
 * placement only where they decide, for they may have credentials.
 */
export function routingOf(
  values: RouteValues,
  destinations: readonly { readonly name: string; readonly url: string }[],
): Routing {
  const kind = wanted(values);
  if (kind === 'spread' && destinations.length > 1) {
    return { kind, holdMs: values['remoteWrite.spreadHoldTime'] };
  }
  const replicas = Math.max(1, values['remoteWrite.shardByURLReplicas']);
  if (kind !== 'shard' || replicas >= destinations.length) return { kind: 'replicate' };
  const mode = values['remoteWrite.shardByURL.mode'] as PlacementMode;
  return {
    kind,
    placement: {
      mode,
      replicas,
      destinations: destinations.map(({ name, url }) => ({ name, url: mode === 'vmagent' ? url : '' })),
      labels: given(values['remoteWrite.shardByURL.labels']),
      ignoreLabels: given(values['remoteWrite.shardByURL.ignoreLabels']),
      virtualNodes: values['remoteWrite.shardByURL.virtualNodes'],
    },
    health: {
      whenDown: values['remoteWrite.shardByURL.whenDown'] as WhenDown,
      rerouteAtPercent: values['remoteWrite.shardByURL.rerouteAtPercent'],
      downAfterMs: values['remoteWrite.shardByURL.downAfter'],
      holdMs: values['remoteWrite.shardByURL.holdTime'],
    },
  };
}

export interface DiscoverySettings extends Omit<DiscoveryConfig, 'fallback' | 'lastKnown'> {
  /** Servers to ask; empty: those of the system. */
  readonly servers: readonly string[];
}

/** Undefined when destinations are those of the configuration. */
export function discoveryOf(values: RouteValues): DiscoverySettings | undefined {
  const service = parseService(values['remoteWrite.discovery.service']);
  if (service === undefined) return undefined;
  return {
    service,
    refreshMs: values['remoteWrite.discovery.refreshInterval'],
    timeoutMs: values['remoteWrite.discovery.timeout'],
    fallbackOnEmpty: values['remoteWrite.discovery.fallbackOnEmpty'],
    servers: given(values['remoteWrite.discovery.resolver']),
  };
}

export function checkRouting(config: RoutingConfig): Problem[] {
  const problems: Problem[] = [];
  const add = (option: keyof RouteValues, message: string, hint: string) =>
    problems.push({ where: config.where(option), message, hint });
  const { values } = config;
  if (values['remoteWrite.shardByURL'] && config.set.has('remoteWrite.routing') && !isShard(values)) {
    const message = `-remoteWrite.shardByURL and -remoteWrite.routing=${values['remoteWrite.routing']} contradict each other`;
    add('remoteWrite.routing', message, 'keep one of them');
  }
  const lists = ['labels', 'ignoreLabels'] as const;
  if (lists.every((list) => given(values[`remoteWrite.shardByURL.${list}`]).length > 0)) {
    const message =
      '-remoteWrite.shardByURL.labels and -remoteWrite.shardByURL.ignoreLabels are both set, and only one can decide';
    add('remoteWrite.shardByURL.ignoreLabels', message, 'keep one of them');
  }
  if (wanted(values) === 'shard') checkShards(config, add);
  checkDiscovery(config, add);
  return problems;
}

type Add = (option: keyof RouteValues, message: string, hint: string) => void;

function checkShards({ values, destinations }: RoutingConfig, add: Add): void {
  const queues = destinations.map((destination) => destination.values);
  if (new Set(queues.map((queue) => queue['remoteWrite.disableOnDiskQueue'])).size > 1) {
    const message = 'some shards have -remoteWrite.disableOnDiskQueue and some have not';
    add(
      'remoteWrite.shardByURL',
      message,
      'give all shards the same: a series must not be safer on one than on another',
    );
  }
  if (values['remoteWrite.shardByURL.whenDown'] !== 'reroute-at') return;
  const unlimited = destinations.find(
    ({ values: queue }) =>
      !queue['remoteWrite.disableOnDiskQueue'] && queue['remoteWrite.maxDiskUsagePerURL'] === 0,
  );
  if (unlimited !== undefined) {
    const message = `the queue of ${unlimited.name} has no limit, so it is never full`;
    add(
      'remoteWrite.shardByURL.whenDown',
      message,
      'set -remoteWrite.maxDiskUsagePerURL, or choose reroute or buffer',
    );
  }
}

function checkDiscovery({ values, destinations }: RoutingConfig, add: Add): void {
  const option = 'remoteWrite.discovery.service';
  const text = values[option];
  if (text === '') return;
  if (parseService(text) === undefined) {
    const hint = 'write host:port, or an SRV name such as _http._tcp.vminsert.example';
    add(option, `${JSON.stringify(text)} is no service`, hint);
  }
  for (const server of given(values['remoteWrite.discovery.resolver'])) {
    if (isServer(server)) continue;
    const hint = 'write an IP address, with or without a port: 10.0.0.2:53, [fd00::2]:53';
    add('remoteWrite.discovery.resolver', `${JSON.stringify(server)} is no DNS server`, hint);
  }
  if (destinations.length > 1) {
    const message = `it takes the place of the destinations, but there are ${destinations.length}`;
    add(option, message, 'give one -remoteWrite.url, which says all but the host');
  } else if (destinations.some(({ url }) => !/^https?:\/\//i.test(url) || !URL.canParse(url))) {
    const hint = 'give an http:// or https:// URL; what is found takes the place of its host';
    add(option, '-remoteWrite.url has no host that addresses could stand for', hint);
  }
  if (wanted(values) === 'replicate') {
    const hint = 'add -remoteWrite.shardByURL or -remoteWrite.routing=spread';
    add(option, 'every address would get a copy of everything', hint);
  } else if (wanted(values) === 'shard' && values['remoteWrite.shardByURL.mode'] === 'vmagent') {
    const message =
      'with -remoteWrite.shardByURL.mode=vmagent every address that comes or goes would move most series';
    add(option, message, 'choose rendezvous or ring');
  }
}

function isServer(text: string): boolean {
  try {
    openResolver([text]);
    return true;
  } catch {
    return false;
  }
}

const isShard = (values: RouteValues): boolean => values['remoteWrite.routing'] === 'shard';

function wanted(values: RouteValues): Routing['kind'] {
  if (values['remoteWrite.shardByURL']) return 'shard';
  return values['remoteWrite.routing'] as Routing['kind'];
}

/** An empty item of a list stands for nothing. */
const given = (list: readonly string[]): string[] => list.filter((item) => item !== '');
