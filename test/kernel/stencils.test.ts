/**
 * What stencils write is what `encodeSeries` writes, once snappyjs has decoded it, whatever order series come in and
 * whatever happens to their refs meanwhile.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import snappy from 'snappyjs';
import { compileKernel, Kernel } from '../../src/kernel/kernel.ts';
import { type StencilMemory, type StencilOptions, Stencils } from '../../src/kernel/stencils.ts';
import { ALL_SLOTS } from '../../src/model/block.ts';
import { SeriesTable } from '../../src/series/table.ts';
import { encodePair } from '../../src/transform/state/label-pairs.ts';
import { encodeVarint } from '../../src/util/varint.ts';
import { encodeRequest, type TestSeries } from '../engine/support/messages.ts';
import { runs } from '../support/runs.ts';
import { Guarded } from './support/guarded.ts';
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

/** Series with nothing in common, and nothing in them that comes twice: as elements they take more bytes than in full. */
function makeStrangers(random: Random, count: number): Labels[] {
  return Array.from({ length: count }, () => [
    { name: Buffer.from(random.bytes(1 + random.below(80))).toString('latin1'), value: '' },
  ]);
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

/** What requests add to their series; it tells them apart, too. */
const SUFFIXES = [
  [],
  [],
  [{ name: 'added', value: 'by the request' }],
  [
    { name: 'a', value: 'b' },
    { name: 'long', value: 'y'.repeat(300) },
  ],
];

/** What destinations have of their own. */
interface Destination {
  readonly round?: (value: number) => number;
  readonly withoutExemplars?: boolean;
}

interface Limits {
  readonly rowsMax: number;
  readonly labelsMax: number;
  readonly rawBytes: number;
}

const CANARY = 0xc8;
const CANARY_BYTES = 768;
const CHUNK_BYTES = 32_768 - CANARY_BYTES;

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

  readonly #destination: Destination;
  readonly #suffix: number;

  /** Where the rooms for codes end, with bytes behind them that nobody writes. */
  readonly #codeEnds = new Set<number>();

  constructor(memory: StencilMemory = {}, tableCapacity = 100_000, destination: Destination = {}) {
    const linear = this.kernel.memory;
    const alloc = linear.alloc.bind(linear);
    linear.alloc = (byteLength) => {
      const ptr = alloc(byteLength);
      if (byteLength !== memory.chunkBytes) return ptr;
      const end = ptr + byteLength;
      this.#codeEnds.add(end);
      linear.bytes().fill(CANARY, end, end + CANARY_BYTES);
      return ptr;
    };
    const free = linear.free.bind(linear);
    linear.free = (ptr, byteLength) => {
      if (byteLength === memory.chunkBytes) this.#codeEnds.delete(ptr + byteLength);
      free(ptr, byteLength);
    };
    this.table = new SeriesTable(this.kernel, { capacity: tableCapacity });
    this.stencils = new Stencils(this.kernel, 1, memory);
    this.#destination = destination;
    this.#suffix = this.kernel.memory.alloc(1024);
  }

  #options(added: Labels) {
    const bytes = Buffer.concat(added.map(({ name, value }) => encodePair(name, value)));
    this.kernel.memory.bytes().set(bytes, this.#suffix);
    const suffix = { suffixPtr: this.#suffix, suffixLength: bytes.length, suffixLabels: added.length };
    return { slots: ALL_SLOTS, ...suffix, ...this.#destination };
  }

  add(series: readonly TestSeries[], limits?: Limits, added: Labels = []): void {
    const { kernel, columns, stencils } = this;
    const raw = encodeRequest({ series, metadata: [] });
    const ptr = kernel.memory.alloc(raw.length);
    kernel.memory.bytes().set(raw, ptr);
    assert.ok(!('error' in kernel.validateWriteRequest(ptr, raw.length)));
    const options = this.#options(added);
    const identity = { ptr: options.suffixPtr, length: options.suffixLength };
    columns.scan(ptr, raw.length, this.table, false, identity);
    const listed = stencils.select(columns, options);
    if (listed === undefined) {
      this.written.inFull += columns.seriesCount;
      kernel.memory.free(ptr, raw.length);
      return;
    }
    assert.equal(listed, columns.seriesCount);
    for (let nth = 0; nth < listed; ) {
      const step = stencils.write(0, columns, nth, this.#blockLength, options, limits ?? NO_LIMITS);
      this.#compressed.push(kernel.memory.bytes().slice(step.ptr, step.ptr + step.length));
      const expected = this.#encode(options, nth, step.next);
      const reached = this.#reach(options, nth, limits ?? NO_LIMITS);
      assert.ok(step.next <= reached);
      if (step.stop === 'limit') assert.equal(step.next, reached);
      assert.equal(step.rawLength, expected.bytes.byteLength);
      assert.deepEqual(step.counts, expected.counts);
      assert.equal(step.labels, expected.labels);
      this.#expected.push(expected.bytes);
      this.#blockLength += step.rawLength;
      this.written.byStencil += step.next - nth;
      this.written.bytes += step.length;
      assert.ok(step.next > nth || step.stop !== 'done');
      const isStuck = step.next === nth && step.stop !== 'full';
      nth = step.next;
      if (step.stop === 'limit' || step.stop === 'too_long') this.endBlock();
      // Alone too long for these limits.
      if (isStuck) nth++;
    }
    kernel.memory.free(ptr, raw.length);
  }

  /** Where the series end that fit. */
  #reach(options: StencilOptions, first: number, { rawBytes, rowsMax, labelsMax }: Limits): number {
    const dst = this.kernel.memory.alloc(rawBytes);
    const own = { first, dst, capacity: rawBytes, rowsMax, labelsMax };
    const { next } = this.kernel.encodeSeries(this.columns, { ...options, ...own });
    this.kernel.memory.free(dst, rawBytes);
    return next;
  }

  #encode(options: StencilOptions, first: number, end: number) {
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
    const all = { ...options, dst, capacity };
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
    for (const end of this.#codeEnds) {
      const behind = this.kernel.memory.bytes().subarray(end, end + CANARY_BYTES);
      assert.ok(behind.every((byte) => byte === CANARY));
    }
    const expected = Buffer.concat(this.#expected);
    const compressed = Buffer.concat([encodeVarint(expected.byteLength), ...this.#compressed]);
    if (expected.byteLength > 0) {
      const decoded = Buffer.from(snappy.uncompress(compressed));
      assert.ok(decoded.equals(expected), 'the elements stand for what is written in full');
    }
    this.written.rawBytes += expected.byteLength;
    this.stencils.endBlock(0, this.#blockLength);
    this.#compressed = [];
    this.#expected = [];
    this.#blockLength = 0;
  }
}

/** Lets the kernel write into regions that are hardly large enough for a series, and looks behind them. */
function keepInBounds(kernel: Kernel, random: Random): void {
  const { exports, memory } = kernel;
  const scratch = new Guarded(memory, 4096);
  const output = new Guarded(memory, 8192);
  const SCRATCH = 15;
  const OUTPUT = 17;
  const stencilSeries = (...args: Parameters<typeof exports.stencilSeries>) => {
    const scratchBytes = 2048 + 32 + random.below(2000);
    const outputBytes = 5200 + random.below(2900);
    const own = args.with(SCRATCH, scratch.room(scratchBytes, 0xc6)).with(SCRATCH + 1, scratchBytes);
    const ours = own.with(OUTPUT, output.room(outputBytes, 0xc7)).with(OUTPUT + 1, outputBytes);
    exports.stencilSeries(...(ours as typeof args));
    scratch.assertIntact('scratch');
    output.assertIntact('output');
    assert.ok(kernel.result(0) <= outputBytes);
    memory.bytes().copyWithin(args[OUTPUT], output.ptr, output.ptr + kernel.result(0));
  };
  Object.assign(kernel, { exports: { ...exports, stencilSeries } });
}

const NO_LIMITS: Limits = {
  rowsMax: Number.POSITIVE_INFINITY,
  labelsMax: Number.POSITIVE_INFINITY,
  rawBytes: 16 * 1024 * 1024,
};

const RUNS = runs(60);

test('series in any order, with limits, sweeps and little memory, are written as encodeSeries writes them', () => {
  let byStencil = 0;
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const random = new Random(seed);
      const memory: StencilMemory = random.chance(0.5)
        ? { bytesMax: random.pick([40_000, 150_000]), chunkBytes: CHUNK_BYTES }
        : {};
      const trial = new Trial(memory, random.chance(0.2) ? 50 : 100_000, {
        ...(random.chance(0.3) ? { round: Math.fround } : {}),
        withoutExemplars: random.chance(0.3),
      });
      if (random.chance(0.3)) keepInBounds(trial.kernel, random);
      // Beyond 32 bits, and up to where positions begin anew.
      if (random.chance(0.3)) trial.stencils.endBlock(0, random.pick([2 ** 32 - 200_000, 2 ** 47 - 300_000]));
      const all = random.chance(0.2) ? makeStrangers(random, 100) : makeSeries(random, 2 + random.below(12));
      for (let body = 0; body < 12; body++) {
        const limits = random.chance(0.3)
          ? {
              rowsMax: 1 + random.below(200),
              labelsMax: 1 + random.below(2000),
              rawBytes: 500 + random.below(40_000),
            }
          : undefined;
        const scraped = makeBody(random, all, 1_790_000_000_000 + body * 15_000);
        trial.add(scraped, limits, random.pick(SUFFIXES));
        assert.ok(trial.stencils.byteLength <= (memory.bytesMax ?? 32 * 1024 * 1024));
        if (random.chance(0.2)) trial.endBlock();
        trial.table.epoch++;
        if (random.chance(0.2)) trial.stencils.forget(trial.table.sweep(trial.table.epoch - random.below(3)));
        // As often as generations have numbers, but for a few.
        if (random.chance(0.02))
          trial.stencils.forget(new Uint32Array(65_535 - random.below(4)).fill(random.below(50)));
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

test('nothing is written outside of the regions, however little series have in common', () => {
  const random = new Random(11);
  const trial = new Trial({ chunkBytes: 4096 - CANARY_BYTES });
  keepInBounds(trial.kernel, random);
  const all = makeStrangers(random, 400);
  for (let scrape = 0; scrape < 20; scrape++) {
    const series = all.map((labels) => ({
      labels,
      points: Array.from({ length: random.chance(0.2) ? 2 : 1 }, () => ({
        bits: valueBits(random),
        timestamp: 1_790_000_000_000 + random.below(2 ** 40),
      })),
      exemplars: 0,
    }));
    trial.add(series);
  }
  trial.endBlock();
  assert.ok(trial.written.byStencil > 400 * 18);
});

test('what is made of a series is not made of another one that has its ref', () => {
  const trial = new Trial();
  const seriesOf = (name: string, scrape: number): TestSeries => ({
    labels: [
      { name: '__name__', value: name },
      { name: 'instance', value: `${name.at(-1)!.repeat(20)}:9100` },
    ],
    points: [{ bits: BigInt(scrape), timestamp: 1_790_000_000_000 + scrape * 15_000 }],
    exemplars: 0,
  });
  let scrape = 0;
  const send = (...names: string[]) => trial.add(names.map((name) => seriesOf(name, scrape++)));
  const common = Array.from({ length: 4 }, (_, index) => `common_metric_${index}`);
  for (let time = 0; time < 3; time++) send(...common, 'some_metric_a', 'other_metric_a');
  trial.table.epoch++;
  send(...common, 'other_metric_a');
  const freed = trial.table.sweep(trial.table.epoch);
  assert.equal(freed.length, 1);
  trial.stencils.forget(freed);
  const before = trial.table.refLimit;
  for (let time = 0; time < 4; time++) send(...common, 'some_metric_b', 'other_metric_a');
  assert.equal(trial.table.refLimit, before, 'it has the ref of the one that is gone');
  trial.endBlock();
  assert.ok(trial.written.byStencil > 20);
});

test('neighbours that have any number of bytes in common', () => {
  const trial = new Trial();
  for (let scrape = 0; scrape < 5; scrape++) {
    const series = Array.from({ length: 300 }, (_, shared) =>
      Array.from({ length: 4 }, (_, nth) => ({
        labels: [
          { name: `n${shared}`, value: 's'.repeat(shared) },
          { name: 'z', value: `${'x'.repeat(nth * (1 + (shared % 3)))}${nth}` },
        ],
        points: [{ bits: BigInt(nth >> (scrape % 2)), timestamp: 1_790_000_000_000 + scrape }],
        exemplars: 0,
      })),
    ).flat();
    // Another order moves the copies, and they find neighbours of other lengths.
    trial.add(scrape === 3 ? series.toReversed() : series);
    if (scrape % 2 === 1) trial.endBlock();
  }
  trial.endBlock();
});

test('what is not in use any more makes room, for more refs too', () => {
  const bytesMax = 200_000;
  const trial = new Trial({ bytesMax, chunkBytes: CHUNK_BYTES });
  const all = makeSeries(new Random(5), 140);
  /** Bytes a byte of so many series, the last of the times that they come; NaN when they were written in full. */
  const ratioOf = (generation: number, count: number, times = 4) => {
    const { written } = trial;
    const g = { name: 'g', value: `${generation}` };
    for (let scrape = 0; scrape < times; scrape++) {
      Object.assign(written, { byStencil: 0, bytes: 0, rawBytes: 0 });
      const points = [{ bits: 1n, timestamp: 1_790_000_000_000 + scrape * 15_000 }];
      trial.add(all.slice(0, count).map((labels) => ({ labels: [...labels, g], points, exemplars: 0 })));
      trial.endBlock();
    }
    trial.table.epoch++;
    trial.stencils.forget(trial.table.sweep(trial.table.epoch));
    assert.ok(trial.stencils.byteLength <= bytesMax, `${trial.stencils.byteLength}`);
    return written.byStencil === count ? written.bytes / written.rawBytes : Number.NaN;
  };
  const first = ratioOf(0, 500);
  const ratios = Array.from({ length: 9 }, (_, generation) => ratioOf(1 + generation, 500));
  // One of them may come while most codes are in use.
  assert.ok(ratios.filter((ratio) => ratio < first * 1.1).length >= 6, `${first} ${ratios}`);
  // Headers take what codes had.
  assert.ok(ratioOf(10, 2100, 2) < first * 1.1);
});

test('copies reach as far as their distances have bits, and no farther', () => {
  const seriesOf = (...labels: [string, string][]): TestSeries => ({
    labels: labels.map(([name, value]) => ({ name, value })),
    points: [{ bits: 1n, timestamp: 1_790_000_000_000 }],
    exemplars: 0,
  });
  const source = seriesOf(['pod', 'what is copied from']);
  // It has the same bytes farther behind, so they are farther away than their source is.
  const target = seriesOf(['a', 'nowhere else 0123456789'], ['pod', 'what is copied from']);
  for (let between = 65_420; between < 65_500; between++) {
    const trial = new Trial();
    for (let time = 0; time < 3; time++) trial.add([source, target]);
    trial.endBlock();
    const half = between >> 1;
    const fillers = [half, between - half].map((bytes) => seriesOf(['long', 'x'.repeat(bytes - 40)]));
    for (let time = 0; time < 2; time++) trial.add(fillers);
    trial.endBlock();
    // Until it is made anew.
    for (let time = 0; time < 6; time++) trial.add([source, ...fillers, target]);
    trial.endBlock();
  }
  // Short copies have 11 bits.
  const trial = new Trial();
  for (let bytes = 1980; bytes < 2048; bytes++) {
    const long = seriesOf(['long', 'x'.repeat(bytes)]);
    const values = [1n, 2n, 3n].map((nth) => [
      { bits: nth * 0x1111111111111111n, timestamp: 1_790_000_000_000 },
    ]);
    for (let time = 0; time < 4; time++) trial.add(values.map((points) => ({ ...long, points })));
  }
  trial.endBlock();
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
