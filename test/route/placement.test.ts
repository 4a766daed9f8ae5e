import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Labels } from '../../src/model/labels.ts';
import { createPlacement, type PlacementSpec, placementModes } from '../../src/route/placement.ts';
import { loadHash64 } from '../../src/util/hash64.ts';
import { labelPairs, namesOf, ownersOf, specOf } from './support.ts';

const hash64 = await loadHash64();

const spec: fc.Arbitrary<PlacementSpec> = fc
  .record({
    mode: fc.constantFrom(...placementModes),
    count: fc.integer({ min: 1, max: 8 }),
    replicas: fc.integer({ min: -2, max: 10 }),
    virtualNodes: fc.integer({ min: 1, max: 20 }),
    labels: fc.subarray(['a', 'b']),
  })
  .map(({ count, ...rest }) => specOf(namesOf(count), rest));
const labels = labelPairs(fc.string({ unit: fc.constantFrom('a', 'b', 'ü'), maxLength: 3 })).map((pairs) =>
  Labels.of(pairs),
);
const runs = { numRuns: 1_000 };

test('every series has exactly as many different owners as there are copies', () => {
  fc.assert(
    fc.property(spec, labels, fc.array(fc.boolean(), { minLength: 8 }), (spec, series, up) => {
      const placement = createPlacement(spec, hash64);
      const count = spec.destinations.length;
      assert.equal(placement.replicas, Math.min(Math.max(1, spec.replicas), count));
      for (const owners of [ownersOf(placement, series), ownersOf(placement, series, up.slice(0, count))]) {
        assert.equal(owners.length, placement.replicas);
        assert.equal(new Set(owners).size, placement.replicas);
        assert.ok(owners.every((index) => Number.isInteger(index) && index >= 0 && index < count));
      }
    }),
    runs,
  );
});

test('what is not available is passed over, and what its owners keep stays', () => {
  fc.assert(
    fc.property(spec, labels, fc.array(fc.boolean(), { minLength: 8 }), (spec, series, all) => {
      const placement = createPlacement(spec, hash64);
      const up = all.slice(0, spec.destinations.length);
      const well = ownersOf(placement, series);
      const now = ownersOf(placement, series, up);
      const upCount = up.filter(Boolean).length;
      for (const index of well) if (up[index]) assert.ok(now.includes(index), 'its owner is well, it stays');
      const downOwners = now.filter((index) => !up[index]);
      assert.equal(downOwners.length, Math.max(0, placement.replicas - upCount));
      if (upCount === 0) assert.deepEqual(now, well, 'nobody is there: as if all were');
    }),
    runs,
  );
});

test('the order of the labels moves a series only in the mode of vmagent', () => {
  const turned = (series: Labels) => Labels.of(series.pairs().toReversed());
  const moved = (mode: PlacementSpec['mode']) => {
    const placement = createPlacement(specOf(namesOf(5), { mode }), hash64);
    const some = Array.from({ length: 200 }, (_, index) =>
      Labels.of([
        ['__name__', 'm'],
        ['i', String(index)],
      ]),
    );
    return some.filter((series) => ownersOf(placement, series)[0] !== ownersOf(placement, turned(series))[0])
      .length;
  };
  assert.deepEqual([moved('rendezvous'), moved('ring'), moved('vmagent') > 100], [0, 0, true]);
});

test('labels that do not count do not move a series', () => {
  for (const mode of placementModes) {
    const placement = createPlacement(specOf(namesOf(7), { mode, ignoreLabels: ['pod'] }), hash64);
    const owners = Array.from({ length: 50 }, (_, index) =>
      ownersOf(
        placement,
        Labels.of([
          ['__name__', 'm'],
          ['pod', String(index)],
        ]),
      ),
    );
    assert.equal(new Set(owners.flat()).size, 1, mode);
  }
});

test('the specification is plain data', () => {
  const spec = specOf(namesOf(3), { mode: 'ring' });
  assert.deepEqual(structuredClone(spec), spec);
});
