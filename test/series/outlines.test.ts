/** Outlines against a decision that says what it looked at. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileKernel, Kernel } from '../../src/kernel/kernel.ts';
import { Labels } from '../../src/model/labels.ts';
import { LabelReader } from '../../src/series/label-reader.ts';
import { type Looked, Outlines } from '../../src/series/outlines.ts';
import { type Decision, Plans } from '../../src/series/plans.ts';
import { SeriesTable } from '../../src/series/table.ts';
import { encodeRequest } from '../engine/support/messages.ts';

const module = compileKernel();

/** Everything that outlines need, over series of the labels that `valuesOf` gives. */
function setUp(looked: Looked, itemsMax?: number) {
  const kernel = new Kernel(module);
  const table = new SeriesTable(kernel);
  const reader = new LabelReader(kernel);
  const plans = new Plans(kernel, { shards: 0, forms: 1 });
  const outlines = new Outlines(kernel, plans, looked, itemsMax);
  const columns = kernel.createColumns();
  let decided = 0;
  const run = (pairs: readonly Readonly<Record<string, string>>[], added: readonly number[] = []): number => {
    const series = pairs.map((own) => ({
      labels: Object.entries(own).map(([of, value]) => ({ name: of, value })),
      points: [{ bits: 1n, timestamp: 1 }],
      exemplars: 0,
    }));
    const raw = encodeRequest({ series, metadata: [] });
    const ptr = kernel.memory.alloc(raw.byteLength);
    kernel.memory.bytes().set(raw, ptr);
    assert.ok(!('error' in kernel.validateWriteRequest(ptr, raw.byteLength)));
    const suffix = { ptr: kernel.memory.alloc(added.length), length: added.length };
    kernel.memory.bytes().set(added, suffix.ptr);
    columns.scan(ptr, raw.byteLength, table, false, suffix);
    const missing = plans.gather(columns);
    outlines.begin();
    const before = decided;
    for (let nth = 0; nth < missing; nth++) {
      nth = outlines.plan(columns, nth, missing, true, suffix).next;
      if (nth === missing) break;
      decided++;
      const labels = new Labels();
      const own = reader.read(columns, columns.missing(nth), labels);
      labels.set('job', `of ${labels.get('job')}`);
      const decision: Decision = { verdict: 0, heldBack: 0, owners: [], forms: [labels], fates: [0] };
      const plan = plans.add(columns.ref(columns.missing(nth)), decision, own);
      columns.setPlan(columns.missing(nth), plan);
      outlines.remember(plan);
    }
    return decided - before;
  };
  /** The series of the last run leave the table. */
  const forget = () => {
    const refs = Uint32Array.from({ length: columns.seriesCount }, (_, nth) => columns.ref(nth));
    plans.forget(refs);
    outlines.forget();
  };
  return { run, plans, outlines, forget };
}

const byJob: Looked = {
  kindOf: (of) => (of === 'job' ? 'read' : of === 'mode' ? 'tested' : 'passed'),
  classOf: (_, value) => String(value.startsWith('x')),
  valueBytesMax: undefined,
};

test('a series is decided once for each set of values that count, and each class of values that are tested', () => {
  const { run } = setUp(byJob);
  const all = ['p', 'q'].flatMap((job) =>
    ['x1', 'x2', 'y1'].flatMap((mode) => ['1', '2', '3'].map((pod) => ({ job, mode, pod }))),
  );
  assert.equal(run(all), 4);
  assert.equal(run([{ job: 'p', mode: 'x3', pod: '4' }]), 0);
  assert.equal(run([{ job: 'p', mode: 'z', pod: '' }]), 1, 'an empty label goes, so it counts as such');
  assert.equal(run([{ job: 'p', mode: 'z' }]), 1);
});

test('outlines are bounded: beyond, all begin anew', () => {
  const { run, plans, outlines } = setUp(byJob, 10);
  const wave = (letter: string) =>
    Array.from({ length: 50 }, (_, nth) => ({ job: `${letter}${nth}`, mode: `${nth}` }));
  for (const letter of ['a', 'b', 'c']) assert.equal(run(wave(letter)), 50);
  assert.ok(
    run([...wave('c').map((own) => ({ ...own, more: '1' })), { job: 'c1', more: '2', mode: '' }]) > 40,
  );
  plans.clear();
  outlines.close();
  plans.close();
  assert.equal(plans.byteLength, 0);
});

test('labels longer than the scratch memory, and more than there are places, are outlined too', () => {
  const { run } = setUp(byJob);
  const many = Object.fromEntries(Array.from({ length: 600 }, (_, nth) => [`n${nth}`, `${nth}`]));
  const long = 'l'.repeat(100_000);
  assert.equal(
    run([
      { ...many, job: long },
      { ...many, job: long, n599: 'x' },
      { ...many, job: 'x' },
    ]),
    2,
  );
});

test('a series of more labels than there is room for names is decided by itself', () => {
  const { run } = setUp(byJob, 2_000);
  const labels = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, nth) => [`n${nth}`, `${nth}`]));
  const two = (count: number) => ['p', 'q'].map((more) => ({ ...labels(count), more }));
  assert.equal(run(two(1_023)), 1);
  assert.equal(run(two(3_000)), 2);
  assert.equal(run(two(3_000).map((own) => ({ ...own, job: 'x' }))), 2);
});

test('the plan that fills the table is not forgotten with the others while the table has it', () => {
  const { run, plans, outlines, forget } = setUp(byJob, 2);
  assert.equal(run([{ pod: '1' }]), 1);
  assert.equal(run([{}]), 1, 'without labels its outline is the same when all names are forgotten');
  assert.equal(run([{}]), 0);
  forget();
  assert.equal(run([{}]), 1);
  plans.clear();
  outlines.close();
  plans.close();
  assert.equal(plans.byteLength, 0);
});

test('labels from outside are not taken for labels of the series', () => {
  const { run } = setUp({ ...byJob, kindOf: () => 'passed' });
  assert.equal(run([{ pod: '1' }]), 1);
  // What an outline says of the first name.
  assert.equal(run([{}], [8, 0, 0, 0]), 1);
  assert.equal(run([{}], []), 1);
});
