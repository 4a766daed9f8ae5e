import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MovementCount } from '../../src/route/movement.ts';
import { createPlacement, placementModes } from '../../src/route/placement.ts';
import { loadHash64 } from '../../src/util/hash64.ts';
import { namesOf, ownersOf, someSeries, specOf } from './support.ts';

const hash64 = await loadHash64();
const series = someSeries(300);

const side = fc.record({
  mode: fc.constantFrom(...placementModes),
  names: fc.shuffledSubarray(namesOf(6), { minLength: 1 }),
  replicas: fc.integer({ min: 1, max: 4 }),
});

const without = (all: Set<string>, some: Set<string>) => new Set([...all].filter((one) => !some.has(one)));

test('every copy is counted where it was and where it is', () => {
  fc.assert(
    fc.property(side, side, (from, to) => {
      const before = specOf(from.names, { ...from, virtualNodes: 10 });
      const after = specOf(to.names, { ...to, virtualNodes: 10 });
      const count = new MovementCount(before, after, hash64);
      for (const labels of series) count.add(labels);
      const result = count.result();
      const [one, two] = [createPlacement(before, hash64), createPlacement(after, hash64)];
      // Every copy as a text: `series@shard`.
      const copies = (placement: typeof one, names: readonly string[]) =>
        new Set(
          series.flatMap((labels, index) =>
            ownersOf(placement, labels).map((owner) => `${index}@${names[owner]}`),
          ),
        );
      const had = copies(one, from.names);
      const has = copies(two, to.names);
      assert.deepEqual(
        [result.series, result.copiesBefore, result.copiesAfter, result.moved],
        [300, had.size, has.size, without(has, had).size],
      );
      const at = (set: Set<string>, name: string) =>
        [...set].filter((copy) => copy.endsWith(`@${name}`)).length;
      assert.deepEqual(
        result.destinations.map(({ name }) => name).sort(),
        [...new Set([...from.names, ...to.names])].sort(),
      );
      for (const { name, before, after, arriving, leaving } of result.destinations) {
        assert.deepEqual(
          [before, after, arriving, leaving],
          [at(had, name), at(has, name), at(without(has, had), name), at(without(had, has), name)],
        );
      }
    }),
    { numRuns: 60 },
  );
});

test('what a change moves: little by name, most of it by the place of the URL', () => {
  const movedShare = (mode: 'rendezvous' | 'vmagent', to: readonly string[]) => {
    const many = someSeries(20_000);
    const count = new MovementCount(specOf(namesOf(4), { mode }), specOf(to, { mode }), hash64);
    for (const labels of many) count.add(labels);
    return count.result().moved / many.length;
  };
  const withoutFirst = namesOf(4).slice(1);
  assert.ok(Math.abs(movedShare('rendezvous', withoutFirst) - 0.25) < 0.01);
  assert.ok(Math.abs(movedShare('vmagent', withoutFirst) - 0.75) < 0.01);
  assert.equal(movedShare('rendezvous', namesOf(4).toReversed()), 0);
});
