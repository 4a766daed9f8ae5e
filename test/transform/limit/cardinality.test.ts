import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Labels } from '../../../src/model/labels.ts';
import { CardinalityLimits, DAY_MS, HOUR_MS } from '../../../src/transform/limit/cardinality.ts';

const series = (nth: number) =>
  Labels.of([
    ['__name__', 'up'],
    ['nth', `${nth}`],
  ]);

test('the series beyond the limit are dropped until the window ends', () => {
  const limits = new CardinalityLimits(2, 0);
  limits.turn(5);
  assert.deepEqual(
    [1, 2, 3, 1, 3].map((nth) => limits.check(series(nth))),
    ['none', 'none', 'hourly_series_limit', 'none', 'hourly_series_limit'],
  );
  assert.equal(limits.hourlySeries, 2);
  assert.equal(limits.turn(5 + HOUR_MS - 1), false);
  assert.equal(limits.turn(5 + HOUR_MS), true);
  assert.equal(limits.hourlySeries, 0);
  assert.equal(limits.check(series(3)), 'none');
});

test('windows stay where they began, also after a long pause', () => {
  const limits = new CardinalityLimits(1, 0);
  limits.turn(0);
  assert.ok(limits.turn(5.5 * HOUR_MS));
  assert.ok(!limits.turn(6 * HOUR_MS - 1));
  assert.ok(limits.turn(6 * HOUR_MS));
});

test('a series that the day refuses has its place in the hour', () => {
  const limits = new CardinalityLimits(3, 1);
  limits.turn(0);
  assert.deepEqual(
    [1, 2, 3, 4].map((nth) => limits.check(series(nth))),
    ['none', 'daily_series_limit', 'daily_series_limit', 'hourly_series_limit'],
  );
  limits.turn(HOUR_MS);
  assert.equal(limits.check(series(2)), 'daily_series_limit');
  limits.turn(DAY_MS);
  assert.equal(limits.check(series(2)), 'none');
});

test('-1 counts and drops nothing, 0 does not even count', () => {
  const limits = new CardinalityLimits(-1, 0);
  limits.turn(0);
  for (let nth = 0; nth < 5_000; nth++) assert.equal(limits.check(series(nth)), 'none');
  assert.equal(limits.hourlySeries, 5_000);
  assert.equal(limits.dailySeries, 0);
});

test('exactly as many different series pass as the limit says, whatever they are called', () => {
  const name = fc.string({ maxLength: 3 });
  const labels = fc.array(fc.tuple(name, name), { maxLength: 2 });
  fc.assert(
    fc.property(fc.array(labels, { maxLength: 60 }), fc.integer({ min: 1, max: 10 }), (all, max) => {
      const limits = new CardinalityLimits(max, 0);
      limits.turn(0);
      const model = new Set<string>();
      for (const one of all) {
        const key = JSON.stringify(one);
        if (model.size < max) model.add(key);
        assert.equal(limits.check(Labels.of(one)), model.has(key) ? 'none' : 'hourly_series_limit');
      }
    }),
  );
});
