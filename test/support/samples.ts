/** Samples by series and timestamp, to compare what one side has with what the other side has. */
import { type Labels, type Series, seriesKey } from './remote-write.ts';

export class SampleStore {
  /** series key → timestamp in ms → bit patterns, one for each time it came. */
  readonly series = new Map<string, Map<number, bigint[]>>();
  samples = 0;

  add(labels: Labels, timestampMs: number, bits: bigint): void {
    const key = seriesKey(labels);
    let points = this.series.get(key);
    if (points === undefined) {
      points = new Map();
      this.series.set(key, points);
    }
    const at = points.get(timestampMs);
    if (at === undefined) points.set(timestampMs, [bits]);
    else at.push(bits);
    this.samples++;
  }

  addAll(series: readonly Series[]): void {
    for (const { labels, points } of series) {
      for (const { timestampMs, bits } of points) this.add(labels, timestampMs, bits);
    }
  }

  bitsAt(key: string, timestampMs: number): readonly bigint[] {
    return this.series.get(key)?.get(timestampMs) ?? [];
  }

  *[Symbol.iterator](): Generator<{ key: string; timestampMs: number; bits: bigint }> {
    for (const [key, points] of this.series) {
      for (const [timestampMs, all] of points) for (const bits of all) yield { key, timestampMs, bits };
    }
  }
}

export interface Difference {
  readonly key: string;
  readonly timestampMs: number;
  readonly expected: bigint;
  readonly found: readonly bigint[];
}

const sameBits = (a: bigint, b: bigint): boolean => a === b;

/** The samples of `expected` that `actual` does not have with the same value; `isSame` compares bit patterns. */
export function missingFrom(
  actual: SampleStore,
  expected: SampleStore,
  isSame: (expected: bigint, found: bigint) => boolean = sameBits,
): Difference[] {
  const differences: Difference[] = [];
  for (const { key, timestampMs, bits } of expected) {
    const found = actual.bitsAt(key, timestampMs);
    if (!found.some((other) => isSame(bits, other)))
      differences.push({ key, timestampMs, expected: bits, found });
  }
  return differences;
}

/** A text for a failure message: how many, and the first few. */
export function describe(differences: readonly Difference[]): string {
  const first = differences.slice(0, 5).map(({ key, timestampMs, expected, found }) => {
    const shown = found.map((bits) => bits.toString(16)).join(', ') || 'nothing';
    return `${key} @${timestampMs}: expected ${expected.toString(16)}, found ${shown}`;
  });
  return `${differences.length} samples differ:\n${first.join('\n')}`;
}
