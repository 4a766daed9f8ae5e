import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Harness } from '../../support/harness.ts';
import { assertOutputs, ofWindow } from '../../support/model.ts';

test('count_series counts a series once a window', () => {
  assertOutputs({
    count_series: ofWindow((_, samples) => new Set(samples.map(({ series }) => series)).size),
  });
});

test('a series that is its own group is one', () => {
  const harness = new Harness('- {interval: 1m, outputs: [count_series]}');
  harness.pushNow({ 'a{b="1"}': 1, 'a{b="2"}': 1 });
  harness.pushNow({ 'a{b="1"}': 1 });
  harness.advance(60_000);
  assert.deepEqual(harness.take(), ['a:1m_count_series{b="1"} 1', 'a:1m_count_series{b="2"} 1']);
});

test('the order of labels does not make another series', () => {
  const harness = new Harness('- {interval: 1m, by: [__name__], outputs: [count_series]}');
  harness.pushNow({ 'a{b="1",c="2"}': 1, 'a{c="2",b="1"}': 1, 'a{c="2",b="1",d=""}': 1 });
  harness.advance(60_000);
  assert.deepEqual(harness.take(), ['a:1m_count_series 1']);
});
