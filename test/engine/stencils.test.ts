/**
 * Series that come again and again, through rules, shards, lanes and small blocks: every destination gets what a naive model
 * says, also from an engine that goes on where another one died, and after refs went to other series.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import snappy from 'snappyjs';
import type { LaneProgress } from '../../src/encode/group.ts';
import type { BlockMessage, EngineConfig } from '../../src/engine/messages.ts';
import { Pipeline } from '../../src/engine/pipeline.ts';
import type { FormConfig, ShapeConfig } from '../../src/engine/shape.ts';
import { compileKernel, Kernel } from '../../src/kernel/kernel.ts';
import { parseRules } from '../../src/transform/relabel/rule.ts';
import { Random } from '../kernel/support/random.ts';
import { runs } from '../support/runs.ts';
import { type Content, contentOf, decodeBlock, encodeRequest, type TestSeries } from './support/messages.ts';

const kernelModule = compileKernel();
/** Longer than an epoch of the series table. */
const MINUTE_MS = 61_000;
const QUIET = [{ name: '__name__', value: 'quiet' }];

const RULES = `
- action: drop
  source_labels: [__name__]
  regex: dropped_.*
- action: labeldrop
  regex: secret
`;

const formOf = (labels: FormConfig['labels']): FormConfig => ({
  rules: [],
  labels,
  rounding: { significantFigures: 0, roundDigits: 100 },
});

const SHARDS = [0, 1, 2];
const SHAPE: ShapeConfig = {
  rules: parseRules(RULES, 'rules').rules,
  promNaming: false,
  sortLabels: false,
  labelLimits: { labelsMax: 0, nameBytesMax: 0, valueBytesMax: 0 },
  maxHourlySeries: 0,
  maxDailySeries: 0,
  forms: [formOf([]), formOf([['zone', 'b']])],
  placement: {
    mode: 'rendezvous',
    destinations: SHARDS.map((index) => ({ name: `d${index}`, url: `http://127.0.0.1:${index}/` })),
    replicas: 1,
    virtualNodes: 150,
    labels: [],
    ignoreLabels: [],
  },
};

/** The first groups share the series, the others get all of them. */
function configOf(
  bounds: Pick<EngineConfig, 'maxRowsPerBlock' | 'maxBlockBytes' | 'seriesBytesMax'>,
  parallel: number,
): EngineConfig {
  const group = { codec: 'snappy', level: 0, metadata: false, parallel: 1 } as const;
  return {
    groups: [...SHARDS.map((shard) => ({ ...group, shard })), { ...group, form: 1, parallel }],
    shape: SHAPE,
    maxMetadataPerBlock: 5_000,
    flushIntervalMs: 1_000,
    bodyBytesMax: 4 * 1024 * 1024,
    ...bounds,
  };
}

/** What the rules above make of a series, one label after another. */
function shaped(series: TestSeries, zone: boolean): TestSeries[] {
  if (series.labels.some(({ name, value }) => name === '__name__' && value.startsWith('dropped_'))) return [];
  const labels = series.labels.filter(({ name }) => name !== 'secret');
  return [{ ...series, labels: zone ? [...labels, { name: 'zone', value: 'b' }] : labels }];
}

function makeScrape(random: Random, generation: number, count: number): TestSeries['labels'][] {
  return Array.from({ length: count }, (_, index) => [
    {
      name: '__name__',
      value: random.chance(0.05) ? `dropped_${index}` : `metric_${index % 40}_seconds_total`,
    },
    { name: 'instance', value: `10.0.${generation}.${Math.floor(index / 40)}:9100` },
    {
      name: 'pod',
      value: `service-${index % 7}-${(index * 7919).toString(36)}`.repeat(random.chance(0.1) ? 3 : 1),
    },
    ...(random.chance(0.3) ? [{ name: 'secret', value: `s${index}` }] : []),
  ]);
}

function seriesOf(labels: TestSeries['labels'], scrape: number, count: number, bits = 1n): TestSeries {
  const points = Array.from({ length: count }, (_, nth) => ({
    bits,
    timestamp: 1_790_000_000_000 + scrape * 15_000 + nth,
  }));
  return { labels, points, exemplars: 0 };
}

interface Feed {
  readonly bodies: readonly (readonly TestSeries[])[];
  /** Monotonic time of each. */
  readonly times: readonly number[];
  /** Labels that each adds to its series. */
  readonly added: readonly TestSeries['labels'][];
}

function makeFeed(random: Random): Feed {
  const bodies: TestSeries[][] = [];
  const times: number[] = [];
  let all = makeScrape(random, 0, 300 + random.below(600));
  let nowMs = 0;
  for (let scrape = 0; scrape < 6; scrape++) {
    // While hardly anything comes for more than an hour, the others leave the table, and their refs are given to the next.
    if (scrape > 1 && random.chance(0.2)) {
      for (let minute = 0; minute < 75; minute++) {
        nowMs += MINUTE_MS;
        bodies.push([seriesOf(QUIET, scrape, 1)]);
        times.push(nowMs);
      }
      all = makeScrape(random, scrape, 300 + random.below(600));
    } else if (random.chance(0.3)) all.splice(random.below(all.length), random.below(10));
    for (let from = 0; from < all.length; ) {
      const length = 50 + random.below(400);
      bodies.push(
        all.slice(from, from + length).map((labels) => {
          const bits = BigInt(random.below(5)) << BigInt(random.below(60));
          return seriesOf(labels, scrape, random.chance(0.01) ? 2 : 1, bits);
        }),
      );
      nowMs += MINUTE_MS;
      times.push(nowMs);
      from += length;
    }
  }
  const added = bodies.map(() => (random.chance(0.2) ? [{ name: 'source', value: 'import' }] : []));
  return { bodies, times, added };
}

function run(pipeline: Pipeline, { bodies, times, added }: Feed): BlockMessage[] {
  for (const [index, series] of bodies.entries()) {
    const wire = new Uint8Array(snappy.compress(encodeRequest({ series, metadata: [] })));
    const body = { id: index + 1, slab: 0, offset: 0, length: wire.byteLength, extraLabels: added[index]! };
    const judged = pipeline.accept(
      { ...body, encoding: 'snappy', protocol: 'promremotewrite' },
      wire,
      times[index]!,
    );
    assert.ok(!('error' in judged));
  }
  pipeline.flush();
  return pipeline.takeBlocks();
}

/** What arrives at the shards together, and at the last group. */
function check(feed: Feed, blocks: readonly BlockMessage[], last: number): void {
  const atShards: Content[] = SHARDS.map(() => new Map());
  const atLast: Content = new Map();
  for (const message of blocks) {
    const bytes = new Uint8Array(message.memory, message.offset, message.length);
    const { codec, rawLength } = message;
    const decoded = decodeBlock({ codec, rawLength, bytes }, atShards[message.group] ?? atLast);
    assert.deepEqual(message.counts, decoded.counts);
  }
  const all = feed.bodies.flatMap((body, index) =>
    body.map((one) => ({ ...one, labels: [...one.labels, ...feed.added[index]!] })),
  );
  const of = (zone: boolean) =>
    contentOf([{ series: all.flatMap((one) => shaped(one, zone)), metadata: [] }]);
  const together: Content = new Map();
  for (const [key, points] of atShards.flatMap((content) => [...content])) {
    assert.ok(!together.has(key), 'a series has one shard');
    together.set(key, points);
  }
  assert.deepEqual(together, of(false));
  assert.deepEqual(atLast, of(true));
  assert.ok(blocks.every(({ group }) => group <= last));
}

const bounds = fc.record({
  maxRowsPerBlock: fc.constantFrom(37, 1000, 10_000),
  maxBlockBytes: fc.constantFrom(5_000, 70_000, 1024 * 1024),
  // Few of the series, and none of their stencils; most of both; all.
  seriesBytesMax: fc.constantFrom(0, 4_000_000, 1e9),
});

test('every destination gets its series, whole and in order', () => {
  fc.assert(
    fc.property(fc.integer(), bounds, fc.constantFrom(1, 4), (seed, limits, parallel) => {
      const feed = makeFeed(new Random(seed));
      const config = configOf(limits, parallel);
      check(feed, run(new Pipeline(new Kernel(kernelModule), config), feed), SHARDS.length);
    }),
    runs(25),
  );
});

test('an engine that was started anew goes on where the last one was', () => {
  fc.assert(
    fc.property(
      fc.integer(),
      bounds,
      fc.array(fc.nat({ max: 1000 }), { minLength: 4, maxLength: 4 }),
      (seed, limits, cuts) => {
        const feed = makeFeed(new Random(seed));
        const config = configOf(limits, 1);
        const made = run(new Pipeline(new Kernel(kernelModule), config), feed);
        // Of what the first engine made for each group, only a beginning arrived before its death.
        const arrived = config.groups.flatMap((_, group) => {
          const own = made.filter((message) => message.group === group);
          return own.slice(0, cuts[group]! % (own.length + 1));
        });
        const progress = config.groups.map((_, group): LaneProgress[] => [
          arrived.findLast((message) => message.group === group)?.progress ?? {
            body: 0,
            series: 0,
            sample: 0,
          },
        ]);
        const next = new Pipeline(new Kernel(kernelModule), config, { progress });
        check(feed, [...arrived, ...run(next, feed)], SHARDS.length);
      },
    ),
    runs(25),
  );
});

test('lanes take their stencils from the same room', () => {
  const feed = makeFeed(new Random(1));
  const taken = [1, 8].map((parallel) => {
    const kernel = new Kernel(kernelModule);
    const config = configOf({ maxRowsPerBlock: 10_000, maxBlockBytes: 128 * 1024 }, parallel);
    run(new Pipeline(kernel, config), feed);
    return kernel.memory.allocatedBytes;
  });
  const perLane = (taken[1]! - taken[0]!) / 7;
  assert.ok(perLane < 512 * 1024, `${perLane} bytes`);
});
