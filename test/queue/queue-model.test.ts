/** The queue against a naive model: every block comes out, in order by slot, whatever happens to process and disk. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import { ALL_SLOTS } from '../../src/model/block.ts';
import type { Lease, LeaseKind } from '../../src/model/delivery.ts';
import { DestinationQueue } from '../../src/queue/queue.ts';
import { makeBlock } from '../support/blocks.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { MemoryFs } from '../support/memory-fs.ts';
import { recordingLogger } from '../support/quiet-logger.ts';

const SLOTS = [1, 2, 3, ALL_SLOTS];

class World {
  readonly fs = new MemoryFs();
  readonly clock = new FakeClock();
  readonly #synced: boolean;
  #queue: DestinationQueue | undefined;
  #leases: Lease[] = [];
  #next = 1;
  /** Number and slots of what was pushed and has not ended. */
  readonly #owed = new Map<number, number>();
  /** The last number that ended, by slot bit, in this life. */
  readonly #lastEnded = new Map<number, number>();
  /** What was delivered in this life: it must not come again. */
  readonly #delivered = new Set<number>();
  readonly #freshFirst: boolean;

  constructor(synced: boolean, freshFirst: boolean) {
    this.#synced = synced;
    this.#freshFirst = freshFirst;
  }

  get queue(): DestinationQueue {
    assert.ok(this.#queue);
    return this.#queue;
  }

  async open(): Promise<void> {
    const config = {
      directory: '/q',
      onDisk: true,
      memoryBytesMax: 1_000,
      brokenBytesMax: 1_000_000,
      diskBytesMax: 0,
      whenFull: 'drop-oldest' as const,
      ageMsMax: 0,
      freshFirst: this.#freshFirst,
      synced: this.#synced,
    };
    const ports = { fs: this.fs, clock: this.clock, log: recordingLogger() };
    this.#queue = new DestinationQueue(config, ports);
    await this.#queue.open();
    this.#leases = [];
    this.#lastEnded.clear();
    this.#delivered.clear();
  }

  push(slots: number, bytes: number): void {
    const number = this.#next++;
    const payload = Buffer.alloc(Math.max(8, bytes));
    payload.writeDoubleLE(number);
    const bornMs = this.clock.monotonicMs();
    this.queue.push(makeBlock(number, { bytes: payload, slots, bornMs }));
    this.#owed.set(number, slots);
  }

  async lease(kind: LeaseKind = 'oldest'): Promise<void> {
    const waiting = this.queue.lease(kind);
    const lease = await Promise.race([waiting, nextTurn().then(() => undefined)]);
    if (lease !== undefined) this.#take(lease);
    else void waiting.then((late) => late && this.#take(late));
  }

  #take(lease: Lease): void {
    const number = Buffer.from(lease.block.bytes).readDoubleLE();
    assert.equal(lease.block.counts.samples, number);
    assert.ok(!this.#delivered.has(number), `block ${number} came twice`);
    for (const other of this.#leases) assert.notEqual(other.block.counts.samples, number);
    for (const other of this.#freshFirst ? [] : this.#leases)
      assert.equal(other.block.slots & lease.block.slots, 0, 'disjoint');
    this.#leases.push(lease);
  }

  end(pick: number, isDelivered: boolean): void {
    const [lease] = this.#leases.splice(pick % Math.max(1, this.#leases.length), 1);
    if (lease === undefined) return;
    if (!isDelivered) {
      lease.putBack();
      return;
    }
    const number = lease.block.counts.samples;
    for (let bit = 0; bit < 32; bit++) {
      if (((lease.block.slots >>> bit) & 1) === 0) continue;
      const isInOrder = number > (this.#lastEnded.get(bit) ?? 0);
      assert.ok(isInOrder || this.#freshFirst, `block ${number} came after a later one`);
      this.#lastEnded.set(bit, number);
    }
    this.#owed.delete(number);
    this.#delivered.add(number);
    lease.end({ kind: 'delivered' });
  }

  tick(ms: number): void {
    this.clock.advance(ms);
    this.queue.maintain();
  }

  fail(operation: string): void {
    let left = 2;
    this.fs.onOperation = (now) => {
      if (now === operation && left-- > 0) throw Object.assign(new Error('EIO'), { code: 'EIO' });
    };
  }

  async kill(): Promise<void> {
    const firstUnsafe = this.queue.firstUnsafeBody ?? Number.POSITIVE_INFINITY;
    this.queue.close();
    this.fs.kill();
    this.fs.onOperation = () => {};
    for (let turn = 0; turn < 20; turn++) await nextTurn();
    // What was in memory only is not owed any more; the journal is for that.
    const owed = [...this.#owed.keys()].filter((number) => number < firstUnsafe);
    this.#owed.clear();
    await this.open();
    for (const number of owed) this.#owed.set(number, 0);
  }

  async stop(): Promise<void> {
    this.fs.onOperation = () => {};
    for (const lease of this.#leases.splice(0)) lease.putBack();
    this.queue.close();
    await this.queue.spill();
    await this.open();
  }

  /** Everything that is owed comes out, and the ledger adds up. */
  async finish(): Promise<void> {
    this.fs.onOperation = () => {};
    for (let turn = 0; this.queue.pendingBlocks > 0; turn++) {
      assert.ok(turn < 10_000, `${this.queue.pendingBlocks} blocks never come out`);
      await this.lease();
      // The one that was leased first is held for longest.
      this.end(1, true);
      if (turn % 50 === 49) for (let k = 0; k < 3; k++) this.end(0, true);
      if (turn % 20 === 0) this.tick(1_000);
      await nextTurn();
    }
    assert.deepEqual([...this.#owed.keys()], [], 'lost');
    const { routed, recovered, ended } = this.queue.ledger;
    assert.equal(routed.samples + recovered.samples, ended.delivered.samples);
  }
}

type Step = (world: World) => Promise<void> | void;
const turns = async () => {
  for (let turn = 0; turn < 20; turn++) await nextTurn();
};
const named = (name: string, step: Step): Step => Object.assign(step, { toString: () => name });

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc
      .tuple(fc.constantFrom(...SLOTS), fc.integer({ min: 8, max: 300 }))
      .map(([slots, bytes]) => named(`push ${slots} ${bytes}`, (world) => world.push(slots, bytes))),
  },
  { weight: 6, arbitrary: fc.constant(named('lease', (world) => world.lease())) },
  { weight: 3, arbitrary: fc.constant(named('lease fresh', (world) => world.lease('fresh'))) },
  {
    weight: 5,
    arbitrary: fc
      .tuple(fc.nat(5), fc.boolean())
      .map(([pick, isDelivered]) =>
        named(`end ${pick} ${isDelivered}`, (world) => world.end(pick, isDelivered)),
      ),
  },
  {
    weight: 4,
    arbitrary: fc.constantFrom(10, 1_000, 6_000).map((ms) => named(`tick ${ms}`, (world) => world.tick(ms))),
  },
  { weight: 6, arbitrary: fc.constant(named('turn', () => nextTurn())) },
  { weight: 2, arbitrary: fc.constant(named('turns', turns)) },
  {
    weight: 2,
    arbitrary: fc.integer({ min: 8, max: 300 }).map((bytes) =>
      named(`hold ${bytes}`, async (world) => {
        world.push(ALL_SLOTS, bytes);
        await world.lease('fresh');
        world.tick(6_000);
        await turns();
      }),
    ),
  },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom('write', 'sync', 'read', 'create', 'rename', 'open')
      .map((operation) => named(`fail ${operation}`, (world) => world.fail(operation))),
  },
  { weight: 1, arbitrary: fc.constant(named('kill', (world) => world.kill())) },
  { weight: 1, arbitrary: fc.constant(named('stop', (world) => world.stop())) },
);

const lives = fc.array(step, { minLength: 1, maxLength: 80 });

for (const [name, freshFirst] of [
  ['every block comes out once and in order', false],
  ['with fresh blocks first, every block comes out once', true],
] as const) {
  test(`${name}, across memory, file, failures, kills and stops`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.boolean(), lives, async (synced, steps) => {
        const world = new World(synced, freshFirst);
        await world.open();
        for (const next of steps) await next(world);
        await world.finish();
      }),
      { numRuns: Number(process.env.FUZZ_RUNS ?? 300) },
    );
  });
}
