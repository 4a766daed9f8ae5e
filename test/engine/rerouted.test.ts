/** Bodies that were shaped before and only get another place: they end up where the same series end up anyway, unchanged. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import snappy from 'snappyjs';
import type { StageConfig } from '../../src/engine/aggregation-stage.ts';
import {
  type BlockMessage,
  type BodyRef,
  type EngineConfig,
  type GroupConfig,
  REROUTED,
} from '../../src/engine/messages.ts';
import { Pipeline } from '../../src/engine/pipeline.ts';
import type { ShapeConfig } from '../../src/engine/shape.ts';
import { compileKernel, Kernel } from '../../src/kernel/kernel.ts';
import type { BodyEncoding } from '../../src/model/body.ts';
import { parseAggregationRules } from '../../src/transform/aggregate/rule.ts';
import { type Content, decodeBlock, encodeRequest, request, type TestRequest } from './support/messages.ts';

const kernelModule = compileKernel();

const placementOf = (names: readonly string[]): ShapeConfig['placement'] => ({
  mode: 'rendezvous',
  replicas: 1,
  destinations: names.map((name) => ({ name, url: '' })),
  labels: [],
  ignoreLabels: [],
  virtualNodes: 1,
});

const shapeOf = (names: readonly string[], over: Partial<ShapeConfig> = {}): ShapeConfig => ({
  rules: [],
  promNaming: false,
  sortLabels: false,
  labelLimits: { labelsMax: 0, nameBytesMax: 0, valueBytesMax: 0 },
  maxHourlySeries: 0,
  maxDailySeries: 0,
  forms: [{ rules: [], labels: [['relay', 'x']], rounding: { significantFigures: 0, roundDigits: 100 } }],
  placement: placementOf(names)!,
  placesForm: true,
  ...over,
});

const group = (shard: number, codec: GroupConfig['codec'] = 'snappy'): GroupConfig => ({
  codec,
  level: 0,
  metadata: true,
  parallel: 1,
  shard,
});

const configOf = (shape: ShapeConfig, codec?: GroupConfig['codec']): EngineConfig => ({
  groups: shape.placement!.destinations.map((_, shard) => group(shard, codec)),
  shape,
  maxRowsPerBlock: 7,
  maxBlockBytes: 1024 * 1024,
  maxMetadataPerBlock: 5_000,
  flushIntervalMs: 1_000,
  bodyBytesMax: 1024 * 1024,
});

let nextId = 1;

function give(pipeline: Pipeline, wire: Uint8Array, encoding: BodyEncoding, protocol: string) {
  const length = wire.byteLength;
  const ref: BodyRef = { id: nextId++, slab: 0, offset: 0, length, encoding, protocol, extraLabels: [] };
  return pipeline.accept(ref, new Uint8Array(wire), 0);
}

const bytesOf = ({ memory, offset, length }: BlockMessage) => new Uint8Array(memory, offset, length);

function send(pipeline: Pipeline, requests: readonly TestRequest[]): BlockMessage[] {
  for (const one of requests) {
    const judged = give(pipeline, snappy.compress(encodeRequest(one)), 'snappy-or-zstd', 'p');
    assert.ok(!('error' in judged));
  }
  pipeline.flush();
  return pipeline.takeBlocks();
}

function reroute(pipeline: Pipeline, blocks: readonly BlockMessage[]): BlockMessage[] {
  for (const block of blocks) {
    const encoding = block.codec === 'zstd' ? 'zstd-or-snappy' : 'snappy-or-zstd';
    const judged = give(pipeline, bytesOf(block), encoding, REROUTED);
    assert.ok(!('error' in judged), 'error' in judged ? judged.error : '');
    assert.deepEqual(judged.counts, block.counts);
  }
  pipeline.flush();
  return pipeline.takeBlocks();
}

function contentAt(blocks: readonly BlockMessage[], shard: number): Content {
  const content: Content = new Map();
  for (const block of blocks.filter((one) => one.group === shard)) {
    decodeBlock({ codec: block.codec, bytes: bytesOf(block), rawLength: block.rawLength }, content);
  }
  return content;
}

const merged = (...parts: readonly Content[]): Content => {
  const all: Content = new Map();
  for (const part of parts) {
    for (const [key, points] of part) all.set(key, [...(all.get(key) ?? []), ...points]);
  }
  return all;
};

const sorted = (content: Content) => [...content].sort(([a], [b]) => (a < b ? -1 : 1));

const codec = fc.constantFrom('snappy' as const, 'zstd' as const);

test('blocks that are placed again among the same destinations come back to their own, in order and bit for bit', () => {
  fc.assert(
    fc.property(fc.array(request, { maxLength: 5 }), codec, (requests, form) => {
      const config = configOf(shapeOf(['one', 'two', 'three']), form);
      const pipeline = new Pipeline(new Kernel(kernelModule), config);
      const blocks = send(pipeline, requests);
      pipeline.takeNews();
      for (const shard of [0, 1, 2]) {
        const own = blocks.filter((block) => block.group === shard);
        const again = reroute(pipeline, own);
        for (const other of [0, 1, 2]) {
          const expected = other === shard ? contentAt(blocks, shard) : new Map();
          assert.deepEqual(contentAt(again, other), expected);
        }
        const { dropped } = pipeline.takeNews();
        assert.ok(dropped.every(({ reason }) => reason === 'other_shard'));
      }
    }),
    { numRuns: 150 },
  );
});

test('series that are written by heart are placed again as they are', () => {
  const pipeline = new Pipeline(new Kernel(kernelModule), configOf(shapeOf(['one'])));
  const series = Array.from({ length: 200 }, (_, index) => ({
    labels: [{ name: '__name__', value: `metric_${index}` }],
    points: [{ bits: 1n, timestamp: 1_790_000_000_000 }],
    exemplars: 0,
  }));
  const one = { series, metadata: [] };
  // Large blocks: their beginnings are written in full.
  pipeline.configure({ ...configOf(shapeOf(['one'])), maxRowsPerBlock: 1e6 });
  for (let time = 0; time < 40; time++) {
    assert.ok(!('error' in give(pipeline, snappy.compress(encodeRequest(one)), 'snappy-or-zstd', 'p')));
  }
  const again = give(pipeline, snappy.compress(encodeRequest(one)), 'snappy-or-zstd', REROUTED);
  assert.ok(!('error' in again));
  pipeline.flush();
  const keys = [...contentAt(pipeline.takeBlocks(), 0)].map(([key, points]) => [
    key.includes('relay'),
    points.length,
  ]);
  const expected = [true, false].flatMap((isNew) => series.map(() => [isNew, isNew ? 40 : 1]));
  assert.deepEqual(keys, expected);
});

test('what a destination that is gone had comes to where new samples of the same series come', () => {
  fc.assert(
    fc.property(fc.array(request, { maxLength: 5 }), (requests) => {
      const pipeline = new Pipeline(new Kernel(kernelModule), configOf(shapeOf(['one', 'two', 'three'])));
      const before = send(pipeline, requests);
      pipeline.configure(configOf(shapeOf(['one', 'two'])));
      const moved = reroute(
        pipeline,
        before.filter((block) => block.group === 2),
      );
      // The refs of both kinds of bodies are known by now: their plans must not be taken for each other.
      const after = send(pipeline, requests);
      for (const shard of [0, 1]) {
        const all = merged(contentAt(before, shard), contentAt(moved, shard));
        assert.deepEqual(sorted(all), sorted(contentAt(after, shard)));
      }
    }),
    { numRuns: 150 },
  );
});

const one: TestRequest = {
  series: [
    {
      labels: [{ name: '__name__', value: 'm' }],
      points: [{ bits: 0x3ff3c0ca428c59fbn, timestamp: 1 }], // 1.2345678
      exemplars: 0,
    },
  ],
  metadata: [],
};

test('rules, limits and rounding are passed by', () => {
  const strict = shapeOf(['one'], {
    labelLimits: { labelsMax: 1, nameBytesMax: 3, valueBytesMax: 3 },
    maxHourlySeries: 1,
    future: { afterMs: -1, drop: true },
    forms: [{ rules: [], labels: [['relay', 'y']], rounding: { significantFigures: 2, roundDigits: 100 } }],
  });
  const [block] = send(new Pipeline(new Kernel(kernelModule), configOf(shapeOf(['one']))), [one]);
  const pipeline = new Pipeline(new Kernel(kernelModule), configOf(strict));
  assert.deepEqual(contentAt(reroute(pipeline, [block!]), 0), contentAt([block!], 0));
  assert.deepEqual(pipeline.takeNews().dropped, []);
  assert.equal(pipeline.report(0).talkers.samples, 0, 'it came long ago');
});

const NO_ROUNDING = { significantFigures: 0, roundDigits: 100 };
const START_MS = 1_800_000_000_000;

const stageOf = (rules: string, over: Partial<StageConfig> = {}): StageConfig => ({
  scope: 'destination d',
  rules: parseAggregationRules(rules, 'f').rules,
  keepInput: false,
  dropInput: false,
  dedupIntervalMs: 0,
  dropInputLabels: [],
  enableWindows: false,
  ...over,
});

const aggregating = (names: readonly string[], stage: StageConfig, isGlobal: boolean): ShapeConfig =>
  shapeOf(names, {
    forms: [
      { rules: [], labels: [['relay', 'x']], rounding: NO_ROUNDING, stage: isGlobal ? undefined : stage },
    ],
    stage: isGlobal ? stage : undefined,
  });

const samplesOf = (name: string, pods: number): TestRequest => ({
  series: Array.from({ length: pods }, (_, pod) => ({
    labels: [
      { name: '__name__', value: name },
      { name: 'pod', value: `${pod}` },
    ],
    points: [{ bits: 0x3ff0000000000000n, timestamp: START_MS + 1 }], // 1
    exemplars: 0,
  })),
  metadata: [],
});

for (const isGlobal of [true, false]) {
  const where = isGlobal ? 'ahead of all destinations' : 'of the destination';
  test(`aggregation and deduplication ${where} are passed by, whatever is known of the series`, () => {
    const names = ['one', 'two'];
    const asTheyCome = new Pipeline(new Kernel(kernelModule), configOf(shapeOf(names)));
    const blocks = send(asTheyCome, [samplesOf('m', 9)]);
    const rules = '[{interval: 10s, without: [pod], outputs: [count_samples]}]';
    for (const stage of [stageOf(rules), stageOf('[]', { dedupIntervalMs: 10_000 })]) {
      const pipeline = new Pipeline(new Kernel(kernelModule), configOf(aggregating(names, stage, isGlobal)), {
        nowMs: START_MS,
      });
      const content = (found: readonly BlockMessage[]) => names.map((_, shard) => contentAt(found, shard));
      for (const turn of ['before the rules know them', 'after']) {
        pipeline.takeNews();
        assert.deepEqual(content(reroute(pipeline, blocks)), content(blocks), turn);
        const { dropped, told } = pipeline.takeNews();
        assert.deepEqual([told, dropped.filter(({ reason }) => reason !== 'other_shard')], [[], []]);
        assert.deepEqual(send(pipeline, [samplesOf('m', 9)]), []);
      }
      pipeline.advance(START_MS + 10_000, false);
      const told = pipeline.takeNews().told.map(({ group: of, samples }) => [of, samples]);
      const outputs = stage.rules.length > 0 ? 1 : 9;
      const expected = names.map((_, of) => [of, outputs]);
      assert.deepEqual(told, isGlobal ? [[undefined, outputs]] : expected);
    }
  });
}

test('what a stage tells for destinations that come and go is placed as what comes in, and its windows go on', () => {
  const stage = stageOf('[{interval: 10s, by: [__name__], outputs: [count_samples]}]');
  const names = Array.from({ length: 12 }, (_, nth) => `m${nth}`);
  const requests = names.map((name) => samplesOf(name, 5));
  const pipeline = new Pipeline(
    new Kernel(kernelModule),
    configOf(aggregating(['one', 'two'], stage, false)),
    { nowMs: START_MS },
  );
  assert.deepEqual(send(pipeline, requests), []);
  pipeline.configure(configOf(aggregating(['one', 'two', 'three'], stage, false)), START_MS + 1);
  assert.equal(pipeline.wantsSave, true);
  assert.deepEqual(send(pipeline, requests), []);
  pipeline.takeNews();
  pipeline.advance(START_MS + 10_000, false);
  pipeline.flush();
  const blocks = pipeline.takeBlocks();
  const found = [0, 1, 2].map((shard) => contentAt(blocks, shard));
  const all = merged(...found);
  assert.equal(
    found.reduce((sum, { size }) => sum + size, 0),
    names.length,
    'one of them has each',
  );
  for (const points of all.values()) {
    assert.deepEqual(
      points.map((point) => point.split('@')[0]),
      [`${0x4024000000000000n}`],
    ); // 10
  }
  assert.ok(found.every(({ size }) => size > 0));
  // The same series, from a client that adds nothing and without rules, goes to the same places.
  const labels = [...all.keys()].map((key) => JSON.parse(key) as [string, string][]);
  const asSeries = labels.map((pairs) => ({
    labels: pairs.filter(([name]) => name !== 'relay').map(([name, value]) => ({ name, value })),
    points: [{ bits: 0n, timestamp: 1 }],
    exemplars: 0,
  }));
  const plain = new Pipeline(new Kernel(kernelModule), configOf(shapeOf(['one', 'two', 'three'])));
  const placed = send(plain, [{ series: asSeries, metadata: [] }]);
  for (const shard of [0, 1, 2]) {
    assert.deepEqual([...contentAt(placed, shard).keys()].sort(), [...found[shard]!.keys()].sort());
  }
  const { told, dropped } = pipeline.takeNews();
  assert.deepEqual(
    told.map(({ group: of, samples }) => [of, samples]),
    [0, 1, 2].map((of) => [of, 12]),
  );
  for (const [shard, { size }] of found.entries()) {
    const elsewhere = dropped.find((one) => one.group === shard && one.reason === 'other_shard');
    assert.equal(elsewhere?.counts.samples, names.length - size);
  }
});

test('blocks of a run with larger limits are taken', () => {
  const [block] = send(new Pipeline(new Kernel(kernelModule), configOf(shapeOf(['one']))), [one]);
  const pipeline = new Pipeline(new Kernel(kernelModule), {
    ...configOf(shapeOf(['one'])),
    bodyBytesMax: 1,
  });
  assert.equal(reroute(pipeline, [block!]).length, 1);
  const judged = give(pipeline, bytesOf(block!), 'snappy-or-zstd', 'p');
  assert.ok('error' in judged && judged.status === 413);
});

test('a block that cannot be read is refused', () => {
  const pipeline = new Pipeline(new Kernel(kernelModule), configOf(shapeOf(['one'])));
  const judged = give(pipeline, Uint8Array.of(3, 8, 1, 2, 3), 'snappy-or-zstd', REROUTED);
  assert.ok('error' in judged && judged.status === 400);
});
