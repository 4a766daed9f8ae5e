import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Labels } from '../../src/model/labels.ts';
import { createPlacement } from '../../src/route/placement.ts';
import { loadHash64 } from '../../src/util/hash64.ts';
import { labelPairs, namesOf, ownersOf, rankedBy, someSeries, specOf } from './support.ts';

const hash64 = await loadHash64();
const series = someSeries(4_000);

/** The key and the owners by definition, written another way. */
function modelOwners(names: readonly string[], pairs: readonly (readonly [string, string])[], count: number) {
  const sorted = [...pairs].sort(([a, x], [b, y]) =>
    a === b ? (x < y ? -1 : Number(x > y)) : a < b ? -1 : 1,
  );
  const key = sorted
    .flat()
    .map((text) => `${text.length}:${text}`)
    .join('');
  const ranked = rankedBy(
    names.map((name) => hash64(name)),
    hash64(key),
  );
  return ranked.slice(0, count).map((index) => names[index]!);
}

const nameSet = fc.uniqueArray(fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 12 }), {
  minLength: 1,
  maxLength: 9,
});

test('owners are the destinations with the highest scores', () => {
  fc.assert(
    fc.property(nameSet, labelPairs(), fc.integer({ min: 1, max: 9 }), (names, pairs, replicas) => {
      const placement = createPlacement(specOf(names, { replicas }), hash64);
      const owners = ownersOf(placement, Labels.of(pairs)).map((index) => names[index]!);
      assert.deepEqual(owners, modelOwners(names, pairs, replicas));
    }),
    { numRuns: 500 },
  );
});

test('another order or other URLs move nothing', () => {
  const names = namesOf(7);
  const spec = specOf(names, { replicas: 3 });
  const reversed = specOf(names.toReversed(), { replicas: 3 });
  const moved = {
    ...spec,
    destinations: names.map((name, index) => ({ name, url: `https://elsewhere/${index}?token=1` })),
  };
  const [one, two, three] = [spec, reversed, moved].map((each) => createPlacement(each, hash64));
  for (const labels of series) {
    const owners = ownersOf(one!, labels);
    assert.deepEqual(
      ownersOf(two!, labels).map((index) => 6 - index),
      owners,
    );
    assert.deepEqual(ownersOf(three!, labels), owners);
  }
});

test('one more destination takes at most its share of the copies, and nothing moves between the others', () => {
  for (const count of [1, 2, 3, 4, 9]) {
    for (const replicas of [1, 2, 3]) {
      const names = namesOf(count + 1);
      const before = createPlacement(specOf(names.slice(0, -1), { replicas }), hash64);
      const after = createPlacement(specOf(names, { replicas }), hash64);
      if (after.replicas !== before.replicas) continue;
      let moved = 0;
      for (const labels of series) {
        const had = ownersOf(before, labels);
        const arrived = ownersOf(after, labels).filter((index) => !had.includes(index));
        assert.ok(arrived.every((index) => index === count));
        moved += arrived.length;
      }
      const share = moved / (series.length * replicas);
      assert.ok(share <= 1 / (count + 1) + 0.02, `${count} + 1, ${replicas} copies: ${share}`);
    }
  }
});

test('one less moves only what it had, whichever it is', () => {
  const names = namesOf(5);
  for (const replicas of [1, 2]) {
    const before = createPlacement(specOf(names, { replicas }), hash64);
    for (const gone of names) {
      const rest = names.filter((name) => name !== gone);
      const after = createPlacement(specOf(rest, { replicas }), hash64);
      for (const labels of series.slice(0, 1_000)) {
        const kept = ownersOf(before, labels)
          .map((index) => names[index]!)
          .filter((name) => name !== gone);
        const owners = ownersOf(after, labels).map((index) => rest[index]!);
        assert.deepEqual(owners.slice(0, kept.length), kept);
      }
    }
  }
});

test('shares are even', () => {
  const many = someSeries(40_000, 2);
  for (const count of [2, 4, 10]) {
    const placement = createPlacement(specOf(namesOf(count)), hash64);
    const taken = new Array<number>(count).fill(0);
    for (const labels of many) taken[ownersOf(placement, labels)[0]!]!++;
    for (const series of taken) assert.ok(Math.abs((series * count) / many.length - 1) < 0.06, String(taken));
  }
});
