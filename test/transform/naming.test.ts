import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Labels, NEW } from '../../src/model/labels.ts';
import { usePromCompatibleNaming } from '../../src/transform/naming.ts';

test('every character that Prometheus did not have becomes one _', () => {
  const labels = Labels.of([
    ['__name__', 'a.b:c-é😀1'],
    ['foo...bar', 'x.y'],
    ['1:ok', 'z'],
    ['ok_2', ''],
  ]);
  usePromCompatibleNaming(labels);
  assert.deepEqual(labels.pairs(), [
    ['__name__', 'a_b:c___1'],
    ['foo___bar', 'x.y'],
    ['1_ok', 'z'],
    ['ok_2', ''],
  ]);
  assert.deepEqual(labels.origins, [NEW, NEW, NEW, 3]);
});

test('names that are right stay what came in', () => {
  const labels = Labels.of([
    ['__name__', 'http:requests_total'],
    ['_job', 'a b'],
  ]);
  usePromCompatibleNaming(labels);
  assert.deepEqual(labels.origins, [0, 1]);
});
