/**
 * What a destination of remote write 2.0 was told about metric families: 1.0 sends metadata now and then on its own, 2.0 with
 * every series. Bounded; a family that does not fit any more is left out and counted. Where tenants tell different things of a
 * family, each has its own.
 */
import type { MetricMetadata, TenantMetadata } from '../kernel/condenser.ts';
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
  readonly accountId: number;
  readonly projectId: number;
}

interface Family {
  /** As it was told last, and by whom first. */
  last: MetricMetadata;
  readonly teller: string;
  /** By tenant, once two have told different things. */
  tenants?: Map<string, TenantMetadata>;
}

const isSame = (one: MetricMetadata, other: MetricMetadata) =>
  one.type === other.type && one.help === other.help && one.unit === other.unit;

export class Families {
  readonly #known = new Map<string, Family>();
  /** Of all families. */
  #tenants = 0;
  readonly #max: number;
  /** Entries that were not kept. */
  leftOut = 0;

  constructor(max = FAMILIES_MAX) {
    this.#max = max;
  }

  get size(): number {
    return this.#known.size + this.#tenants;
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
    for (const entry of entries) {
      const { metricFamilyName: name, help, unit } = entry;
      const isLong = name.length + help.length + unit.length > TEXT_LENGTH_MAX;
      if (isLong || !this.#learn(entry)) this.leftOut++;
    }
  }

  /** False when there is no room for it. */
  #learn({ type, metricFamilyName: name, help, unit, accountId, projectId }: Entry): boolean {
    const told = { type, help, unit };
    const [account, project] = [String(accountId), String(projectId)];
    const tenant = `${account}:${project}`;
    const family = this.#known.get(name);
    if (family === undefined) {
      if (this.size >= this.#max) return false;
      this.#known.set(name, { last: told, teller: tenant });
      return true;
    }
    if (family.tenants === undefined && tenant !== family.teller && !isSame(told, family.last)) {
      if (this.size >= this.#max) return false;
      const [firstAccount = '', firstProject = ''] = family.teller.split(':');
      const first = { ...family.last, account: firstAccount, project: firstProject };
      family.tenants = new Map([[family.teller, first]]);
      this.#tenants++;
    }
    if (family.tenants !== undefined) {
      const isNew = !family.tenants.has(tenant);
      if (isNew && this.size >= this.#max) return false;
      if (isNew) this.#tenants++;
      family.tenants.set(tenant, { ...told, account, project });
    }
    family.last = told;
    return true;
  }

  /** What is known of the metric of this name. */
  of(name: string): MetricMetadata | undefined {
    const own = this.#known.get(name);
    if (own !== undefined) return metadataOf(own, () => true);
    for (const [suffix, types] of suffixes) {
      if (!name.endsWith(suffix)) continue;
      const family = this.#known.get(name.slice(0, -suffix.length));
      if (family !== undefined && types.includes(family.last.type)) {
        return metadataOf(family, ({ type }) => types.includes(type));
      }
    }
    return undefined;
  }
}

function metadataOf({ last, tenants }: Family, fits: (told: MetricMetadata) => boolean): MetricMetadata {
  return tenants === undefined ? last : { ...last, tenants: [...tenants.values()].filter(fits) };
}
