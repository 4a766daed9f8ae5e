/**
 * Aggregation and deduplication inside of the pipeline, on the time of events: where outputs go, what the ledger gets, and
 * that an engine that dies anywhere is followed by one that tells the rest, nothing twice.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import snappy from 'snappyjs';
import type { StageConfig } from '../../src/engine/aggregation-stage.ts';
import type {
  BlockMessage,
  BodyRef,
  EngineConfig,
  EngineState,
  Progress,
} from '../../src/engine/messages.ts';
import { Pipeline, type PipelineStart } from '../../src/engine/pipeline.ts';
import type { ShapeConfig } from '../../src/engine/shape.ts';
import { compileKernel, Kernel } from '../../src/kernel/kernel.ts';
import { parseAggregationRules } from '../../src/transform/aggregate/rule.ts';
import { parseRules } from '../../src/transform/relabel/rule.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { runs } from '../support/runs.ts';
import {
  type Content,
  decodeBlock,
  encodeRequest,
  type TestRequest,
  type TestSeries,
} from './support/messages.ts';

const kernelModule = compileKernel();
/** On the grid of every interval here. */
const START_MS = 1_800_000_000_000;
const STALE = 0x7ff0000000000002n;

const scratch = new DataView(new ArrayBuffer(8));

function bitsOf(value: number): bigint {
  scratch.setFloat64(0, value);
  return scratch.getBigUint64(0);
}

function stage(rules: string, over: Partial<StageConfig> = {}): StageConfig {
  const parsed = parseAggregationRules(rules, 'rules.yaml');
  assert.deepEqual(parsed.problems, []);
  return {
    scope: 'global',
    rules: parsed.rules,
    keepInput: false,
    dropInput: false,
    dedupIntervalMs: 0,
    dropInputLabels: [],
    enableWindows: false,
    ...over,
  };
}

const NO_ROUNDING = { significantFigures: 0, roundDigits: 100 };

function configOf(shape: Partial<ShapeConfig>, groups: EngineConfig['groups'] = [groupOf(0)]): EngineConfig {
  return {
    groups,
    shape: {
      rules: [],
      promNaming: false,
      sortLabels: false,
      labelLimits: { labelsMax: 0, nameBytesMax: 0, valueBytesMax: 0 },
      maxHourlySeries: 0,
      maxDailySeries: 0,
      forms: [{ rules: [], labels: [], rounding: NO_ROUNDING }],
      ...shape,
    },
    maxRowsPerBlock: 7,
    maxBlockBytes: 1024 * 1024,
    maxMetadataPerBlock: 100,
    flushIntervalMs: 1000,
    bodyBytesMax: 1024 * 1024,
  };
}

const groupOf = (form: number, parallel = 1) =>
  ({ codec: 'snappy', level: 0, metadata: true, parallel, form }) as const;

function seriesOf(
  labels: Readonly<Record<string, string>>,
  points: readonly (readonly [number, number | bigint])[],
): TestSeries {
  return {
    labels: Object.entries(labels).map(([name, value]) => ({ name, value })),
    points: points.map(([timestamp, value]) => ({
      timestamp,
      bits: typeof value === 'bigint' ? value : bitsOf(value),
    })),
    exemplars: 0,
  };
}

/** A pipeline with the main thread's part played. */
class Engine {
  readonly config: EngineConfig;
  readonly blocks: BlockMessage[] = [];
  readonly counted: Record<string, number> = {};
  pipeline: Pipeline;
  #nextId = 1;
  /** Bodies that a new engine needs. */
  #kept: { ref: BodyRef; wire: Uint8Array }[] = [];
  #state: EngineState | undefined;
  #progress: Progress[][];
  #reached = 0;

  readonly #sliceOutputs: number | undefined;

  constructor(config: EngineConfig, nowMs = START_MS, sliceOutputs?: number) {
    this.config = config;
    this.#sliceOutputs = sliceOutputs;
    this.#progress = config.groups.map(({ parallel }) =>
      Array.from({ length: parallel }, () => ({ body: 0, series: 0, sample: 0 })),
    );
    this.pipeline = this.#start({ nowMs });
    this.save();
  }

  #start(start: PipelineStart): Pipeline {
    const clock = new FakeClock();
    const sliceOutputs = this.#sliceOutputs;
    return new Pipeline(new Kernel(kernelModule), this.config, { clock, sliceOutputs, ...start });
  }

  push(arrivedMs: number, series: readonly TestSeries[]): void {
    const request: TestRequest = { series, metadata: [] };
    this.pushWire(arrivedMs, encodeRequest(request));
  }

  pushWire(arrivedMs: number, message: Uint8Array): void {
    const wire = new Uint8Array(snappy.compress(message));
    const ref: BodyRef = {
      id: this.#nextId++,
      slab: 0,
      offset: 0,
      length: wire.byteLength,
      encoding: 'snappy-or-zstd',
      protocol: 'p',
      extraLabels: [],
      arrivedMs,
    };
    this.#kept.push({ ref, wire });
    const judged = this.pipeline.accept(ref, wire, 0);
    assert.ok(!('error' in judged));
    this.#take();
  }

  tick(nowMs: number): void {
    this.pipeline.advance(nowMs, false);
    this.#take();
  }

  save(_nowMs?: number): void {
    this.#state = this.pipeline.save();
    this.#take();
    const { at } = this.#state!;
    this.#kept = this.#kept.filter(({ ref }) => ref.id > at);
  }

  /** The engine dies and another one takes over. */
  die(nowMs: number): void {
    const resume = { state: this.#state, countedTo: this.#reached };
    this.pipeline = this.#start({ nowMs: START_MS, progress: this.#progress, resume });
    for (const { ref, wire } of this.#kept) {
      this.pipeline.accept({ ...ref, isJudged: ref.id <= this.#reached }, wire, 0);
    }
    this.tick(nowMs);
  }

  flush(): void {
    this.pipeline.flush();
    this.#take();
  }

  #take(): void {
    const { dropped, told, reached } = this.pipeline.takeNews();
    for (const { group, reason, counts } of dropped) this.#count(`${group} ${reason}`, counts.samples);
    for (const { group, kind, samples } of told) this.#count(`${group} ${kind}`, samples);
    this.#reached = Math.max(this.#reached, reached);
    for (const block of this.pipeline.takeBlocks()) {
      this.blocks.push(block);
      this.#progress[block.group]![block.lane] = block.progress;
    }
  }

  #count(column: string, samples: number): void {
    this.counted[column] = (this.counted[column] ?? 0) + samples;
  }

  /** What the blocks of a group hold: `name{label="value"}` → values (or bits) at milliseconds since the start. */
  content(group = 0): Record<string, string[]> {
    this.flush();
    const content: Content = new Map();
    for (const block of this.blocks) {
      if (block.group !== group) continue;
      const bytes = new Uint8Array(block.memory, block.offset, block.length);
      decodeBlock({ codec: block.codec, rawLength: block.rawLength, bytes }, content);
    }
    const found: Record<string, string[]> = {};
    for (const [key, points] of content) {
      const pairs = JSON.parse(key) as [string, string][];
      const name = pairs.find(([label]) => label === '__name__')?.[1] ?? '';
      const rest = pairs
        .filter(([label]) => label !== '__name__')
        .map(([label, value]) => `${label}="${value}"`);
      found[rest.length === 0 ? name : `${name}{${rest.join(',')}}`] = points.map((point) => {
        const [bits, at] = point.split('@').map(BigInt) as [bigint, bigint];
        scratch.setBigUint64(0, bits);
        const value = scratch.getFloat64(0);
        return `${Number.isNaN(value) ? bits.toString(16) : value}@${at - BigInt(START_MS)}`;
      });
    }
    return found;
  }
}

const SUM = `
- match: a
  interval: 10s
  by: [job]
  outputs: [sum_samples]
`;

const both = (at: number, value: number) => [
  seriesOf({ __name__: 'a', job: 'x', pod: '1' }, [[START_MS + at, value]]),
  seriesOf({ __name__: 'a', job: 'x', pod: '2' }, [[START_MS + at, value]]),
  seriesOf({ __name__: 'b', job: 'x' }, [[START_MS + at, value]]),
];

describe('rules ahead of all destinations', () => {
  const table = [
    [false, false, { b: ['1@1'] }, { 'undefined aggregated_in': 2 }],
    [false, true, {}, { 'undefined aggregated_in': 2, 'undefined dropped_input': 1 }],
    [true, false, { a: ['1@1', '1@1'], b: ['1@1'] }, {}],
    [true, true, { a: ['1@1', '1@1'] }, { 'undefined dropped_input': 1 }],
  ] as const;
  for (const [keepInput, dropInput, goesOn, counted] of table) {
    test(`keepInput ${keepInput}, dropInput ${dropInput}: what goes on, what is told and counted`, () => {
      const engine = new Engine(configOf({ stage: stage(SUM, { keepInput, dropInput }) }));
      engine.push(START_MS + 1, both(1, 1));
      const names: Record<string, string[]> = {};
      for (const [series, points] of Object.entries(engine.content())) {
        const name = series.split('{')[0]!;
        names[name] = [...(names[name] ?? []), ...points];
      }
      assert.deepEqual(names, goesOn);
      assert.deepEqual({ ...engine.counted }, counted);
      engine.tick(START_MS + 10_000);
      assert.deepEqual(engine.content()['a:10s_by_job_sum_samples{job="x"}'], ['2@10000']);
      assert.equal(engine.counted['undefined aggregated_out'], 1);
    });
  }

  test('a stale marker of a series that is matched is swallowed, and one that is deduplicated goes on with its bits', () => {
    const engine = new Engine(configOf({ stage: stage(SUM, { dedupIntervalMs: 5_000 }) }));
    engine.push(START_MS, [
      seriesOf({ __name__: 'a', job: 'x' }, [[START_MS, STALE]]),
      seriesOf({ __name__: 'z', job: 'y', a: '1' }, [
        [START_MS, 1],
        [START_MS + 1, STALE],
      ]),
    ]);
    assert.deepEqual(engine.content(), {});
    engine.tick(START_MS + 5_000);
    assert.deepEqual(engine.content(), { 'z{a="1",job="y"}': [`${STALE.toString(16)}@1`] });
    assert.deepEqual(engine.counted, {
      'undefined aggregated_in': 1,
      'undefined deduplicated_in': 2,
      'undefined deduplicated_out': 1,
    });
  });

  test('a window ends before the request that comes after its end', () => {
    const engine = new Engine(configOf({ stage: stage(SUM) }));
    engine.push(START_MS + 1, both(1, 1));
    engine.push(START_MS + 10_000, both(10_000, 5));
    assert.deepEqual(engine.content()['a:10s_by_job_sum_samples{job="x"}'], ['2@10000']);
    engine.tick(START_MS + 20_000);
    assert.deepEqual(engine.content()['a:10s_by_job_sum_samples{job="x"}'], ['2@10000', '10@20000']);
  });

  test('outputs see rules, rules of aggregation, labels and rounding of destinations; input does not come again', () => {
    const rules = parseRules('- action: drop\n  source_labels: [job]\n  regex: y\n', 'f').rules;
    const own = stage('- interval: 10s\n  match: \'{__name__=~"a:.+"}\'\n  outputs: [max]\n', {
      scope: 'destination 2',
    });
    const engine = new Engine(
      configOf(
        {
          stage: stage(SUM),
          forms: [
            { rules, labels: [['site', 's']], rounding: { significantFigures: 0, roundDigits: 0 } },
            { rules: [], labels: [], rounding: NO_ROUNDING, stage: own },
          ],
        },
        [groupOf(0), groupOf(1)],
      ),
    );
    engine.push(START_MS, [
      seriesOf({ __name__: 'a', job: 'x' }, [[START_MS, 1.5]]),
      seriesOf({ __name__: 'a', job: 'y' }, [[START_MS, 2.5]]),
    ]);
    engine.tick(START_MS + 10_000);
    engine.tick(START_MS + 20_000);
    assert.deepEqual(engine.content(0)['a:10s_by_job_sum_samples{job="x",site="s"}']?.[0], '2@10000');
    assert.equal(
      Object.keys(engine.content(0)).some((series) => series.includes('"y"')),
      false,
    );
    // Places end their windows in the order of the way, so the output of the global rule is in the same one.
    assert.deepEqual(engine.content(1), {
      'a:10s_by_job_sum_samples:10s_max{job="x"}': ['1.5@10000'],
      'a:10s_by_job_sum_samples:10s_max{job="y"}': ['2.5@10000'],
    });
  });
});

test('samples of one series through deduplication of a destination, with other forms beside it', () => {
  const dedup = stage('', { scope: 'destination 2', dedupIntervalMs: 10_000, dropInputLabels: ['replica'] });
  const engine = new Engine(
    configOf(
      {
        forms: [
          { rules: [], labels: [], rounding: NO_ROUNDING },
          { rules: [], labels: [], rounding: NO_ROUNDING, stage: dedup },
        ],
      },
      [groupOf(0), groupOf(1)],
    ),
  );
  for (const replica of ['1', '2']) {
    engine.push(START_MS, [
      seriesOf({ __name__: 'm', replica }, [[START_MS + Number(replica), Number(replica)]]),
    ]);
  }
  engine.tick(START_MS + 10_000);
  assert.deepEqual(engine.content(0), { 'm{replica="1"}': ['1@1'], 'm{replica="2"}': ['2@2'] });
  assert.deepEqual(engine.content(1), { m: ['2@2'] });
  assert.deepEqual(engine.counted, { '1 deduplicated_in': 2, '1 deduplicated_out': 1 });
});

test('a series that other rules drop now leaves its aggregation', () => {
  const before = configOf({ stage: stage(SUM) });
  const engine = new Engine(before);
  const series = [seriesOf({ __name__: 'a', job: 'x' }, [[START_MS, 1]])];
  engine.push(START_MS, series);
  const rules = parseRules('- action: drop\n  source_labels: [job]\n  regex: x\n', 'f').rules;
  engine.pipeline.configure({ ...before, shape: { ...before.shape!, rules } }, START_MS);
  engine.push(START_MS, series);
  engine.tick(START_MS + 10_000);
  assert.deepEqual(engine.content(), { 'a:10s_by_job_sum_samples{job="x"}': ['1@10000'] });
});

test('rules that say the same go on over a reload; rules that are gone end, and held samples go on', () => {
  const other = '- match: \'{__name__="b"}\'\n  interval: 10s\n  flush_on_shutdown: true\n  outputs: [max]\n';
  const before = configOf({ stage: stage(SUM + other, { dedupIntervalMs: 10_000 }) });
  const engine = new Engine(before);
  engine.push(START_MS + 1, [...both(1, 3), seriesOf({ __name__: 'c' }, [[START_MS, 1]])]);
  engine.pipeline.configure({ ...before, shape: { ...before.shape!, stage: stage(SUM) } }, START_MS + 2);
  assert.deepEqual(engine.content(), { 'b:10s_max{job="x"}': ['3@10000'], c: ['1@0'] });
  engine.push(START_MS + 3, both(3, 4));
  engine.tick(START_MS + 10_000);
  assert.deepEqual(engine.content()['a:10s_by_job_sum_samples{job="x"}'], ['14@10000']);
});

type Event =
  | {
      readonly kind: 'push';
      readonly afterMs: number;
      readonly series: readonly (readonly [series: number, value: number])[];
    }
  | { readonly kind: 'tick' | 'save' | 'flush' | 'die'; readonly afterMs: number };

const event: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('push' as const),
      afterMs: fc.nat({ max: 900 }),
      series: fc.array(fc.tuple(fc.nat({ max: 12 }), fc.integer({ min: -5, max: 50 })), { maxLength: 12 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        'tick' as const,
        'save' as const,
        'flush' as const,
        'die' as const,
        'die' as const,
      ),
      afterMs: fc.nat({ max: 900 }),
    }),
  },
);

const ALL = `
- match: '{n=~"[0-4]"}'
  interval: 1s
  by: [n]
  outputs: [total, sum_samples, count_series, last]
  dedup_interval: 500ms
- match: '{n=~"[3-7]"}'
  interval: 2s
  staleness_interval: 4s
  without: [pod]
  outputs: [increase, max, quantiles(0.5)]
  enable_windows: true
`;

/** Windows that are told at once, and in slices that deaths come between. */
const slices = fc.constantFrom(undefined, 1, 2, 5);

test('an engine that dies anywhere is followed by one that goes on: nothing is missing, nothing is there twice', () => {
  const own = stage('- interval: 1s\n  by: [n]\n  outputs: [count_samples]\n', {
    scope: 'destination 2',
    keepInput: true,
    dedupIntervalMs: 1_500,
  });
  const config = configOf(
    {
      stage: stage(ALL, { keepInput: true, dedupIntervalMs: 700 }),
      forms: [
        { rules: [], labels: [], rounding: NO_ROUNDING },
        { rules: [], labels: [['site', 'x']], rounding: NO_ROUNDING, stage: own },
      ],
    },
    [groupOf(0, 4), groupOf(1)],
  );
  const runWith = (events: readonly Event[], isMortal: boolean, slice: number | undefined) => {
    const engine = new Engine(config, START_MS, slice);
    let nowMs = START_MS;
    for (const one of events) {
      nowMs += one.afterMs;
      if (one.kind === 'push') {
        const series = one.series.map(([n, value]) =>
          seriesOf({ __name__: 'm', n: `${n % 9}`, pod: `${n}` }, [[nowMs - (n % 3) * 300, value]]),
        );
        engine.push(nowMs, series);
      } else if (one.kind === 'tick') engine.tick(nowMs);
      else if (one.kind === 'flush') engine.flush();
      else if (isMortal) engine[one.kind](nowMs);
      else if (one.kind === 'die') engine.tick(nowMs);
    }
    engine.tick(nowMs + 10_000);
    return { counted: engine.counted, contents: [engine.content(0), engine.content(1)] };
  };
  fc.assert(
    fc.property(fc.array(event, { minLength: 1, maxLength: 40 }), slices, (events, slice) => {
      assert.deepEqual(runWith(events, true, slice), runWith(events, false, slice));
    }),
    runs(60),
  );
});

describe('windows that tell much', () => {
  const GROUPS = 30;
  const rules = `
- {interval: 1s, by: [n], outputs: [sum_samples, count_samples], match: a, staleness_interval: 5s}
- {interval: 10s, by: [n], outputs: [max], match: a}
`;
  const all = (at: number, value: number) =>
    Array.from({ length: GROUPS }, (_, n) =>
      seriesOf({ __name__: 'a', n: `${n}` }, [[START_MS + at, value]]),
    );
  const told = (engine: Engine) => engine.counted['undefined aggregated_out'] ?? 0;

  test('are told in slices, between which requests go on; what comes later is in none of them', () => {
    const engine = new Engine(configOf({ stage: stage(rules) }), START_MS, 7);
    engine.push(START_MS + 10, all(10, 3));
    const steps: number[] = [];
    for (let at = 1_000; at < 1_040; at += 2) {
      // Each gets through, and its samples belong to the next window.
      engine.push(START_MS + at, all(at, 100));
      engine.push(START_MS + at, [seriesOf({ __name__: 'b' }, [[START_MS + at, at]])]);
      steps.push(told(engine));
    }
    assert.deepEqual(steps.slice(0, 6), [7, 7, 14, 14, 21, 21], 'one slice every 4 ms');
    assert.equal(steps.at(-1), 60);
    const content = engine.content();
    for (let n = 0; n < GROUPS; n++) {
      assert.deepEqual(content[`a:1s_by_n_sum_samples{n="${n}"}`], ['3@1000']);
      assert.deepEqual(content[`a:1s_by_n_count_samples{n="${n}"}`], ['1@1000']);
    }
    assert.equal(content.b!.length, 20);
    engine.tick(START_MS + 2_500);
    assert.deepEqual(engine.content()['a:1s_by_n_sum_samples{n="0"}'], ['3@1000', '2000@2000']);
  });

  test('are told to the end before the next window of their rule ends; other rules do not wait', () => {
    const engine = new Engine(configOf({ stage: stage(rules) }), START_MS, 1);
    engine.push(START_MS + 10, all(10, 3));
    engine.tick(START_MS + 1_000);
    assert.equal(told(engine), 1);
    // 60 slices take 240 ms; a rule that ends sooner tells all at once.
    engine.tick(START_MS + 1_100);
    assert.equal(told(engine), 26);
    engine.tick(START_MS + 10_003);
    // The groups of the first rule live for 5s.
    assert.equal(engine.content()['a:1s_by_n_sum_samples{n="29"}']!.length, 5);
    assert.equal(engine.content()['a:10s_by_n_max{n="29"}'], undefined);
    engine.tick(START_MS + 10_003 + 4 * GROUPS);
    assert.equal(engine.content()['a:10s_by_n_max{n="29"}']!.length, 1);
  });

  test('go into the windows of destinations that end at the same time', () => {
    const own = stage('- {interval: 1s, by: [__name__], outputs: [sum_samples]}', { scope: 'destination 1' });
    const engine = new Engine(
      configOf({
        stage: stage('- {interval: 1s, by: [n], outputs: [max]}'),
        forms: [{ rules: [], labels: [], rounding: NO_ROUNDING, stage: own }],
      }),
      START_MS,
      4,
    );
    engine.push(START_MS + 10, all(10, 2));
    engine.tick(START_MS + 1_000);
    assert.deepEqual(engine.content(), { 'a:1s_by_n_max:1s_sum_samples': [`${2 * GROUPS}@1000`] });
  });

  test('are told at the end of their rules, and at the end of the state, to the last', () => {
    for (const end of ['configure', 'finish'] as const) {
      const config = configOf({ stage: stage(rules, { dedupIntervalMs: 1_000 }) });
      const engine = new Engine(config, START_MS, 5);
      engine.push(START_MS + 10, all(10, 3));
      engine.push(
        START_MS + 20,
        [...Array(9).keys()].map((n) => seriesOf({ c: `${n}` }, [[START_MS, n]])),
      );
      engine.tick(START_MS + 1_000);
      if (end === 'finish') engine.pipeline.finish();
      else
        engine.pipeline.configure(
          { ...config, shape: { ...config.shape!, stage: stage(SUM) } },
          START_MS + 1_001,
        );
      const keys = Object.keys(engine.content());
      assert.equal(keys.filter((key) => key.startsWith('a:1s')).length, 2 * GROUPS, end);
      assert.equal(keys.filter((key) => key.startsWith('{c=')).length, 9, end);
    }
  });
});

test('a pause ends one window, with its own end; a clock that was set back begins windows anew', () => {
  const engine = new Engine(configOf({ stage: stage(SUM, { dedupIntervalMs: 10_000 }) }));
  engine.push(START_MS + 1, [...both(1, 1), seriesOf({ __name__: 'c' }, [[START_MS, 1]])]);
  engine.pipeline.advance(START_MS + 3_600_000, true);
  engine.tick(START_MS + 3_600_000);
  assert.deepEqual(engine.content(), {
    'a:10s_by_job_sum_samples{job="x"}': ['2@10000'],
    'b{job="x"}': ['1@1'],
    c: ['1@0'],
  });
  // By two hours.
  engine.push(START_MS - 3_600_000, both(5, 1));
  engine.tick(START_MS - 3_590_000);
  const content = engine.content();
  assert.deepEqual(content['a:10s_by_job_sum_samples{job="x"}'], ['2@10000', '2@-3590000']);
  assert.deepEqual(content['b{job="x"}'], ['1@1', '1@5']);
});

test('a shard aggregates what it owns; what is told ahead of shards goes to its owner', () => {
  const rules = '- match: \'{__name__="m"}\'\n  interval: 10s\n  by: [__name__]\n  outputs: [count_series]\n';
  const own = (shard: number) => stage(rules, { scope: `destination ${shard}`, shard, keepInput: true });
  const form = (shard: number) => ({ rules: [], labels: [], rounding: NO_ROUNDING, stage: own(shard) });
  const engine = new Engine(
    configOf(
      {
        stage: stage('- match: \'{__name__="m"}\'\n  interval: 10s\n  by: [n]\n  outputs: [max]\n', {
          keepInput: true,
        }),
        forms: [form(0), form(1)],
        placement: {
          mode: 'rendezvous',
          destinations: ['a', 'b'].map((name) => ({ name, url: `http://${name}/` })),
          replicas: 1,
          virtualNodes: 1,
          labels: [],
          ignoreLabels: [],
        },
      },
      [0, 1].map((shard) => ({ ...groupOf(shard), shard })),
    ),
  );
  const series = Array.from({ length: 40 }, (_, n) =>
    seriesOf({ __name__: 'm', n: `${n}` }, [[START_MS, n]]),
  );
  engine.push(START_MS, series);
  engine.tick(START_MS + 10_000);
  const contents = [engine.content(0), engine.content(1)];
  const named = (content: Record<string, string[]>, name: string) =>
    Object.keys(content).filter((key) => key.startsWith(`${name}{`));
  for (const content of contents) {
    const owned = named(content, 'm').length;
    assert.ok(owned > 0);
    assert.deepEqual(content['m:10s_count_series'], [`${owned}@10000`]);
  }
  for (const name of ['m', 'm:10s_by_n_max']) {
    assert.equal(new Set(contents.flatMap((content) => named(content, name))).size, 40);
    assert.equal(contents.flatMap((content) => named(content, name)).length, 40);
  }
  assert.equal(engine.counted['undefined aggregated_out'], 40);
  assert.equal(engine.counted['0 other_shard']! + engine.counted['1 other_shard']!, 80);
});

test('native histograms of series that are held back go on, and exemplars do not', () => {
  // Told apart by the number of histograms of a row, which only real histograms have: field 4 of a series.
  const histogram = Buffer.from([0x22, 0x02, 0x08, 0x05]);
  const labels = Buffer.from([0x0a, 0x0d, 0x0a, 0x08, ...Buffer.from('__name__'), 0x12, 0x01, 0x61]);
  const series = Buffer.concat([labels, histogram]);
  const message = Buffer.concat([Buffer.from([0x0a, series.length]), series]);
  const engine = new Engine(configOf({ stage: stage('- interval: 10s\n  outputs: [max]\n') }));
  engine.pushWire(START_MS, message);
  engine.push(START_MS, [{ ...seriesOf({ __name__: 'b' }, [[START_MS, 1]]), exemplars: 1 }]);
  engine.flush();
  assert.deepEqual(
    engine.blocks.map(({ counts }) => counts),
    [{ series: 1, samples: 0, histograms: 1, exemplars: 0, metadata: 0 }],
  );
  assert.deepEqual(engine.counted, { 'undefined aggregated_in': 1 });
});

test('samples of one series keep their order in a request, whatever the full table does not know around them', () => {
  const config = configOf({
    stage: stage('- {interval: 10s, match: a, by: [__name__], outputs: [increase]}'),
  });
  const small = { maxRowsPerBlock: 1_000, seriesBytesMax: 0 };
  const engine = new Engine({ ...config, ...small });
  // Before the reload, which leaves the table as it is, nothing depended on the order.
  const start = { clock: new FakeClock(), nowMs: START_MS };
  engine.pipeline = new Pipeline(new Kernel(kernelModule), { ...configOf({}), ...small }, start);
  engine.pipeline.configure({ ...config, ...small }, START_MS);
  const known = Array.from({ length: 64 }, (_, n) => seriesOf({ __name__: n === 0 ? 'a' : `b${n}` }, []));
  const a = (at: number, value: number) => seriesOf({ __name__: 'a' }, [[START_MS + at, value]]);
  const strangers = Array.from({ length: 100 }, (_, n) =>
    seriesOf({ __name__: `c${n}` }, [[START_MS + 2, n]]),
  );
  engine.push(START_MS + 1, [a(1, 10), ...known.slice(1)]);
  engine.push(START_MS + 2, [a(2, 20), ...strangers, a(3, 5), a(4, 6)]);
  engine.tick(START_MS + 10_000);
  assert.deepEqual(engine.content()['a:10s_increase'], ['16@10000']);
});
