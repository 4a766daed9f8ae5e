import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noCounts } from '../../src/model/body.ts';
import { MessageCuts } from '../../src/protocol/message-cuts.ts';

test('cuts are a thousand samples or half a MiB apart', () => {
  const cuts = new MessageCuts();
  const at = (samples: number) => ({
    counts: { ...noCounts, series: samples, samples },
    labels: 3 * samples,
    seriesWithSamples: samples,
    everySeriesHasData: true,
  });
  assert.equal(cuts.note(100_000, 9_000, at(999)), false);
  assert.equal(cuts.note(100_100, 9_010, at(1_000)), true);
  assert.equal(cuts.note(200_000, 18_000, at(1_999)), false);
  assert.equal(cuts.note(100_100 + 512 * 1024, 20_000, at(1_999)), true);
  assert.deepEqual(
    cuts.all.map(({ bytes, elements, counts, labels }) => [bytes, elements, counts.samples, labels]),
    [
      [100_100, 9_010, 1_000, 3_000],
      [624_388, 20_000, 1_999, 5_997],
    ],
  );
});
