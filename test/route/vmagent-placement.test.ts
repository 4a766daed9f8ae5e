import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Labels } from '../../src/model/labels.ts';
import { createPlacement } from '../../src/route/placement.ts';
import { loadHash64 } from '../../src/util/hash64.ts';
import { labelPairs, ownersOf, rankedBy, someSeries, specOf } from './support.ts';

const hash64 = await loadHash64();
const urls = ['http://127.0.0.1:29101/w', 'http://127.0.0.1:29102/w?a=b', 'http://127.0.0.1:29103/w'];
const specFor = (list: readonly string[], replicas = 1) => ({
  ...specOf([], { mode: 'vmagent', replicas }),
  destinations: list.map((url, index) => ({ name: `shard-${index}`, url })),
});

test('series go where the real vmagent sent them', () => {
  const placement = createPlacement(specFor(urls), hash64);
  const owners = ['x1', 'x2', 'x3'].map((value) =>
    ownersOf(
      placement,
      Labels.of([
        ['__name__', 'm'],
        ['b', value],
        ['a', 'y'],
      ]),
    ),
  );
  assert.deepEqual(owners, [[2], [1], [1]]);
});

test('further copies go to the URLs that follow in the order of the flags', () => {
  const labels = Labels.of([
    ['__name__', 'm'],
    ['b', 'x1'],
    ['a', 'y'],
  ]);
  assert.deepEqual(ownersOf(createPlacement(specFor(urls, 2), hash64), labels), [2, 0]);
  assert.deepEqual(ownersOf(createPlacement(specFor(urls, 3), hash64), labels), [2, 0, 1]);
});

test('owners are those of the definition', () => {
  const urlList = fc.array(fc.webUrl({ withQueryParameters: true }), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(urlList, labelPairs(), fc.integer({ min: -1, max: 9 }), (list, pairs, replicas) => {
      const nodes = list.map((url, index) => hash64(`${index + 1}:${url}`));
      const first = rankedBy(nodes, hash64(pairs.flat().join('')))[0]!;
      const copies = Math.min(Math.max(replicas, 1), list.length);
      const expected = Array.from({ length: copies }, (_, copy) => (first + copy) % list.length);
      const placement = createPlacement(specFor(list, replicas), hash64);
      assert.deepEqual(ownersOf(placement, Labels.of(pairs)), expected);
    }),
    { numRuns: 500 },
  );
});

test('four URLs take even shares', () => {
  const list = namesOfUrls(4);
  const placement = createPlacement(specFor(list), hash64);
  const taken = [0, 0, 0, 0];
  for (const labels of someSeries(40_000)) taken[ownersOf(placement, labels)[0]!]!++;
  for (const count of taken) assert.ok(Math.abs(count / 10_000 - 1) < 0.05, String(taken));
});

function namesOfUrls(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `http://vm-${index}:8428/api/v1/write`);
}

test('rerouted series spread over all others instead of piling up on the next URL', () => {
  const placement = createPlacement(specFor(namesOfUrls(4)), hash64);
  const taken = [0, 0, 0, 0];
  for (const labels of someSeries(8_000)) {
    if (ownersOf(placement, labels)[0] !== 1) continue;
    taken[ownersOf(placement, labels, [true, false, true, true])[0]!]!++;
  }
  assert.equal(taken[1], 0);
  const total = taken.reduce((sum, count) => sum + count);
  for (const index of [0, 2, 3]) assert.ok(Math.abs(taken[index]! / total - 1 / 3) < 0.05, String(taken));
});
