import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Harness } from '../../support/harness.ts';
import { assertOutputs, ofWindow } from '../../support/model.ts';

test('last has the highest timestamp, and of several came last', () => {
  assertOutputs({
    last: ofWindow((_, samples) => {
      const newest = Math.max(...samples.map(({ timestampMs }) => timestampMs));
      return samples.findLast(({ timestampMs }) => timestampMs === newest)!.value;
    }),
  });
});

test('what has no time after 1970 is not told', () => {
  const harness = new Harness('- {interval: 1m, outputs: [last]}');
  harness.push({ a: [[0, 1]], b: [[-5, 1]], c: [[1, 1]] });
  harness.advance(60_000);
  assert.deepEqual(harness.take(), ['c:1m_last 1']);
});
