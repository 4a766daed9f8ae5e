import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Condenser, type MetricMetadata } from '../../src/kernel/condenser.ts';
import { Expander } from '../../src/kernel/expander.ts';
import { compileKernel, Kernel } from '../../src/kernel/kernel.ts';
import { randomWriteRequest } from './support/bodies.ts';
import { assertSame } from './support/compare.ts';
import { Guarded } from './support/guarded.ts';
import { Random } from './support/random.ts';
import {
  bigintOf,
  decodeExact,
  type ExactRequest,
  ExactWriteRequest,
  StartedWriteRequest,
} from './support/reference.ts';
import { decodeRequest2, ExactRequest2, type Request2 } from './support/reference-2.ts';

const kernel = new Kernel(compileKernel());
const condenser = new Condenser(kernel);
const expander = new Expander(kernel);
const columns = kernel.createColumns();
const INPUT_BYTES_MAX = 1 << 20;
const input = kernel.memory.alloc(INPUT_BYTES_MAX);
const SMALL_BYTES = 8192;
const [symbolsRoom, slotsRoom, refsRoom, seriesRoom] = [4096, 4096, 65_536, 65_536].map(
  (bytes) => new Guarded(kernel.memory, bytes),
) as [Guarded, Guarded, Guarded, Guarded];
const key = kernel.memory.alloc(16);
const RUNS = 20_000;

const nothing = () => undefined;

/** The kernels themselves, with regions that have just the room, or less: they stay inside. */
function condenseWithin(series: number, labels: number, length: number): void {
  const { exports } = kernel;
  const symbolsMax = 64;
  const refs = refsRoom.room(4 * series + 8 * labels, 0xc3);
  const { rowsPtr, seriesCount, timestampsPtr, valuesPtr } = columns;
  const table = symbolsRoom.room(symbolsMax * 40, 0xc1);
  const slots = slotsRoom.room(4 * 2 * symbolsMax, 0xc2);
  if (exports.internLabels(rowsPtr, seriesCount, table, symbolsMax, slots, 2 * symbolsMax, key, refs) !== 0) {
    for (const part of [1.2, 0.8, 0.3]) {
      const capacity = Math.floor(length * part);
      exports.condenseSeries(
        rowsPtr,
        seriesCount,
        timestampsPtr,
        valuesPtr,
        refs,
        seriesRoom.room(capacity, 0xc4),
        capacity,
      );
      seriesRoom.assertIntact('condense');
    }
  }
  for (const region of [symbolsRoom, slotsRoom, refsRoom]) region.assertIntact('intern');
}

/** Undefined when the message is none. */
function condense(bytes: Uint8Array, describe: (name: string) => MetricMetadata | undefined = nothing) {
  kernel.memory.bytes().set(bytes, input);
  const found = kernel.validateWriteRequest(input, bytes.length);
  if ('error' in found) return undefined;
  columns.scan(input, bytes.length);
  if (bytes.length < SMALL_BYTES) condenseWithin(found.counts.series, found.labels, bytes.length);
  const { ptr, length } = condenser.condense(columns, input, bytes.length, describe);
  return Buffer.from(kernel.memory.bytes().subarray(ptr, ptr + length));
}

function decode(request: Uint8Array | undefined): Request2 {
  assert.ok(request !== undefined);
  const decoded = decodeRequest2(request);
  assert.ok(decoded !== undefined, 'what is written is a Request');
  return decoded;
}

interface ModelLabel {
  readonly name: Uint8Array;
  readonly value: Uint8Array;
}

function sorted(labels: readonly ModelLabel[]): readonly ModelLabel[] {
  // Stable only where names differ: labels of one name have no order.
  return labels.filter(({ value }) => value.length > 0).toSorted((a, b) => Buffer.compare(a.name, b.name));
}

const hasTwins = (labels: readonly ModelLabel[]) =>
  new Set(labels.map(({ name }) => Buffer.from(name).toString('hex'))).size < labels.length;

/** The series of a WriteRequest as a Request has them; undefined where labels of one name leave their order open. */
function expectedOf({ timeseries }: ExactRequest) {
  const exemplarsOf = (list: readonly unknown[]) =>
    (list as { labels: ModelLabel[]; value: unknown; timestamp: unknown }[]).map((exemplar) => ({
      ...exemplar,
      labels: sorted(exemplar.labels),
    }));
  const kept = timeseries.filter(
    (one) => one.samples.length + one.histograms.length + one.exemplars.length > 0,
  );
  if (kept.some(({ labels }) => hasTwins(labels))) return undefined;
  if (kept.some(({ exemplars }) => exemplarsOf(exemplars).some(({ labels }) => hasTwins(labels))))
    return undefined;
  return kept.map(({ labels, samples, histograms, exemplars }) => ({
    labels: sorted(labels),
    samples,
    histograms,
    exemplars: exemplarsOf(exemplars),
  }));
}

function resolved({ symbols, timeseries }: Request2) {
  const labelsOf = (refs: readonly number[]) =>
    Array.from({ length: refs.length / 2 }, (_, index) => ({
      name: symbols[refs[2 * index]!]!,
      value: symbols[refs[2 * index + 1]!]!,
    }));
  return timeseries.map(({ labels_refs, samples, histograms, exemplars }) => ({
    labels: labelsOf(labels_refs),
    samples,
    histograms,
    exemplars: exemplars.map((exemplar) => ({ ...exemplar, labels: labelsOf(exemplar.labels_refs) })),
  }));
}

const encoded = (timeseries: object[]) => ExactWriteRequest.encode({ timeseries }).finish();

test(`${RUNS} requests of 1.0, with every legal oddity: protobufjs finds the same in what 2.0 they become`, () => {
  let compared = 0;
  for (let seed = 0; seed < RUNS; seed++) {
    const bytes = randomWriteRequest(new Random(seed));
    const request = condense(bytes);
    if (request === undefined) continue;
    const decoded = decode(request);
    const texts = decoded.symbols.map((symbol) => Buffer.from(symbol).toString('hex'));
    assert.equal(texts[0], '', `seed ${seed}: the first symbol is empty`);
    assert.equal(new Set(texts).size, texts.length, `seed ${seed}: every symbol is there once`);
    const expected = expectedOf(decodeExact(bytes)!);
    if (expected === undefined) continue;
    compared++;
    assertSame(encoded(resolved(decoded)), encoded(expected), `seed ${seed}`);
  }
  assert.ok(compared > RUNS / 4, `${compared} compared`);
});

test('there and back again: a Request that was expanded is condensed to the same series', () => {
  const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 12 });
  const series = fc.record({
    labels: fc.uniqueArray(fc.record({ name: text, value: text }), {
      maxLength: 8,
      selector: ({ name }) => name,
    }),
    samples: fc.array(fc.record({ timestamp: fc.maxSafeInteger() }), { minLength: 1, maxLength: 3 }),
  });
  fc.assert(
    fc.property(fc.array(series, { maxLength: 8 }), (all) => {
      const timeseries = all.map(({ labels, samples }) => ({
        labels: [...labels.filter(({ name }) => name !== '__name__'), { name: '__name__', value: 'm' }]
          .map(({ name, value }) => ({ name: Buffer.from(name), value: Buffer.from(value) }))
          .toSorted((a, b) => Buffer.compare(a.name, b.name)),
        samples,
      }));
      const first = encoded(timeseries);
      const second = condense(first)!;
      kernel.memory.bytes().set(second, input);
      const back = expander.expand(input, second.length);
      assert.ok(typeof back === 'object' && !('error' in back) && back.rejectedSeries === 0);
      const message = Buffer.from(kernel.memory.bytes().subarray(back.ptr, back.ptr + back.length));
      assertSame(
        encoded([...decodeExact(message)!.timeseries]),
        encoded([...decodeExact(first)!.timeseries]),
        'series',
      );
      assertSame(condense(message)!, second, 'and once more');
    }),
  );
});

test('the start of a series is that of all of its samples in a Request, there and back again', () => {
  const one = (start: number | undefined, more: object = {}) => ({
    labels: [label('__name__', 'm')],
    samples: [{ timestamp: 1000 }, { timestamp: 2000 }],
    ...(start !== undefined && { start_timestamp: start }),
    ...more,
  });
  const exemplars = [{ labels: [label('trace_id', 'x')], timestamp: 5 }];
  const starts = [1, 2 ** 45, -1, undefined, 7, 8];
  const timeseries = [
    ...starts.slice(0, 4).map((start) => one(start)),
    one(7, { exemplars }),
    // Labels and samples that are not in their places.
    one(8, { labels: [label('b', 'x'), label('__name__', 'm')] }),
    one(9, { samples: [], histograms: [{ count_int: 0 }] }),
  ];
  const bytes = StartedWriteRequest.encode({ timeseries }).finish();
  const request = condense(bytes)!;
  const found = decode(request);
  const big = (value: number | undefined) => BigInt.asUintN(64, BigInt(value ?? 0));
  assert.deepEqual(
    found.timeseries.map(({ samples }) => samples.map(({ start_timestamp: own }) => bigintOf(own))),
    [...starts.map((start) => [big(start), big(start)]), []],
  );
  kernel.memory.bytes().set(request, input);
  const back = expander.expand(input, request.length, undefined, true);
  assert.ok(typeof back === 'object' && !('error' in back));
  const message = Buffer.from(kernel.memory.bytes().subarray(back.ptr, back.ptr + back.length));
  const again = decodeExact(message, StartedWriteRequest)!.timeseries.map(({ start_timestamp: own }) =>
    bigintOf(own!),
  );
  assert.deepEqual(again, [...starts, undefined].map(big));
});

const label = (name: string, value: string) => ({ name: Buffer.from(name), value: Buffer.from(value) });
const named = (name: string, ...labels: object[]) => ({
  labels: [label('__name__', name), ...labels],
  samples: [{ timestamp: 1000 }],
});

test('metrics are asked for once, and their metadata goes with each of their series', () => {
  const asked: string[] = [];
  const request = condense(
    encoded([named('a'), named('b'), named('a', label('x', '1')), named('ä')]),
    (name) => {
      asked.push(name);
      return name === 'b' ? undefined : { type: 3, help: `help of ${name}`, unit: '' };
    },
  );
  const { symbols, timeseries } = decode(request);
  assert.deepEqual(asked.toSorted(), ['a', 'b', 'ä']);
  const help = timeseries.map(
    ({ metadata }) => metadata && [metadata.type, String(symbols[metadata.help_ref]), metadata.unit_ref],
  );
  assert.deepEqual(
    JSON.parse(JSON.stringify(help)).map((entry: unknown[] | null) => entry?.slice(1)),
    [['help of a', 0], undefined, ['help of a', 0], ['help of ä', 0]].map((entry) => entry ?? undefined),
  );
});

test('where tenants tell different things of a metric, each series gets what its own tenant said', () => {
  const tenant = (account: string, project: string) => [
    label('vm_account_id', account),
    label('vm_project_id', project),
  ];
  const told = (type: number, help: string, unit = '') => ({ type, help, unit });
  const describe = (name: string) =>
    name === 'plain'
      ? told(2, 'plain help')
      : {
          ...told(1, 'last help'),
          tenants: [
            { ...told(1, 'help of 1', 's'), account: '1', project: '0' },
            { ...told(3, 'help of 1:2'), account: '1', project: '2' },
            { ...told(0, ''), account: '4', project: '0' },
            // Nobody here has this one, so its texts are not sent.
            { ...told(1, 'help of 9'), account: '9', project: '9' },
          ],
        };
  const series = [
    named('m', ...tenant('1', '0')),
    named('m', ...tenant('1', '2')),
    named('m', ...tenant('4', '0')),
    named('m', ...tenant('2', '1')),
    named('m'),
    named('m', label('vm_account_id', '1')),
    named('plain', ...tenant('1', '2')),
  ];
  const { symbols, timeseries } = decode(condense(encoded(series), describe));
  const shown = timeseries.map(({ metadata }) => {
    const { type = 0, help_ref: help = 0, unit_ref: unit = 0 } = metadata ?? {};
    return `${type} ${symbols[help]} ${symbols[unit]}`;
  });
  assert.deepEqual(shown, [
    '1 help of 1 s',
    '3 help of 1:2 ',
    '0  ',
    '1 last help ',
    '1 last help ',
    '1 last help ',
    '2 plain help ',
  ]);
  assert.ok(!symbols.map(String).includes('help of 9'));
  const without = decode(condense(encoded([named('m'), named('plain')]), describe));
  assert.deepEqual(without.symbols.map(String), ['', '__name__', 'm', 'plain', 'plain help', 'last help']);
});

test('a request with more strings than usual', () => {
  const timeseries = Array.from({ length: 9_000 }, (_, nth) => named(`m${nth}`, label('a', `x${nth}`)));
  const { symbols } = decode(
    condense(encoded(timeseries), (name) => ({ type: 1, help: `h ${name}`, unit: 's' })),
  );
  assert.equal(symbols.length, 1 + 1 + 1 + 9_000 * 3 + 1);
  assert.equal(ExactRequest2.decode(condense(encoded([]))!).toJSON().symbols.length, 1);
});
