/**
 * Keeps the list of a service's endpoints as DNS tells it. An answer that is empty or does not come changes nothing: a
 * resolver that is down for a minute must not move every series, nor send all of them to one place.
 *
 * A name is asked as it is written, without the search domains of the host and without its hosts file: give the full
 * name. Addresses of one family that cannot be asked for stay as they were, whatever the other family says.
 */
import { Resolver } from 'node:dns/promises';
import type { Clock } from '../util/clock.ts';
import { messageOf } from '../util/error.ts';
import type { Logger } from '../util/logger.ts';
import { distinctEndpoints, type Endpoint, hostPort, type Service } from './endpoint.ts';
import type { ShardingMetrics } from './sharding-metrics.ts';

/** The part of a `node:dns` resolver that is needed. */
export interface DnsResolver {
  resolve4(name: string): Promise<readonly string[]>;
  resolve6(name: string): Promise<readonly string[]>;
  resolveSrv(name: string): Promise<readonly { readonly name: string; readonly port: number }[]>;
  /** Lets what is being asked fail. */
  cancel(): void;
}

export interface DiscoveryConfig {
  readonly service: Service;
  readonly refreshMs: number;
  /** How long a look-up may take. */
  readonly timeoutMs: number;
  /** What an earlier run found: it counts as found until DNS says something else. */
  readonly lastKnown: readonly Endpoint[];
  /** Used as long as nothing was ever found; empty: then there are no endpoints. */
  readonly fallback: readonly Endpoint[];
  /** Take the fallback also when DNS says later that there is nothing (not when it fails). */
  readonly fallbackOnEmpty: boolean;
}

export interface DiscoveryPorts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: ShardingMetrics;
  /** Only this one uses it: `cancel` cancels everything. */
  readonly resolver: DnsResolver;
}

/** Lists are sorted by `hostPort`. */
export interface EndpointChange {
  readonly endpoints: readonly Endpoint[];
  readonly added: readonly Endpoint[];
  readonly removed: readonly Endpoint[];
}

type Kind = 'resolve4' | 'resolve6' | 'resolveSrv';
/** What one question brought: `failed` says nothing about the endpoints, `found` may be empty. */
type Answer = { readonly found: readonly Endpoint[] } | { readonly failed: string };

const NO_ANSWER: Answer = { failed: 'no answer in time' };
/** How often the log says that the list is old. */
const WARN_EVERY_MS = 60_000;
/** DNS says by these that there is no such record; everything else says that it does not know. */
const NONE = ['ENOTFOUND', 'ENODATA'];

/** Asks the given servers, `10.0.0.2` or `10.0.0.2:53`, or those of the system. Throws when one is no address. */
export function openResolver(servers: readonly string[]): DnsResolver {
  const resolver = new Resolver();
  if (servers.length > 0) resolver.setServers(servers);
  return resolver;
}

export class Discovery {
  readonly #config: DiscoveryConfig;
  readonly #ports: DiscoveryPorts;
  readonly #resolver: DnsResolver;
  readonly #onChange: (change: EndpointChange) => void;
  readonly #kinds: readonly Kind[];
  /** What each kind of record gave last. */
  readonly #found = new Map<Kind, readonly Endpoint[]>();
  #endpoints: readonly Endpoint[] = [];
  #isAsking = false;
  #isClosed = false;
  #cancelTimer = () => {};
  #giveUp = () => {};

  /** `onChange` is called for every change of the list, the first one included. */
  constructor(config: DiscoveryConfig, ports: DiscoveryPorts, onChange: (change: EndpointChange) => void) {
    this.#config = config;
    this.#ports = ports;
    this.#resolver = ports.resolver;
    this.#onChange = onChange;
    this.#kinds = config.service.kind === 'srv' ? ['resolveSrv'] : ['resolve4', 'resolve6'];
    if (config.lastKnown.length === 0) return;
    for (const kind of this.#kinds) {
      this.#found.set(
        kind,
        config.lastKnown.filter((endpoint) => this.#kindOf(endpoint) === kind),
      );
    }
  }

  /** Sorted by `hostPort`, each once. */
  get endpoints(): readonly Endpoint[] {
    return this.#endpoints;
  }

  /** Resolves when the first look-up has ended, well or not. */
  start(): Promise<void> {
    return this.#refresh();
  }

  #kindOf({ host }: Endpoint): Kind {
    if (this.#config.service.kind === 'srv') return 'resolveSrv';
    return host.includes(':') ? 'resolve6' : 'resolve4';
  }

  /** There is no change any more after this. */
  close(): void {
    this.#isClosed = true;
    this.#cancelTimer();
    this.#giveUp();
  }

  async #refresh(): Promise<void> {
    const { clock, metrics } = this.#ports;
    metrics.dnsRefreshes.inc();
    const startedMs = clock.monotonicMs();
    // A resolver that did not end when it was cancelled gets no second question.
    const answers = this.#isAsking ? this.#kinds.map(() => NO_ANSWER) : await this.#askInTime();
    if (this.#isClosed) return;
    metrics.dnsLatencySeconds.observe((clock.monotonicMs() - startedMs) / 1000);
    this.#take(answers);
    this.#cancelTimer = clock.after(this.#config.refreshMs, () => void this.#refresh());
  }

  /** One answer for each kind; what comes too late counts as none. */
  #askInTime(): Promise<readonly Answer[]> {
    this.#isAsking = true;
    const answers = this.#kinds.map((): Answer => NO_ANSWER);
    return new Promise((resolve) => {
      const end = () => {
        this.#giveUp = () => {};
        cancelTimeout();
        resolve([...answers]);
      };
      this.#giveUp = () => {
        end();
        this.#resolver.cancel();
      };
      const cancelTimeout = this.#ports.clock.after(this.#config.timeoutMs, this.#giveUp);
      const asked = this.#kinds.map(async (kind, index) => {
        answers[index] = await this.#ask(kind);
      });
      Promise.all(asked).then(() => {
        this.#isAsking = false;
        end();
      });
    });
  }

  async #ask(kind: Kind): Promise<Answer> {
    const { service } = this.#config;
    try {
      if (service.kind === 'srv') {
        const targets = await this.#resolver.resolveSrv(service.name);
        return { found: targets.map(({ name, port }) => ({ host: name.toLowerCase(), port })) };
      }
      const addresses = await this.#resolver[kind === 'resolve6' ? 'resolve6' : 'resolve4'](service.name);
      return { found: addresses.map((host) => ({ host, port: service.port })) };
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      return code !== undefined && NONE.includes(code) ? { found: [] } : { failed: messageOf(error) };
    }
  }

  #take(answers: readonly Answer[]): void {
    const failures = answers.flatMap((answer) => ('failed' in answer ? [answer.failed] : []));
    const found = answers.flatMap((answer, index) =>
      'found' in answer ? answer.found : (this.#found.get(this.#kinds[index]!) ?? []),
    );
    const isEmpty = found.length === 0;
    const { fallback, fallbackOnEmpty } = this.#config;
    const mayFallBack = this.#found.size === 0 || (fallbackOnEmpty && failures.length === 0);
    const fallsBack = isEmpty && fallback.length > 0 && mayFallBack;
    if (failures.length > 0 || isEmpty) this.#complain(failures, fallsBack);
    if (fallsBack) {
      this.#found.clear();
      this.#replace(fallback);
    } else if (!isEmpty) {
      for (const [index, answer] of answers.entries()) {
        if ('found' in answer) this.#found.set(this.#kinds[index]!, answer.found);
      }
      this.#replace(found);
    } else this.#replace([...this.#found.values()].flat());
  }

  #complain(failures: readonly string[], fallsBack: boolean): void {
    const { log, metrics } = this.#ports;
    metrics.dnsErrors.inc();
    const cause = failures.length > 0 ? failures.join('; ') : 'there are no such records';
    const state = fallsBack ? 'the fallback stands in' : 'the destinations stay as they are';
    log
      .limited('discovery', WARN_EVERY_MS)
      .warn(
        `cannot look up ${this.#config.service.name}: ${cause}, ${state}; check the name and the DNS server`,
      );
  }

  #replace(next: readonly Endpoint[]): void {
    const endpoints = distinctEndpoints(next);
    const before = new Set(this.#endpoints.map(hostPort));
    const after = new Set(endpoints.map(hostPort));
    const added = endpoints.filter((endpoint) => !before.has(hostPort(endpoint)));
    const removed = this.#endpoints.filter((endpoint) => !after.has(hostPort(endpoint)));
    if (added.length === 0 && removed.length === 0) return;
    this.#endpoints = endpoints;
    this.#ports.metrics.endpoints.set(endpoints.length);
    this.#ports.metrics.rehashes.inc();
    this.#onChange({ endpoints, added, removed });
  }
}
