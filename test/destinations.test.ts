/** Destinations that come and go under a simulated engine: at every moment each of them has everything in some column. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { loadConfig } from '../src/config/load.ts';
import { Destinations } from '../src/destinations.ts';
import { Distribution } from '../src/distribution.ts';
import type { GroupConfig } from '../src/engine/messages.ts';
import type { EnginePool } from '../src/engine/pool.ts';
import { DestinationLedger } from '../src/ledger/ledger.ts';
import type { Block } from '../src/model/block.ts';
import { addCounts, type BodyOrigin, type Counts, noCounts } from '../src/model/body.ts';
import type { DropReason } from '../src/model/drops.ts';
import { schema } from '../src/options.ts';
import type { Outlet, Share } from '../src/outlet.ts';
import { FakeMeter } from './deliver/support.ts';
import { makeBlock } from './support/blocks.ts';
import { FakeClock } from './support/fake-clock.ts';
import { recordingLogger } from './support/quiet-logger.ts';

const of = (samples: number, metadata = 0): Counts => ({ ...noCounts, samples, metadata });

/** The part of an outlet that is needed. */
class FakeOutlet {
  readonly url = '';
  readonly queue = {
    ledger: new DestinationLedger(),
    full: false,
    refuses: false,
    config: { onDisk: true },
    firstUnsafeBody: undefined as number | undefined,
  };
  readonly attempts = { listen: () => {} };
  readonly withholds: readonly 'metadata'[];
  readonly name: string;
  blocks: Block[] = [];
  #share: Share = { form: 0, shard: undefined };

  constructor(name: string, takesMetadata = true) {
    this.name = name;
    this.withholds = takesMetadata ? [] : ['metadata'];
    this.queue.ledger.withholds = this.withholds;
  }

  get needs() {
    const metadata = this.withholds.length === 0;
    return { codec: 'snappy', level: 0, metadata, parallel: 1, ...this.#share } as const;
  }

  setShare(share: Share): void {
    this.#share = share;
  }

  accept(counts: Counts, origin: BodyOrigin): void {
    this.queue.ledger.accept(counts, origin);
  }

  refuse(counts: Counts): void {
    this.queue.ledger.refuse(counts);
  }

  drop(reason: DropReason, counts: Counts): void {
    this.queue.ledger.drop(reason, counts);
  }

  push(block: Block): void {
    this.queue.ledger.route(block.counts);
    this.blocks.push(block);
  }
}

/** Works under one configuration after another, and finishes what it has begun before it takes up the next. */
class FakeEngine {
  generation = 1;
  told = 1;
  readonly configs = new Map<number, readonly GroupConfig[]>();
  pending: Counts[] = [];
  /** What aggregation tells behind each body. */
  toldPerBody = 0;
  #id = 0;
  #bodies: { counts: Counts; origin: BodyOrigin }[] = [];
  /** Bodies and changes of the configuration, in their order. */
  #inbox: ('configure' | { counts: Counts; origin: BodyOrigin })[] = [];

  get stats() {
    return { pending: this.pending };
  }

  configure(groups: readonly GroupConfig[]): number {
    this.configs.set(++this.told, groups);
    this.#inbox.push('configure');
    return this.told;
  }

  submit(counts: Counts, origin: BodyOrigin): void {
    this.#inbox.push({ counts, origin });
  }

  async flush(): Promise<void> {}

  get #groups(): readonly GroupConfig[] {
    return this.configs.get(this.generation)!;
  }

  /** Takes the next message. */
  step(destinations: Destinations): void {
    const message = this.#inbox.shift();
    if (message === undefined) return;
    if (message === 'configure') {
      this.finish(destinations);
      this.generation++;
      this.pending = this.#groups.map(() => of(0));
      return;
    }
    const { counts, origin } = message;
    const { generation } = this;
    destinations.drop([{ group: undefined, reason: 'relabel', counts: of(1) }], generation);
    for (const [group, { shard, metadata }] of this.#groups.entries()) {
      const rest = counts.samples - 1;
      const shards = this.#groups.filter((one) => one.shard !== undefined).length;
      const own = shard === undefined ? rest : Math.floor((rest + shard) / shards);
      destinations.drop([{ group, reason: 'other_shard', counts: of(rest - own) }], generation);
      const pending = this.pending[group]!;
      pending.samples += own;
      pending.metadata += metadata ? counts.metadata : 0;
    }
    destinations.accept({ id: ++this.#id, counts, origin, client: 'c', generation });
    this.#tell(destinations, this.toldPerBody);
    this.#bodies.push(message);
  }

  /** Aggregation tells samples: for all destinations, and the same for those of each group. */
  #tell(destinations: Destinations, samples: number): void {
    const { generation } = this;
    destinations.tell([{ group: undefined, kind: 'aggregated_out', samples }], generation);
    for (const [group, pending] of this.pending.entries()) {
      destinations.tell([{ group, kind: 'deduplicated_out', samples }], generation);
      addCounts(pending, { ...of(2 * samples), series: 2 * samples });
    }
  }

  finish(destinations: Destinations): void {
    for (const [group, counts] of this.pending.entries()) {
      if (counts.samples + counts.metadata === 0) continue;
      this.pending[group] = of(0);
      destinations.distribute(group, this.generation, makeBlock(1, { counts }));
    }
  }
}

const flags = {
  shard: ['shardByURL'],
  copies: ['shardByURL', 'shardByURLReplicas=2'],
  spread: ['routing=spread'],
};

async function world(kind: keyof typeof flags) {
  const args = ['url=http://x/', 'discovery.service=v.example:1', ...flags[kind]];
  const { config, problems } = await loadConfig({
    schema,
    args: args.map((arg) => `-remoteWrite.${arg}`),
    env: {},
  });
  assert.deepEqual(problems, []);
  const engine = new FakeEngine();
  let isThere = false;
  const ports = { clock: new FakeClock(), log: recordingLogger(), meter: new FakeMeter(), onPlacement() {} };
  const placed: [number, string[]][] = [];
  const destinations = new Destinations({
    distribution: new Distribution(config, ports),
    formOf: () => 0,
    configure: (groups) => (isThere ? engine.configure(groups) : undefined),
    engine: () => (isThere ? (engine as unknown as EnginePool) : undefined),
    mayDrop: false,
    onPlaced: (id, members) => placed.push([id, members.map(({ name }) => name)]),
  });
  return {
    engine,
    destinations,
    placed,
    begin(members: readonly FakeOutlet[]) {
      replace(destinations, members, []);
      engine.configs.set(1, destinations.begin());
      engine.pending = engine.configs.get(1)!.map(() => of(0));
      isThere = true;
    },
  };
}

const replace = (
  destinations: Destinations,
  members: readonly FakeOutlet[],
  leaving: readonly FakeOutlet[],
) => destinations.replace(members as unknown as Outlet[], leaving as unknown as Outlet[]);

const NOTHING = noCounts;

function assertBalanced(destinations: Destinations, outlets: readonly FakeOutlet[]): void {
  for (const outlet of outlets) {
    const inEngine = destinations.inEngine(outlet as unknown as Outlet);
    assert.deepEqual(outlet.queue.ledger.unaccounted(inEngine), NOTHING, outlet.name);
  }
  assert.deepEqual(destinations.way.unaccounted(destinations.inEngine()), NOTHING, 'the way');
}

const step = fc.oneof(
  fc.record({
    kind: fc.constant('submit' as const),
    samples: fc.integer({ min: 1, max: 50 }),
    origin: fc.constantFrom<BodyOrigin>('client', 'journal', 'queue'),
  }),
  fc.record({ kind: fc.constant('members' as const), mask: fc.integer({ min: 1, max: 15 }) }),
  fc.record({ kind: fc.constantFrom('step' as const, 'step' as const, 'finish' as const) }),
);

for (const kind of ['shard', 'copies', 'spread'] as const) {
  test(`${kind}: whoever comes and goes, what is accepted is in the ledgers of its generation, and nothing else`, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 60, size: 'max' }),
        fc.integer({ min: 1, max: 15 }),
        async (steps, first) => {
          const outlets = ['a', 'b', 'c', 'd'].map((name) => new FakeOutlet(name));
          const chosen = (mask: number) => outlets.filter((_, place) => (mask & (1 << place)) !== 0);
          const { engine, destinations, begin } = await world(kind);
          engine.toldPerBody = 2;
          begin(chosen(first));
          let samples = 0;
          for (const one of steps) {
            if (one.kind === 'submit') {
              engine.submit(of(one.samples, 1), one.origin);
              samples += one.samples;
            } else if (one.kind === 'members') {
              const members = chosen(one.mask);
              replace(
                destinations,
                members,
                outlets.filter((outlet) => !members.includes(outlet)),
              );
            } else if (one.kind === 'step') engine.step(destinations);
            else engine.finish(destinations);
            assertBalanced(destinations, outlets);
          }
          for (let left = 0; left < steps.length; left++) engine.step(destinations);
          engine.finish(destinations);
          assertBalanced(destinations, outlets);
          const { received, replayed, takenOver } = destinations.way;
          assert.equal(received.samples + replayed.samples + takenOver.samples, samples);
        },
      ),
      { numRuns: 100 },
    );
  });
}

test('a destination that comes counts what comes since, one that goes gets what came before', async () => {
  const { engine, destinations, placed, begin } = await world('shard');
  const [a, b, c] = [new FakeOutlet('a'), new FakeOutlet('b'), new FakeOutlet('c')];
  begin([a, b]);
  engine.submit(of(11), 'client');
  engine.step(destinations);
  replace(destinations, [b, c], [a]);
  engine.submit(of(21), 'queue');
  assert.deepEqual(
    destinations.all.map(({ name }) => name),
    ['b', 'c', 'a'],
  );
  assert.equal(destinations.inEngine(a as unknown as Outlet).samples, 5);
  engine.step(destinations);
  assert.equal(a.blocks.length, 1, 'its block was begun before');
  engine.step(destinations);
  engine.finish(destinations);
  assert.deepEqual(
    [a, b, c].map(({ queue: { ledger } }) => [ledger.received.samples, ledger.takenOver.samples]),
    [
      [11, 0],
      [11, 21],
      [0, 21],
    ],
  );
  assert.deepEqual(placed, [[2, ['b', 'c']]]);
  destinations.forget(a as unknown as Outlet);
  assert.deepEqual(destinations.leaving, []);
});

test('requests of the journal that are refused now are booked at the destinations of the moment, and on the way', async () => {
  const { destinations, begin } = await world('copies');
  const outlets = [new FakeOutlet('a', false), new FakeOutlet('b')];
  const gone = new FakeOutlet('gone');
  begin(outlets);
  replace(destinations, outlets, [gone]);
  destinations.refuse(of(5, 2));
  assert.deepEqual(
    outlets.map(({ queue: { ledger } }) => ledger.quarantined),
    [of(5), of(5, 2)],
  );
  assert.deepEqual(destinations.way.quarantined, of(5));
  assert.deepEqual(gone.queue.ledger.quarantined, NOTHING);
  assertBalanced(destinations, [...outlets, gone]);
});

test('bodies are safe once no queue, also of those that leave, waits for them; without a file it may be left out', async () => {
  const { destinations, begin } = await world('copies');
  const [a, b, gone] = [new FakeOutlet('a'), new FakeOutlet('b'), new FakeOutlet('gone')];
  begin([a, b]);
  replace(destinations, [a, b], [gone]);
  const safe = (id: number) => [false, true].map((filesOnly) => destinations.isSafeTo(id, filesOnly));
  assert.deepEqual(safe(7), [true, true]);
  gone.queue.firstUnsafeBody = 7;
  assert.deepEqual(safe(6), [true, true]);
  assert.deepEqual(safe(7), [false, false]);
  gone.queue.config.onDisk = false;
  assert.deepEqual(safe(7), [false, true]);
});

test('what is lost with a quarantined body is booked at every destination that it was for', async () => {
  const { engine, destinations, begin } = await world('copies');
  const outlets = [new FakeOutlet('a'), new FakeOutlet('b')];
  begin(outlets);
  engine.submit(of(11, 1), 'client');
  engine.step(destinations);
  engine.pending = [of(4)];
  await destinations.settleQuarantined();
  for (const { queue } of outlets) assert.deepEqual(queue.ledger.quarantined, of(6, 1));
  assert.deepEqual(destinations.way.quarantined, of(6, 1));
  assertBalanced(destinations, outlets);
});
