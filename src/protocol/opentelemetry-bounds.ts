/** Bounds of buckets and quantiles, as labels show them. */
import { fixedText } from './go-float.ts';

const BOUNDS_KEPT_MAX = 10_000;

/** Services have few of them, and each comes with every point. */
const bounds = new Map<number, Buffer>();
/** The bounds of the last histograms by their place: those of the next one are the same mostly. */
const lastValues: number[] = [];
const lastTexts: Buffer[] = [];
const LAST_MAX = 1_000;

export function boundTextAt(place: number, value: number): Buffer {
  if (value === lastValues[place] && value !== 0) return lastTexts[place]!;
  const text = boundText(value);
  // Places are filled in turn, so that there are no holes.
  if (place <= lastValues.length && place < LAST_MAX) {
    lastValues[place] = value;
    lastTexts[place] = text;
  }
  return text;
}

export function boundText(value: number): Buffer {
  // A map takes -0 for 0.
  const known = value === 0 ? undefined : bounds.get(value);
  if (known !== undefined) return known;
  const text = Buffer.from(fixedText(value));
  if (bounds.size >= BOUNDS_KEPT_MAX) bounds.clear();
  if (value !== 0) bounds.set(value, text);
  return text;
}

/** A whole power by squaring, as Go does it: JavaScript's own differs in the last bits, which may move a rounded bound. */
export function power(base: number, exponent: number): number {
  let result = 1;
  let square = base;
  for (let rest = exponent; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) result *= square;
    square *= square;
  }
  return result;
}
