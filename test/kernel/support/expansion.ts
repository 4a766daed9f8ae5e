/** Requests of remote write 2.0 into the kernel that expands them, compared with what protobufjs and a plain model make of them. */
import assert from 'node:assert/strict';
import { KernelError } from '../../../src/kernel/errors.ts';
import { Expander } from '../../../src/kernel/expander.ts';
import { compileKernel, Kernel } from '../../../src/kernel/kernel.ts';
import { assertSame } from './compare.ts';
import { atEdge, Guarded } from './guarded.ts';
import type { Random } from './random.ts';
import { decodeExact, StartedWriteRequest } from './reference.ts';
import { decodeRequest2, ExactRequest2, expectationOf } from './reference-2.ts';

const INPUT_BYTES_MAX = 1 << 18;
export const kernel = new Kernel(compileKernel());
export const expander = new Expander(kernel);
const input = new Guarded(kernel.memory, INPUT_BYTES_MAX);
export const big = new Guarded(kernel.memory, 4 * INPUT_BYTES_MAX);
const output = new Guarded(kernel.memory, 4 * INPUT_BYTES_MAX);
const symbols = new Guarded(kernel.memory, 4096);
const pairs = new Guarded(kernel.memory, 4096);

/** What protobufjs takes and the kernel refuses: groups, known fields of another wire type, endless varints. */
const STRICTER: readonly number[] = [KernelError.group, KernelError.wrongWireType, KernelError.badVarint];

export function expand(bytes: Uint8Array, canary = 0x2a, keepsStarts = false) {
  const found = expander.expand(input.place(bytes, canary), bytes.length, undefined, keepsStarts);
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
export function compare(bytes: Uint8Array, keepsStarts = false): boolean {
  const found = expand(bytes, 0x00, keepsStarts);
  assert.deepEqual(expand(bytes, 0xff, keepsStarts), found, 'what lies around the bytes does not matter');
  atEdge(kernel.memory, bytes, (ptr) =>
    assert.deepEqual(expander.expand(ptr, bytes.length, undefined, keepsStarts), found),
  );
  const decoded = decodeRequest2(bytes);
  if (found === 'too_large') assert.fail('it is small');
  if ('error' in found) {
    assert.ok(found.at <= bytes.length, `an error at byte ${found.at} of ${bytes.length}`);
    const isLegal = decoded !== undefined && (decoded.symbols[0]?.length ?? 1) === 0;
    assert.ok(!isLegal || STRICTER.includes(found.code), `refused, but protobufjs takes it: ${found.error}`);
    return false;
  }
  assert.ok(decoded !== undefined, 'taken, but protobufjs refuses it');
  const expected = expectationOf(decoded, keepsStarts);
  const message = messageOf(expand(bytes, undefined, keepsStarts));
  const validated = kernel.validateWriteRequest(output.place(message, 0x1a), message.length);
  assert.ok(!('error' in validated), 'what is written is a WriteRequest');
  const exact = decodeExact(message, StartedWriteRequest)!;
  assert.equal(found.series, decoded.timeseries.length);
  assert.equal(found.rejectedSeries, expected.rejected);
  assert.equal(found.rejected !== undefined, expected.rejected > 0);
  assertSame(
    StartedWriteRequest.encode({ timeseries: exact.timeseries }).finish(),
    StartedWriteRequest.encode({ timeseries: expected.timeseries }).finish(),
    'series',
  );
  const entries = (exact.metadata as Entry[]).map(({ type, metric_family_name, help, unit }) =>
    JSON.stringify([textOf(metric_family_name), type, textOf(help), textOf(unit)]),
  );
  assert.deepEqual(new Set(entries), new Set(expected.metadata));
  for (const part of [1, 0.9, 0.3]) expandWithin(bytes, Math.floor(message.length * part), keepsStarts);
  return true;
}

/** The kernel itself, with regions that have just the room, or less: it stays inside. */
function expandWithin(bytes: Uint8Array, capacity: number, keepsStarts: boolean): void {
  const [symbolsMax, labelsMax] = [20, bytes.length % 12];
  kernel.exports.expandRequest(
    input.place(bytes, 0x22),
    bytes.length,
    symbols.room(symbolsMax * 40, 0xc1),
    symbolsMax,
    pairs.room(labelsMax * 12, 0xc2),
    labelsMax,
    output.room(capacity, 0xc3),
    capacity,
    keepsStarts ? 1 : 0,
  );
  for (const region of [input, symbols, pairs, output]) region.assertIntact('expand within');
}

export function messageOf(found: ReturnType<typeof expand>): Buffer {
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
export function bits(value: number) {
  scratch.setFloat64(0, value);
  return { high: scratch.getUint32(0) | 0, low: scratch.getUint32(4) | 0, unsigned: true };
}

export const times = <T>(count: number, make: (index: number) => T) =>
  Array.from({ length: count }, (_, index) => make(index));

/** Mostly what senders write: the name, and a few labels in order. */
export function randomRequest(random: Random): Uint8Array {
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
    const sampleStarts = random.chance(0.2) ? 0.8 : 0.05;
    return {
      labels_refs: labels(),
      samples: times(hasHistograms && !random.chance(bad) ? 0 : random.below(3), (index) => ({
        value: bits(random.pick([1.5, 0, Number.NaN, -3])),
        timestamp: 1_700_000_000_000 + index,
        ...(random.chance(sampleStarts) && { start_timestamp: random.chance(0.9) ? 5 : 2 ** 40 }),
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
