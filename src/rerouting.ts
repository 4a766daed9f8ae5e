/**
 * Empties the queues of destinations that are gone: their blocks go through the engine again, which only places the series
 * (`REROUTED`), in their order and one after another. A block leaves its old queue when everything made of it is out of
 * the engine and was delivered or is in queue files, on the disk; so a kill in between sends it twice at worst.
 */
import { REROUTED } from './engine/messages.ts';
import type { EnginePool } from './engine/pool.ts';
import type { Lease } from './model/delivery.ts';
import type { Outlet } from './outlet.ts';
import type { Clock } from './util/clock.ts';
import { messageOf } from './util/error.ts';
import type { Logger } from './util/logger.ts';

const LOOK_EVERY_MS = 100;
const LOG_EVERY_MS = 60_000;
/** A queue that is fuller than this gets nothing more of others: it would only drop it, or what came first. */
const FILL_MAX = 0.8;
/** While the engine keeps more bytes than this for a new one, which aggregation makes it do, it gets nothing more of queues. */
const KEPT_BYTES_MAX = 128 * 1024 * 1024;
/** Blocks that are under way at most, however small they are: they are looked at one by one. */
const ITEMS_MAX = 4_096;

export interface ReroutingPorts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly engine: () => EnginePool | undefined;
  /** The destinations of this moment. */
  readonly members: () => readonly Outlet[];
}

/** A block that is under way. */
interface Item {
  readonly from: Outlet;
  readonly lease: Lease;
  /** Who gets what it holds; undefined until the engine has accepted it. */
  members: readonly Outlet[] | undefined;
}

export class Rerouting {
  readonly #ports: ReroutingPorts;
  /** By the engine's number, in order. */
  readonly #items = new Map<number, Item>();
  readonly #draining = new Set<Outlet>();
  /** Those that wait until there is room. */
  #waiting: (() => void)[] = [];
  #cancelLook: (() => void) | undefined;
  #isStopped = false;

  constructor(ports: ReroutingPorts) {
    this.#ports = ports;
  }

  /**
   * Takes what waits in the queue of an outlet that has left. Resolves when that is done or broken off (`rejoin`, `stop`),
   * to whether nothing is left.
   */
  async drain(outlet: Outlet): Promise<boolean> {
    const { queue } = outlet;
    if (queue.isEmpty) return true;
    this.#draining.add(outlet);
    this.#plan();
    for (;;) {
      const lease = await queue.lease('drain');
      if (lease === undefined) break;
      if (!(await this.#give(outlet, lease))) break;
    }
    this.#draining.delete(outlet);
    return queue.isEmpty;
  }

  /** The engine has accepted a body of a queue: it is for these. */
  placed(id: number, members: readonly Outlet[]): void {
    const item = this.#items.get(id);
    if (item !== undefined) item.members = members;
  }

  /** Tells whether there may be another one. */
  async #give(from: Outlet, lease: Lease): Promise<boolean> {
    while (!this.#hasRoom && !this.#isOver(from)) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    const engine = this.#ports.engine();
    if (this.#isOver(from) || engine === undefined) {
      lease.putBack();
      return false;
    }
    const { bytes, codec } = lease.block;
    const encoding = codec === 'zstd' ? 'zstd-or-snappy' : 'snappy-or-zstd';
    const body = { bytes, encoding, protocol: REROUTED, extraLabels: [], client: from.name } as const;
    const { id, verdict } = engine.replay(body, { origin: 'queue', receivedMs: lease.block.bornMs });
    if (id > 0) this.#items.set(id, { from, lease, members: undefined });
    const judged = await verdict;
    if (judged.ok) return true;
    this.#items.delete(id);
    if (judged.status === 503) {
      lease.putBack();
      return false;
    }
    this.#ports.log.error('a block of a destination that is gone cannot be read and is left out', {
      destination: from.name,
      samples: lease.block.counts.samples,
      error: judged.error,
    });
    lease.end({ kind: 'damaged' });
    return true;
  }

  #isOver(outlet: Outlet): boolean {
    return this.#isStopped || !outlet.isLeaving;
  }

  get #hasRoom(): boolean {
    const members = this.#ports.members();
    const keptBytes = this.#ports.engine()?.arenaBytes ?? 0;
    if (this.#items.size >= ITEMS_MAX || keptBytes > KEPT_BYTES_MAX) return false;
    return members.length > 0 && members.every(({ queue, fill }) => !queue.full && fill <= FILL_MAX);
  }

  #plan(): void {
    this.#cancelLook ??= this.#ports.clock.after(LOOK_EVERY_MS, async () => {
      await this.settle();
      for (const outlet of this.#draining) if (outlet.queue.isEmpty) outlet.queue.drain(false);
      for (const resolve of this.#waiting.splice(0)) resolve();
      this.#cancelLook = undefined;
      if (!this.#isStopped && (this.#items.size > 0 || this.#draining.size > 0)) this.#plan();
    });
  }

  /** Takes out of the old queues what is safe in the new ones. */
  async settle(): Promise<void> {
    const safe = this.#safeItems();
    if (safe.length === 0) return;
    try {
      const members = new Set(safe.flatMap(([, { members: its }]) => its ?? []));
      await Promise.all(Array.from(members, ({ queue }) => queue.syncFile()));
    } catch (error) {
      this.#ports.log
        .limited('rerouting', LOG_EVERY_MS)
        .error('cannot make sure that what is rerouted is on the disk; it stays where it was until then', {
          error: messageOf(error),
        });
      return;
    }
    for (const [id, { lease }] of safe) {
      if (this.#items.delete(id)) lease.end({ kind: 'rerouted' });
    }
  }

  #safeItems(): [number, Item][] {
    const firstInWork = this.#ports.engine()?.firstInWork ?? Number.POSITIVE_INFINITY;
    const firstUnsafe = new Map<Outlet, number>();
    const firstUnsafeOf = (outlet: Outlet): number => {
      const first = firstUnsafe.get(outlet) ?? outlet.queue.firstUnsafeBody ?? Number.POSITIVE_INFINITY;
      firstUnsafe.set(outlet, first);
      return first;
    };
    return [...this.#items].filter(
      ([id, { members }]) =>
        id < firstInWork && members !== undefined && members.every((outlet) => id < firstUnsafeOf(outlet)),
    );
  }

  /** Nothing more is taken; what is under way may still become safe. */
  stop(): void {
    this.#isStopped = true;
    this.#cancelLook?.();
    for (const outlet of this.#draining) outlet.queue.drain(false);
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** The engine has ended and the new queues are closed: what is not safe there stays in the old ones. */
  async close(): Promise<void> {
    await this.settle();
    for (const { lease } of this.#items.values()) lease.putBack();
    this.#items.clear();
  }
}
