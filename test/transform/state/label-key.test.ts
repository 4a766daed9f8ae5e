import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Labels } from '../../../src/model/labels.ts';
import { fingerprint, labelKey, normalise, readLabelKey } from '../../../src/transform/state/label-key.ts';

const anyText = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.constantFrom('1:a', ':', '12'));
const anyLabels = fc.array(fc.tuple(anyText, anyText), { maxLength: 6 });

test('labels come back from their key, and keys are equal only for equal labels', () => {
  fc.assert(
    fc.property(anyLabels, anyLabels, (one, other) => {
      const key = labelKey(Labels.of(one));
      const back = Labels.of([['old', 'label']]);
      readLabelKey(key, back);
      assert.deepEqual(back.pairs(), one);
      assert.equal(key === labelKey(Labels.of(other)), JSON.stringify(one) === JSON.stringify(other));
    }),
  );
});

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

test('a fingerprint is 16 bytes, and the same in every process', () => {
  assert.equal(Buffer.from(fingerprint('a'), 'latin1').toString('hex'), 'ca978112ca1bbdcafac231b39a23dc4d');
  assert.notEqual(fingerprint('a'), fingerprint('b'));
});
