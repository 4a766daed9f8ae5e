/**
 * What vmagent's own rules of aggregation amount to, as single examples: input, and what is told. Rules are of one
 * minute unless they say otherwise; `|` in names separates intervals.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Harness, START_MS } from '../support/harness.ts';

const MINUTE = 60_000;

/** A harness that is at the start of the first whole interval. */
function start(options: string): Harness {
  return new Harness(`- interval: 1m\n${options.replaceAll(/^/gm, '  ')}`);
}

/** What one interval with these samples tells. */
function tell(options: string, series: Parameters<Harness['push']>[0]): string[] {
  const harness = start(options);
  harness.push(series);
  harness.advance(MINUTE);
  return harness.take();
}

const at = (seconds: number) => START_MS + seconds * 1000;

test('last is the newest sample, whatever came last; sums and counts take all', () => {
  const told = tell('outputs: [last, sum_samples, count_samples, count_series]', {
    bar: [
      [at(11), 5],
      [at(10), 34],
    ],
  });
  assert.deepEqual(told, [
    'bar:1m_count_samples 2',
    'bar:1m_count_series 1',
    'bar:1m_last 5',
    'bar:1m_sum_samples 39',
  ]);
});

test('labels of by need not be there, are sorted, and count once', () => {
  const bar = { bar: [[at(1), 1]] } as const;
  assert.deepEqual(tell('by: [foo, bar]\noutputs: [sum_samples]', bar), ['bar:1m_by_bar_foo_sum_samples 1']);
  assert.deepEqual(tell('by: [abc, abc]\noutputs: [sum_samples]', bar), ['bar:1m_by_abc_sum_samples 1']);
});

test('by the metric name has no suffix; without it the suffix is the name', () => {
  const series = { 'foo{abc="123"}': [[at(1), 1]], bar: [[at(1), 1]] } as const;
  assert.deepEqual(tell('by: [__name__]\noutputs: [count_samples]', series), [
    'bar:1m_count_samples 1',
    'foo:1m_count_samples 1',
  ]);
  assert.deepEqual(tell('without: [__name__]\noutputs: [count_samples]', series), [
    ':1m_count_samples 1',
    ':1m_count_samples{abc="123"} 1',
  ]);
});

test('the first sample of a counter is where counting begins, or counts from 0', () => {
  const foo = { foo: [[at(1), 123]] } as const;
  assert.deepEqual(tell('outputs: [total]', foo), ['foo:1m_total 0']);
  assert.deepEqual(tell('outputs: [total]\nignore_first_sample_interval: 0s', foo), ['foo:1m_total 123']);
  assert.deepEqual(tell('outputs: [total_prometheus]\nignore_first_sample_interval: 0s', foo), [
    'foo:1m_total_prometheus 0',
  ]);
});

test('what is out of order is no reset; of one timestamp it is', () => {
  const value = (told: string[]) => Number(told[0]!.split(' ')[1]);
  const later = tell('outputs: [total]', {
    bar: [
      [at(0), 1.31],
      [at(1), 4.34],
      [at(0), 2],
    ],
  });
  assert.ok(Math.abs(value(later) - 3.03) < 1e-9);
  const same = tell('outputs: [total]', {
    bar: [
      [at(0), 1.32],
      [at(0), 4.34],
      [at(0), 2],
    ],
  });
  assert.ok(Math.abs(value(same) - 5.02) < 1e-9);
});

test('totals of groups add up their series', () => {
  const told = tell('by: [__name__]\noutputs: [total]', {
    'foo{a="1"}': [
      [at(0), -5],
      [at(1), 10],
    ],
    'foo{a="2"}': [[at(0), 123]],
    'bar{a="1"}': [
      [at(0), 1],
      [at(1), 3.5],
    ],
    'bar{a="2"}': [
      [at(0), 1],
      [at(1), 4.52],
    ],
  });
  assert.deepEqual(told, ['bar:1m_total 6.02', 'foo:1m_total 15']);
});

const NOTHING = undefined;

test('a group that is stale begins anew; one that is not goes on', () => {
  const intervals = [[5], [10], [], [7]];
  const run = (options: string, series = 'foo', all = intervals) =>
    start(options).values(all, MINUTE, series);
  // Samples come at the very start of each interval; a millisecond later makes no difference to these.
  const first = 'ignore_first_sample_interval: 0s\nstaleness_interval: 1m';
  assert.deepEqual(run(`${first}\noutputs: [increase]`), [5, 5, NOTHING, 7]);
  assert.deepEqual(run(`${first}\noutputs: [total]`), [5, 10, NOTHING, 7]);
  assert.deepEqual(run('staleness_interval: 2m\noutputs: [total]'), [0, 5, 5, 12]);
  assert.deepEqual(run('staleness_interval: 2m\noutputs: [increase]'), [0, 5, NOTHING, 7]);
  assert.deepEqual(
    run('staleness_interval: 2m\noutputs: [total]', 'bar', [[200], [201], [], [205]]),
    [0, 1, 1, 5],
  );
});

test('sums without samples are 0 as long as the group lives', () => {
  const run = (options: string, intervals: number[][]) => start(options).values(intervals, MINUTE, 'foo');
  const intervals = [[1, 2], [4], [], [], [6], []];
  assert.deepEqual(run('staleness_interval: 1m\noutputs: [sum_samples]', intervals), [
    3,
    4,
    NOTHING,
    NOTHING,
    6,
    NOTHING,
  ]);
  assert.deepEqual(run('staleness_interval: 2m\noutputs: [sum_samples]', intervals), [
    3,
    4,
    0,
    NOTHING,
    6,
    0,
  ]);
  assert.deepEqual(run('staleness_interval: 1m\noutputs: [sum_samples_total]', [[1, 2], [4], [], [6]]), [
    3,
    7,
    NOTHING,
    6,
  ]);
  assert.deepEqual(run('staleness_interval: 2m\noutputs: [sum_samples_total]', intervals), [
    3,
    7,
    7,
    NOTHING,
    6,
    6,
  ]);
});

test('five rounds of a minute in a rule of five', () => {
  const harness = new Harness('- {interval: 5m, by: [bar], outputs: [sum_samples]}', { startMs: START_MS });
  for (const value of [1, 2, 3, 3, 4]) {
    harness.pushNow({ 'foo{bar="x"}': value });
    harness.advance(MINUTE);
  }
  assert.deepEqual(harness.take(), ['foo:5m_by_bar_sum_samples{bar="x"} 13']);
});

test('rates are over the time between samples, and need two', () => {
  const harness = start('by: [cde]\noutputs: [rate_sum, rate_avg]');
  harness.push({ 'foo{abc="123",cde="1"}': [[at(0), 3]], 'foo{abc="456",cde="1"}': [[at(0), 8.5]] });
  harness.advance(MINUTE);
  assert.deepEqual(harness.take(), []);
  harness.push({ 'foo{abc="123",cde="1"}': [[at(60), 8]], 'foo{abc="456",cde="1"}': [[at(60), 11]] });
  harness.advance(MINUTE);
  assert.deepEqual(harness.take(), [
    'foo:1m_by_cde_rate_avg{cde="1"} 0.0625',
    'foo:1m_by_cde_rate_sum{cde="1"} 0.125',
  ]);
  const same = [
    [at(0), 3],
    [at(0), 8],
  ] as const;
  assert.deepEqual(tell('outputs: [rate_sum, rate_avg]', { foo: same }), []);
});

test('a sample older than the last interval does not change a rate', () => {
  const harness = start('outputs: [rate_sum]\nstaleness_interval: 2m');
  harness.push({
    foo: [
      [at(0), 1],
      [at(60), 61],
    ],
  });
  harness.advance(MINUTE);
  harness.push({
    foo: [
      [at(-10), 31],
      [at(120), 91],
    ],
  });
  harness.advance(MINUTE);
  harness.push({ foo: [[at(180), 121]] });
  harness.advance(MINUTE);
  assert.deepEqual(harness.take(), ['foo:1m_rate_sum 0.5', 'foo:1m_rate_sum 0.5', 'foo:1m_rate_sum 1']);
});

test('rates by sample time, over a gap that makes series stale and one that does not', () => {
  for (const staleness of ['1m', '2m']) {
    const harness = start(
      `outputs: [rate_sum, rate_avg]\nenable_windows: true\nwithout: [id]\nstaleness_interval: ${staleness}`,
    );
    const push = (second: number, first: number) => {
      for (const id of [1, 2, 3]) {
        const from = first + (id - 1) * (first === 1 ? 2 : 0);
        harness.push({
          [`foo{id="${id}"}`]: [
            [at(second), from],
            [at(second + 1), from + 1],
          ],
        });
      }
    };
    harness.advance(2000);
    push(1, 1);
    harness.advance(MINUTE);
    assert.deepEqual(
      harness.take(),
      ['foo:1m_without_id_rate_avg 1', 'foo:1m_without_id_rate_sum 3'],
      staleness,
    );
    harness.advance(MINUTE);
    assert.deepEqual(harness.take(), []);
    for (const [id, value] of [
      [1, 121],
      [2, 123],
      [3, 125],
    ] as const) {
      harness.push({
        [`foo{id="${id}"}`]: [
          [at(121), value],
          [at(122), value + 1],
        ],
      });
    }
    harness.advance(MINUTE);
    assert.deepEqual(
      harness.take(),
      ['foo:1m_without_id_rate_avg 1', 'foo:1m_without_id_rate_sum 3'],
      staleness,
    );
  }
});

test('totals of sums by sample time', () => {
  const harness = start('outputs: [sum_samples_total]\nenable_windows: true');
  assert.deepEqual(harness.values([[1], [1], [1], [1]], MINUTE, 'foo'), [1, 2, 3, 4]);
});

test('deviations are of the population', () => {
  const both = {
    foo: [
      [at(1), 4],
      [at(2), 8.5],
    ],
  } as const;
  assert.deepEqual(tell('outputs: [stddev, stdvar]', both), ['foo:1m_stddev 2.25', 'foo:1m_stdvar 5.0625']);
  const one = { foo: [[at(1), 4]] } as const;
  assert.deepEqual(tell('outputs: [stddev, stdvar]', one), ['foo:1m_stddev 0', 'foo:1m_stdvar 0']);
});

const temperatures = [12.5, 13.3, 13, 12, 14, 25].map((value, index) => [at(index), value] as const);

test('quantiles take a value that there was, and are silent without samples', () => {
  const harness = start('outputs: ["quantiles(0, 0.50, 1)"]\nstaleness_interval: 5m');
  harness.push({ cpu: temperatures });
  harness.advance(MINUTE);
  assert.deepEqual(harness.take(), [
    'cpu:1m_quantiles{quantile="0"} 12',
    'cpu:1m_quantiles{quantile="0.5"} 13.3',
    'cpu:1m_quantiles{quantile="1"} 25',
  ]);
  harness.advance(MINUTE);
  assert.deepEqual(harness.take(), []);
});

test('histograms tell the buckets that have something', () => {
  assert.deepEqual(tell('outputs: [histogram_bucket]', { cpu: temperatures, load: [[at(1), 90]] }), [
    'cpu:1m_histogram_bucket{vmrange="1.136e+01...1.292e+01"} 2',
    'cpu:1m_histogram_bucket{vmrange="1.292e+01...1.468e+01"} 3',
    'cpu:1m_histogram_bucket{vmrange="2.448e+01...2.783e+01"} 1',
    'load:1m_histogram_bucket{vmrange="8.799e+01...1.000e+02"} 1',
  ]);
});

test('different values are counted once, and names can be kept', () => {
  const foo = { foo: [1, 2, 1, 2, 3].map((value, index) => [at(index), value] as const) };
  assert.deepEqual(tell('outputs: [unique_samples]', foo), ['foo:1m_unique_samples 3']);
  assert.deepEqual(tell('outputs: [count_samples]\nkeep_metric_names: true', foo), ['foo 5']);
});

test('labels that are dropped merge series', () => {
  const told = tell('drop_input_labels: [abc]\noutputs: [count_samples]\nkeep_metric_names: true', {
    'foo{abc="123"}': [
      [at(1), 1],
      [at(2), 8],
    ],
    'foo{abc="456",de="fg"}': [[at(1), 1]],
  });
  assert.deepEqual(told, ['foo 2', 'foo{de="fg"} 1']);
});

test('deduplication comes before aggregation', () => {
  const told = tell('dedup_interval: 30s\noutputs: [sum_samples]', {
    a: [
      [at(0), 1.32],
      [at(0), 4.34],
      [at(0), 2],
    ],
    b: [
      [at(0), 343],
      [at(0), 344],
    ],
    c: [
      [at(0), -5],
      [at(1), 10],
    ],
  });
  assert.deepEqual(told, ['a:1m_sum_samples 4.34', 'b:1m_sum_samples 344', 'c:1m_sum_samples 10']);
});
