import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCsvFormat } from '../../src/protocol/csv-format.ts';

function shown(text: string): string {
  const found = parseCsvFormat(text);
  if ('error' in found) return found.error;
  return found.columns
    .map((column) => {
      return `${column.position} ${column.type} ${column.type === 'time' ? column.kind : Buffer.from(column.name)}`;
    })
    .join('; ');
}

test('columns are in the order of their positions', () => {
  assert.equal(shown('2:metric:a,1:label:b:c,3:time:unix_ns'), '1 label b:c; 2 metric a; 3 time unix_ns');
  assert.equal(shown('65536:metric:a,1:time:custom:15:04:05'), '1 time text; 65536 metric a');
});

test('what is wrong with a format is told', () => {
  const cases: [string, RegExp][] = [
    ['', /at "": it is not of the form position:type:name/],
    ['1:metric', /not of the form/],
    ['1:metric:a,', /at "": it is not of the form/],
    ['1:metric:', /the name is empty/],
    ['1:label:,2:metric:a', /the name is empty/],
    ['0:metric:a', /not an integer from 1 to 65536/],
    ['-1:metric:a', /not an integer from 1/],
    ['65537:metric:a', /not an integer from 1/],
    ['x:metric:a', /not an integer from 1/],
    [' 1:metric:a', /not an integer from 1/],
    ['1:Metric:a', /not one of time, metric and label/],
    ['1:time:foobar,2:metric:a', /not one of unix_s, unix_ms/],
    ['1:metric:a,1:label:b', /position 1 is there twice/],
    ['1:time:unix_s,2:time:unix_ms,3:metric:a', /a time column already/],
    ['1:time:unix_s,2:label:a', /no metric column/],
  ];
  for (const [text, expected] of cases) assert.match(shown(text), expected, text);
});
