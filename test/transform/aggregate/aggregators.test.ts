import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Aggregators } from '../../../src/transform/aggregate/aggregators.ts';
import { ByteWriter } from '../../../src/transform/state/bytes.ts';
import { OutputWriter } from '../../../src/transform/state/output-writer.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { batchOf, labelsOf, selectorOf } from '../support/batch.ts';
import { Harness, START_MS, specsOf, toldIn } from '../support/harness.ts';

const MINUTE = 60_000;

test('a series is matched when a rule selects it, whatever becomes of its samples', () => {
  const harness = new Harness(
    `
- {interval: 1m, match: [foo, 'bar{a="1"}'], outputs: [last]}
- {interval: 1m, match: baz, outputs: [last], input_relabel_configs: [{action: drop}]}
`,
    { compileRelabel: () => ({ apply: () => false }) },
  );
  const isMatched = (name: string, ref: number) => harness.aggregators.seriesPlan(ref, labelsOf(name));
  assert.deepEqual(
    ['foo', 'bar{a="1"}', 'bar{a="2"}', 'baz'].map((name, ref) => isMatched(name, ref)),
    [true, true, false, true],
  );
  assert.equal(harness.pushUnknown('foo', [[START_MS, 1]]), true);
  assert.equal(harness.pushUnknown('qux', [[START_MS, 1]]), false);
  harness.aggregators.push(
    batchOf([0, 1, 2, 3].map((ref) => ({ ref, samples: [[START_MS, ref]] as const }))),
  );
  const [first, second] = harness.aggregators.stats();
  assert.equal(first!.matched, 3);
  assert.equal(second!.matched, 0);
  assert.equal(second!.relabelDropped, 1);
});

test('labels of the caller stay as they are', () => {
  const harness = new Harness('- {interval: 1m, drop_input_labels: [a], outputs: [last]}');
  const labels = labelsOf('foo{z="1",a="2",b=""}');
  const before = labels.pairs();
  harness.aggregators.seriesPlan(0, labels);
  assert.deepEqual(labels.pairs(), before);
});

test('every sample is counted once a rule', () => {
  const harness = new Harness('- {interval: 1m, ignore_old_samples: true, outputs: [sum_samples]}');
  harness.push({
    foo: [
      [START_MS, 1],
      [START_MS, Number.NaN],
      [START_MS - 1, 2],
      [START_MS + 1, 0x7ff0_0000_0000_0002n],
    ],
  });
  harness.advance(MINUTE);
  const { matched, ignoredNan, ignoredTooOld, output } = harness.aggregators.stats()[0]!;
  assert.deepEqual(
    { matched, ignoredNan, ignoredTooOld, output },
    { matched: 1, ignoredNan: 2, ignoredTooOld: 1, output: 1 },
  );
});

test('delays and flushes are observed, also for requests that match nothing', () => {
  const observed: string[] = [];
  const clock = new FakeClock(START_MS);
  const aggregators = new Aggregators(specsOf('- {interval: 1m, outputs: [last]}'), {
    clock,
    scope: 'global',
    compileSelector: selectorOf,
    compileRelabel: () => assert.fail(),
    observe: {
      samplesLag: (rule, seconds) => observed.push(`lag ${rule} ${seconds}`),
      flushDuration: (rule, seconds) => observed.push(`flush ${rule} ${seconds}`),
    },
  });
  aggregators.seriesPlan(0, labelsOf('a'));
  const samples = [
    [START_MS - 1500, 1],
    [START_MS + 9000, 1],
  ] as const;
  aggregators.push(batchOf([{ ref: 0, samples }]));
  aggregators.push(batchOf([{ ref: 1, samples }]));
  clock.advance(MINUTE);
  aggregators.flushDue();
  assert.deepEqual(observed.slice(2), [], 'it takes as long as the telling');
  aggregators.tell(new OutputWriter(), 10, 1000);
  assert.deepEqual(observed, ['lag 0 1.5', 'lag 0 0', 'flush 0 0']);
});

test('without rules nothing is ever due', () => {
  const harness = new Harness([]);
  assert.equal(harness.aggregators.nextFlushMs, Number.POSITIVE_INFINITY);
  assert.equal(harness.aggregators.seriesPlan(0, labelsOf('a')), false);
});

test('rules that did not change keep their windows over a reload; the others end', () => {
  const kept = '- {interval: 1m, outputs: [total, sum_samples]}';
  const harness = new Harness(`${kept}\n- {interval: 1m, outputs: [last], flush_on_shutdown: true}`);
  harness.pushNow({ foo: 5 });
  harness.advance(10_000);
  const next = specsOf(`- {interval: 2m, outputs: [max]}\n${kept}`);
  const { identities } = new Harness(next).aggregators;
  const old = harness.aggregators;
  harness.restart(next);
  const writer = new OutputWriter();
  const drain = () => {
    while (old.untold > 0) old.tell(writer, 10, 1000);
  };
  old.finish(drain, new Set(identities));
  harness.told.push(...toldIn(writer));
  assert.deepEqual(harness.told.splice(0), [
    { series: 'foo:1m_last', timestampMs: START_MS + MINUTE, value: 5 },
  ]);
  harness.pushNow({ foo: 8 });
  harness.advance(50_000);
  assert.deepEqual(harness.take(), ['foo:1m_sum_samples 13', 'foo:1m_total 3']);
});

test('two rules that say the same each keep their own state', () => {
  const rule = '- {interval: 1m, outputs: [sum_samples]}';
  const harness = new Harness(`${rule}\n${rule}`);
  harness.pushNow({ foo: 5 });
  harness.restart();
  harness.advance(MINUTE);
  assert.deepEqual(harness.take(), ['foo:1m_sum_samples 5', 'foo:1m_sum_samples 5']);
});

test('a rule whose state cannot be read begins anew, and says where it stands', () => {
  const harness = new Harness('- {interval: 1m, outputs: [sum_samples]}');
  harness.pushNow({ foo: 5 });
  const [part] = harness.aggregators.save();
  const fresh = new Harness('- {interval: 1m, outputs: [sum_samples]}');
  const to = new ByteWriter();
  part!.write(to);
  const damaged = new Map([[part!.id, to.bytes().subarray(1)]]);
  const { restored, problems } = fresh.aggregators.load(damaged);
  assert.equal(restored, 0);
  assert.match(problems[0]!, /^rules\.yaml:1:3: /);
  fresh.pushNow({ foo: 1 });
  fresh.advance(MINUTE);
  assert.deepEqual(fresh.take(), ['foo:1m_sum_samples 1']);
});

test('a window that ended while nobody ran is told with its own end', () => {
  const harness = new Harness('- {interval: 1m, outputs: [sum_samples], staleness_interval: 10m}');
  harness.pushNow({ foo: 5 });
  harness.clock.advance(3 * MINUTE + 7000);
  harness.restart();
  harness.flush();
  assert.deepEqual(harness.told.splice(0), [
    { series: 'foo:1m_sum_samples', timestampMs: START_MS + MINUTE, value: 5 },
  ]);
  harness.pushNow({ foo: 2 });
  harness.advance(MINUTE);
  assert.deepEqual(harness.told, [
    { series: 'foo:1m_sum_samples', timestampMs: START_MS + 4 * MINUTE, value: 2 },
  ]);
});
