/** The log against a naive model: kills, power cuts, full disks and failing operations in any order. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MemoryFs } from '../../support/memory-fs.ts';
import { randomFrom } from '../../support/random.ts';
import { openLog, readAll, record } from './support.ts';

type Log = Awaited<ReturnType<typeof openLog>>['log'];

/** What the log owes: everything acknowledged and not done with. `safe`: a power cut may not take it either. */
interface Owed {
  readonly id: number;
  safe: boolean;
}

class World {
  readonly fs = new MemoryFs();
  readonly #owed = new Map<number, Owed>();
  readonly #known = new Set<number>();
  #nextId = 1;
  #hasFailed = false;
  #log: Log | undefined;

  get log(): Log {
    assert.ok(this.#log);
    return this.#log;
  }

  async open(): Promise<void> {
    this.#log = (await openLog(this.fs)).log;
  }

  async append(sizes: readonly number[], synced: boolean): Promise<void> {
    const batch = sizes.map((size) => record(this.#nextId++, size));
    for (const { header } of batch) this.#known.add(header.counts.samples);
    try {
      const first = await this.log.append(batch, synced);
      // A sync that failed may have lost what was only written before it.
      if (synced && !this.#hasFailed) for (const owed of this.#owed.values()) owed.safe = true;
      for (const [index, { header }] of batch.entries()) {
        this.#owed.set(first + index, { id: header.counts.samples, safe: synced });
      }
    } catch {
      this.#hasFailed = true; // nothing of it is owed
    }
  }

  async sync(): Promise<void> {
    try {
      await this.log.sync();
      for (const owed of this.#owed.values()) owed.safe = true;
      this.#hasFailed = false;
    } catch {
      this.#hasFailed = true;
    }
  }

  done(pick: number): void {
    const seq = [...this.#owed.keys()][pick % Math.max(1, this.#owed.size)];
    if (seq === undefined) return;
    this.#owed.delete(seq);
    this.log.done(seq);
  }

  /** Opens the log again and demands what is owed. */
  async restart(survives: (owed: Owed) => boolean): Promise<void> {
    this.fs.onOperation = () => {};
    this.fs.capacity = Number.POSITIVE_INFINITY;
    await this.open();
    const { ids, seqs } = await readAll(this.log);
    const found = new Set(ids);
    for (const owed of this.#owed.values()) {
      if (survives(owed)) assert.ok(found.has(owed.id), `record ${owed.id} was acknowledged and is gone`);
    }
    for (const id of ids) assert.ok(this.#known.has(id), `record ${id} is invented`);
    assert.deepEqual(
      ids,
      ids.toSorted((a, b) => a - b),
      'order',
    );
    this.#owed.clear();
    this.#hasFailed = false;
    this.fs.writeBack();
    for (const [index, seq] of seqs.entries()) this.#owed.set(seq, { id: ids[index]!, safe: true });
    this.log.readFrom(seqs[0] ?? this.log.nextSeq);
  }

  fail(operation: string, code: string, times: number): void {
    let left = times;
    this.fs.onOperation = (now) => {
      if (now === operation && left-- > 0) throw Object.assign(new Error(code), { code });
    };
  }
}

type Step = (world: World) => Promise<void> | void;
const named = (name: string, step: Step): Step => Object.assign(step, { toString: () => name });

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .tuple(fc.array(fc.integer({ min: 8, max: 700 }), { minLength: 1, maxLength: 6 }), fc.boolean())
      .map(([sizes, synced]) =>
        named(`append ${sizes} ${synced ? 'synced' : ''}`, (world) => world.append(sizes, synced)),
      ),
  },
  {
    weight: 4,
    arbitrary: fc.integer({ min: 1, max: 12 }).map((count) =>
      named(`read ${count}`, async ({ log }) => {
        for (let k = 0; k < count; k++) await log.next().catch(() => undefined);
      }),
    ),
  },
  { weight: 6, arbitrary: fc.nat(20).map((pick) => named(`done ${pick}`, (world) => world.done(pick))) },
  { weight: 3, arbitrary: fc.constant(named('sync', (world) => world.sync())) },
  {
    weight: 2,
    arbitrary: fc.constant(
      named('failed sync', async (world) => {
        world.fail('sync', 'EIO', 1);
        await world.sync();
      }),
    ),
  },
  {
    weight: 3,
    arbitrary: fc.constant(named('checkpoint', ({ log }) => log.checkpoint().catch(() => {}))),
  },
  {
    weight: 2,
    arbitrary: fc.constant(
      named('kill', (world) => {
        world.fs.kill();
        return world.restart(() => true);
      }),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.nat().map((seed) =>
      named(`power cut ${seed}`, (world) => {
        world.fs.crash(randomFrom(seed));
        return world.restart(({ safe }) => safe);
      }),
    ),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(
        fc.constantFrom(
          'write',
          'sync',
          'rename',
          'unlink',
          'create',
          'syncDirectory',
          'truncate',
          'read',
          'open',
        ),
        fc.constantFrom('EIO', 'ENOSPC'),
        fc.integer({ min: 1, max: 3 }),
      )
      .map(([operation, code, times]) =>
        named(`fail ${operation} ${times}`, (world) => world.fail(operation, code, times)),
      ),
  },
  {
    weight: 1,
    arbitrary: fc.nat(900).map((room) =>
      named(`full ${room}`, ({ fs }) => {
        fs.capacity = fs.used + room;
      }),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constant(
      named('room', ({ fs }) => {
        fs.capacity = Number.POSITIVE_INFINITY;
      }),
    ),
  },
);

test('nothing that was promised is lost, nothing is invented, and the order stays', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40 }), async (steps) => {
      const world = new World();
      await world.open();
      for (const next of steps) await next(world);
      world.fs.kill();
      await world.restart(() => true);
    }),
    { numRuns: Number(process.env.FUZZ_RUNS ?? 500) },
  );
});
