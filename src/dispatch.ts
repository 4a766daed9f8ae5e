/** What the engine gives for groups of destinations goes to their members: blocks, and what the ledger says of them. */
import type { Distribution } from './distribution.ts';
import type { Dropped, EngineStats, Told } from './engine/messages.ts';
import type { EnginePool } from './engine/pool.ts';
import type { Block } from './model/block.ts';
import { type Counts, noCounts } from './model/body.ts';
import type { Outlet } from './outlet.ts';
import type { Group } from './route/groups.ts';

export class Dispatch {
  readonly #outlets: readonly Outlet[];
  readonly #distribution: Distribution;
  /** Groups by the generation of the engine's configuration; blocks of an earlier one may still arrive. */
  readonly #groups = new Map<number, readonly Group[]>();

  constructor(outlets: readonly Outlet[], distribution: Distribution) {
    this.#outlets = outlets;
    this.#distribution = distribution;
  }

  /** The groups of a generation that the engine was told. */
  follow(generation: number, groups: readonly Group[]): void {
    this.#groups.set(generation, groups);
  }

  block(group: number, generation: number, block: Block, mayDropAlways: boolean): void {
    for (const known of this.#groups.keys()) if (known < generation) this.#groups.delete(known);
    // While every destination is full, clients are refused, and what was acknowledged before is kept.
    const mayDrop = mayDropAlways || this.#outlets.some(({ queue }) => !queue.full);
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
  drop(dropped: readonly Dropped[], generation: number): void {
    for (const { group, reason, counts } of dropped) {
      for (const member of this.#membersOf(group, generation)) this.#outlets[member]!.drop(reason, counts);
    }
  }

  /** Counts what aggregation and deduplication offer to destinations. */
  tell(told: readonly Told[], generation: number): void {
    for (const { group, kind, samples } of told) {
      for (const member of this.#membersOf(group, generation)) {
        this.#outlets[member]!.queue.ledger.tell(kind, samples);
      }
    }
  }

  #membersOf(group: number | undefined, generation: number): Iterable<number> {
    return group === undefined ? this.#outlets.keys() : this.#groups.get(generation)![group]!.members;
  }

  /** What waits for a destination in unfinished blocks. */
  pendingOf(
    destination: number,
    { generation, stats }: { readonly generation: number; readonly stats: EngineStats | undefined },
  ): Readonly<Counts> {
    const group = this.#groups.get(generation)?.findIndex(({ members }) => members.includes(destination));
    return stats?.pending[group ?? -1] ?? noCounts;
  }

  /**
   * A request that was acknowledged and later quarantined may be in some blocks and missing in others. Once the engine is
   * through with everything before, what no column has is what was lost with it.
   */
  async settleQuarantined(engine: EnginePool | undefined): Promise<void> {
    if (engine === undefined) return;
    await engine.flush();
    for (const [index, { queue }] of this.#outlets.entries()) {
      queue.ledger.quarantine(queue.ledger.unaccounted(this.pendingOf(index, engine)));
    }
  }

  /**
   * Whether everything that was made of the requests up to this one is delivered or in a queue file; `filesOnly`: queues
   * without a file do not matter.
   */
  isSafeTo(id: number, filesOnly: boolean): boolean {
    return this.#outlets.every(({ queue }) => {
      const isCounted = queue.config.onDisk || !filesOnly;
      return !isCounted || (queue.firstUnsafeBody ?? Number.POSITIVE_INFINITY) > id;
    });
  }
}
