import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addSuffix, Grouping, suffixOf } from '../../../src/transform/aggregate/grouping.ts';
import { labelsOf } from '../support/batch.ts';
import { specsOf } from '../support/harness.ts';

test('which labels tell groups, and which tell series apart', () => {
  const place = (rule: { by?: string[]; without?: string[] }) => {
    const grouping = new Grouping({ by: [], without: [], ...rule });
    const names = ['__name__', 'a', 'b'];
    return [true, false].map((isOfGroup) =>
      names.filter((name) => grouping.isOfGroup(name) === isOfGroup).join(),
    );
  };
  assert.deepEqual(place({}), ['__name__,a,b', '']);
  assert.deepEqual(place({ by: ['a', 'x'] }), ['__name__,a', 'b']);
  assert.deepEqual(place({ by: ['__name__'] }), ['__name__', 'a,b']);
  assert.deepEqual(place({ without: ['a', 'x'] }), ['__name__,b', 'a']);
  assert.deepEqual(place({ without: ['__name__'] }), ['a,b', '__name__']);
});

test('names of outputs', () => {
  const suffix = (options: string, output = 'total') =>
    suffixOf(specsOf(`- {interval: 60s, outputs: [${output}], ${options}}`)[0]!, output);
  assert.equal(suffix('by: []'), ':60s_total');
  assert.equal(suffix('by: [b, a]'), ':60s_by_a_b_total');
  assert.equal(suffix('without: [b, __name__, a]'), ':60s_without_a_b_total');
  assert.equal(suffix('by: [__name__]'), ':60s_total');
  assert.equal(suffix('keep_metric_names: true'), '');
});

test('where the suffix goes', () => {
  const named = (text: string, suffix: string) => {
    const labels = labelsOf(text);
    addSuffix(labels, suffix);
    return labels.pairs().map((pair) => pair.join('='));
  };
  assert.deepEqual(named('up{a="1"}', ':1m_last'), ['__name__=up:1m_last', 'a=1']);
  assert.deepEqual(named('{a="1"}', ':1m_last'), ['a=1', '__name__=:1m_last']);
  assert.deepEqual(named('{a="1"}', ''), ['a=1']);
});
