import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { KernelError } from '../../src/kernel/errors.ts';
import { Expander } from '../../src/kernel/expander.ts';
import { compileKernel, Kernel } from '../../src/kernel/kernel.ts';
import { mutate } from './support/bodies.ts';
import { assertSame } from './support/compare.ts';
import { atEdge, Guarded } from './support/guarded.ts';
import { Random } from './support/random.ts';
import { decodeExact, ExactWriteRequest } from './support/reference.ts';
import { decodeRequest2, ExactRequest2, expectationOf } from './support/reference-2.ts';

const INPUT_BYTES_MAX = 1 << 18;
const RUNS = 20_000;
const kernel = new Kernel(compileKernel());
const expander = new Expander(kernel);
const input = new Guarded(kernel.memory, INPUT_BYTES_MAX);
const big = new Guarded(kernel.memory, 4 * INPUT_BYTES_MAX);
const output = new Guarded(kernel.memory, 4 * INPUT_BYTES_MAX);

/** What protobufjs takes and the kernel refuses: groups, known fields of another wire type, endless varints. */
const STRICTER: readonly number[] = [KernelError.group, KernelError.wrongWireType, KernelError.badVarint];

function expand(bytes: Uint8Array, canary = 0x2a) {
  const found = expander.expand(input.place(bytes, canary), bytes.length);
  input.assertIntact('expand');
  return found;
}

const textOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1');

interface Entry {
  readonly type: number;
  readonly metric_family_name: Uint8Array;
  readonly help: Uint8Array;
  readonly unit: Uint8Array;
}

/** Expands, and compares with the model; tells whether the request was taken. */
function compare(bytes: Uint8Array): boolean {
  const found = expand(bytes, 0x00);
  assert.deepEqual(expand(bytes, 0xff), found, 'what lies around the bytes does not matter');
  atEdge(kernel.memory, bytes, (ptr) => assert.deepEqual(expander.expand(ptr, bytes.length), found));
  const decoded = decodeRequest2(bytes);
  if (found === 'too_large') assert.fail('it is small');
  if ('error' in found) {
    assert.ok(found.at <= bytes.length, `an error at byte ${found.at} of ${bytes.length}`);
    const isLegal = decoded !== undefined && (decoded.symbols[0]?.length ?? 1) === 0;
    assert.ok(!isLegal || STRICTER.includes(found.code), `refused, but protobufjs takes it: ${found.error}`);
    return false;
  }
  assert.ok(decoded !== undefined, 'taken, but protobufjs refuses it');
  const expected = expectationOf(decoded);
  const message = messageOf(expand(bytes));
  const validated = kernel.validateWriteRequest(output.place(message, 0x1a), message.length);
  assert.ok(!('error' in validated), 'what is written is a WriteRequest');
  const exact = decodeExact(message)!;
  assert.equal(found.series, decoded.timeseries.length);
  assert.equal(found.rejectedSeries, expected.rejected);
  assert.equal(found.rejected !== undefined, expected.rejected > 0);
  assertSame(
    ExactWriteRequest.encode({ timeseries: exact.timeseries }).finish(),
    ExactWriteRequest.encode({ timeseries: expected.timeseries }).finish(),
    'series',
  );
  const entries = (exact.metadata as Entry[]).map(({ type, metric_family_name, help, unit }) =>
    JSON.stringify([textOf(metric_family_name), type, textOf(help), textOf(unit)]),
  );
  assert.deepEqual(new Set(entries), new Set(expected.metadata));
  return true;
}

function messageOf(found: ReturnType<typeof expand>): Buffer {
  assert.ok(typeof found === 'object' && !('error' in found), JSON.stringify(found));
  return Buffer.from(kernel.memory.bytes().subarray(found.ptr, found.ptr + found.length));
}

const SYMBOLS = [
  '',
  '__name__',
  'up',
  'job',
  'a',
  'B',
  'help text',
  's',
  'h_bucket',
  'h_count',
  'ä',
  'trace_id',
  'x'.repeat(150),
];

function randomHistogram(random: Random): object {
  const deltas = [3, -1, 2].slice(0, random.below(4));
  const buckets = deltas.map((_, index) => deltas.slice(0, index + 1).reduce((sum, delta) => sum + delta, 0));
  const total = buckets.reduce((sum, count) => sum + count, 0);
  const spans = deltas.length === 0 ? [] : [{ offset: -2, length: deltas.length }];
  const isFloat = random.chance(0.3);
  return {
    ...(isFloat ? { count_float: bits(total) } : { count_int: total + (random.chance(0.1) ? 1 : 0) }),
    sum: bits(random.chance(0.1) ? Number.NaN : 5),
    schema: random.pick([0, -53, 3]),
    zero_threshold: bits(0.001),
    positive_spans: spans,
    ...(isFloat ? { positive_counts: deltas.map(() => bits(2)) } : { positive_deltas: deltas }),
    ...(random.chance(0.1) && { negative_deltas: [1] }),
    timestamp: 1_700_000_000_000,
    custom_values: random.chance(0.2) ? [bits(1)] : [],
    ...(random.chance(0.2) && { start_timestamp: 1 }),
  };
}

const scratch = new DataView(new ArrayBuffer(8));
function bits(value: number) {
  scratch.setFloat64(0, value);
  return { high: scratch.getUint32(0) | 0, low: scratch.getUint32(4) | 0, unsigned: true };
}

const times = <T>(count: number, make: (index: number) => T) =>
  Array.from({ length: count }, (_, index) => make(index));

/** Mostly what senders write: the name, and a few labels in order. */
function randomRequest(random: Random): Uint8Array {
  const bad = random.chance(0.2) ? 0.2 : 0;
  const ref = () => random.below(SYMBOLS.length + (random.chance(bad) ? 3 : 0));
  const labels = () => {
    const refs = [5, ref(), 1, random.chance(bad) ? 0 : random.pick([2, 8, 9]), 4, ref(), 3, ref()];
    if (random.chance(bad)) refs.push(random.pick([3, 0, 10]), ref());
    if (random.chance(bad)) refs.pop();
    return random.chance(bad) ? refs.toReversed() : refs.slice(0, random.pick([4, 6, 8]));
  };
  const timeseries = times(random.below(6), () => {
    const hasHistograms = random.chance(0.2);
    return {
      labels_refs: labels(),
      samples: times(hasHistograms && !random.chance(bad) ? 0 : random.below(3), (index) => ({
        value: bits(random.pick([1.5, 0, Number.NaN, -3])),
        timestamp: 1_700_000_000_000 + index,
        ...(random.chance(0.1) && { start_timestamp: 5 }),
      })),
      histograms: hasHistograms ? times(random.below(3), () => randomHistogram(random)) : [],
      exemplars: random.chance(0.2)
        ? times(random.below(3), () => ({ labels_refs: [11, ref()], value: bits(2), timestamp: 7 }))
        : [],
      ...(random.chance(0.4) && {
        metadata: { type: random.below(9), help_ref: random.pick([0, 6]), unit_ref: random.pick([0, 7]) },
      }),
      ...(random.chance(0.1) && { created_timestamp: 1_600_000_000_000 }),
    };
  });
  const symbols = SYMBOLS.map((symbol) => Buffer.from(symbol));
  if (random.chance(bad / 4)) symbols.shift();
  return ExactRequest2.encode({ symbols, timeseries }).finish();
}

test(`${RUNS} requests, most of them damaged: the kernel and the model agree`, () => {
  let taken = 0;
  for (let seed = 0; seed < RUNS; seed++) {
    const random = new Random(seed);
    const request = randomRequest(random);
    try {
      taken += compare(random.chance(0.4) ? request : mutate(random, request)) ? 1 : 0;
    } catch (cause) {
      throw new Error(`seed ${seed}`, { cause });
    }
  }
  assert.ok(taken > RUNS / 3 && taken < (RUNS * 9) / 10, `${taken} taken`);
});

test('arbitrary symbols in any place', () => {
  const request = fc.record({
    symbols: fc.array(fc.string({ unit: 'binary', maxLength: 20 }), { maxLength: 6 }),
    timeseries: fc.array(
      fc.record({
        labels_refs: fc.array(fc.nat({ max: 8 }), { maxLength: 10 }),
        samples: fc.array(fc.record({ timestamp: fc.maxSafeInteger() }), { maxLength: 2 }),
      }),
      { maxLength: 4 },
    ),
  });
  fc.assert(
    fc.property(request, ({ symbols, timeseries }) => {
      const all = ['', '__name__', ...symbols].map((symbol) => Buffer.from(symbol));
      assert.ok(compare(ExactRequest2.encode({ symbols: all, timeseries }).finish()));
    }),
  );
});

function requestOf(symbols: readonly string[], timeseries: readonly object[]): Uint8Array {
  return ExactRequest2.encode({ symbols: symbols.map((symbol) => Buffer.from(symbol)), timeseries }).finish();
}

const sample = { value: bits(1), timestamp: 1000 };

test('what is wrong with a series leaves that series out, and says why', () => {
  const symbols = ['', '__name__', 'up', 'job', 'x'];
  const whole = { labels_refs: [1, 2, 3, 4], samples: [sample] };
  const histogram = { count_int: 3, positive_spans: [{ length: 1 }], positive_deltas: [3] };
  const cases: readonly (readonly [object, string])[] = [
    [{ ...whole, labels_refs: [1, 2, 3, 5] }, 'a reference goes past the last symbol'],
    [{ ...whole, labels_refs: [1, 2, 3] }, 'the number of label references is odd'],
    [{ ...whole, labels_refs: [3, 4] }, 'a series has no metric name'],
    [{ ...whole, labels_refs: [1, 0, 3, 4] }, 'a series has no metric name'],
    [{ ...whole, labels_refs: [] }, 'a series has no metric name'],
    [{ ...whole, labels_refs: [1, 2, 0, 4] }, 'a label has no name'],
    [{ ...whole, labels_refs: [1, 2, 3, 4, 3, 2] }, 'a series has two labels of one name'],
    [{ ...whole, labels_refs: [3, 4, 1, 2, 3, 2] }, 'a series has two labels of one name'],
    [{ ...whole, histograms: [histogram] }, 'a series has both samples and native histograms'],
    [
      { labels_refs: [1, 2], histograms: [{ ...histogram, count_int: 4 }] },
      'the buckets of a native histogram do not add up',
    ],
    [
      { labels_refs: [1, 2], histograms: [{ ...histogram, positive_spans: [] }] },
      'the buckets of a native histogram do not add up',
    ],
    [{ ...whole, exemplars: [{ labels_refs: [1] }] }, 'the number of label references is odd'],
    [{ ...whole, exemplars: [{ labels_refs: [1, 9] }] }, 'a reference goes past the last symbol'],
    [{ ...whole, metadata: { type: 1, help_ref: 9 } }, 'a reference goes past the last symbol'],
    [{ ...whole, labels_refs: times(10_000, () => 3) }, 'a series has too many labels'],
  ];
  for (const [bad, error] of cases) {
    const found = expand(requestOf(symbols, [whole, bad, whole]));
    assert.ok(typeof found === 'object' && !('error' in found));
    assert.deepEqual(found.rejected, { index: 1, error });
    assert.equal(found.rejectedSeries, 1);
    assert.equal(decodeExact(messageOf(found))!.timeseries.length, 2, error);
  }
});

test('a request without the empty symbol is refused', () => {
  const first = ExactWriteRequest.encode({ timeseries: [{ labels: [{ name: Buffer.from('a') }] }] }).finish();
  const bad = [['up'], []].map((symbols) => requestOf(symbols, [{ labels_refs: [0, 0] }]));
  for (const bytes of [...bad, first]) {
    const found = expand(bytes);
    assert.ok(typeof found === 'object' && 'error' in found);
    assert.equal(found.code, KernelError.noEmptySymbol);
  }
  assert.equal(messageOf(expand(requestOf([], []))).length, 0);
});

test('a short request that stands for a long one is refused', () => {
  const long = 'x'.repeat(100_000);
  const bytes = requestOf(
    ['', '__name__', long],
    times(3_000, () => ({ labels_refs: [1, 2], samples: [sample] })),
  );
  assert.equal(expand(bytes), 'too_large');
  const many = requestOf(
    ['', ...times(50_000, (index) => `s${index}`), '__name__'],
    [{ labels_refs: [50_001, 7], samples: [sample] }],
  );
  assert.equal(
    decodeExact(messageOf(expander.expand(big.place(many, 0), many.length)))!.timeseries.length,
    1,
  );
});

test('start timestamps are counted', () => {
  const series = {
    labels_refs: [0, 1],
    created_timestamp: 1,
    samples: [{ ...sample, start_timestamp: 2 }, sample],
  };
  const found = expand(requestOf(['', 'x'], [series]));
  assert.ok(typeof found === 'object' && !('error' in found));
  assert.equal(found.rejectedSeries, 1, 'no name');
  const good = expand(requestOf(['', 'x', '__name__'], [{ ...series, labels_refs: [2, 1] }]));
  assert.ok(typeof good === 'object' && !('error' in good));
  assert.equal(good.startTimestamps, 2);
});
