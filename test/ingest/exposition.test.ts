import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseExposition } from '../../src/ingest/exposition.ts';

test('samples with and without labels, timestamps and special values', () => {
  const { samples } = parseExposition(
    [
      'plain 1',
      'labelled{a="1",le="+Inf"} 2.5e-3',
      'stamped{a="1"} 3 1790000000000',
      'empty{} 4',
      'inf +Inf',
      'minus -Inf',
      'nan NaN',
    ].join('\n'),
  );
  assert.deepEqual(
    samples.map(({ name, value }) => [name, value]),
    [
      ['plain', 1],
      ['labelled', 0.0025],
      ['stamped', 3],
      ['empty', 4],
      ['inf', Number.POSITIVE_INFINITY],
      ['minus', Number.NEGATIVE_INFINITY],
      ['nan', Number.NaN],
    ],
  );
  assert.deepEqual(samples[1]!.labels, [
    { name: 'a', value: '1' },
    { name: 'le', value: '+Inf' },
  ]);
});

test('label values are unescaped, whatever they hold', () => {
  const { samples } = parseExposition('m{a="x\\"y\\\\z\\nw",b="}, c=\\"1\\"",c=""} 1');
  assert.deepEqual(samples[0]!.labels, [
    { name: 'a', value: 'x"y\\z\nw' },
    { name: 'b', value: '}, c="1"' },
    { name: 'c', value: '' },
  ]);
});

test('HELP and TYPE make a family, in either order', () => {
  const { families } = parseExposition(
    '# HELP a some\\nhelp\n# TYPE a counter\na 1\n# TYPE b gauge\n# HELP b \n# a comment\n',
  );
  assert.deepEqual(families, [
    { name: 'a', type: 'counter', help: 'some\nhelp' },
    { name: 'b', type: 'gauge', help: '' },
  ]);
});

test('lines that are no sample are left out', () => {
  assert.deepEqual(parseExposition('\nno value\n{a="1"} 1\n1name 2\n').samples, []);
});
