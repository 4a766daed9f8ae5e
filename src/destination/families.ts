/**
 * What a destination of remote write 2.0 was told about metric families: 1.0 sends metadata now and then on its own, 2.0 with
 * every series. Bounded; a family that does not fit any more is left out and counted.
 */
import type { MetricMetadata } from '../kernel/condenser.ts';
import { remoteWriteType } from '../protocol/schema.ts';

/** At some 300 bytes each. */
const FAMILIES_MAX = 50_000;
const TEXT_LENGTH_MAX = 64 * 1024;
const COUNTER = 1;
const HISTOGRAM = 3;
const GAUGE_HISTOGRAM = 4;
const SUMMARY = 5;
const INFO = 6;
/** Which types have series whose name is that of the family and this. */
const suffixes: readonly (readonly [suffix: string, types: readonly number[]])[] = [
  ['_bucket', [HISTOGRAM, GAUGE_HISTOGRAM]],
  ['_count', [HISTOGRAM, SUMMARY]],
  ['_sum', [HISTOGRAM, SUMMARY]],
  ['_gcount', [GAUGE_HISTOGRAM]],
  ['_gsum', [GAUGE_HISTOGRAM]],
  ['_total', [COUNTER]],
  ['_info', [INFO]],
];

interface Entry {
  readonly type: number;
  readonly metricFamilyName: string;
  readonly help: string;
  readonly unit: string;
}

export class Families {
  readonly #known = new Map<string, MetricMetadata>();
  readonly #max: number;
  /** Entries that were not kept. */
  leftOut = 0;

  constructor(max = FAMILIES_MAX) {
    this.#max = max;
  }

  get size(): number {
    return this.#known.size;
  }

  /** `field` is a field of a WriteRequest with its tag and length, as a scan gives it. What cannot be read is left out. */
  learn(field: Uint8Array): void {
    let entries: readonly Entry[];
    try {
      entries = (remoteWriteType('WriteRequest').decode(field) as unknown as { metadata: Entry[] }).metadata;
    } catch {
      this.leftOut++;
      return;
    }
    for (const { type, metricFamilyName: name, help, unit } of entries) {
      const isNew = !this.#known.has(name);
      const isLong = name.length + help.length + unit.length > TEXT_LENGTH_MAX;
      if ((isNew && this.#known.size >= this.#max) || isLong) this.leftOut++;
      else this.#known.set(name, { type, help, unit });
    }
  }

  /** What is known of the metric of this name. */
  of(name: string): MetricMetadata | undefined {
    const own = this.#known.get(name);
    if (own !== undefined) return own;
    for (const [suffix, types] of suffixes) {
      if (!name.endsWith(suffix)) continue;
      const family = this.#known.get(name.slice(0, -suffix.length));
      if (family !== undefined && types.includes(family.type)) return family;
    }
    return undefined;
  }
}
