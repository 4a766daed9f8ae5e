import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { VmHistogram } from '../../src/telemetry/vm-histogram.ts';
import { formatBound } from '../../src/util/vm-buckets.ts';

function rangesOf(values: readonly number[], name = 'x'): Record<string, number> {
  const histogram = new VmHistogram(name);
  for (const value of values) histogram.observe(value);
  const buckets = histogram.samples().filter(({ suffix }) => suffix === '_bucket');
  return Object.fromEntries(buckets.map(({ labels, value }) => [labels.vmrange, value]));
}

function sampleOf(histogram: VmHistogram, suffix: string, le?: string): number | undefined {
  return histogram.samples().find((sample) => sample.suffix === suffix && sample.labels.le === le)?.value;
}

test('values fall into the buckets that VictoriaMetrics puts them in', () => {
  const cases: [value: number, range: string][] = [
    [0, '0...1.000e-09'],
    [5e-324, '0...1.000e-09'],
    [1e-9, '1.000e-09...1.136e-09'],
    [10.5, '1.000e+01...1.136e+01'],
    [11.5, '1.136e+01...1.292e+01'],
    [99, '8.799e+01...1.000e+02'],
    [1e18, '1.000e+18...+Inf'],
    [1e300, '1.000e+18...+Inf'],
    [Number.POSITIVE_INFINITY, '1.000e+18...+Inf'],
  ];
  for (const [value, range] of cases) assert.deepEqual(rangesOf([value]), { [range]: 1 }, String(value));
});

test('an upper bound is inside its bucket, for every decade', () => {
  for (let exponent = -8; exponent < 18; exponent++) {
    const range = `${formatBound(10 ** (exponent - 1 / 18))}...${formatBound(10 ** exponent)}`;
    assert.deepEqual(rangesOf([Number(`1e${exponent}`)]), { [range]: 1 });
  }
});

test('NaN and negative values are ignored, and there is nothing before the first value', () => {
  const histogram = new VmHistogram('x');
  histogram.observe(Number.NaN);
  histogram.observe(-1);
  assert.deepEqual(histogram.samples(), []);
});

test('the fixed bounds suit the unit', () => {
  const bounds = (name: string) => {
    const histogram = new VmHistogram(name);
    histogram.observe(1);
    return histogram.samples().flatMap(({ labels }) => labels.le ?? []);
  };
  assert.deepEqual(bounds('a_seconds').slice(0, 3), ['0.0001', '0.0003162', '0.001']);
  assert.deepEqual(bounds('a_seconds').slice(-2), ['100', '+Inf']);
  assert.deepEqual(bounds('a_bytes').slice(0, 3), ['1', '3.162', '10']);
  assert.deepEqual(bounds('a_bytes').slice(-2), ['100000000', '+Inf']);
});

/** Wide in magnitude, with the edges of buckets. */
const anyValue = fc.oneof(
  fc.double({ min: 0, noNaN: true }),
  fc.integer({ min: -10, max: 19 }).map((exponent) => Number(`1e${exponent}`)),
  fc
    .tuple(fc.integer({ min: -12, max: 20 }), fc.double({ min: 1, max: 10, noNaN: true }))
    .map(([exponent, mantissa]) => mantissa * 10 ** exponent),
);

test('every value is in the bucket that spans it, and all sums agree', () => {
  fc.assert(
    fc.property(fc.array(anyValue, { minLength: 1, maxLength: 50 }), fc.boolean(), (values, isSeconds) => {
      const histogram = new VmHistogram(isSeconds ? 'x_seconds' : 'x_bytes');
      const expected = new Map<string, number>();
      for (const value of values) {
        histogram.observe(value);
        const own = Object.keys(rangesOf([value]));
        assert.equal(own.length, 1);
        const [low, high] = own[0]!.split('...').map((text) => Number(text.replace('Inf', 'Infinity')));
        // Printed bounds are rounded to four digits.
        assert.ok(value >= low! * 0.9995 && value <= high! * 1.0006, `${value} in ${own[0]}`);
        expected.set(own[0]!, (expected.get(own[0]!) ?? 0) + 1);
      }
      const found = histogram.samples();
      const ranges = found.filter(({ suffix }) => suffix === '_bucket');
      assert.deepEqual(new Map(ranges.map(({ labels, value }) => [labels.vmrange!, value])), expected);
      assert.equal(sampleOf(histogram, '_count'), values.length);
      assert.equal(
        sampleOf(histogram, '_sum'),
        values.reduce((sum, value) => sum + value, 0),
      );
      let before = 0;
      for (const { labels, value } of found.filter(({ suffix }) => suffix === '_le_bucket')) {
        const bound = Number(labels.le!.replace('Inf', 'Infinity'));
        assert.ok(value >= before, 'cumulative');
        before = value;
        // Between the printed bound (four digits) and the real one lies nothing we could decide on.
        assert.ok(value >= values.filter((one) => one <= bound * 0.9999).length, `at least, le=${bound}`);
        assert.ok(value <= values.filter((one) => one <= bound * 1.0001).length, `at most, le=${bound}`);
      }
      assert.equal(before, values.length);
    }),
  );
});
