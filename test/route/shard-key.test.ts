import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Labels } from '../../src/model/labels.ts';
import { sortedKey, vmagentKey } from '../../src/route/shard-key.ts';
import { labelPairs } from './support.ts';

const all = { labels: [], ignoreLabels: [] };
const series = Labels.of([
  ['__name__', 'm'],
  ['b', 'x1'],
  ['a', 'y'],
]);

test('the key of vmagent is names and values in the order of the series, with nothing between', () => {
  assert.equal(vmagentKey(all)(series), '__name__mbx1ay');
  assert.equal(vmagentKey({ labels: ['a', '__name__', 'z'], ignoreLabels: [] })(series), '__name__may');
  assert.equal(vmagentKey({ labels: [], ignoreLabels: ['b'] })(series), '__name__may');
  assert.equal(vmagentKey({ labels: ['z'], ignoreLabels: [] })(series), '');
});

test('the sorted key has the same labels, in the order of their names', () => {
  const sorted = sortedKey(all, { metricName: false });
  assert.equal(sorted(series), '8:__name__1:m1:a1:y1:b2:x1');
  assert.equal(sortedKey({ labels: ['z'], ignoreLabels: [] }, { metricName: false })(series), '');
  assert.equal(sortedKey({ labels: ['z', 'a'], ignoreLabels: [] }, { metricName: false })(series), '1:a1:y');
});

test('with the name of the metric, it counts whatever is chosen', () => {
  const keyOf = (labels: string[], ignoreLabels: string[]) =>
    sortedKey({ labels, ignoreLabels }, { metricName: true })(series);
  assert.equal(keyOf(['b'], []), '8:__name__1:m1:b2:x1');
  assert.equal(keyOf([], ['__name__', 'b']), '8:__name__1:m1:a1:y');
  assert.equal(keyOf([], []), '8:__name__1:m1:a1:y1:b2:x1');
});

/** Few letters, so that names meet and texts can be cut in two ways. */
const fewPairs = labelPairs(fc.string({ unit: fc.constantFrom('a', 'b', ':', '1'), maxLength: 3 }));

test('the order of the labels does not matter, and other labels have another key', () => {
  const keyOf = sortedKey(all, { metricName: false });
  const canonical = (pairs: readonly (readonly [string, string])[]) =>
    JSON.stringify(pairs.map((pair) => JSON.stringify(pair)).sort());
  fc.assert(
    fc.property(fewPairs, fewPairs, fc.func(fc.integer()), (one, two, rank) => {
      const shuffled = one.map((pair, index) => [rank(index), pair] as const).sort(([a], [b]) => a - b);
      assert.equal(keyOf(Labels.of(one)), keyOf(Labels.of(shuffled.map(([, pair]) => pair))));
      assert.equal(
        keyOf(Labels.of(one)) === keyOf(Labels.of(two)),
        canonical(one) === canonical(two),
        `${one} and ${two}`,
      );
    }),
    { numRuns: 500 },
  );
});
