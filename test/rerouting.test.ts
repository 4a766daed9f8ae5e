/**
 * Emptying the queue of a destination that is gone, with real queues on a disk that forgets, an engine of the test, and
 * kills and power cuts at any moment: what was in the old queue arrives, or is in the new ones.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import type { EnginePool } from '../src/engine/pool.ts';
import type { Replayed } from '../src/engine/pool-ports.ts';
import type { Block } from '../src/model/block.ts';
import { type Body, noCounts, type Verdict } from '../src/model/body.ts';
import type { Outlet } from '../src/outlet.ts';
import { DestinationQueue } from '../src/queue/queue.ts';
import { Rerouting } from '../src/rerouting.ts';
import { makeBlock } from './support/blocks.ts';
import { FakeClock } from './support/fake-clock.ts';
import { MemoryFs } from './support/memory-fs.ts';
import { recordingLogger } from './support/quiet-logger.ts';
import { runs } from './support/runs.ts';

const LOOK_MS = 100;

async function settled(): Promise<void> {
  for (let turn = 0; turn < 40; turn++) await nextTurn();
}

const numberOf = (bytes: Uint8Array): number => Buffer.from(bytes).readDoubleLE();

interface Taken {
  readonly id: number;
  readonly number: number;
  readonly receivedMs: number;
  readonly settle: (verdict: Verdict) => void;
  isAccepted: boolean;
}

/** Takes bodies in their order, and makes one block of each. */
class FakeEngine {
  readonly held: Taken[] = [];
  #next = 1;

  get firstInWork(): number {
    return this.held[0]?.id ?? this.#next;
  }

  replay({ bytes, protocol }: Body, { origin, receivedMs = 0 }: Replayed) {
    assert.deepEqual([protocol, origin], ['rerouted', 'queue']);
    const id = this.#next++;
    const number = numberOf(bytes);
    const verdict = new Promise<Verdict>((settle) => {
      this.held.push({ id, number, receivedMs, settle, isAccepted: false });
    });
    return { id, verdict };
  }
}

/** One life of the process. */
class Life {
  readonly engine = new FakeEngine();
  readonly old: DestinationQueue;
  readonly next: readonly DestinationQueue[];
  readonly log = recordingLogger();
  readonly rerouting: Rerouting;
  readonly leaver: { isLeaving: boolean; fill: number; queue: DestinationQueue; name: string };
  readonly members: { fill: number; queue: DestinationQueue; name: string }[];
  readonly clock: FakeClock;
  drained: boolean | undefined;

  constructor(fs: MemoryFs, clock: FakeClock, onDisk = true) {
    const queueAt = (directory: string) =>
      new DestinationQueue(
        {
          directory,
          onDisk,
          memoryBytesMax: 1_000,
          brokenBytesMax: 1_000_000,
          diskBytesMax: 0,
          whenFull: 'drop-oldest',
          ageMsMax: 0,
          freshFirst: false,
          synced: false,
        },
        { fs, clock, log: this.log },
      );
    this.clock = clock;
    this.old = queueAt('/old');
    this.next = [queueAt('/one'), queueAt('/two')];
    this.leaver = { isLeaving: true, fill: 0, queue: this.old, name: 'old' };
    this.members = this.next.map((queue, place) => ({ fill: 0, queue, name: `${place}` }));
    this.rerouting = new Rerouting({
      clock,
      log: this.log,
      engine: () => this.engine as unknown as EnginePool,
      members: () => this.members as unknown as Outlet[],
    });
  }

  async open(): Promise<void> {
    for (const queue of [this.old, ...this.next]) await queue.open();
  }

  begin(): void {
    this.old.drain(true);
    void this.rerouting.drain(this.leaver as unknown as Outlet).then((isEmpty) => {
      this.drained = isEmpty;
    });
  }

  /** The engine looks at the first body that it has not looked at. */
  accept(): void {
    const taken = this.engine.held.find(({ isAccepted }) => !isAccepted);
    if (taken === undefined) return;
    taken.isAccepted = true;
    const member = this.members[taken.number % 2]!;
    this.rerouting.placed(taken.id, [member as unknown as Outlet]);
    taken.settle({ ok: true, counts: { ...noCounts } });
  }

  /** The block of the first body is finished. */
  finish(): void {
    const [first] = this.engine.held;
    if (first?.isAccepted !== true) return;
    this.engine.held.shift();
    this.next[first.number % 2]!.push(blockOf(first.number, first.id, first.receivedMs));
  }
}

function blockOf(number: number, firstBody: number, bornMs: number): Block {
  const bytes = Buffer.alloc(100);
  bytes.writeDoubleLE(number);
  return makeBlock(number, { bytes, firstBody, bornMs, counts: { ...noCounts, samples: 1 } });
}

async function deliver(queue: DestinationQueue, arrived: Set<number>): Promise<void> {
  if (queue.pendingBlocks === 0) return;
  const lease = await queue.lease();
  if (lease === undefined) return;
  arrived.add(numberOf(lease.block.bytes));
  lease.end({ kind: 'delivered' });
}

const BLOCKS = 30;

const step = fc.oneof(
  { weight: 6, arbitrary: fc.constant('accept' as const) },
  { weight: 6, arbitrary: fc.constant('finish' as const) },
  { weight: 3, arbitrary: fc.constantFrom('deliver 0' as const, 'deliver 1' as const) },
  { weight: 4, arbitrary: fc.constant('look' as const) },
  {
    weight: 3,
    arbitrary: fc.constantFrom('wait' as const, 'maintain old' as const, 'maintain new' as const),
  },
  { weight: 1, arbitrary: fc.constant('kill' as const) },
  { weight: 1, arbitrary: fc.constant('power cut' as const) },
);

test('whatever happens in between, everything arrives', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 40, maxLength: 150, size: 'max' }),
      fc.infiniteStream(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })),
      async (steps, dice) => {
        const fs = new MemoryFs();
        const clock = new FakeClock();
        const arrived = new Set<number>();
        let life = new Life(fs, clock);
        await life.open();
        for (let number = 1; number <= BLOCKS; number++) life.old.push(blockOf(number, 0, 0));
        await life.old.sync();
        fs.writeBack();
        life.begin();
        const again = async () => {
          life.rerouting.stop();
          life = new Life(fs, clock);
          await life.open();
          life.begin();
        };
        const maintain = () => {
          for (const queue of [life.old, ...life.next]) queue.maintain();
        };
        for (const act of steps) {
          if (act === 'accept') life.accept();
          else if (act === 'finish') life.finish();
          else if (act === 'deliver 0') await deliver(life.next[0]!, arrived);
          else if (act === 'deliver 1') await deliver(life.next[1]!, arrived);
          else if (act === 'look') clock.advance(LOOK_MS);
          else if (act === 'wait') {
            clock.advance(6_000);
            maintain();
          } else if (act === 'maintain old') {
            // What was sent is noted on disk once a second.
            clock.advance(1_000);
            life.old.maintain();
          } else if (act === 'maintain new') {
            for (const queue of life.next) queue.maintain();
          } else if (act === 'kill') {
            fs.kill();
            await again();
          } else {
            fs.crash(() => dice.next().value);
            await again();
          }
          await settled();
        }
        for (
          let round = 0;
          life.drained === undefined || life.next.some((queue) => queue.pendingBlocks > 0);
          round++
        ) {
          assert.ok(round < 1_000, `it comes to an end: ${life.old.pendingBlocks} wait`);
          life.accept();
          life.finish();
          for (const queue of life.next) await deliver(queue, arrived);
          clock.advance(LOOK_MS);
          maintain();
          await settled();
        }
        assert.equal(life.drained, true);
        assert.equal(life.old.pendingBlocks, 0);
        assert.deepEqual(
          [...arrived].sort((a, b) => a - b),
          Array.from({ length: BLOCKS }, (_, nth) => nth + 1),
        );
        const { recovered, routed, ended } = life.old.ledger;
        assert.equal(recovered.samples + routed.samples, ended.rerouted.samples);
      },
    ),
    runs(60),
  );
});

async function lifeWith(numbers: readonly number[], onDisk = true): Promise<Life> {
  const life = new Life(new MemoryFs(), new FakeClock(), onDisk);
  await life.open();
  for (const number of numbers) life.old.push(blockOf(number, 0, 0));
  return life;
}

const look = async (life: Life) => {
  life.clock.advance(LOOK_MS);
  await settled();
};

test('blocks go one after another, in their order, though they have series in common', async () => {
  const life = await lifeWith([2, 4, 6]);
  life.begin();
  await settled();
  const seen: number[] = [];
  for (let round = 0; round < 3; round++) {
    assert.equal(
      life.engine.held.length,
      round + 1,
      'the next one waits for the verdict, not for the delivery',
    );
    seen.push(life.engine.held.at(-1)!.number);
    life.accept();
    await settled();
  }
  assert.deepEqual(seen, [2, 4, 6]);
});

test('a block leaves when it was delivered where it belongs, or is in the file there, and not before', async () => {
  for (const [end, onDisk] of [
    ['delivered', true],
    ['delivered', false],
    ['in the file', true],
  ] as const) {
    const life = await lifeWith([2], onDisk);
    life.begin();
    await settled();
    await look(life);
    assert.equal(life.old.pendingBlocks, 1, 'the engine has not looked at it');
    life.accept();
    await look(life);
    assert.equal(life.old.pendingBlocks, 1, 'it is in an unfinished block');
    life.finish();
    await look(life);
    assert.equal(life.old.pendingBlocks, 1, 'it is in memory only');
    if (end === 'delivered') await deliver(life.next[0]!, new Set());
    else await life.next[0]!.sync();
    await look(life);
    assert.equal(life.old.pendingBlocks, 0, end);
    await look(life);
    assert.equal(life.drained, true);
    assert.equal(life.old.ledger.ended.rerouted.samples, 1);
    assert.equal(life.clock.timers, 0);
  }
});

test('nothing goes to queues that are nearly full, or while there is no destination', async () => {
  const life = await lifeWith([2]);
  life.members[1]!.fill = 0.9;
  const members = life.members.splice(0);
  life.begin();
  await look(life);
  assert.equal(life.engine.held.length, 0, 'there is no destination');
  life.members.push(...members);
  await look(life);
  assert.equal(life.engine.held.length, 0, 'one of them is nearly full');
  life.members[1]!.fill = 0.5;
  await look(life);
  assert.equal(life.engine.held.length, 1);
});

test('one that comes back keeps what nobody has taken, and gets nothing back of the rest', async () => {
  const life = await lifeWith([2, 4, 6]);
  life.begin();
  await settled();
  life.accept();
  await settled();
  assert.equal(life.engine.held.length, 2);
  life.leaver.isLeaving = false;
  life.old.drain(false);
  life.accept();
  await settled();
  assert.equal(life.drained, false);
  assert.equal(life.engine.held.length, 2, 'the third one stays');
  for (let round = 0; round < 2; round++) life.finish();
  for (let round = 0; round < 2; round++) await deliver(life.next[0]!, new Set());
  await look(life);
  const lease = await life.old.lease();
  assert.equal(numberOf(lease!.block.bytes), 6);
  assert.equal(life.old.ledger.ended.rerouted.samples, 2);
});

test('a block that the engine cannot read is counted as damaged, and the next one goes', async () => {
  const life = await lifeWith([2, 4]);
  life.begin();
  await settled();
  const [first] = life.engine.held.splice(0);
  first!.settle({ ok: false, status: 400, reason: 'malformed', error: 'no snappy' });
  await settled();
  assert.equal(life.old.ledger.ended.damaged.samples, 1);
  assert.equal(life.engine.held[0]!.number, 4);
  assert.match(life.log.lines[0]!.message, /cannot be read/);
});

test('at the stop, what is not safe elsewhere stays', async () => {
  const life = await lifeWith([2, 4, 6]);
  life.begin();
  await settled();
  life.accept();
  await settled();
  life.accept();
  await settled();
  life.rerouting.stop();
  for (let round = 0; round < 2; round++) life.finish();
  await deliver(life.next[0]!, new Set());
  const [third] = life.engine.held.splice(0);
  third!.settle({ ok: false, status: 503, reason: 'overloaded', error: 'closed' });
  await settled();
  await life.rerouting.close();
  assert.equal(life.drained, false);
  assert.equal(life.old.pendingBlocks, 2);
  life.old.close();
  assert.equal(await life.old.spill(), 2);
  assert.equal(life.clock.timers, 0);
});
