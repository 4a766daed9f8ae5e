import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Labels } from '../../src/model/labels.ts';
import { createPlacement } from '../../src/route/placement.ts';
import { loadHash64 } from '../../src/util/hash64.ts';
import { namesOf, ownersOf, someSeries, specOf } from './support.ts';

const hash64 = await loadHash64();
const ringOf = (names: readonly string[], rest: { replicas?: number; virtualNodes?: number } = {}) =>
  createPlacement(specOf(names, { mode: 'ring', ...rest }), hash64);

test('owners are the next different destinations on the circle', () => {
  const names = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(
      names,
      fc.integer({ min: 1, max: 6 }),
      fc.integer({ min: 1, max: 5 }),
      fc.string(),
      (list, replicas, virtualNodes, value) => {
        // By definition: the distance that is left to each point, with integers of any size.
        const key = hash64(`8:__name__1:m1:v${value.length}:${value}`) >> 11n;
        const points = list.flatMap((name, index) =>
          Array.from({ length: virtualNodes }, (_, node) => ({
            index,
            left: ((hash64(`${node}:${name}`) >> 11n) - key + (1n << 53n)) % (1n << 53n),
          })),
        );
        points.sort((a, b) => (a.left < b.left ? -1 : 1));
        const expected = [...new Set(points.map(({ index }) => index))].slice(0, replicas);
        const labels = Labels.of([
          ['v', value],
          ['__name__', 'm'],
        ]);
        assert.deepEqual(ownersOf(ringOf(list, { replicas, virtualNodes }), labels), expected);
      },
    ),
    { numRuns: 300 },
  );
});

/** Series on each destination. */
function sharesOf(names: readonly string[], series: readonly Labels[]): number[] {
  const placement = ringOf(names);
  const shares = new Array<number>(names.length).fill(0);
  for (const labels of series) shares[ownersOf(placement, labels)[0]!]!++;
  return shares;
}

test('with 150 points each, shares deviate by at most 10 % on the mean of 100 rings', () => {
  const series = someSeries(5_000);
  let sum = 0;
  for (let ring = 0; ring < 100; ring++) {
    const shares = sharesOf(namesOf(10, `ring-${ring}-`), series);
    const mean = series.length / shares.length;
    sum += Math.sqrt(shares.reduce((all, share) => all + (share - mean) ** 2, 0) / shares.length) / mean;
  }
  assert.ok(sum / 100 <= 0.1, `${sum / 100}`);
});

test('with 150 points each, no destination has more than 1.3 of its share', () => {
  for (const [names, seed] of [
    [namesOf(4, 'vminsert-'), 1],
    [namesOf(10, '10.0.0.'), 2],
    [['one', 'two', 'three'], 3],
  ] as const) {
    const series = someSeries(20_000, seed);
    const shares = sharesOf(names, series);
    assert.ok(Math.max(...shares) / (series.length / shares.length) <= 1.3, String(shares));
  }
});

test('one more or one less moves nothing between the others', () => {
  const names = namesOf(6);
  const fewer = names.slice(0, -1);
  const [all, without] = [ringOf(names), ringOf(fewer)];
  for (const labels of someSeries(4_000)) {
    const owner = ownersOf(all, labels)[0]!;
    if (owner !== 5) assert.equal(ownersOf(without, labels)[0], owner);
  }
});

test('the order of the destinations and of the labels does not matter', () => {
  const names = namesOf(6);
  const [one, two] = [ringOf(names, { replicas: 2 }), ringOf(names.toReversed(), { replicas: 2 })];
  for (const labels of someSeries(1_000)) {
    const turned = Labels.of(labels.pairs().toReversed());
    assert.deepEqual(
      ownersOf(two, turned).map((index) => 5 - index),
      ownersOf(one, labels),
    );
  }
});
