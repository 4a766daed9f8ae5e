/**
 * The buckets of VictoriaMetrics' histograms: 18 a decade from 1e-9 to 1e18, and one each below and above. A bucket
 * takes values above its lower bound, up to and including its upper one. Buckets have numbers: -1 is the one below
 * 1e-9 (with 0), `BUCKETS` the one above 1e18.
 * https://github.com/VictoriaMetrics/metrics/blob/master/histogram.go
 */
export const PER_DECADE = 18;
export const EXPONENT_MIN = -9;
const EXPONENT_MAX = 18;
export const DECADES = EXPONENT_MAX - EXPONENT_MIN;
export const BUCKETS = DECADES * PER_DECADE;

/** `%.3e` of C: the exponent has at least two digits. */
export function formatBound(value: number): string {
  return value.toExponential(3).replace(/e([+-])(\d)$/, 'e$10$2');
}

const boundOf = (index: number): number => 10 ** (EXPONENT_MIN + index / PER_DECADE);

/** The bucket of a value that is neither NaN nor negative. */
export function bucketOf(value: number): number {
  const position = (Math.log10(value) - EXPONENT_MIN) * PER_DECADE;
  if (position < 0) return -1;
  if (position >= BUCKETS) return BUCKETS;
  const index = Math.floor(position);
  return index === position && index > 0 ? index - 1 : index;
}

/** A bucket as the label `vmrange` names it: `1.000e+01...1.136e+01`. */
export function rangeOf(bucket: number): string {
  if (bucket < 0) return `0...${formatBound(boundOf(0))}`;
  if (bucket >= BUCKETS) return `${formatBound(boundOf(BUCKETS))}...+Inf`;
  return `${formatBound(boundOf(bucket))}...${formatBound(boundOf(bucket + 1))}`;
}
