/** Plans against a naive model: what the kernel writes by a plan, protobufjs reads, and it is what was decided. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import snappy from 'snappyjs';
import type { Columns } from '../../src/kernel/columns.ts';
import { JUDGEMENTS, NO_REF } from '../../src/kernel/columns.ts';
import { compileKernel, Kernel, type PlanView } from '../../src/kernel/kernel.ts';
import { ALL_SLOTS } from '../../src/model/block.ts';
import { noCounts } from '../../src/model/body.ts';
import { OTHER_SHARD, URL_RELABEL } from '../../src/model/drops.ts';
import { Labels } from '../../src/model/labels.ts';
import { LabelReader } from '../../src/series/label-reader.ts';
import { type Decision, Plans } from '../../src/series/plans.ts';
import { SeriesTable } from '../../src/series/table.ts';
import {
  type Content,
  contentOf,
  decodeBlock,
  encodeRequest,
  type TestRequest,
  type TestSeries,
} from '../engine/support/messages.ts';
import { runs } from '../support/runs.ts';

const module = compileKernel();
const SHARDS = 40;

type Change =
  | { readonly kind: 'keep' | 'none' | 'sort' }
  | { readonly kind: 'drop'; readonly nth: number }
  | { readonly kind: 'set' | 'rename'; readonly nth: number; readonly text: string }
  | { readonly kind: 'add'; readonly text: string };

const text = fc.oneof(
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 10 }),
  fc.constantFrom('x'.repeat(127), 'x'.repeat(128), 'ü'.repeat(200), 'y'.repeat(20_000), ''),
);
const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({ kind: fc.constantFrom('keep' as const, 'keep' as const, 'none' as const, 'sort' as const) }),
  fc.record({ kind: fc.constant('drop' as const), nth: fc.nat(5) }),
  fc.record({ kind: fc.constantFrom('set' as const, 'rename' as const), nth: fc.nat(5), text }),
  fc.record({ kind: fc.constant('add' as const), text }),
);

const series: fc.Arbitrary<TestSeries> = fc.record({
  labels: fc.array(fc.record({ name: text, value: text }), { maxLength: 5 }),
  points: fc.array(fc.record({ bits: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), timestamp: fc.nat() }), {
    minLength: 1,
    maxLength: 2,
  }),
  exemplars: fc.nat({ max: 1 }),
});

const decision = fc.record({
  verdict: fc.constantFrom(0, 0, 0, 0, 1, 3),
  heldBack: fc.constantFrom(0, 0, 0, 0, 7, 9),
  fates: fc.array(fc.constantFrom(0, 0, 0, 1, 2, 3), { minLength: 2, maxLength: 2 }),
  owners: fc.uniqueArray(fc.nat(SHARDS - 1), { maxLength: 3 }),
  forms: fc.tuple(fc.array(change, { maxLength: 3 }), fc.array(change, { maxLength: 3 })),
});

/** The labels after the changes; undefined when one of them leaves none. */
function changed(from: Labels, changes: readonly Change[]): Labels | undefined {
  const labels = new Labels();
  labels.copyFrom(from);
  for (const one of changes) {
    if (one.kind === 'none') return undefined;
    if (one.kind === 'sort') labels.sort();
    if (one.kind === 'add') labels.push('new', one.text);
    if ('nth' in one && labels.length > 0) {
      const nth = one.nth % labels.length;
      const name = labels.names[nth]!;
      if (one.kind === 'drop') labels.filter((other) => other !== name);
      if (one.kind === 'set') labels.set(name, one.text);
      if (one.kind === 'rename') labels.rename(nth, one.text);
    }
  }
  return labels;
}

function setUp(capacity = 1_000) {
  const kernel = new Kernel(module);
  const table = new SeriesTable(kernel, { capacity });
  const reader = new LabelReader(kernel);
  const plans = new Plans(kernel, { shards: SHARDS, forms: 2 });
  const columns = kernel.createColumns();
  return { kernel, table, reader, plans, columns };
}

function scan({ kernel, table, columns }: ReturnType<typeof setUp>, request: TestRequest): number {
  const raw = encodeRequest(request);
  const ptr = kernel.memory.alloc(raw.byteLength);
  kernel.memory.bytes().set(raw, ptr);
  assert.ok(!('error' in kernel.validateWriteRequest(ptr, raw.byteLength)));
  columns.scan(ptr, raw.byteLength, table);
  return raw.byteLength;
}

/** What the kernel writes for a destination, as protobufjs reads it. */
function written(
  kernel: Kernel,
  columns: Columns,
  view: PlanView,
  capacity: number,
  spans: boolean,
): Content {
  const dst = kernel.memory.alloc(capacity);
  const encoded = kernel.encodeSeries(columns, {
    first: 0,
    slots: ALL_SLOTS,
    view,
    spans,
    suffixPtr: 0,
    suffixLength: 0,
    suffixLabels: 0,
    dst,
    capacity,
    rowsMax: 1e6,
    labelsMax: 1e6,
  });
  assert.equal(encoded.next, columns.seriesCount);
  const raw = kernel.memory.bytes().slice(dst, dst + encoded.bytes);
  kernel.memory.free(dst, capacity);
  const content: Content = new Map();
  const decoded = decodeBlock(
    { codec: 'snappy', bytes: snappy.compress(raw), rawLength: raw.byteLength },
    content,
  );
  assert.deepEqual(encoded.counts, decoded.counts);
  assert.equal(
    encoded.labels,
    decoded.keys.reduce((sum, key) => sum + (JSON.parse(key) as unknown[]).length, 0),
  );
  return content;
}

test('every destination gets what was decided, and what it does not get is counted', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(series, decision), { maxLength: 8 }),
      fc.nat(SHARDS - 1),
      fc.nat(1),
      fc.constantFrom(1_000, 2),
      (all, shard, form, capacity) => {
        const set = setUp(capacity);
        const { kernel, plans, reader, columns } = set;
        const request = { series: all.map(([one]) => one), metadata: [] };
        const length = scan(set, request);
        // A series that comes again has the plan of its first time.
        const first = all.map(([one]) => all.findIndex(([other]) => keyOf(other) === keyOf(one)));
        const decided: Decision[] = [];
        const missing = plans.gather(columns);
        assert.equal(missing, all.length);
        for (let nth = 0; nth < missing; nth++) {
          const index = columns.missing(nth);
          const labels = new Labels();
          const count = reader.read(columns, index, labels);
          assert.deepEqual(
            labels.pairs(),
            all[index]![0].labels.map(({ name, value }) => [name, value]),
          );
          const { verdict, heldBack, fates, owners, forms } = all[first[index]!]![1];
          const decision: Decision = {
            verdict,
            heldBack,
            fates,
            owners,
            forms: forms.map((changes) => {
              if (changes.every(({ kind }) => kind === 'keep')) return 'as-it-came';
              return changed(labels, changes) ?? 'none';
            }),
          };
          decided[index] = decision;
          const ref = columns.ref(index);
          const isKnown = ref !== NO_REF && plans.get(ref) !== 0;
          const plan = isKnown
            ? plans.get(ref)
            : plans.add(ref === NO_REF ? undefined : ref, decision, count);
          columns.setPlan(index, plan);
        }
        const view = plans.view(form, shard);
        const expected: TestSeries[] = [];
        const counts = Array.from({ length: JUDGEMENTS }, () => ({ ...noCounts }));
        for (const [index, [one]] of all.entries()) {
          const { verdict, heldBack, fates, owners, forms } = decided[index]!;
          const labels = forms[form]!;
          const judged =
            verdict !== 0
              ? verdict
              : heldBack !== 0
                ? heldBack
                : !owners.includes(shard)
                  ? OTHER_SHARD
                  : labels === 'none'
                    ? URL_RELABEL
                    : fates[form] === 0
                      ? 0
                      : URL_RELABEL + fates[form]!;
          counts[judged]!.series++;
          counts[judged]!.samples += one.points.length;
          counts[judged]!.exemplars += one.exemplars;
          if (judged !== 0) continue;
          const pairs =
            labels instanceof Labels ? labels.pairs() : one.labels.map(({ name, value }) => [name, value]);
          expected.push({ ...one, labels: pairs.map(([name, value]) => ({ name: name!, value: value! })) });
        }
        for (const spans of [false, true]) {
          assert.deepEqual(
            written(kernel, columns, view, length + 1_000_000, spans),
            contentOf([{ series: expected, metadata: [] }]),
          );
        }
        assert.deepEqual(
          columns.judge(view).counts,
          [...counts.entries()].filter(([, { series }]) => series > 0),
        );
        // Known series need no second decision; those without a ref do.
        scan(set, request);
        const unknown = all.filter((_, index) => columns.ref(index) === NO_REF).length;
        assert.equal(plans.gather(columns), unknown);
      },
    ),
    runs(300),
  );
});

const keyOf = ({ labels }: TestSeries) => JSON.stringify(labels);

test('a destination that is no shard gets the series of all shards', () => {
  const set = setUp();
  const one = { labels: [{ name: 'a', value: 'b' }], points: [{ bits: 1n, timestamp: 1 }], exemplars: 0 };
  scan(set, { series: [one], metadata: [] });
  const { plans, columns } = set;
  plans.gather(columns);
  columns.setPlan(
    0,
    plans.add(0, { verdict: 0, owners: [39], forms: ['as-it-came', 'none'], fates: [0, 0], heldBack: 0 }, 1),
  );
  const judged = (view: PlanView) => columns.judge(view).counts.map(([judgement]) => judgement);
  assert.deepEqual(judged(plans.view(0, undefined)), [0]);
  assert.deepEqual(judged(plans.view(0, 39)), [0]);
  assert.deepEqual(judged(plans.view(0, 38)), [OTHER_SHARD]);
  assert.deepEqual(judged(plans.view(1, 39)), [URL_RELABEL]);
});

test('labels that are no UTF-8 are copied byte for byte', () => {
  const { kernel, table, reader, plans, columns } = setUp();
  const raw = Buffer.from([
    0x0a, 0x12, 0x0a, 0x08, 0x0a, 0x01, 0x61, 0x12, 0x03, 0xff, 0xfe, 0xfd, 0x0a, 0x06,
  ]);
  const rest = Buffer.from([0x0a, 0x01, 0x62, 0x12, 0x01, 0x63]);
  const sample = Buffer.from([0x12, 0x09, 0x09, 0, 0, 0, 0, 0, 0, 0, 0]);
  const body = Buffer.concat([raw, rest, sample]);
  body[1] = body.byteLength - 2;
  const ptr = kernel.memory.alloc(body.byteLength);
  kernel.memory.bytes().set(body, ptr);
  assert.ok(!('error' in kernel.validateWriteRequest(ptr, body.byteLength)));
  columns.scan(ptr, body.byteLength, table);
  plans.gather(columns);
  const labels = new Labels();
  const count = reader.read(columns, 0, labels);
  labels.set('b', 'd');
  columns.setPlan(
    0,
    plans.add(0, { verdict: 0, owners: [], forms: [labels, labels], fates: [0, 0], heldBack: 0 }, count),
  );
  const dst = kernel.memory.alloc(1_000);
  const { bytes } = kernel.encodeSeries(columns, {
    first: 0,
    slots: ALL_SLOTS,
    view: plans.view(1, undefined),
    suffixPtr: 0,
    suffixLength: 0,
    suffixLabels: 0,
    dst,
    capacity: 1_000,
    rowsMax: 10,
    labelsMax: 10,
  });
  const written = Buffer.from(kernel.memory.bytes().slice(dst, dst + bytes));
  assert.ok(written.includes(Buffer.from([0x12, 0x03, 0xff, 0xfe, 0xfd])));
  assert.ok(written.includes(Buffer.from([0x0a, 0x01, 0x62, 0x12, 0x01, 0x64])));
});

const decisionOf = (value: string): Decision => {
  const labels = new Labels();
  labels.push('new', value);
  return { verdict: 0, owners: [], forms: [labels, 'none'], fates: [0, 0], heldBack: 0 };
};

test('the memory of forgotten plans is given back', () => {
  const { plans } = setUp();
  plans.add(0, decisionOf('first'), 0);
  const one = plans.byteLength;
  const addOthers = () => {
    for (let ref = 1; ref < 100; ref++) plans.add(ref, decisionOf(`${ref}`), 0);
  };
  addOthers();
  assert.ok(plans.byteLength > one);
  const hundred = plans.byteLength;
  plans.add(5, decisionOf('5'), 0);
  assert.equal(plans.byteLength, hundred);
  plans.forget(Uint32Array.from({ length: 99 }, (_, index) => index + 1));
  assert.equal(plans.byteLength, one);
  assert.equal(plans.get(5), 0);
  addOthers();
  assert.equal(plans.byteLength, hundred);
  plans.clear();
  assert.equal(plans.get(0), 0);
  assert.ok(plans.byteLength < one);
});

test('equal plans are one, as long as somebody refers to it', () => {
  const { plans, columns } = setUp();
  const ptr = plans.add(0, decisionOf('a'), 0);
  assert.equal(plans.add(1, decisionOf('a'), 0), ptr);
  const bytes = plans.byteLength;
  assert.notEqual(plans.add(2, decisionOf('b'), 0), ptr);
  plans.forget(Uint32Array.of(2));
  assert.equal(plans.byteLength, bytes);
  assert.equal(plans.add(undefined, decisionOf('a'), 0), ptr);
  plans.forget(Uint32Array.of(0, 1));
  assert.equal(plans.byteLength, bytes);
  // Only the body at hand referred to it.
  plans.gather(columns);
  assert.ok(plans.byteLength < bytes);
  const again = plans.add(0, decisionOf('a'), 0);
  assert.equal(plans.get(0), again);
  assert.equal(plans.byteLength, bytes);
});

test('labels behind the first thousand are copied too', () => {
  const { kernel, table, reader, plans, columns } = setUp();
  const labels = Array.from({ length: 1_500 }, (_, nth) => ({
    name: `n${nth}`,
    value: 'v'.repeat(nth % 200),
  }));
  const one = { labels, points: [{ bits: 1n, timestamp: 1 }], exemplars: 0 };
  scan({ kernel, table, reader, plans, columns }, { series: [one], metadata: [] });
  plans.gather(columns);
  const own = new Labels();
  const count = reader.read(columns, 0, own);
  own.filter((_, __, index) => index % 3 !== 0);
  const decision = { verdict: 0, owners: [], forms: [own, 'none' as const], fates: [0, 0], heldBack: 0 };
  columns.setPlan(0, plans.add(0, decision, count));
  assert.deepEqual(
    written(kernel, columns, plans.view(0, undefined), 1_000_000, true),
    contentOf([{ series: [{ ...one, labels: labels.filter((_, nth) => nth % 3 !== 0) }], metadata: [] }]),
  );
});
