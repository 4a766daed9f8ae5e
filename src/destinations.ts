/**
 * The destinations of this moment on the main thread, and what the engine makes for them. The engine works under one
 * configuration after another; each is a generation with its own destinations, and what is accepted under it is theirs:
 * it is counted at them and nowhere else, and so are its blocks, also those that arrive when others have taken over.
 */
import type { Distribution } from './distribution.ts';
import type { Dropped, GroupConfig, Told } from './engine/messages.ts';
import type { EnginePool } from './engine/pool.ts';
import type { Admitted } from './engine/pool-ports.ts';
import { DestinationLedger } from './ledger/ledger.ts';
import type { Block } from './model/block.ts';
import { type Counts, noCounts } from './model/body.ts';
import type { Outlet } from './outlet.ts';
import { groupDestinations } from './route/groups.ts';

export interface DestinationsPorts {
  readonly distribution: Distribution;
  /** In which form a destination sees series: index into `ShapeConfig.forms`. */
  readonly formOf: (outlet: Outlet) => number;
  /** The engine is to work for these groups from now on; returns the generation. Undefined before it is there. */
  readonly configure: (groups: readonly GroupConfig[]) => number | undefined;
  readonly engine: () => EnginePool | undefined;
  /** Whether blocks may be dropped while every destination is full. */
  readonly mayDrop: boolean;
  /** A body from a queue was accepted, for these destinations. */
  readonly onPlaced: (id: number, members: readonly Outlet[]) => void;
}

interface Generation {
  readonly members: readonly Outlet[];
  /** Those of each group of the engine. */
  readonly groups: readonly (readonly Outlet[])[];
  /** Each block of a group is for one of its members. */
  readonly isSpread: boolean;
}

/** A few are on their way for each sender, and some wait for a sender a moment. */
const BLOCKS_BEHIND = 16;
const NOBODY: Generation = { members: [], groups: [], isSpread: false };

export class Destinations {
  /** The way to the queues, as the first member of each generation sees it: so it never loses what it has counted. */
  readonly way = new DestinationLedger();
  /** Names of queues that an adoption, or a destination that comes and goes, has open: nobody else opens them. */
  readonly queuesInHand = new Set<string>();
  readonly #ports: DestinationsPorts;
  readonly #generations = new Map<number, Generation>();
  #members: readonly Outlet[] = [];
  #leaving: readonly Outlet[] = [];

  constructor(ports: DestinationsPorts) {
    this.#ports = ports;
  }

  /** Those that get what comes in. */
  get members(): readonly Outlet[] {
    return this.#members;
  }

  /** Whether one has more blocks in memory than are on their way. */
  get isBehind(): boolean {
    return this.#members.some(({ queue }) => queue.memoryBlocks > BLOCKS_BEHIND);
  }

  /** Those that are destinations no more, and still hold something. */
  get leaving(): readonly Outlet[] {
    return this.#leaving;
  }

  get all(): readonly Outlet[] {
    return this.#leaving.length === 0 ? this.#members : [...this.#members, ...this.#leaving];
  }

  /** From now on these are the destinations. What was accepted before still comes to those of its generation. */
  replace(members: readonly Outlet[], leaving: readonly Outlet[]): void {
    this.#members = members;
    this.#leaving = leaving;
    this.#ports.distribution.replace(members);
    this.regroup();
  }

  /** One of `leaving` has nothing left. */
  forget(outlet: Outlet): void {
    this.#leaving = this.#leaving.filter((other) => other !== outlet);
    this.#ports.distribution.forget(outlet);
  }

  /** Tells the engine anew what to make: what destinations need, or the rules, have changed. */
  regroup(): void {
    const { configure } = this.#ports;
    const { groups, generation } = this.#group();
    const number = configure(groups);
    if (number !== undefined) this.#generations.set(number, generation);
  }

  /** What the engine is to begin with, as its generation 1. */
  begin(): readonly GroupConfig[] {
    const { groups, generation } = this.#group();
    this.#generations.set(1, generation);
    return groups;
  }

  #group(): { groups: readonly GroupConfig[]; generation: Generation } {
    const { distribution, formOf } = this.#ports;
    const members = this.#members;
    for (const outlet of members) {
      outlet.setShare({ form: formOf(outlet), shard: distribution.shardOf(outlet) });
    }
    const found = groupDestinations(distribution.unified(members.map(({ needs }) => needs)));
    return {
      groups: found.map(({ members: _, ...needs }) => needs),
      generation: {
        members,
        groups: found.map((group) => group.members.map((index) => members[index]!)),
        isSpread: distribution.isSpread,
      },
    };
  }

  /** Nothing of an earlier generation comes once something of a later one has come. */
  #under(generation: number): Generation {
    for (const known of this.#generations.keys()) if (known < generation) this.#generations.delete(known);
    return this.#generations.get(generation) ?? NOBODY;
  }

  // What the engine tells.

  accept({ id, counts, origin, generation }: Admitted): void {
    const { members } = this.#under(generation);
    for (const outlet of members) outlet.accept(counts, origin);
    if (members[0] !== undefined) this.#wayOf(members[0]).accept(counts, origin);
    if (origin === 'queue') this.#ports.onPlaced(id, members);
  }

  /** Requests of the journal are refused now, and kept in the quarantine directory. */
  refuse(counts: Readonly<Counts>): void {
    const [first] = this.#members;
    for (const outlet of this.#members) outlet.refuse(counts);
    if (first !== undefined) this.#wayOf(first).refuse(counts);
  }

  #wayOf({ withholds }: Outlet): DestinationLedger {
    this.way.withholds = withholds;
    return this.way;
  }

  /** Counts what rules and limits keep from destinations. */
  drop(dropped: readonly Dropped[], number: number): void {
    const generation = this.#under(number);
    for (const { group, reason, counts } of dropped) {
      this.#eachLedger(generation, group, (ledger) => ledger.drop(reason, counts));
    }
  }

  /** Counts what aggregation and deduplication offer to destinations. */
  tell(told: readonly Told[], number: number): void {
    const generation = this.#under(number);
    for (const { group, kind, samples } of told) {
      this.#eachLedger(generation, group, (ledger) => ledger.tell(kind, samples));
    }
  }

  /** Of a group's members, or of all. */
  #eachLedger(
    { members, groups }: Generation,
    group: number | undefined,
    count: (ledger: DestinationLedger) => void,
  ): void {
    for (const member of group === undefined ? members : groups[group]!) {
      count(member.queue.ledger);
      if (member === members[0]) count(this.way);
    }
  }

  /** Gives a block to those that it was made for. */
  distribute(group: number, number: number, block: Block): void {
    const generation = this.#under(number);
    const members = generation.groups[group] ?? [];
    const { distribution } = this.#ports;
    const taker = generation.isSpread ? distribution.taker(members) : undefined;
    // While every destination is full, clients are refused, and what was acknowledged before is kept.
    const mayDrop = this.#ports.mayDrop || this.#members.some(({ queue }) => !queue.full);
    for (const outlet of members) {
      const isFirst = outlet === generation.members[0];
      if (generation.isSpread && outlet !== taker) {
        outlet.drop('other_shard', block.counts);
        if (isFirst) this.way.drop('other_shard', block.counts);
        continue;
      }
      distribution.placed(outlet, block.counts);
      outlet.push(block, mayDrop && !outlet.queue.refuses);
      if (isFirst) this.way.route(block.counts);
    }
  }

  /** What waits for a destination in unfinished blocks; without one, for the first member. */
  inEngine(outlet?: Outlet): Readonly<Counts> {
    const engine = this.#ports.engine();
    const generation = this.#generations.get(engine?.generation ?? 0) ?? NOBODY;
    const wanted = outlet ?? generation.members[0];
    const group = generation.groups.findIndex((members) => members.includes(wanted!));
    return engine?.stats?.pending[group] ?? noCounts;
  }

  /**
   * Whether everything that was made of the bodies up to this one is delivered or in a queue file; `filesOnly`: queues
   * without a file do not matter.
   */
  isSafeTo(id: number, filesOnly: boolean): boolean {
    return this.all.every(({ queue }) => {
      const isCounted = queue.config.onDisk || !filesOnly;
      return !isCounted || (queue.firstUnsafeBody ?? Number.POSITIVE_INFINITY) > id;
    });
  }

  /**
   * A body that was acknowledged and later quarantined may be in some blocks and missing in others. Once the engine is
   * through with everything before, what no column has is what was lost with it.
   */
  async settleQuarantined(): Promise<void> {
    await this.#ports.engine()?.flush();
    for (const outlet of this.all) {
      const { ledger } = outlet.queue;
      ledger.quarantine(ledger.unaccounted(this.inEngine(outlet)));
    }
    this.way.quarantine(this.way.unaccounted(this.inEngine()));
  }
}
