import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { AggregationStats } from '../../src/engine/messages.ts';
import { droppedOf, droppedToNumbers, statsOf, statsToNumbers } from '../../src/engine/numbers.ts';
import { dropReasons } from '../../src/model/drops.ts';

const count = fc.maxSafeNat();
const plain = { noNullPrototype: true };
const counts = fc.record(
  {
    series: count,
    samples: count,
    histograms: count,
    exemplars: count,
    metadata: count,
  },
  plain,
);

test('what was dropped comes over as it was', () => {
  const dropped = fc.record(
    {
      group: fc.option(fc.nat(100), { nil: undefined }),
      reason: fc.constantFrom(...dropReasons),
      counts,
    },
    plain,
  );
  fc.assert(
    fc.property(fc.array(dropped), (all) => {
      assert.deepEqual(droppedOf(structuredClone(droppedToNumbers(all))), all);
    }),
  );
});

test('statistics come over as they were', () => {
  const stats = fc.record(
    {
      memoryBytes: count,
      seriesTableSize: count,
      seriesTableCapacity: count,
      pending: fc.array(counts),
      lanes: fc.record({ verbatim: count, join: count, column: count }, plain),
      shaping: fc.record(
        {
          planBytes: count,
          decided: count,
          futureSamples: count,
          hourlySeries: count,
          dailySeries: count,
        },
        plain,
      ),
    },
    plain,
  );
  const aggregation: AggregationStats = { nextFlushMs: 7, stages: undefined };
  fc.assert(
    fc.property(stats, (one) => {
      const all = { ...one, aggregation };
      assert.deepEqual(statsOf(structuredClone(statsToNumbers(all)), aggregation), all);
    }),
  );
});
