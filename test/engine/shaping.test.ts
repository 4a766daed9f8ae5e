/** Plans through the pipeline: what is counted, what survives a reload, and what a lack of memory changes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import snappy from 'snappyjs';
import type { EngineConfig, GroupConfig } from '../../src/engine/messages.ts';
import { Pipeline } from '../../src/engine/pipeline.ts';
import type { ShapeConfig } from '../../src/engine/shape.ts';
import { compileKernel, Kernel } from '../../src/kernel/kernel.ts';
import type { Label } from '../../src/model/body.ts';
import { parseRules } from '../../src/transform/relabel/rule.ts';
import { type Content, decodeBlock, encodeRequest, type TestSeries } from './support/messages.ts';

const module = compileKernel();
const ROUNDING = { significantFigures: 0, roundDigits: 100 };

const shapeOf = (rules: string, over: Partial<ShapeConfig> = {}): ShapeConfig => ({
  rules: parseRules(rules, 'rules').rules,
  promNaming: false,
  sortLabels: false,
  labelLimits: { labelsMax: 0, nameBytesMax: 0, valueBytesMax: 0 },
  maxHourlySeries: 0,
  maxDailySeries: 0,
  forms: [{ rules: [], labels: [], rounding: ROUNDING }],
  ...over,
});

const group: GroupConfig = { codec: 'snappy', level: 0, metadata: true, parallel: 1 };
const configOf = (shape: ShapeConfig, over: Partial<EngineConfig> = {}): EngineConfig => ({
  groups: [group],
  shape,
  maxRowsPerBlock: 10_000,
  maxBlockBytes: 1024 * 1024,
  maxMetadataPerBlock: 5_000,
  flushIntervalMs: 1_000,
  bodyBytesMax: 4 * 1024 * 1024,
  ...over,
});

const seriesOf = (pairs: Readonly<Record<string, string>>, points = 1): TestSeries => ({
  labels: Object.entries(pairs).map(([name, value]) => ({ name, value })),
  points: Array.from({ length: points }, (_, nth) => ({ bits: BigInt(nth + 1), timestamp: nth })),
  exemplars: 0,
});

let id = 0;
function send(
  pipeline: Pipeline,
  series: readonly TestSeries[],
  { extraLabels = [] as Label[], isJudged = false, nowMs = 0 } = {},
): void {
  const wire = new Uint8Array(snappy.compress(encodeRequest({ series, metadata: [] })));
  const ref = {
    id: ++id,
    slab: 0,
    offset: 0,
    length: wire.byteLength,
    protocol: 'promremotewrite',
    isJudged,
  };
  const judged = pipeline.accept({ ...ref, encoding: 'snappy-or-zstd', extraLabels }, wire, nowMs);
  assert.ok(!('error' in judged));
}

/** Series as JSON → number of samples, by group. */
function arrived(pipeline: Pipeline, ofGroup = 0): Record<string, number> {
  pipeline.flush();
  const content: Content = new Map();
  for (const block of pipeline.takeBlocks()) {
    if (block.group !== ofGroup) continue;
    const bytes = new Uint8Array(block.memory, block.offset, block.length);
    decodeBlock({ codec: block.codec, rawLength: block.rawLength, bytes }, content);
  }
  const named = [...content].map(([key, points]) => {
    const pairs = JSON.parse(key) as [string, string][];
    return [pairs.map(([name, value]) => `${name}=${value}`).join(), points.length] as const;
  });
  return Object.fromEntries(named);
}

const DROP_A = '- {action: drop, source_labels: [job], regex: a}';

test('drops are counted once, with a few examples; a body that was judged before counts nothing', () => {
  const pipeline = new Pipeline(new Kernel(module), configOf(shapeOf(DROP_A)));
  const series = Array.from({ length: 10 }, (_, nth) =>
    seriesOf({ job: nth < 7 ? 'a' : 'b', nth: `${nth}` }, 2),
  );
  send(pipeline, series);
  const { dropped, examples } = pipeline.takeNews();
  assert.deepEqual(
    dropped.map(({ group: of, reason, counts }) => [of, reason, counts.series, counts.samples]),
    [[undefined, 'relabel', 7, 14]],
  );
  assert.deepEqual(
    examples.map(({ reason, series: shown }) => [reason, shown]),
    [0, 1, 2].map((nth) => ['relabel', `{job="a",nth="${nth}"}`]),
  );
  send(pipeline, series, { isJudged: true });
  const again = pipeline.takeNews();
  assert.deepEqual([again.dropped, again.examples], [[], []]);
  assert.deepEqual(arrived(pipeline), { 'job=b,nth=7': 4, 'job=b,nth=8': 4, 'job=b,nth=9': 4 });
});

test('examples are looked for among so many series a second', () => {
  const pipeline = new Pipeline(new Kernel(module), configOf(shapeOf(DROP_A)));
  const kept = Array.from({ length: 10_000 }, (_, nth) => seriesOf({ job: 'b', nth: `${nth}` }));
  const examplesOf = (nth: number, nowMs: number) => {
    send(pipeline, [...kept.slice(nth * 5_000, (nth + 1) * 5_000), seriesOf({ job: 'a', nth: `${nowMs}` })], {
      nowMs,
    });
    return pipeline.takeNews().examples.length;
  };
  assert.deepEqual([examplesOf(0, 0), examplesOf(1, 1)], [1, 1]);
  const more = Array.from({ length: 9_998 }, (_, nth) => seriesOf({ job: 'c', nth: `${nth}` }));
  send(pipeline, [...more, seriesOf({ job: 'a', nth: 'x' })], { nowMs: 2 });
  assert.equal(pipeline.takeNews().examples.length, 0, 'the second is used up');
  assert.equal(examplesOf(0, 1_000), 1);
});

test('a reload that needs to know every series gives the table another size, and all are met anew', () => {
  const rules = '- {target_label: x, replacement: "1"}';
  const sparing = { sparesSeriesMemory: true };
  const pipeline = new Pipeline(new Kernel(module), configOf(shapeOf(rules), sparing));
  const series = ['a', 'b', 'c'].map((job) => seriesOf({ job }));
  const capacities = [];
  for (let round = 0; round < 3; round++) {
    for (const [limits, capacity] of [
      [{}, 'small'],
      [{ maxHourlySeries: 2 }, 'large'],
    ] as const) {
      pipeline.configure(configOf(shapeOf(rules, limits), sparing));
      for (let times = 0; times < 3; times++) send(pipeline, series);
      const { seriesTableCapacity, seriesTableSize } = pipeline.stats;
      capacities.push(seriesTableCapacity);
      assert.equal(seriesTableSize, 3);
      const few = { 'job=a,x=1': 3, 'job=b,x=1': 3 };
      assert.deepEqual(arrived(pipeline), capacity === 'small' ? { ...few, 'job=c,x=1': 3 } : few);
    }
  }
  const [small, large] = capacities;
  assert.ok(small! > 100_000 && large! > 10 * small!);
  assert.deepEqual(capacities, [small, large, small, large, small, large]);
  const { memoryBytes } = pipeline.stats;
  for (let times = 0; times < 20; times++) {
    pipeline.configure(configOf(shapeOf(rules), sparing));
    pipeline.configure(configOf(shapeOf(rules, { maxHourlySeries: 2 }), sparing));
    // With the second request the order of series is learned.
    for (let request = 0; request < 2; request++) send(pipeline, series);
  }
  assert.equal(pipeline.stats.memoryBytes, memoryBytes, 'the memory of the one serves the other');
});

test('series that a full table takes once it has room again are not told as new', () => {
  const pipeline = new Pipeline(new Kernel(module), configOf(shapeOf(DROP_A), { seriesBytesMax: 0 }));
  const some = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, nth) => seriesOf({ __name__: `m${from + nth}` }));
  const newSeries = (nowMs: number) => pipeline.report(nowMs).talkers.newSeries;
  send(pipeline, some(0, 40));
  assert.equal(newSeries(0), 40);
  send(pipeline, some(0, 100), { nowMs: 100 });
  const { seriesTableSize, seriesTableCapacity } = pipeline.stats;
  assert.equal(seriesTableSize, seriesTableCapacity);
  // An hour later those that did not come any more make room for some of those that came all the time.
  const nowMs = 73 * 60_000 + 100;
  for (let atMs = 100; atMs <= nowMs; atMs += 60_000) send(pipeline, some(40, 100), { nowMs: atMs });
  assert.equal(pipeline.stats.seriesTableSize, 60);
  assert.equal(newSeries(nowMs), 0);
  const { top } = pipeline.report(nowMs).talkers;
  assert.deepEqual(top.newByMetric, []);
  // A table of another size begins anew.
  pipeline.configure(configOf(shapeOf(DROP_A), { seriesBytesMax: 0 }), nowMs);
  pipeline.configure(configOf(shapeOf(`${DROP_A}\n${DROP_A}`), { seriesBytesMax: 1_000_000 }), nowMs);
  send(pipeline, some(40, 100), { nowMs: nowMs + 60_000 });
  assert.equal(newSeries(nowMs), 60);
});

test('labels that a request adds are there for the rules, and the same series with others is another one', () => {
  const rules =
    '- {source_labels: [tenant], target_label: who}\n- {action: drop, source_labels: [tenant], regex: x}';
  const pipeline = new Pipeline(new Kernel(module), configOf(shapeOf(rules)));
  const one = [seriesOf({ job: 'j' })];
  for (const value of ['t', 'u', 'x', 't']) send(pipeline, one, { extraLabels: [{ name: 'tenant', value }] });
  send(pipeline, one);
  assert.deepEqual(arrived(pipeline), { 'job=j,tenant=t,who=t': 2, 'job=j,tenant=u,who=u': 1, 'job=j': 1 });
  const asTheyCome = new Pipeline(new Kernel(module), configOf(shapeOf('', { sortLabels: true })));
  send(asTheyCome, one, { extraLabels: [{ name: 'tenant', value: 't' }] });
  send(asTheyCome, one, { extraLabels: [{ name: 'a', value: 't' }] });
  assert.deepEqual(arrived(asTheyCome), { 'job=j,tenant=t': 1, 'a=t,job=j': 1 });
});

test('after a reload series are decided anew, and the limits go on with what they saw', () => {
  const limits = { maxHourlySeries: 2 };
  const pipeline = new Pipeline(new Kernel(module), configOf(shapeOf(DROP_A, limits)));
  const series = ['a', 'b', 'c', 'd'].map((job) => seriesOf({ job }));
  send(pipeline, series);
  assert.deepEqual(arrived(pipeline), { 'job=b': 1, 'job=c': 1 });
  pipeline.configure(configOf(shapeOf('- {target_label: x, replacement: "1"}', limits)));
  send(pipeline, series);
  assert.deepEqual(arrived(pipeline), {}, 'with a label more they are others, and the hour is full');
  pipeline.configure(configOf(shapeOf('', limits)));
  send(pipeline, series);
  assert.deepEqual(arrived(pipeline), { 'job=b': 1, 'job=c': 1 });
  send(pipeline, series, { nowMs: 3_600_000 });
  assert.deepEqual(arrived(pipeline), { 'job=a': 1, 'job=b': 1 }, 'in the next hour the first come first');
  pipeline.configure(configOf(shapeOf('', { maxHourlySeries: 0, sortLabels: true })));
  send(pipeline, series);
  assert.equal(Object.keys(arrived(pipeline)).length, 4);
});

test('without memory for plans series are decided each time, and come out the same', () => {
  const rules = '- {source_labels: [job], target_label: copy}';
  const series = Array.from({ length: 100 }, (_, nth) => seriesOf({ job: `${nth}` }));
  const roomy = new Pipeline(new Kernel(module), configOf(shapeOf(rules)));
  const cramped = new Pipeline(new Kernel(module), configOf(shapeOf(rules), { planBytesMax: 8_192 }));
  for (let again = 0; again < 3; again++) {
    for (const pipeline of [roomy, cramped]) send(pipeline, series);
  }
  assert.deepEqual(arrived(cramped), arrived(roomy));
  assert.equal(roomy.stats.shaping.decided, 100);
  assert.ok(cramped.stats.shaping.decided > 150);
  assert.ok(cramped.stats.shaping.planBytes < 32_768);
});

test('series that are not seen any more leave the table with their plans', () => {
  const rules = '- {source_labels: [job], target_label: copy}';
  const pipeline = new Pipeline(new Kernel(module), configOf(shapeOf(rules)));
  send(
    pipeline,
    Array.from({ length: 50 }, (_, nth) => seriesOf({ job: `${nth}` })),
  );
  const { planBytes } = pipeline.stats.shaping;
  for (let minute = 1; minute <= 80; minute++)
    send(pipeline, [seriesOf({ job: '0' })], { nowMs: minute * 60_000 });
  assert.equal(pipeline.stats.seriesTableSize, 1);
  assert.ok(pipeline.stats.shaping.planBytes < planBytes);
  send(pipeline, [seriesOf({ job: 'new' }), seriesOf({ job: '7' })], { nowMs: 81 * 60_000 });
  const { 'job=new,copy=new': fresh, 'job=7,copy=7': back } = arrived(pipeline);
  assert.deepEqual([fresh, back], [1, 2]);
});

test('rounding is for its own form alone', () => {
  const forms = [
    { rules: [], labels: [], rounding: ROUNDING },
    { rules: [], labels: [], rounding: { significantFigures: 0, roundDigits: 0 } },
  ];
  const groups = [group, { ...group, form: 1 }];
  const pipeline = new Pipeline(new Kernel(module), configOf(shapeOf('', { forms }), { groups }));
  const bits = (value: number) => new DataView(new Float64Array([value]).buffer).getBigUint64(0, true);
  const points = [1.5, -2.5, 3].map((value, timestamp) => ({ bits: bits(value), timestamp }));
  const stale = { bits: 0x7ff0000000000002n, timestamp: 9 };
  send(pipeline, [{ labels: [{ name: 'a', value: 'b' }], points: [...points, stale], exemplars: 0 }]);
  pipeline.flush();
  const contents = [new Map(), new Map()] as Content[];
  for (const block of pipeline.takeBlocks()) {
    const bytes = new Uint8Array(block.memory, block.offset, block.length);
    decodeBlock({ codec: block.codec, rawLength: block.rawLength, bytes }, contents[block.group]!);
  }
  const values = (content: Content) =>
    [...content.values()].flat().map((point) => BigInt(point.split('@')[0]!));
  assert.deepEqual(values(contents[0]!), [...points.map((point) => point.bits), stale.bits]);
  assert.deepEqual(values(contents[1]!), [bits(2), bits(-3), bits(3), stale.bits]);
});

test('samples of the future are counted, and dropped only if that is configured', () => {
  const series = [
    { labels: [{ name: 'a', value: '1' }], points: [5, 2_000, 1_100, 1_101].map(at), exemplars: 0 },
    { labels: [{ name: 'a', value: '2' }], points: [9_999].map(at), exemplars: 1 },
  ];
  for (const drop of [false, true]) {
    const config = configOf(shapeOf('', { future: { afterMs: 100, drop } }));
    const pipeline = new Pipeline(new Kernel(module), config);
    send(pipeline, series, { nowMs: 1_000 });
    send(pipeline, series, { nowMs: 1_000, isJudged: true });
    const { dropped } = pipeline.takeNews();
    assert.equal(pipeline.stats.shaping.futureSamples, 6);
    if (drop) {
      assert.deepEqual(arrived(pipeline), { 'a=1': 4 });
      assert.deepEqual(
        dropped.map(({ reason, counts }) => [reason, counts.samples, counts.exemplars]),
        [['too_far_in_future', 3, 0]],
      );
    } else {
      assert.deepEqual(arrived(pipeline), { 'a=1': 8, 'a=2': 2 });
      assert.deepEqual(dropped, []);
    }
  }
});

test('what is wrong with a body is said in the same words, and it leaves no series behind', () => {
  const shaped = new Pipeline(new Kernel(module), configOf(shapeOf(DROP_A)));
  const plain = new Pipeline(new Kernel(module), configOf(shapeOf(DROP_A), { shape: undefined }));
  const whole = encodeRequest({
    series: Array.from({ length: 50 }, (_, nth) => seriesOf({ job: `j${nth}` })),
    metadata: [],
  });
  const mixed = [0x0a, 0x04, 0x12, 0x00, 0x22, 0x00];
  const messages = [
    [...whole, 0x0a],
    [...whole, ...mixed],
    [...whole, 0x08, 0x01],
    whole.subarray(0, whole.length - 3),
    new Uint8Array(2_000_002).map((_, index) => (index % 2 === 0 ? 0x0a : 0)),
  ];
  const verdict = (pipeline: Pipeline, message: ArrayLike<number>) => {
    const wire = new Uint8Array(snappy.compress(Uint8Array.from(message)));
    const place = { id: ++id, slab: 0, offset: 0, length: wire.byteLength };
    const format = { protocol: 'promremotewrite', encoding: 'snappy-or-zstd', extraLabels: [] } as const;
    const { id: _, ...judged } = pipeline.accept({ ...place, ...format }, wire, 0);
    return judged;
  };
  for (const message of messages) {
    const judged = verdict(shaped, message);
    assert.ok('error' in judged);
    assert.deepEqual(judged, verdict(plain, message));
    assert.equal(shaped.stats.seriesTableSize, 0);
  }
  // Empty series, more than a sender would put into so few bytes, and one that is none.
  const odd = [...whole, ...Array.from({ length: 5000 }, () => [0x0a, 0x00]).flat(), 0x0a, 2, 0x12, 0];
  assert.deepEqual(verdict(shaped, odd), verdict(plain, odd));
  assert.equal(shaped.stats.seriesTableSize, 51);
});

const at = (timestamp: number) => ({ bits: 1n, timestamp });
