/**
 * Bodies of text protocols through the pipeline: whatever lane they take, and wherever they are cut, every destination gets
 * the samples that the parsers read, in order; and a new engine goes on in the middle of a body.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import snappy from 'snappyjs';
import type { LaneProgress } from '../../src/encode/group.ts';
import { BodyParser } from '../../src/engine/body-parser.ts';
import type { BlockMessage, BodyRef, EngineConfig, GroupConfig } from '../../src/engine/messages.ts';
import { Pipeline } from '../../src/engine/pipeline.ts';
import { compileKernel, Kernel } from '../../src/kernel/kernel.ts';
import { addCounts, type Counts, type Label, noCounts } from '../../src/model/body.ts';
import { allDefaults } from '../protocol/support.ts';
import { type Content, decodeBlock } from './support/messages.ts';

const module = compileKernel();
const protocolOptions = allDefaults();
const parser = new BodyParser({ bodyBytesMax: 32 * 1024 * 1024, protocolOptions });
const arrival = { parameters: {}, receivedMs: 1_790_000_000_000 };

const group = (over: Partial<GroupConfig> = {}): GroupConfig => ({
  codec: 'snappy',
  level: 0,
  metadata: true,
  parallel: 1,
  ...over,
});
const configOf = (groups: readonly GroupConfig[], maxRowsPerBlock: number): EngineConfig => ({
  groups,
  maxRowsPerBlock,
  maxBlockBytes: 8 * 1024 * 1024,
  maxMetadataPerBlock: 5_000,
  flushIntervalMs: 1_000,
  bodyBytesMax: 32 * 1024 * 1024,
  protocolOptions,
});

interface Given {
  readonly protocol: 'prometheus' | 'influx' | 'vmimport';
  readonly lines: number;
  /** Every so many lines one comes that only the parser reads; 0: never. */
  readonly odd: number;
  readonly extraLabels: readonly Label[];
}

const ODD = {
  prometheus: '# HELP m a text\n# TYPE m counter\nm{a="\\n"} 1\n',
  influx: 'm,a=b\\ c f=1\n',
  vmimport: '{"metric":{"a":"\\n"},"values":[1],"timestamps":[2]}\n',
};

function lineOf(protocol: Given['protocol'], index: number): string {
  const labels = { job: 'kubelet', instance: `10.0.0.${index % 250}:9100`, pod: `pod-${index}` };
  const entries = Object.entries(labels);
  if (protocol === 'prometheus') {
    return `metric_${index % 7}{${entries.map(([name, value]) => `${name}="${value}"`)}} ${index}.5 1790000000${100 + (index % 3)}\n`;
  }
  if (protocol === 'influx') {
    const fields = Array.from({ length: 10 }, (_, field) => `f${field}=${index + field}`);
    return `metric,${entries.map(([name, value]) => `${name}=${value}`)} ${fields} 1790000000000000000\n`;
  }
  const numbers = Array.from({ length: 10 }, (_, nth) => index + nth);
  const timestamps = numbers.map((_, nth) => 1_790_000_000_000 + nth);
  return `${JSON.stringify({ metric: labels, values: numbers, timestamps })}\n`;
}

function textOf({ protocol, lines, odd }: Given): Buffer {
  const text = Array.from(
    { length: protocol === 'prometheus' ? 5 * lines : lines },
    (_, index) => lineOf(protocol, index) + (odd > 0 && index % odd === 0 ? ODD[protocol] : ''),
  );
  return Buffer.from(text.join(''));
}

function feed(pipeline: Pipeline, bodies: readonly Given[]): BlockMessage[] {
  for (const [index, given] of bodies.entries()) {
    const text = textOf(given);
    const { protocol, extraLabels } = given;
    const place = { slab: 0, offset: 0, length: text.byteLength, encoding: 'plain' } as const;
    const ref: BodyRef = { id: index + 1, ...place, protocol, extraLabels, arrival };
    const judged = pipeline.accept(ref, text, 0);
    assert.ok(!('error' in judged), 'error' in judged ? judged.error : '');
  }
  pipeline.flush();
  return pipeline.takeBlocks();
}

const blockOf = ({ codec, rawLength, memory, offset, length }: BlockMessage) => ({
  codec,
  rawLength,
  bytes: new Uint8Array(memory, offset, length),
});

/** What the parsers read, without scanners. */
function expectedOf(bodies: readonly Given[]): { content: Content; counts: Counts } {
  const content: Content = new Map();
  const counts = { ...noCounts };
  for (const given of bodies) {
    const parsed = parser.parse({ ...given, encoding: 'plain', arrival }, textOf(given));
    assert.ok(parsed !== undefined && 'message' in parsed);
    const own: Content = new Map();
    const bytes = new Uint8Array(snappy.compress(parsed.message));
    addCounts(
      counts,
      decodeBlock({ codec: 'snappy', bytes, rawLength: parsed.message.byteLength }, own).counts,
    );
    for (const [key, points] of own) {
      const added = given.extraLabels.map(({ name, value }) => [name, value]);
      const whole = JSON.stringify([...JSON.parse(key), ...added]);
      content.set(whole, [...(content.get(whole) ?? []), ...points]);
    }
  }
  return { content, counts };
}

const bodies = fc.array(
  fc.record({
    protocol: fc.constantFrom('prometheus', 'influx', 'vmimport'),
    lines: fc.constantFrom(1, 30, 150, 300),
    odd: fc.constantFrom(0, 0, 100, 3),
    extraLabels: fc.constantFrom([], [], [], [{ name: 'extra', value: 'x' }]),
  }),
  { minLength: 1, maxLength: 3 },
);
const groups = fc.array(
  fc.record({
    codec: fc.constantFrom('snappy', 'zstd'),
    level: fc.constant(0),
    metadata: fc.constant(true),
    parallel: fc.constantFrom(1, 1, 1, 4),
  }),
  { minLength: 1, maxLength: 2 },
);
const rows = fc.constantFrom(900, 1_100, 2_500, 10_000);

/** From the third time on, lines are recalled. */
const oftenOf = (given: readonly Given[], times: number) => Array.from({ length: times }, () => given).flat();
const times = fc.constantFrom(1, 1, 4);

test('every destination gets every sample once and in order, in blocks that are not too large', () => {
  const lanes = { verbatim: 0, join: 0, column: 0 };
  fc.assert(
    fc.property(bodies, times, groups, rows, (some, often, configs, maxRows) => {
      const given = oftenOf(some, often);
      const pipeline = new Pipeline(new Kernel(module), configOf(configs, maxRows));
      const blocks = feed(pipeline, given);
      const expected = expectedOf(given);
      for (const index of configs.keys()) {
        const content: Content = new Map();
        const sum = { ...noCounts };
        for (const block of blocks.filter((one) => one.group === index)) {
          const { counts } = decodeBlock(blockOf(block), content);
          assert.deepEqual(block.counts, counts);
          // A series is cut only where it alone is larger than a block.
          assert.ok(counts.samples < maxRows + 10, `${counts.samples} rows`);
          addCounts(sum, counts);
        }
        assert.deepEqual(content, expected.content);
        assert.deepEqual(sum, { ...expected.counts, series: sum.series });
      }
      for (const lane of ['verbatim', 'join', 'column'] as const) lanes[lane] += pipeline.stats.lanes[lane];
    }),
    { numRuns: 25, endOnFailure: true },
  );
  for (const [lane, bodiesTaken] of Object.entries(lanes))
    assert.ok(bodiesTaken > 0, `${lane} was not taken`);
});

test('a new engine goes on where the last one was, in the middle of a body too', () => {
  let inTheMiddle = 0;
  fc.assert(
    fc.property(
      bodies,
      times,
      fc.constantFrom('snappy', 'zstd'),
      rows,
      fc.nat(),
      (some, often, codec, maxRows, cut) => {
        const given = oftenOf(some, often);
        const config = configOf([group({ codec })], maxRows);
        const all = feed(new Pipeline(new Kernel(module), config), given);
        const arrived = all.slice(0, cut % (all.length + 1));
        const progress: LaneProgress = arrived.at(-1)?.progress ?? { body: 0, series: 0, sample: 0 };
        if (progress.series > 0) inTheMiddle++;
        const rest = feed(new Pipeline(new Kernel(module), config, { progress: [[progress]] }), given);
        const content: Content = new Map();
        for (const block of [...arrived, ...rest]) decodeBlock(blockOf(block), content);
        assert.deepEqual(content, expectedOf(given).content);
      },
    ),
    { numRuns: 25, endOnFailure: true },
  );
  assert.ok(inTheMiddle > 0);
});
