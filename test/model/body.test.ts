import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addCounts, noCounts } from '../../src/model/body.ts';

test('counts add up kind by kind and leave what is added alone', () => {
  const sum = { ...noCounts };
  const more = { series: 1, samples: 2, histograms: 3, exemplars: 4, metadata: 5 };
  addCounts(sum, more);
  addCounts(sum, more);
  assert.deepEqual(sum, { series: 2, samples: 4, histograms: 6, exemplars: 8, metadata: 10 });
  assert.deepEqual(noCounts, { series: 0, samples: 0, histograms: 0, exemplars: 0, metadata: 0 });
});
