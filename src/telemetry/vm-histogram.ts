/**
 * VictoriaMetrics' histogram (buckets: `util/vm-buckets.ts`). Only buckets that have values are exposed, as
 * `_bucket{vmrange="1.000e+01...1.136e+01"}`; they are not cumulative.
 *
 * For plain PromQL the same counts are also exposed cumulatively over a few fixed bounds, as `_le_bucket{le="…"}`.
 * The name must differ from `_bucket`: MetricsQL adds up `le` and `vmrange` buckets of one name, so that
 * `histogram_quantile` over both was checked to give 90 where either alone gives 11.
 */
import type { Histogram } from '../util/meter.ts';
import { BUCKETS, bucketOf, EXPONENT_MIN, PER_DECADE, rangeOf } from '../util/vm-buckets.ts';

export interface HistogramSample {
  /** What is added to the metric's name. */
  readonly suffix: '_bucket' | '_le_bucket' | '_sum' | '_count';
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** The bounds of `le` are half decades, which are also bounds of `vmrange`: their counts are exact. */
interface LeBound {
  readonly text: string;
  /** Buckets below this index are below the bound. */
  readonly end: number;
}

function halfDecades(first: number, last: number): readonly LeBound[] {
  return Array.from({ length: last - first + 1 }, (_, index) => {
    const exponent = (first + index) / 2;
    return {
      text: String(Number((10 ** exponent).toPrecision(4))),
      end: (exponent - EXPONENT_MIN) * PER_DECADE,
    };
  });
}

/** 0.1 ms to 100 s. */
const secondsBounds = halfDecades(-8, 4);
/** Rows and bytes: 1 to 100 million. */
const countBounds = halfDecades(0, 16);

export class VmHistogram implements Histogram {
  readonly #leBounds: readonly LeBound[];
  /** A decade's counts are allocated with its first value: most histograms stay within a few. */
  readonly #decades: (Float64Array | undefined)[] = [];
  #below = 0;
  #above = 0;
  #sum = 0;
  #count = 0;

  constructor(name: string) {
    this.#leBounds = name.endsWith('_seconds') ? secondsBounds : countBounds;
  }

  /** NaN and negative values are ignored. */
  observe(value: number): void {
    if (!(value >= 0)) return;
    this.#count++;
    this.#sum += value;
    const bucket = bucketOf(value);
    if (bucket < 0) this.#below++;
    else if (bucket >= BUCKETS) this.#above++;
    else this.#decade(Math.floor(bucket / PER_DECADE))[bucket % PER_DECADE]! += 1;
  }

  #decade(index: number): Float64Array {
    const known = this.#decades[index];
    if (known !== undefined) return known;
    const counts = new Float64Array(PER_DECADE);
    this.#decades[index] = counts;
    return counts;
  }

  /** Nothing before the first value. */
  samples(): HistogramSample[] {
    if (this.#count === 0) return [];
    return [
      ...this.#rangeSamples(),
      { suffix: '_sum', labels: {}, value: this.#sum },
      { suffix: '_count', labels: {}, value: this.#count },
      ...this.#leSamples(),
    ];
  }

  *#buckets(): Generator<{ index: number; count: number }> {
    for (const [decade, counts] of this.#decades.entries()) {
      if (counts === undefined) continue;
      for (const [offset, count] of counts.entries()) {
        if (count > 0) yield { index: decade * PER_DECADE + offset, count };
      }
    }
  }

  #rangeSamples(): HistogramSample[] {
    const sample = (vmrange: string, value: number): HistogramSample[] =>
      value > 0 ? [{ suffix: '_bucket', labels: { vmrange }, value }] : [];
    const inner = [...this.#buckets()].flatMap(({ index, count }) => sample(rangeOf(index), count));
    return [...sample(rangeOf(-1), this.#below), ...inner, ...sample(rangeOf(BUCKETS), this.#above)];
  }

  #leSamples(): HistogramSample[] {
    const buckets = [...this.#buckets()];
    const sample = (le: string, value: number): HistogramSample => ({
      suffix: '_le_bucket',
      labels: { le },
      value,
    });
    const bounded = this.#leBounds.map(({ text, end }) => {
      const inside = buckets.filter(({ index }) => index < end);
      return sample(
        text,
        inside.reduce((sum, { count }) => sum + count, this.#below),
      );
    });
    return [...bounded, sample('+Inf', this.#count)];
  }
}
