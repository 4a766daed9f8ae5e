import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Labels } from '../../../src/model/labels.ts';
import { checkLabels } from '../../../src/transform/limit/labels.ts';

const limits = { labelsMax: 0, nameBytesMax: 0, valueBytesMax: 0 };
const labels = Labels.of([
  ['__name__', 'up'],
  ['größe', 'über'],
]);

test('0 is no limit, a limit may be reached, what goes beyond is named', () => {
  const cases = [
    [{}, 'none'],
    [{ labelsMax: 2, nameBytesMax: 8, valueBytesMax: 5 }, 'none'],
    [{ labelsMax: 1 }, 'too_many_labels'],
    [{ nameBytesMax: 7 }, 'too_long_label_name'],
    [{ valueBytesMax: 4 }, 'too_long_label_value'],
    [{ labelsMax: 1, nameBytesMax: 1, valueBytesMax: 1 }, 'too_many_labels'],
  ] as const;
  for (const [some, expected] of cases) assert.equal(checkLabels(labels, { ...limits, ...some }), expected);
});

test('lengths are bytes, not characters', () => {
  assert.equal(checkLabels(Labels.of([['a', '€€']]), { ...limits, valueBytesMax: 6 }), 'none');
  assert.equal(
    checkLabels(Labels.of([['a', '€€']]), { ...limits, valueBytesMax: 5 }),
    'too_long_label_value',
  );
});
