import assert from 'node:assert/strict';
import { test } from 'node:test';
import { groupDestinations } from '../../src/route/groups.ts';

const snappy = { codec: 'snappy', level: 0, metadata: true, parallel: 1 } as const;
const zstd = { ...snappy, codec: 'zstd', level: 3 } as const;

test('destinations with equal blocks share a group, in order of first appearance', () => {
  const groups = groupDestinations([snappy, zstd, { ...snappy }, { ...zstd, level: 9 }, { ...zstd }]);
  assert.deepEqual(
    groups.map((group) => [group.codec, group.level, group.members]),
    [
      ['snappy', 0, [0, 2]],
      ['zstd', 3, [1, 4]],
      ['zstd', 9, [3]],
    ],
  );
});

test('the zstd level does not split destinations that take snappy', () => {
  assert.equal(groupDestinations([snappy, { ...snappy, level: 7 }]).length, 1);
});

test('metadata, what is left out, and lanes split groups', () => {
  const groups = groupDestinations([
    snappy,
    { ...snappy, metadata: false },
    { ...snappy, parallel: 4 },
    { ...snappy, withoutHistograms: true },
    { ...snappy, withoutExemplars: true },
  ]);
  assert.deepEqual(
    groups.map((group) => group.members),
    [[0], [1], [2], [3], [4]],
  );
});

test('who takes the start of samples shares blocks with the others, and the group says so', () => {
  const needs = [snappy, { ...snappy, takesStarts: true }, zstd, { ...snappy, takesStarts: false }];
  assert.deepEqual(
    groupDestinations(needs).map(({ takesStarts, members }) => [takesStarts, members]),
    [
      [true, [0, 1, 3]],
      [undefined, [2]],
    ],
  );
});
