/** The pool of engines, on a thread of their own and on the main thread; some die once, and some of a body. */
import assert from 'node:assert/strict';
import { type TestContext, test as testOnce } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { setEnvironmentData } from 'node:worker_threads';
import snappy from 'snappyjs';
import type { HostEvents, StartHost } from '../../src/engine/host.ts';
import { localHost } from '../../src/engine/local-host.ts';
import { BODY_FIELDS, type EngineConfig, type ToEngine } from '../../src/engine/messages.ts';
import { EnginePool } from '../../src/engine/pool.ts';
import type { Accepted, Admitted } from '../../src/engine/pool-ports.ts';
import { threadHost } from '../../src/engine/thread-host.ts';
import { compileKernel } from '../../src/kernel/kernel.ts';
import type { Block } from '../../src/model/block.ts';
import { addCounts, type Counts, noCounts, type Verdict } from '../../src/model/body.ts';
import { parseAggregationRules } from '../../src/transform/aggregate/rule.ts';
import { systemClock } from '../../src/util/clock.ts';
import { recordingLogger } from '../support/quiet-logger.ts';
import { until } from '../support/wait.ts';
import { dieAt, dieOfMarker } from './support/faults.ts';
import { type Content, contentOf, decodeBlock, encodeRequest, type TestRequest } from './support/messages.ts';

const kernelModule = compileKernel();

function configOf(codec: 'snappy' | 'zstd', over: Partial<EngineConfig> = {}): EngineConfig {
  return {
    groups: [{ codec, level: 0, metadata: true, parallel: 1 }],
    maxRowsPerBlock: 50,
    maxBlockBytes: 1024 * 1024,
    maxMetadataPerBlock: 5_000,
    flushIntervalMs: 3_600_000,
    bodyBytesMax: 1024 * 1024,
    ...over,
  };
}

/** Ten series of one request; `nth` makes them different from others. */
function requestOf(nth: number, name = 'led'): TestRequest {
  return {
    series: Array.from({ length: 10 }, (_, series) => ({
      labels: [
        { name: '__name__', value: name },
        { name: 'series', value: String(series) },
      ],
      points: [{ bits: BigInt(nth), timestamp: 1_790_000_000_000 + nth }],
      exemplars: 0,
    })),
    metadata: [],
  };
}

type Place = 'own' | 'main';

/** Every test once for each place where engines can be. */
function test(name: string, run: (t: TestContext, place: Place) => Promise<void>): void {
  for (const place of ['own', 'main'] as const) {
    testOnce(`${name} (${place} thread)`, async (t) => await run(t, place));
  }
}

/** Dies at the body with a number, so often; or of every body with the marker. */
type Fault = 'marker' | { readonly fatalBody: number; readonly deaths: number };

function faultyHost(t: TestContext, place: Place, fault: Fault): StartHost {
  const isMarker = fault === 'marker';
  const deaths = new SharedArrayBuffer(4);
  const { fatalBody = 0, deaths: count = 0 } = isMarker ? {} : fault;
  new Int32Array(deaths)[0] = count;
  if (place === 'main') {
    t.after(isMarker ? dieOfMarker() : dieAt(fatalBody, new Int32Array(deaths)));
    return localHost;
  }
  setEnvironmentData('deaths-left', deaths);
  setEnvironmentData('fatal-body', fatalBody);
  return threadHost(new URL(`./support/${isMarker ? 'faulty' : 'dying'}-worker.ts`, import.meta.url));
}

const hostOf = (place: Place): StartHost => (place === 'main' ? localHost : threadHost());

interface Setting {
  readonly fault?: Fault;
  readonly commit?: (accepted: Accepted) => Promise<void>;
}

function setUp(t: TestContext, place: Place, config: EngineConfig, { fault, commit }: Setting = {}) {
  const blocks: { generation: number; block: Block }[] = [];
  const accepted: Counts = { ...noCounts };
  const quarantined: string[] = [];
  const log = recordingLogger();
  const pool = new EnginePool(config, {
    clock: systemClock,
    log,
    module: kernelModule,
    onBlock: (_group, generation, block) => blocks.push({ generation, block }),
    onAccepted: ({ counts }) => addCounts(accepted, counts),
    onDropped: () => {},
    onDropExample: () => {},
    onQuarantined: (_body, client) => quarantined.push(client),
    commit,
    startHost: fault === undefined ? hostOf(place) : faultyHost(t, place, fault),
  });
  // The timers of restarts keep no process alive.
  const alive = setInterval(() => {}, 1_000);
  t.after(async () => {
    await pool.close();
    clearInterval(alive);
  });
  let submitted = 0;
  const submit = (message: TestRequest, client = 'client'): Promise<Verdict> => {
    const sent = new Uint8Array(snappy.compress(encodeRequest(message)));
    const about = {
      encoding: 'snappy-or-zstd',
      protocol: 'promremotewrite',
      extraLabels: [],
      client,
    } as const;
    // Every other one was received into the engine's memory.
    const room = submitted++ % 2 === 0 ? undefined : pool.reserve(sent.byteLength);
    room?.bytes.set(sent);
    const verdict = pool.submit({ bytes: room?.bytes ?? sent, room, ...about });
    room?.release();
    return verdict;
  };
  const content = (): Content => {
    const found: Content = new Map();
    for (const { block } of blocks) decodeBlock(block, found);
    return found;
  };
  return { pool, blocks, accepted, quarantined, log, submit, content };
}

const requests = Array.from({ length: 23 }, (_, nth) => requestOf(nth));

test('bodies become blocks in their order, and their memory is given back', async (t, place) => {
  const { pool, blocks, accepted, submit, content } = setUp(t, place, configOf('snappy'));
  const verdicts = await Promise.all(requests.map((message) => submit(message)));
  assert.ok(verdicts.every((verdict) => verdict.ok && verdict.counts.samples === 10));
  assert.equal(accepted.samples, 230);
  await pool.flush();
  assert.deepEqual(content(), contentOf(requests));
  assert.deepEqual(
    blocks.map(({ block }) => block.seq),
    blocks.map((_, index) => index + 1),
  );
  assert.equal(pool.heldBodies, 0);
  assert.equal(pool.stats?.pending[0]?.samples, 0);
  assert.equal(pool.hasRoom, true);
});

test('a refused body is told why, and leaves nothing behind', async (t, place) => {
  const { pool, accepted } = setUp(t, place, configOf('snappy'));
  const verdict = await pool.submit({
    bytes: Uint8Array.of(3, 8, 1, 2, 3),
    encoding: 'snappy-or-zstd',
    protocol: 'promremotewrite',
    extraLabels: [],
    client: 'client',
  });
  assert.ok(!verdict.ok);
  assert.deepEqual([verdict.status, verdict.reason], [400, 'malformed']);
  assert.equal(pool.heldBodies, 0);
  assert.deepEqual(accepted, noCounts);
});

test('an unfinished block goes out after the flush interval', async (t, place) => {
  const config = configOf('snappy', { flushIntervalMs: 5 });
  let arrived = () => {};
  const block = new Promise<void>((resolve) => {
    arrived = resolve;
  });
  const pool = new EnginePool(config, {
    clock: systemClock,
    log: recordingLogger(),
    module: kernelModule,
    startHost: hostOf(place),
    onBlock: () => arrived(),
    onAccepted: () => {},
    onDropped: () => {},
    onDropExample: () => {},
    onQuarantined: () => {},
  });
  t.after(() => pool.close());
  await pool.submit({
    bytes: new Uint8Array(snappy.compress(encodeRequest(requestOf(1)))),
    encoding: 'snappy-or-zstd',
    protocol: 'p',
    extraLabels: [],
    client: 'c',
  });
  await block;
});

for (const codec of ['snappy', 'zstd'] as const) {
  test(`a death of the engine loses nothing and repeats nothing (${codec})`, async (t, place) => {
    const fault = { fatalBody: 17, deaths: 1 };
    const { pool, accepted, quarantined, log, submit, content } = setUp(t, place, configOf(codec), { fault });
    // The first ones are acknowledged before the death, some of them in blocks and some not.
    for (const message of requests.slice(0, 12)) assert.ok((await submit(message)).ok);
    const rest = requests.slice(12).map((message) => submit(message));
    const flushed = pool.flush();
    assert.ok((await Promise.all(rest)).every(({ ok }) => ok));
    await flushed;
    assert.equal(pool.restarts, 1);
    assert.deepEqual(content(), contentOf(requests));
    assert.equal(accepted.samples, 230);
    assert.deepEqual(quarantined, []);
    assert.equal(log.lines.filter(({ level }) => level === 'error').length, 1);
    assert.equal(pool.heldBodies, 0);
  });
}

test('what is out under an earlier configuration is not repeated after a death under a later one', async (t, place) => {
  const fault = { fatalBody: 2, deaths: 1 };
  const commit = Promise.withResolvers<void>();
  const world = setUp(t, place, configOf('snappy'), { fault, commit: () => commit.promise });
  const { pool, accepted, blocks, submit, content } = world;
  const first = submit(requestOf(1));
  const generation = pool.configure(configOf('zstd'));
  await until('the new configuration is in force', 10_000, () => pool.generation === generation);
  const second = submit(requestOf(2));
  await until('both are accepted', 10_000, () => accepted.samples === 20);
  assert.equal(pool.restarts, 1);
  await pool.flush();
  commit.resolve();
  assert.ok((await first).ok && (await second).ok);
  assert.deepEqual(
    blocks.map((block) => block.generation),
    [1, generation],
  );
  assert.deepEqual(content(), contentOf([requestOf(1), requestOf(2)]));
  assert.equal(pool.heldBodies, 0);
});

test('a body says where it comes from, and under which configuration it is treated', async (t, place) => {
  const admitted: Admitted[] = [];
  const pool = new EnginePool(configOf('snappy'), {
    clock: systemClock,
    log: recordingLogger(),
    module: kernelModule,
    startHost: hostOf(place),
    onBlock: () => {},
    onAccepted: (one) => admitted.push(one),
    onDropped: () => {},
    onDropExample: () => {},
    onQuarantined: () => {},
  });
  t.after(() => pool.close());
  const body = {
    bytes: new Uint8Array(snappy.compress(encodeRequest(requestOf(1)))),
    encoding: 'snappy-or-zstd',
    protocol: 'p',
    extraLabels: [],
    client: 'c',
  } as const;
  const verdicts = [pool.submit(body), pool.replay(body, { origin: 'journal' }).verdict];
  const generation = pool.configure(configOf('snappy'));
  verdicts.push(pool.replay(body, { origin: 'queue' }).verdict);
  await Promise.all(verdicts);
  assert.deepEqual(
    admitted.map((one) => [one.id, one.origin, one.generation]),
    [
      [1, 'client', 1],
      [2, 'journal', 1],
      [3, 'queue', generation],
    ],
  );
});

test('what was aggregated before a death of the engine is told once, with what came after', async (t, place) => {
  const fault = { fatalBody: 17, deaths: 1 };
  const rules = `
- interval: 1h
  staleness_interval: 3h
  flush_on_shutdown: true
  by: [__name__]
  outputs: [count_samples, count_series]
`;
  const stage = {
    scope: 'global',
    rules: parseAggregationRules(rules, 'f').rules,
    keepInput: true,
    dropInput: false,
    dedupIntervalMs: 0,
    dropInputLabels: [],
    enableWindows: false,
  };
  const rounding = { significantFigures: 0, roundDigits: 100 };
  const shape = {
    rules: [],
    promNaming: false,
    sortLabels: false,
    labelLimits: { labelsMax: 0, nameBytesMax: 0, valueBytesMax: 0 },
    maxHourlySeries: 0,
    maxDailySeries: 0,
    forms: [{ rules: [], labels: [], rounding }],
    stage,
  };
  const { pool, accepted, submit, content } = setUp(t, place, configOf('snappy', { shape }), { fault });
  pool.wake();
  for (const message of requests.slice(0, 12)) assert.ok((await submit(message)).ok);
  await pool.flush();
  assert.equal(pool.firstHeld, 1, 'a new engine would need them again');
  const rest = requests.slice(12).map((message) => submit(message));
  assert.ok((await Promise.all(rest)).every(({ ok }) => ok));
  assert.equal(pool.restarts, 1);
  await pool.close(false);
  assert.equal(pool.heldBodies, 0);
  assert.equal(accepted.samples, 230);
  const told = content();
  const toldOf = (output: string) => {
    const key = JSON.stringify([['__name__', `led:1h_${output}`]]);
    const points = told.get(key);
    told.delete(key);
    return points?.map((point) => Number(BigInt(point.split('@')[0]!)));
  };
  const bits = (value: number) => Number(new BigUint64Array(Float64Array.of(value).buffer)[0]);
  assert.deepEqual(toldOf('count_samples'), [bits(230)]);
  assert.deepEqual(toldOf('count_series'), [bits(10)]);
  assert.deepEqual(told, contentOf(requests));
});

test('with aggregation what was refused is kept for a new engine too: outputs are numbered by what came before them', async (t, place) => {
  const rounding = { significantFigures: 0, roundDigits: 100 };
  const shape = {
    rules: [],
    promNaming: false,
    sortLabels: false,
    labelLimits: { labelsMax: 0, nameBytesMax: 0, valueBytesMax: 0 },
    maxHourlySeries: 0,
    maxDailySeries: 0,
    forms: [{ rules: [], labels: [], rounding }],
    stage: {
      scope: 'global',
      rules: parseAggregationRules('[{interval: 1h, outputs: [count_samples]}]', 'f').rules,
      keepInput: true,
      dropInput: false,
      dedupIntervalMs: 0,
      dropInputLabels: [],
      enableWindows: false,
    },
  };
  const { pool, submit } = setUp(t, place, configOf('snappy', { shape }));
  assert.ok((await submit(requestOf(1))).ok);
  const bad = { bytes: Uint8Array.of(3, 8, 1, 2, 3), encoding: 'snappy-or-zstd', protocol: 'p' } as const;
  assert.ok(!(await pool.submit({ ...bad, extraLabels: [], client: 'c' })).ok);
  await pool.flush();
  assert.equal(pool.heldBodies, 2);
  assert.equal(pool.firstHeld, 1);
  assert.equal(pool.firstInWork, 3, 'but both are through');
  await pool.close();
  assert.equal(pool.heldBodies, 0);
});

test('after a death, memory of acknowledged bodies is not given to others before they are in blocks', async (t, place) => {
  const fault = { fatalBody: 201, deaths: 1 };
  const config = configOf('snappy', { flushIntervalMs: 3_600_000, maxRowsPerBlock: 1_000_000 });
  const { pool, submit, content } = setUp(t, place, config, { fault });
  const old = Array.from({ length: 200 }, (_, nth) => requestOf(nth));
  for (const message of old) assert.ok((await submit(message)).ok);
  const fresh = Array.from({ length: 200 }, (_, nth) => requestOf(1_000 + nth));
  const { stats } = pool;
  const verdicts = [submit(fresh[0]!)];
  // The new engine's first word comes before it has seen what the dead one had.
  while (pool.stats === stats) await turn();
  assert.equal(pool.restarts, 1);
  assert.equal(pool.firstHeld, 1, 'what the dead engine had is still there');
  for (const message of fresh.slice(1)) verdicts.push(submit(message));
  assert.ok((await Promise.all(verdicts)).every(({ ok }) => ok));
  await pool.close();
  assert.deepEqual(content(), contentOf([...old, ...fresh]));
});

test('a stop while the engine is down waits for the next one, and not for ever', async (t, place) => {
  for (const [deaths, samples] of [
    [1, 20],
    [1_000, 0],
  ] as const) {
    const fault = { fatalBody: 2, deaths };
    const config = configOf('snappy', { maxRowsPerBlock: 1e6 });
    const { pool, submit, content, log } = setUp(t, place, config, { fault });
    assert.ok((await submit(requestOf(1))).ok);
    const second = submit(requestOf(2));
    while (pool.restarts === 0) await turn();
    await pool.close();
    const verdict = await second;
    const arrived = [...content().values()].flat().length;
    // A body that kills twice is set aside, so the first one gets out in any case.
    assert.equal(arrived, samples === 0 ? 10 : samples);
    assert.equal(verdict.ok, samples > 0);
    assert.ok(log.lines.length > 0);
  }
});

test('a body that kills the engine twice is refused and set aside; the others get through', async (t, place) => {
  const { pool, quarantined, accepted, submit, content } = setUp(t, place, configOf('snappy'), {
    fault: 'marker',
  });
  const before = submit(requests[0]!);
  const deadly = submit(requestOf(99, 'deadly'), 'attacker');
  const after = submit(requests[1]!);
  const verdict = await deadly;
  assert.ok(!verdict.ok);
  assert.deepEqual([verdict.status, verdict.reason], [400, 'quarantined']);
  assert.ok((await before).ok);
  assert.ok((await after).ok);
  await pool.flush();
  assert.deepEqual(quarantined, ['attacker']);
  assert.equal(pool.restarts, 2);
  assert.deepEqual(content(), contentOf(requests.slice(0, 2)));
  assert.equal(accepted.samples, 20);
  assert.equal(pool.heldBodies, 0);
  assert.equal(pool.hasRoom, true);
});

test('a new configuration counts for what comes after it, and blocks say which one they are of', async (t, place) => {
  const { pool, blocks, submit, content } = setUp(t, place, configOf('snappy'));
  const first = submit(requests[0]!);
  const generation = pool.configure(configOf('zstd'));
  const second = submit(requests[1]!);
  await pool.flush();
  assert.ok((await first).ok && (await second).ok);
  assert.deepEqual(
    blocks.map(({ generation: of, block }) => [of, block.codec]),
    [
      [1, 'snappy'],
      [generation, 'zstd'],
    ],
  );
  assert.equal(pool.generation, generation);
  assert.deepEqual(content(), contentOf(requests.slice(0, 2)));
});

test('a closed engine has put everything into blocks and takes nothing more', async (t, place) => {
  const { pool, submit, content } = setUp(t, place, configOf('snappy'));
  const last = submit(requests[0]!);
  await pool.close();
  assert.ok((await last).ok);
  assert.deepEqual(content(), contentOf(requests.slice(0, 1)));
  const verdict = await submit(requests[1]!);
  assert.ok(!verdict.ok);
  assert.equal(verdict.status, 503);
});

test('a verdict waits until the body is committed, and the body stays until then', async (t, place) => {
  const committing: { accepted: Accepted; resolve: () => void; reject: (error: Error) => void }[] = [];
  const { pool, submit } = setUp(t, place, configOf('snappy'), {
    commit: (accepted) => new Promise((resolve, reject) => committing.push({ accepted, resolve, reject })),
  });
  const verdicts = [submit(requestOf(1)), submit(requestOf(2))];
  let settled = 0;
  for (const verdict of verdicts) void verdict.then(() => settled++);
  await pool.flush(); // both are out in blocks
  assert.equal(committing.length, 2);
  assert.equal(settled, 0);
  assert.equal(pool.firstHeld, 1);
  const [first, second] = committing;
  const kept = snappy.uncompress(new Uint8Array(first!.accepted.bytes.slice()));
  assert.deepEqual(Buffer.from(kept), Buffer.from(encodeRequest(requestOf(1))));
  second!.reject(new Error('full disk'));
  const refused = await verdicts[1]!;
  assert.equal(refused.ok === false && refused.status, 503);
  first!.resolve();
  assert.equal((await verdicts[0]!).ok, true);
  assert.equal(pool.heldBodies, 0);
});

test('a body from the journal is not committed again', async (t, place) => {
  let commits = 0;
  const { pool, content } = setUp(t, place, configOf('snappy'), {
    commit: async () => {
      commits++;
    },
  });
  const { id, verdict } = pool.replay(
    {
      bytes: new Uint8Array(snappy.compress(encodeRequest(requestOf(5)))),
      encoding: 'snappy-or-zstd',
      protocol: 'promremotewrite',
      extraLabels: [],
      client: 'journal',
    },
    { origin: 'journal' },
  );
  assert.equal(id, 1);
  assert.equal((await verdict).ok, true);
  await pool.flush();
  assert.equal(commits, 0);
  assert.deepEqual(content(), contentOf([requestOf(5)]));
});

testOnce(
  'large bodies go in several messages, and a new engine has to see them all before one is given back',
  async () => {
    const engines: { posted: ToEngine[]; events: HostEvents }[] = [];
    const pool = new EnginePool(configOf('snappy'), {
      clock: systemClock,
      log: recordingLogger(),
      module: kernelModule,
      startHost: (_start, events) => {
        const posted: ToEngine[] = [];
        engines.push({ posted, events });
        return { post: (message) => posted.push(message), end: async () => {} };
      },
      onBlock: () => {},
      onAccepted: () => {},
      onDropped: () => {},
      onDropExample: () => {},
      onQuarantined: () => {},
    });
    const bodiesOf = (engine: number) =>
      engines[engine]!.posted.flatMap((message) =>
        message.kind === 'bodies' ? [message.fields.length / BODY_FIELDS] : [],
      );
    const answer = { kind: 'done', generation: 1, stats: new Array<number>(11).fill(0) } as const;
    const bytes = new Uint8Array(200 * 1024);
    const body = { bytes, encoding: 'plain', protocol: 'p', extraLabels: [], client: 'c' } as const;
    const verdicts = [1, 2, 3].map(() => pool.submit(body));
    await until('all are posted', 10_000, () => bodiesOf(0).length === 2);
    assert.deepEqual(bodiesOf(0), [2, 1]);
    const accepted = [1, 2, 3].flatMap((id) => [id, 0, 0, 0, 0, 0]);
    engines[0]!.events.onMessage({ ...answer, reached: 3, heldFrom: 1, batches: 2, accepted });
    assert.ok((await Promise.all(verdicts)).every(({ ok }) => ok));
    engines[0]!.events.onEnd(new Error('died'));
    const alive = setInterval(() => {}, 1_000);
    await until('the next one is there', 10_000, () => engines.length === 2);
    clearInterval(alive);
    assert.deepEqual(bodiesOf(1), [2, 1]);
    // The first two are out in blocks, and of the third it does not know yet.
    engines[1]!.events.onMessage({ ...answer, reached: 2, batches: 1 });
    assert.equal(pool.heldBodies, 3);
    engines[1]!.events.onMessage({ ...answer, reached: 3, batches: 1 });
    assert.equal(pool.heldBodies, 0);
  },
);
