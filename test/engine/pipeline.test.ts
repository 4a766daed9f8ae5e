/** Bodies in, blocks out: what the blocks hold is read by protobufjs, snappyjs and zlib, and must be what came in. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import snappy from 'snappyjs';
import { BODY_STEP, type LaneProgress } from '../../src/encode/group.ts';
import type { BlockMessage, BodyRef, EngineConfig, GroupConfig } from '../../src/engine/messages.ts';
import { Pipeline } from '../../src/engine/pipeline.ts';
import { compileKernel, Kernel } from '../../src/kernel/kernel.ts';
import { ALL_SLOTS } from '../../src/model/block.ts';
import { addCounts, type BodyEncoding, type Counts, type Label, noCounts } from '../../src/model/body.ts';
import { runs } from '../support/runs.ts';
import {
  type Content,
  contentOf,
  decodeBlock,
  encodeRequest,
  request,
  type TestRequest,
} from './support/messages.ts';

const kernelModule = compileKernel();

const group = (over: Partial<GroupConfig> = {}): GroupConfig => ({
  codec: 'snappy',
  level: 0,
  metadata: true,
  parallel: 1,
  ...over,
});

const configOf = (groups: readonly GroupConfig[], over: Partial<EngineConfig> = {}): EngineConfig => ({
  groups,
  maxRowsPerBlock: 10_000,
  maxBlockBytes: 1024 * 1024,
  maxMetadataPerBlock: 5_000,
  flushIntervalMs: 1_000,
  bodyBytesMax: 4 * 1024 * 1024,
  ...over,
});

interface Input {
  readonly request: TestRequest;
  readonly codec: 'snappy' | 'zstd';
  readonly extraLabels: readonly Label[];
}

function bodyOf(id: number, { request: message, codec, extraLabels }: Input): [BodyRef, Uint8Array] {
  const raw = encodeRequest(message);
  const wire = codec === 'zstd' ? zstdCompressSync(raw) : snappy.compress(raw);
  const encoding: BodyEncoding = codec === 'zstd' ? 'zstd-or-snappy' : 'snappy-or-zstd';
  const ref = { id, slab: 0, offset: 0, length: wire.byteLength, encoding, protocol: 'p', extraLabels };
  return [ref, new Uint8Array(wire)];
}

const blockOf = (message: BlockMessage) => ({
  codec: message.codec,
  rawLength: message.rawLength,
  bytes: new Uint8Array(message.memory, message.offset, message.length),
});

/** Feeds all inputs and flushes; gives the blocks by group. */
function run(pipeline: Pipeline, inputs: readonly Input[], groups: number): BlockMessage[][] {
  for (const [index, input] of inputs.entries()) {
    const [ref, wire] = bodyOf(index + 1, input);
    const judged = pipeline.accept(ref, wire, 0);
    assert.ok(!('error' in judged), 'error' in judged ? judged.error : '');
  }
  pipeline.flush();
  const blocks = pipeline.takeBlocks();
  return Array.from({ length: groups }, (_, index) => blocks.filter((block) => block.group === index));
}

const input: fc.Arbitrary<Input> = fc.record({
  request,
  codec: fc.constantFrom('snappy', 'zstd'),
  extraLabels: fc.oneof(
    { weight: 3, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.constant([{ name: 'extra', value: 'x' }]) },
  ),
});

const anyGroup: fc.Arbitrary<GroupConfig> = fc.record({
  codec: fc.constantFrom('snappy', 'zstd'),
  level: fc.constant(0),
  metadata: fc.boolean(),
  parallel: fc.constantFrom(1, 1, 4, 32),
});

const limits = fc.record({
  maxRowsPerBlock: fc.constantFrom(1, 3, 20, 10_000),
  maxBlockBytes: fc.constantFrom(64, 300, 5_000, 1024 * 1024),
  maxMetadataPerBlock: fc.constantFrom(1, 3, 5_000),
});

function expectedContent(inputs: readonly Input[]): Content {
  const content: Content = new Map();
  for (const { request: message, extraLabels } of inputs) {
    for (const [key, points] of contentOf([message], extraLabels)) {
      content.set(key, [...(content.get(key) ?? []), ...points]);
    }
  }
  return content;
}

function checkGroup(config: GroupConfig, blocks: readonly BlockMessage[], inputs: readonly Input[]): void {
  const content: Content = new Map();
  const sum: Counts = { ...noCounts };
  const metadata: string[] = [];
  const lanesOfKey = new Map<string, number>();
  for (const message of blocks) {
    assert.equal(message.codec, config.codec);
    const decoded = decodeBlock(blockOf(message), content);
    assert.deepEqual(message.counts, decoded.counts);
    addCounts(sum, decoded.counts);
    metadata.push(...decoded.metadata);
    if (config.parallel === 1) assert.equal(message.slots, ALL_SLOTS);
    for (const key of decoded.keys) {
      assert.equal(lanesOfKey.get(key) ?? message.lane, message.lane, 'a series stays in its lane');
      lanesOfKey.set(key, message.lane);
    }
  }
  assert.deepEqual(content, expectedContent(inputs));
  const all = inputs.flatMap((each) => each.request.series);
  assert.equal(
    sum.exemplars,
    all.reduce((total, one) => total + one.exemplars, 0),
  );
  const expected = config.metadata ? inputs.flatMap((each) => each.request.metadata) : [];
  assert.deepEqual(metadata, expected);
}

describe('the pipeline', () => {
  test('every group gets every sample once, bit for bit and in order', () => {
    fc.assert(
      fc.property(
        fc.array(input, { maxLength: 6 }),
        fc.array(anyGroup, { minLength: 1, maxLength: 3 }),
        limits,
        (inputs, groups, bounds) => {
          const pipeline = new Pipeline(new Kernel(kernelModule), configOf(groups, bounds));
          const blocks = run(pipeline, inputs, groups.length);
          for (const [index, config] of groups.entries()) checkGroup(config, blocks[index]!, inputs);
          assert.equal(pipeline.heldFrom, undefined);
          assert.deepEqual(
            pipeline.stats.pending,
            groups.map(() => noCounts),
          );
        },
      ),
      runs(300),
    );
  });

  test('large bodies go on as they came, small ones are compressed together, both in their order', () => {
    const large = manySeries(600);
    const small = manySeries(2);
    const inputs: Input[] = [small, large, small, large, large].map((message) => ({
      request: message,
      codec: 'snappy',
      extraLabels: [],
    }));
    const groups = [group(), group({ codec: 'zstd' })];
    const pipeline = new Pipeline(new Kernel(kernelModule), configOf(groups));
    const blocks = run(pipeline, inputs, 2);
    for (const [index, config] of groups.entries()) checkGroup(config, blocks[index]!, inputs);
    const { lanes } = pipeline.stats;
    assert.deepEqual(lanes, { verbatim: 3, join: 7, column: 0 });
  });

  test('a started engine goes on where the last one was: nothing is left out, nothing comes twice', () => {
    fc.assert(
      fc.property(
        fc.array(input, { minLength: 1, maxLength: 5 }),
        anyGroup,
        limits,
        fc.nat(),
        (inputs, config, bounds, cut) => {
          const engine = configOf([config], bounds);
          const [all] = run(new Pipeline(new Kernel(kernelModule), engine), inputs, 1);
          // Of what the first engine made, only a beginning arrived before its death.
          const arrived = all!.slice(0, cut % (all!.length + 1));
          const start: LaneProgress = { body: 0, series: 0, sample: 0 };
          const progress = Array.from({ length: config.parallel }, () => start);
          for (const message of arrived) progress[message.lane] = message.progress;
          const next = new Pipeline(new Kernel(kernelModule), engine, { progress: [progress] });
          const [rest] = run(next, inputs, 1);
          const content: Content = new Map();
          for (const message of [...arrived, ...rest!]) decodeBlock(blockOf(message), content);
          assert.deepEqual(content, expectedContent(inputs));
        },
      ),
      runs(300),
    );
  });

  test('a new configuration ends the blocks of the old one', () => {
    const pipeline = new Pipeline(new Kernel(kernelModule), configOf([group()]));
    const inputs: Input[] = [{ request: manySeries(3), codec: 'snappy', extraLabels: [] }];
    const [ref, wire] = bodyOf(1, inputs[0]!);
    pipeline.accept(ref, wire, 0);
    pipeline.configure(configOf([group({ codec: 'zstd' })]));
    const old = pipeline.takeBlocks();
    assert.deepEqual(
      old.map(({ codec }) => codec),
      ['snappy'],
    );
    checkGroup(group(), old, inputs);
    pipeline.accept(...bodyWith(2, wire));
    pipeline.flush();
    checkGroup(group({ codec: 'zstd' }), pipeline.takeBlocks(), inputs);
  });

  test('only blocks that are old enough are finished', () => {
    const pipeline = new Pipeline(new Kernel(kernelModule), configOf([group()]));
    const [ref, wire] = bodyOf(7, { request: manySeries(1), codec: 'snappy', extraLabels: [] });
    pipeline.accept(ref, wire, 100);
    assert.deepEqual([pipeline.heldFrom, pipeline.oldestBornMs], [7, 100]);
    pipeline.flushBornBefore(99);
    assert.equal(pipeline.takeBlocks().length, 0);
    pipeline.flushBornBefore(100);
    const [block] = pipeline.takeBlocks();
    assert.deepEqual([block!.firstBody, block!.progress], [7, { body: 7 + BODY_STEP, series: 0, sample: 0 }]);
  });
});

describe('what cannot be decoded is refused, and what comes before and after it is not touched', () => {
  const good = snappy.compress(encodeRequest(manySeries(2)));
  const raw = encodeRequest(manySeries(2));
  const cases: [string, Uint8Array, BodyEncoding, number, RegExp][] = [
    [
      'no length',
      Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
      'snappy-or-zstd',
      400,
      /begin with a length/,
    ],
    ['truncated snappy', good.subarray(0, good.length - 3), 'snappy-or-zstd', 400, /snappy body.*at byte/],
    [
      'a bomb',
      Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x08, 1, 2),
      'snappy-or-zstd',
      413,
      /maxInsertRequestSize/,
    ],
    ['a zstd bomb', zstdCompressSync(Buffer.alloc(5 << 20)), 'zstd-or-snappy', 413, /maxInsertRequestSize/],
    ['truncated zstd', zstdCompressSync(raw).subarray(0, 20), 'zstd-or-snappy', 400, /zstd body/],
    [
      'a message that ends early',
      snappy.compress(raw.subarray(0, raw.length - 1)),
      'snappy-or-zstd',
      400,
      /at byte \d+/,
    ],
  ];
  for (const [what, wire, encoding, status, says] of cases) {
    test(what, () => {
      const pipeline = new Pipeline(new Kernel(kernelModule), configOf([group(), group({ codec: 'zstd' })]));
      pipeline.accept(...bodyWith(1, good));
      const judged = pipeline.accept(...bodyWith(2, new Uint8Array(wire), encoding));
      assert.ok('error' in judged);
      assert.equal(judged.status, status);
      assert.match(judged.error, says);
      pipeline.accept(...bodyWith(3, good));
      pipeline.flush();
      const blocks = pipeline.takeBlocks();
      const inputs: Input[] = Array.from({ length: 2 }, () => ({
        request: manySeries(2),
        codec: 'snappy',
        extraLabels: [],
      }));
      for (const index of [0, 1]) {
        checkGroup(
          group({ codec: index === 0 ? 'snappy' : 'zstd' }),
          blocks.filter((b) => b.group === index),
          inputs,
        );
      }
    });
  }

  test('a body of millions of empty items is refused before they take memory', () => {
    const kernel = new Kernel(kernelModule);
    const pipeline = new Pipeline(kernel, configOf([group()], { bodyBytesMax: 32 << 20 }));
    pipeline.accept(...bodyWith(1, good));
    const before = kernel.memory.allocatedBytes;
    for (const [raw, what] of [
      [Buffer.alloc(2_000_002, Uint8Array.of(0x0a, 0)), 'series'],
      [Buffer.alloc(2_000_002, Uint8Array.of(0x1a, 0)), 'metadata'],
      [
        Buffer.concat([
          Buffer.from([0x0a, 0x82, 0xa4, 0xe8, 0x03]),
          Buffer.alloc(8_000_002, Uint8Array.of(0x12, 0)),
        ]),
        'samples',
      ],
    ] as const) {
      const judged = pipeline.accept(...bodyWith(2, zstdCompressSync(raw), 'zstd-or-snappy'));
      assert.ok('error' in judged, what);
      assert.equal(judged.status, 413);
      assert.match(judged.error, new RegExp(`${what}.*the limit for one request`));
    }
    assert.ok(kernel.memory.allocatedBytes - before < 48 << 20);
  });

  test('either name of the encoding takes either encoding', () => {
    for (const encoding of ['snappy-or-zstd', 'zstd-or-snappy'] as const) {
      for (const wire of [good, zstdCompressSync(raw)]) {
        const pipeline = new Pipeline(new Kernel(kernelModule), configOf([group()]));
        const judged = pipeline.accept(...bodyWith(1, new Uint8Array(wire), encoding));
        assert.deepEqual('counts' in judged && judged.counts.samples, 2);
      }
    }
  });
});

test('limits hold: only a single item may make a block longer than it should be', () => {
  const long = 'v'.repeat(500);
  const message: TestRequest = {
    series: [
      { labels: [{ name: 'a', value: long }], points: [{ bits: 1n, timestamp: 1 }], exemplars: 0 },
      { labels: [{ name: 'b', value: 'short' }], points: manyPoints(100), exemplars: 0 },
    ],
    metadata: ['m', long],
  };
  for (const codec of ['snappy', 'zstd'] as const) {
    const pipeline = new Pipeline(
      new Kernel(kernelModule),
      configOf([group({ codec })], { maxBlockBytes: 200 }),
    );
    const inputs: Input[] = [{ request: message, codec: 'snappy', extraLabels: [] }];
    const [blocks] = run(pipeline, inputs, 1);
    checkGroup(group({ codec }), blocks!, inputs);
    const tooLong = blocks!.filter(({ rawLength }) => rawLength > 200);
    assert.equal(tooLong.length, 2, 'the long label and the long metadata');
    for (const { counts } of tooLong) assert.equal(counts.series + counts.metadata, 1);
    assert.ok(blocks!.length > 10, 'the long series was cut');
  }
});

function manyPoints(count: number) {
  return Array.from({ length: count }, (_, n) => ({ bits: BigInt(n), timestamp: 1_790_000_000_000 + n }));
}

function manySeries(count: number): TestRequest {
  return {
    series: Array.from({ length: count }, (_, n) => ({
      labels: [
        { name: '__name__', value: 'http_requests_total' },
        { name: 'instance', value: `host-${n}.example.com:9100` },
        { name: 'path', value: `/api/v1/things/${n * 7919}` },
      ],
      points: manyPoints(1),
      exemplars: 0,
    })),
    metadata: [],
  };
}

function bodyWith(
  id: number,
  wire: Uint8Array,
  encoding: BodyEncoding = 'snappy-or-zstd',
): [BodyRef, Uint8Array, number] {
  return [
    { id, slab: 0, offset: 0, length: wire.byteLength, encoding, protocol: 'p', extraLabels: [] },
    new Uint8Array(wire),
    0,
  ];
}
