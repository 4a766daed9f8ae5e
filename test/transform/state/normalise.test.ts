import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Labels } from '../../../src/model/labels.ts';
import { normalise } from '../../../src/transform/state/normalise.ts';

const anyText = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.constantFrom('1:a', ':', '12'));
const anyLabels = fc.array(fc.tuple(anyText, anyText), { maxLength: 6 });

test('normalised labels are sorted, have values, and keep the order within a name', () => {
  fc.assert(
    fc.property(anyLabels, (pairs) => {
      const labels = Labels.of(pairs);
      normalise(labels);
      const expected = pairs
        .filter(([, value]) => value !== '')
        .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
      assert.deepEqual(labels.pairs(), expected);
    }),
  );
});
