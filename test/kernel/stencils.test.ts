/**
 * What stencils write is what `encodeSeries` writes, once snappyjs has decoded it, whatever order series come in and
 * whatever happens to their refs meanwhile.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import snappy from 'snappyjs';
import { compileKernel, Kernel } from '../../src/kernel/kernel.ts';
import { type StencilMemory, Stencils } from '../../src/kernel/stencils.ts';
import { ALL_SLOTS } from '../../src/model/block.ts';
import { SeriesTable } from '../../src/series/table.ts';
import { encodeVarint } from '../../src/util/varint.ts';
import { encodeRequest, type TestSeries } from '../engine/support/messages.ts';
import { Random } from './support/random.ts';

const kernelModule = compileKernel();

type Labels = TestSeries['labels'];

const WORDS = [
  'http',
  'request',
  'duration',
  'seconds',
  'bucket',
  'total',
  'eu-west-1',
  'kubelet',
  '10.0.0.',
];

/** Series as targets have them: neighbours share most labels, some are unlike any other. */
function makeSeries(random: Random, targets: number): Labels[] {
  const text = (most: number) =>
    Array.from({ length: 1 + random.below(most) }, () => random.pick(WORDS)).join(
      random.pick(['_', '-', '']),
    );
  return Array.from({ length: targets }, (_, target) => {
    const shared = Array.from({ length: random.below(6) }, (_, at) => ({
      name: `label${at}`,
      value: `${text(4)}${target % 7}`,
    }));
    return Array.from({ length: 1 + random.below(40) }, (_, member) => {
      const long = random.chance(0.01) ? [{ name: 'long', value: 'x'.repeat(random.below(20_000)) }] : [];
      const noise = random.chance(0.02)
        ? [{ name: 'noise', value: Buffer.from(random.bytes(random.below(3000))).toString('latin1') }]
        : [];
      return [
        { name: '__name__', value: `${text(3)}_${random.chance(0.5) ? member : ''}` },
        { name: 'le', value: String(random.below(20) / 4) },
        { name: 'member', value: `${target}:${member}` },
        ...shared,
        ...long,
        ...noise,
      ];
    });
  }).flat();
}

function valueBits(random: Random): bigint {
  const kind = random.below(4);
  const bytes = Buffer.alloc(8);
  if (kind === 1) bytes.writeDoubleLE(random.below(100_000));
  else if (kind === 2) bytes.writeDoubleLE(random.below(1000) / 7);
  else if (kind === 3) return Buffer.from(random.bytes(8)).readBigUInt64LE();
  return bytes.readBigUInt64LE();
}

/** A part of all series, in their order but for now and then; each with one sample but for now and then. */
function makeBody(random: Random, all: readonly Labels[], scrapeMs: number): TestSeries[] {
  const from = random.below(all.length);
  const chosen = all.slice(from, from + 1 + random.below(all.length));
  if (random.chance(0.3)) chosen.splice(random.below(chosen.length), random.below(5));
  if (random.chance(0.2)) chosen.splice(random.below(chosen.length), 0, random.pick(all), random.pick(all));
  if (random.chance(0.1)) chosen.sort(() => random.below(3) - 1);
  const oddity = random.pick([0, 0, 0.02, 0.5]);
  return chosen.map((labels) => {
    const count = random.chance(oddity) ? random.below(4) : 1;
    const timestamp = () =>
      random.chance(oddity)
        ? random.pick([0, -1, 1, 2 ** 35 - 1, 2 ** 35, 2 ** 42 - 1, 2 ** 42])
        : scrapeMs + (random.chance(0.05) ? random.below(100) : 0);
    const points = Array.from({ length: count }, () => ({ bits: valueBits(random), timestamp: timestamp() }));
    return { labels, points, exemplars: random.chance(oddity / 4) ? 1 : 0 };
  });
}

interface Limits {
  readonly rowsMax: number;
  readonly labelsMax: number;
  readonly rawBytes: number;
}

/** Feeds bodies to stencils, and holds every block against `encodeSeries`. Returns how the series were written. */
class Trial {
  readonly kernel = new Kernel(kernelModule);
  readonly columns = this.kernel.createColumns();
  readonly table: SeriesTable;
  readonly stencils: Stencils;
  readonly written = { byStencil: 0, inFull: 0, bytes: 0, rawBytes: 0 };
  #compressed: Uint8Array[] = [];
  #expected: Uint8Array[] = [];
  #blockLength = 0;

  constructor(memory?: StencilMemory, tableCapacity = 100_000) {
    this.table = new SeriesTable(this.kernel, { capacity: tableCapacity });
    this.stencils = new Stencils(this.kernel, memory);
  }

  add(series: readonly TestSeries[], limits?: Limits): void {
    const { kernel, columns, stencils } = this;
    const raw = encodeRequest({ series, metadata: [] });
    const ptr = kernel.memory.alloc(raw.length);
    kernel.memory.bytes().set(raw, ptr);
    assert.ok(!('error' in kernel.validateWriteRequest(ptr, raw.length)));
    columns.scan(ptr, raw.length, this.table);
    const options = { slots: ALL_SLOTS, suffixPtr: 0, suffixLength: 0, suffixLabels: 0 };
    const listed = stencils.select(columns, 0, options);
    if (listed === undefined) {
      this.written.inFull += columns.seriesCount;
      kernel.memory.free(ptr, raw.length);
      return;
    }
    assert.equal(listed, columns.seriesCount);
    for (let nth = 0; nth < listed; ) {
      const step = stencils.write(columns, nth, this.#blockLength, options, limits ?? NO_LIMITS);
      this.#compressed.push(kernel.memory.bytes().slice(step.ptr, step.ptr + step.length));
      const expected = this.#encode(nth, step.next);
      assert.equal(step.rawLength, expected.bytes.byteLength);
      assert.deepEqual(step.counts, expected.counts);
      assert.equal(step.labels, expected.labels);
      this.#expected.push(expected.bytes);
      this.#blockLength += step.rawLength;
      this.written.byStencil += step.next - nth;
      this.written.bytes += step.length;
      if (limits !== undefined) {
        assert.ok(step.rawLength <= limits.rawBytes);
        assert.equal(step.stop === 'limit' && step.next === nth, step.next === nth && step.stop !== 'full');
      }
      const isStuck = step.next === nth && step.stop !== 'full';
      nth = step.next;
      if (step.stop === 'limit' || step.stop === 'too_long') this.endBlock();
      // Alone too long for these limits.
      if (isStuck) nth++;
    }
    kernel.memory.free(ptr, raw.length);
  }

  #encode(first: number, end: number) {
    const { kernel, columns } = this;
    if (first === end) {
      return {
        bytes: new Uint8Array(0),
        counts: { series: 0, samples: 0, histograms: 0, exemplars: 0, metadata: 0 },
        labels: 0,
      };
    }
    const capacity = 4 * 1024 * 1024;
    const dst = kernel.memory.alloc(capacity);
    const all = { slots: ALL_SLOTS, suffixPtr: 0, suffixLength: 0, suffixLabels: 0, dst, capacity };
    const limit = { rowsMax: Number.POSITIVE_INFINITY, labelsMax: Number.POSITIVE_INFINITY };
    // What comes behind `end` is the difference of the two.
    const whole = kernel.encodeSeries(columns, { ...all, ...limit, first });
    const behind =
      end === columns.seriesCount
        ? undefined
        : kernel.encodeSeries(columns, {
            ...all,
            ...limit,
            first: end,
            dst: dst + whole.bytes,
            capacity: capacity - whole.bytes,
          });
    const bytes = kernel.memory.bytes().slice(dst, dst + whole.bytes - (behind?.bytes ?? 0));
    kernel.memory.free(dst, capacity);
    const counts = { ...whole.counts };
    for (const key of Object.keys(counts) as (keyof typeof counts)[]) counts[key] -= behind?.counts[key] ?? 0;
    return { bytes, counts, labels: whole.labels - (behind?.labels ?? 0) };
  }

  endBlock(): void {
    const expected = Buffer.concat(this.#expected);
    const compressed = Buffer.concat([encodeVarint(expected.byteLength), ...this.#compressed]);
    if (expected.byteLength > 0) {
      const decoded = Buffer.from(snappy.uncompress(compressed));
      assert.ok(decoded.equals(expected), 'the elements stand for what is written in full');
    }
    this.written.rawBytes += expected.byteLength;
    this.stencils.endBlock(this.#blockLength);
    this.#compressed = [];
    this.#expected = [];
    this.#blockLength = 0;
  }
}

const NO_LIMITS: Limits = {
  rowsMax: Number.POSITIVE_INFINITY,
  labelsMax: Number.POSITIVE_INFINITY,
  rawBytes: 16 * 1024 * 1024,
};

const RUNS = { numRuns: +(process.env.RUNS ?? 60) };

test('series in any order, with limits, sweeps and little memory, are written as encodeSeries writes them', () => {
  let byStencil = 0;
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const random = new Random(seed);
      const memory = random.chance(0.5) ? { bytesMax: 150_000, chunkBytes: 32_768 } : {};
      const trial = new Trial(memory, random.chance(0.2) ? 50 : 100_000);
      const all = makeSeries(random, 2 + random.below(12));
      for (let body = 0; body < 12; body++) {
        const limits = random.chance(0.3)
          ? {
              rowsMax: 1 + random.below(200),
              labelsMax: 1 + random.below(2000),
              rawBytes: 500 + random.below(40_000),
            }
          : undefined;
        trial.add(makeBody(random, all, 1_790_000_000_000 + body * 15_000), limits);
        if (random.chance(0.2)) trial.endBlock();
        trial.table.epoch++;
        if (random.chance(0.2)) trial.stencils.forget(trial.table.sweep(trial.table.epoch - random.below(3)));
        // Others, which get their refs.
        if (random.chance(0.2))
          all.splice(random.below(all.length), random.below(20), ...makeSeries(random, 1));
      }
      trial.endBlock();
      byStencil += trial.written.byStencil;
    }),
    RUNS,
  );
  assert.ok(byStencil > 1000, `${byStencil} series were written by stencils`);
});

test('a stencil is as good as the encoder where series come again in their order', () => {
  const random = new Random(7);
  const trial = new Trial();
  const all = makeSeries(random, 40);
  const raw: Uint8Array[] = [];
  for (let scrape = 0; scrape < 4; scrape++) {
    const series = all.map((labels) => ({
      labels,
      points: [{ bits: valueBits(random), timestamp: 1_790_000_000_000 + scrape * 15_000 }],
      exemplars: 0,
    }));
    if (scrape === 2) Object.assign(trial.written, { bytes: 0 });
    trial.add(series);
    if (scrape >= 2) raw.push(encodeRequest({ series, metadata: [] }));
  }
  trial.endBlock();
  const plain = snappy.compress(Buffer.concat(raw)).length;
  assert.ok(
    trial.written.bytes < plain * 1.1,
    `${trial.written.bytes} bytes by stencils, ${plain} by the encoder`,
  );
});
