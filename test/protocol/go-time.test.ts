import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { goTimeReader } from '../../src/protocol/go-time.ts';

test('a time is read in its layout', () => {
  const cases: [string, string, string][] = [
    ['2006-01-02 15:04:05.999Z', '2015-08-10 20:04:40.123Z', '2015-08-10T20:04:40.123Z'],
    ['2006-01-02T15:04:05Z07:00', '2022-12-25T16:57:12.000+01:00', '2022-12-25T15:57:12.000Z'],
    ['2006-01-02T15:04:05Z07:00', '2022-12-25T16:57:12Z', '2022-12-25T16:57:12.000Z'],
    ['2006-01-02T15:04:05Z07:00', '2022-12-25T16:57:12.123456789Z', '2022-12-25T16:57:12.123Z'],
    ['2006-01-02T15:04:05.000000Z07:00', '2015-08-03T01:02:03.123456+03:30', '2015-08-02T21:32:03.123Z'],
    ['02/Jan/2006:15:04:05 -0700', '10/Aug/2015:20:04:40 +0200', '2015-08-10T18:04:40.000Z'],
    ['Mon Jan _2 15:04:05 MST 2006', 'Mon Aug  3 20:04:40 UTC 2015', '2015-08-03T20:04:40.000Z'],
    ['Mon Jan _2 15:04:05 MST 2006', 'mon aug 13 20:04:40 CET 2015', '2015-08-13T20:04:40.000Z'],
    ['Monday, 02-Jan-06 15:04:05 MST', 'Monday, 03-Aug-15 20:04:40 GMT-5', '2015-08-04T01:04:40.000Z'],
    ['2006-1-2 3:4:5 PM', '2015-8-3 8:4:40 PM', '2015-08-03T20:04:40.000Z'],
    ['3:04PM', '12:05AM', '0000-01-01T00:05:00.000Z'],
    ['20060102150405', '20150803200440', '2015-08-03T20:04:40.000Z'],
    ['2006-002', '2016-060', '2016-02-29T00:00:00.000Z'],
    ['January 2, 2006', 'february 29, 2016', '2016-02-29T00:00:00.000Z'],
    ['06-01-02', '69-01-02', '1969-01-02T00:00:00.000Z'],
    ['15:04:05,000', '01:02:03,5', ''],
    ['15:04:05,000', '01:02:03,050', '0000-01-01T01:02:03.050Z'],
    ['2006_01_02', '2015_08_03', '2015-08-03T00:00:00.000Z'],
    ['2006-01-02', '2022-02-30', ''],
    ['2006-01-02', '2022-13-01', ''],
    ['2006-01-02', '2022-01-00', ''],
    ['2006-01-02', '2022-01-01x', ''],
    ['2006-01-02', '2022-1-01', ''],
    ['15:04', '24:00', ''],
    ['15:04', '23:60', ''],
    ['3:04 PM', '13:00 PM', ''],
    ['2006-01-02T15:04:05Z07:00', '2022-12-25T16:57:12', ''],
    ['-07', '+25', ''],
    ['x', 'y', ''],
  ];
  for (const [layout, text, expected] of cases) {
    const found = goTimeReader(layout)(text);
    const shown = found === undefined ? '' : new Date(found).toISOString();
    assert.equal(shown, expected, `${text} in ${layout}`);
  }
});

test('what JavaScript writes as ISO 8601 is read in the layout of RFC 3339', () => {
  const read = goTimeReader('2006-01-02T15:04:05Z07:00');
  fc.assert(
    fc.property(
      fc.date({
        min: new Date('0000-01-01T00:00:00Z'),
        max: new Date('9999-12-31T23:59:59Z'),
        noInvalidDate: true,
      }),
      (date) => {
        assert.equal(read(date.toISOString()), date.getTime());
      },
    ),
  );
});

test('any layout and any text do no harm', () => {
  const piece = fc.constantFrom(
    '2006',
    '01',
    '_2',
    'Jan',
    'Monday',
    '15',
    '.000',
    ',999',
    'MST',
    'Z07:00',
    '-070000',
    'x',
    ' ',
    '5',
    'PM',
    '12',
  );
  const text = fc.array(piece, { maxLength: 8 }).map((all) => all.join(''));
  fc.assert(
    fc.property(text, fc.oneof(text, fc.string()), (layout, time) => {
      const found = goTimeReader(layout)(time);
      assert.ok(found === undefined || Number.isFinite(found), `${time} in ${layout}: ${found}`);
    }),
    { numRuns: 2_000 },
  );
});
