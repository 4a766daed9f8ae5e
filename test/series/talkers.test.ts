import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compileKernel, Kernel } from '../../src/kernel/kernel.ts';
import { remoteWriteType } from '../../src/protocol/schema.ts';
import { SeriesTable } from '../../src/series/table.ts';
import { Talkers } from '../../src/series/talkers.ts';

const WriteRequest = remoteWriteType('WriteRequest');
const module = compileKernel();

interface Sent {
  readonly metric: string;
  readonly job: string;
}

function setUp() {
  const kernel = new Kernel(module);
  const talkers = new Talkers(kernel);
  const table = new SeriesTable(kernel);
  const columns = kernel.createColumns();
  const send = (series: readonly Sent[], nowMs: number) => {
    const timeseries = series.map(({ metric, job }) => ({
      labels: [
        { name: '__name__', value: metric },
        { name: 'job', value: job },
      ],
      samples: [{ value: 1, timestamp: 1 }],
    }));
    const bytes = WriteRequest.encode(WriteRequest.fromObject({ timeseries })).finish();
    const ptr = kernel.memory.alloc(bytes.length);
    kernel.memory.bytes().set(bytes, ptr);
    const isLookedAt = talkers.note(series.length, nowMs);
    columns.scan(ptr, bytes.length, table);
    talkers.noteNew(columns.addedCount);
    if (isLookedAt) talkers.observe(columns, nowMs);
    kernel.memory.free(ptr, bytes.length);
    return isLookedAt;
  };
  return { talkers, send };
}

const weights = (heavy: readonly { key: string; weight: number }[]) =>
  Object.fromEntries(heavy.map(({ key, weight }) => [key, Math.round(weight * 1e6) / 1e6]));

test('bodies that are all looked at give exact figures', () => {
  const sent = fc.record({
    metric: fc.constantFrom('a', 'b', 'c'),
    job: fc.constantFrom('x', 'y'),
  });
  fc.assert(
    fc.property(fc.array(fc.array(sent, { minLength: 1, maxLength: 50 }), { minLength: 1 }), (bodies) => {
      const { talkers, send } = setUp();
      for (const [nth, body] of bodies.entries()) assert.ok(send(body, nth * 100));
      const { top, samples, newSeries } = talkers.report(bodies.length * 100);
      const count = (key: (one: Sent) => string, all: readonly Sent[]) => {
        const counts: Record<string, number> = {};
        for (const one of all) counts[key(one)] = (counts[key(one)] ?? 0) + 1;
        return counts;
      };
      const all = bodies.flat();
      assert.equal(samples, all.length);
      assert.deepEqual(
        weights(top.metrics),
        count(({ metric }) => metric, all),
      );
      assert.deepEqual(
        weights(top.labelValues),
        count(({ job }) => `job="${job}"`, all),
      );
      const isFirst = ({ metric, job }: Sent, index: number) =>
        all.findIndex((other) => other.metric === metric && other.job === job) === index;
      const fresh = all.filter(isFirst);
      assert.equal(newSeries, fresh.length);
      assert.deepEqual(
        weights(top.newByMetric),
        count(({ metric }) => metric, fresh),
      );
    }),
  );
});

test('a body that is looked at stands for those before it', () => {
  const { talkers, send } = setUp();
  assert.ok(send([{ metric: 'a', job: 'x' }], 0));
  for (let nth = 0; nth < 9; nth++) assert.ok(!send([{ metric: 'a', job: 'x' }], 50));
  assert.ok(send([{ metric: 'b', job: 'x' }], 100));
  const { top } = talkers.report(100);
  assert.deepEqual(weights(top.metrics), { a: 1, b: 10 });
  assert.deepEqual(talkers.lately.sort(), ['a{job="x"}', 'b{job="x"}']);
});

test('large bodies are looked at in part, evenly', () => {
  const { talkers, send } = setUp();
  const body = Array.from({ length: 5_000 }, (_, nth) => ({
    metric: nth < 4_000 ? 'much' : 'little',
    job: 'x',
  }));
  for (let nth = 0; nth < 20; nth++) send(body, nth * 100);
  const { top } = talkers.report(2_000);
  assert.equal(Math.round(top.metrics.reduce((sum, { weight }) => sum + weight, 0)), 100_000);
  assert.ok(Math.abs(weights(top.metrics).much! - 80_000) < 2_000);
});

test('what is older than two windows is forgotten', () => {
  const { talkers, send } = setUp();
  send([{ metric: 'old', job: 'x' }], 0);
  send([{ metric: 'new', job: 'x' }], 5 * 60_000);
  assert.deepEqual(weights(talkers.report(0).top.metrics), { old: 1, new: 1 });
  send([{ metric: 'newest', job: 'x' }], 10 * 60_000);
  assert.deepEqual(Object.keys(weights(talkers.report(0).top.metrics)).sort(), ['new', 'newest']);
});
