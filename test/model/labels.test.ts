import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Labels, NEW } from '../../src/model/labels.ts';

const some = () =>
  Labels.of([
    ['__name__', 'up'],
    ['job', 'node'],
    ['a', '1'],
  ]);

test('labels that came in keep their origin until they change', () => {
  const labels = some();
  labels.set('job', 'node');
  assert.deepEqual(labels.origins, [0, 1, 2]);
  labels.set('job', 'other');
  labels.rename(2, 'b');
  labels.set('c', '3');
  assert.deepEqual(labels.origins, [0, NEW, NEW, NEW]);
  assert.equal(labels.toString(), 'up{job="other",b="1",c="3"}');
});

test('a value in a place changes there only, and the same value is no change', () => {
  const labels = Labels.of([
    ['a', '1'],
    ['a', '2'],
  ]);
  labels.setAt(1, '2');
  assert.deepEqual(labels.origins, [0, 1]);
  labels.setAt(1, '3');
  assert.deepEqual(
    [labels.values, labels.origins],
    [
      ['1', '3'],
      [0, NEW],
    ],
  );
});

test('filtering keeps the order and the origins', () => {
  const labels = some();
  labels.filter((name) => name !== 'job');
  assert.deepEqual(labels.pairs(), [
    ['__name__', 'up'],
    ['a', '1'],
  ]);
  assert.deepEqual(labels.origins, [0, 2]);
});

test('an absent label is empty; of two labels with one name the first counts', () => {
  const labels = Labels.of([
    ['a', '1'],
    ['a', '2'],
  ]);
  assert.equal(labels.get('x'), '');
  assert.equal(labels.get('a'), '1');
  labels.set('a', '3');
  assert.deepEqual(labels.values, ['3', '2']);
  assert.equal(Labels.of([['__name__', 'm']]).toString(), 'm');
});

test('a copy is independent', () => {
  const labels = new Labels();
  labels.push('x', 'y');
  const from = some();
  labels.copyFrom(from);
  from.clear();
  assert.equal(labels.length, 3);
  assert.deepEqual(labels.origins, [0, 1, 2]);
});

test('labels are sorted as their bytes are, and labels of one name keep their order', () => {
  const text = fc.string({ unit: 'binary', maxLength: 4 });
  fc.assert(
    fc.property(fc.array(text, { maxLength: 8 }), (names) => {
      const labels = Labels.of(names.map((name, index) => [name, `${index}`] as const));
      labels.sort();
      const expected = names
        .map((name, index) => ({ name, index }))
        .sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)) || a.index - b.index);
      assert.deepEqual(
        labels.values,
        expected.map(({ index }) => `${index}`),
      );
      assert.deepEqual(
        labels.origins,
        expected.map(({ index }) => index),
      );
    }),
  );
});
