/**
 * Destinations that come and go: one for each endpoint of the service, with a name and a queue of its own. Those that are
 * gone are kept until their queues are empty (`rerouting.ts`); those that come back before go on with what waits there.
 */
import { Destination } from './config/config.ts';
import { nameOfEndpoint, shownUrlOfEndpoint } from './config/identity.ts';
import type { Destinations } from './destinations.ts';
import type { EnginePool } from './engine/pool.ts';
import { readKnownEndpoints, writeKnownEndpoints } from './known-endpoints.ts';
import type { Outlet } from './outlet.ts';
import type { OutletFactory } from './outlet-factory.ts';
import type { Fs } from './queue/file/fs.ts';
import type { Rerouting } from './rerouting.ts';
import { Discovery, type DnsResolver, openResolver } from './route/discovery.ts';
import { distinctEndpoints, type Endpoint, endpointOf, endpointUrl, hostPort } from './route/endpoint.ts';
import type { DiscoverySettings } from './route/routing.ts';
import type { ShardingMetrics } from './route/sharding-metrics.ts';
import type { Clock } from './util/clock.ts';
import { messageOf, SluiceError } from './util/error.ts';
import type { Logger } from './util/logger.ts';

type Template = Parameters<OutletFactory['create']>[0];

const RETRY_MS = 30_000;

export interface DiscoveredPorts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly fs: Fs;
  readonly metrics: ShardingMetrics;
  readonly destinations: Destinations;
  readonly outlets: OutletFactory;
  readonly rerouting: Rerouting;
  readonly engine: () => EnginePool | undefined;
  /** By default one that asks the servers of the settings. */
  readonly resolver?: DnsResolver;
  /** There are destinations for the first time, and they take what comes. */
  readonly onFirst: () => Promise<void>;
}

interface Place {
  readonly endpoint: Endpoint;
  readonly outlet: Outlet;
}

export class Discovered {
  readonly #template: Template;
  readonly #settings: DiscoverySettings;
  readonly #directory: string;
  readonly #ports: DiscoveredPorts;
  #discovery: Discovery | undefined;
  /** As DNS has it. */
  #wanted: readonly Endpoint[] = [];
  /** By `hostPort`: members, and those that leave. */
  readonly #places = new Map<string, Place>();
  /** Changes of the set, one after another. */
  #turn: Promise<void> = Promise.resolve();
  #isRunning = false;
  #isClosed = false;
  #cancelRetry = () => {};

  /** `template` gives everything but host and port; `directory` is that of the data. */
  constructor(template: Template, settings: DiscoverySettings, directory: string, ports: DiscoveredPorts) {
    this.#template = template;
    this.#settings = settings;
    this.#directory = directory;
    this.#ports = ports;
  }

  /**
   * Opens what an earlier run left, and what the first look-up finds, for which it waits no longer than a look-up may take.
   * Nothing is sent yet. Rejects when a queue cannot be opened.
   */
  async open(): Promise<void> {
    const { clock, log, fs, metrics, destinations } = this.#ports;
    const known = await readKnownEndpoints(fs, this.#directory, log);
    const { servers, ...settings } = this.#settings;
    const fallback = settings.fallbackOnEmpty ? [endpointOf(this.#template.url)] : [];
    this.#discovery = new Discovery(
      { ...settings, fallback, lastKnown: known.current },
      { clock, log, metrics, resolver: this.#ports.resolver ?? openResolver(servers) },
      ({ endpoints }) => this.#want(endpoints),
    );
    await this.#discovery.start();
    for (const endpoint of this.#wanted) await this.#add(endpoint);
    for (const endpoint of [...known.current, ...known.leaving]) {
      if (!this.#places.has(hostPort(endpoint)) && (await this.#isLeft(endpoint))) await this.#add(endpoint);
    }
    destinations.replace(...this.#sides());
    await this.#write();
  }

  async #isLeft(endpoint: Endpoint): Promise<boolean> {
    const directory = this.#ports.outlets.directoryOf(this.#nameOf(endpoint));
    return (await this.#ports.fs.list(directory)).some((name) => name.endsWith('.seg'));
  }

  /** Begins to send, to empty the queues of those that are gone, and to follow the changes. */
  run(): void {
    this.#isRunning = true;
    for (const outlet of this.#ports.destinations.members) outlet.start();
    this.#inTurn(async () => {
      await this.#dismiss(this.#ports.destinations.leaving);
      await this.#follow();
    });
  }

  #want(endpoints: readonly Endpoint[]): void {
    this.#wanted = endpoints;
    if (this.#isRunning) this.#inTurn(() => this.#follow());
  }

  #inTurn(act: () => Promise<void>): void {
    this.#turn = this.#turn
      .then(() => (this.#isClosed ? undefined : act()))
      .catch((error) => this.#retry(error));
  }

  #retry(error: unknown): void {
    const fields = { service: this.#settings.service.name, error: messageOf(error) };
    this.#ports.log.error('cannot follow a change of the destinations; it is tried again', fields);
    this.#cancelRetry();
    this.#cancelRetry = this.#ports.clock.after(RETRY_MS, () => this.#inTurn(() => this.#follow()));
  }

  /** Makes the wanted endpoints the destinations. */
  async #follow(): Promise<void> {
    const { destinations, log } = this.#ports;
    const before = destinations.members;
    // A queue is on the list before it holds something.
    await this.#write();
    for (const endpoint of this.#wanted) {
      if (!this.#places.has(hostPort(endpoint)))
        await this.#add(endpoint).catch((error) => this.#retry(error));
    }
    const [members, leaving] = this.#sides();
    const isSame = members.length === before.length && members.every((outlet) => before.includes(outlet));
    // What comes in must have somewhere to go.
    if (isSame || members.length === 0) return;
    const back = members.filter((outlet) => destinations.leaving.includes(outlet));
    const gone = before.filter((outlet) => !members.includes(outlet));
    const come = members.filter((outlet) => !before.includes(outlet) && !back.includes(outlet));
    for (const outlet of back) outlet.rejoin();
    destinations.replace(members, leaving);
    for (const outlet of come) outlet.start();
    if (before.length === 0) await this.#ports.onFirst();
    const names = (outlets: readonly Outlet[]) => outlets.map(({ name }) => name);
    log.info('destinations have come or gone', { come: names([...come, ...back]), gone: names(gone) });
    await this.#dismiss(gone);
    await this.#write();
  }

  /** What they have goes to the others, once the engine has nothing more for them. */
  async #dismiss(gone: readonly Outlet[]): Promise<void> {
    if (gone.length === 0) return;
    await this.#ports.engine()?.flush();
    await Promise.all(gone.map((outlet) => outlet.leave()));
    for (const outlet of gone) {
      const { samples } = outlet.queue.pendingCounts;
      const fields = { destination: outlet.name, samples };
      if (samples > 0)
        this.#ports.log.info('what waits for a destination that is gone goes to the others', fields);
      void this.#ports.rerouting.drain(outlet).then((isEmpty) => {
        if (isEmpty) this.#inTurn(() => this.#retire(outlet));
      });
    }
  }

  /** Nothing is left of it but what waits for its return among the dead letters. */
  async #retire(outlet: Outlet): Promise<void> {
    if (!outlet.isLeaving || !outlet.queue.isEmpty) return;
    const { destinations, log } = this.#ports;
    destinations.forget(outlet);
    for (const [key, place] of this.#places) if (place.outlet === outlet) this.#places.delete(key);
    await outlet.discard();
    destinations.queuesInHand.delete(outlet.name);
    await this.#write();
    log.info('a destination is gone, and nothing waits for it any more', { destination: outlet.name });
  }

  async #add(endpoint: Endpoint): Promise<void> {
    const { name, values, url, where } = this.#template;
    const showUrl = values['remoteWrite.showURL'];
    const own = endpointUrl(url, endpoint);
    const identity = {
      name: this.#nameOf(endpoint),
      url: own,
      shownUrl: shownUrlOfEndpoint(own, hostPort(endpoint), showUrl),
      where: `${where} (${name} at ${hostPort(endpoint)})`,
    };
    const { outlets, destinations } = this.#ports;
    const { queuesInHand } = destinations;
    if (queuesInHand.has(identity.name)) {
      throw new SluiceError(
        'queue_in_hand',
        `the queue of ${identity.name} is being adopted by another destination`,
      );
    }
    const outlet = outlets.create(new Destination(identity, values));
    queuesInHand.add(identity.name);
    await outlet.open().catch((error) => {
      queuesInHand.delete(identity.name);
      throw error;
    });
    this.#places.set(hostPort(endpoint), { endpoint, outlet });
  }

  #nameOf(endpoint: Endpoint): string {
    return nameOfEndpoint(this.#template.name, endpoint);
  }

  /** Members in the order of the endpoints, and those that leave. */
  #sides(): [members: Outlet[], leaving: Outlet[]] {
    const wanted = new Set(this.#wanted.map(hostPort));
    const places = [...this.#places].sort(([a], [b]) => (a < b ? -1 : 1));
    const side = (isMember: boolean) =>
      places.filter(([key]) => wanted.has(key) === isMember).map(([, { outlet }]) => outlet);
    return [side(true), side(false)];
  }

  #write(): Promise<void> {
    const { fs, log } = this.#ports;
    const current = this.#wanted;
    const wanted = new Set(current.map(hostPort));
    const others = Array.from(this.#places.values(), ({ endpoint }) => endpoint);
    const leaving = distinctEndpoints(others.filter((endpoint) => !wanted.has(hostPort(endpoint))));
    return writeKnownEndpoints(fs, this.#directory, { current, leaving }, log);
  }

  /** There is no change any more after this. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#discovery?.close();
    this.#cancelRetry();
    this.#ports.rerouting.stop();
    await this.#turn;
  }
}
