/** The counters of write requests, under vmagent's names. Updated once a request. */
import type { Counts, ParseNotes, Tenant } from '../model/body.ts';
import type { Protocol } from '../protocol/protocol.ts';
import type { Counter, Histogram, Meter } from '../util/meter.ts';

/** Counters of one path as it is counted; aliases share them. */
export interface PathMetrics {
  readonly requests: Counter;
  readonly errors: Counter;
}

interface TenantMetrics {
  readonly rows: Counter;
  readonly metadata: Counter;
}

/** Clients name them as they like. */
const TENANTS_MAX = 10_000;

export class InsertMetrics {
  readonly #meter: Meter;
  readonly #type: string;
  readonly #tenants = new Map<string, TenantMetrics>();
  #otherTenants: TenantMetrics | undefined;
  readonly #protocol: string;
  readonly #paths = new Map<string, PathMetrics>();
  readonly readCalls: Counter;
  readonly readErrors: Counter;
  readonly unmarshalErrors: Counter;
  readonly #rowsRead: Counter;
  readonly #rowsInvalid: Counter;
  readonly #rowsIgnored: Counter | undefined;
  readonly #startTimestamps: Counter | undefined;
  readonly #metadataRead: Counter;
  readonly #rowsInserted: Counter;
  readonly #metadataInserted: Counter;
  readonly #rowsPerInsert: Histogram;

  constructor(meter: Meter, protocol: Protocol) {
    this.#meter = meter;
    this.#protocol = protocol.family ?? protocol.name;
    this.#type = protocol.name;
    const type = { type: protocol.name };
    const counter = (name: string, help: string) => meter.counter(name, help, type);
    this.readCalls = counter('vm_protoparser_read_calls_total', 'Bodies that were begun to be read.');
    this.readErrors = counter('vm_protoparser_read_errors_total', 'Bodies that could not be read.');
    this.unmarshalErrors = counter(
      'vm_protoparser_unmarshal_errors_total',
      'Bodies that could not be parsed.',
    );
    this.#rowsInvalid = counter('vm_rows_invalid_total', 'Rows that make no sense, left out.');
    this.#rowsIgnored = protocol.ignoresRows
      ? counter('sluice_rows_ignored_total', 'Rows that are right and no samples, such as events.')
      : undefined;
    if (protocol.parse === undefined) {
      this.#startTimestamps = counter(
        'sluice_start_timestamps_left_out_total',
        'Created and start timestamps of remote write 2.0 that were not carried on.',
      );
    }
    this.#rowsRead = counter('vm_protoparser_rows_read_total', 'Samples and histograms parsed.');
    this.#metadataRead = counter('vm_protoparser_metadata_read_total', 'Metadata entries parsed.');
    this.#rowsInserted = counter('vmagent_rows_inserted_total', 'Samples and histograms accepted.');
    this.#metadataInserted = counter('vmagent_metadata_inserted_total', 'Metadata entries accepted.');
    this.#rowsPerInsert = meter.histogram(
      'vmagent_rows_per_insert',
      'Samples and histograms per write request.',
      type,
    );
  }

  path(counterPath: string): PathMetrics {
    let metrics = this.#paths.get(counterPath);
    if (metrics === undefined) {
      const labels = { path: counterPath, protocol: this.#protocol };
      metrics = {
        requests: this.#meter.counter('vmagent_http_requests_total', 'HTTP requests.', labels),
        errors: this.#meter.counter(
          'vmagent_http_request_errors_total',
          'HTTP requests that failed.',
          labels,
        ),
      };
      this.#paths.set(counterPath, metrics);
    }
    return metrics;
  }

  /** The counters of a tenant; those who come when there are many already share some. */
  #tenant({ accountId, projectId }: Tenant): TenantMetrics {
    const key = `${accountId}:${projectId}`;
    const known = this.#tenants.get(key);
    if (known !== undefined) return known;
    if (this.#tenants.size >= TENANTS_MAX) {
      this.#otherTenants ??= this.#createTenant('other', 'other');
      return this.#otherTenants;
    }
    const metrics = this.#createTenant(String(accountId), String(projectId));
    this.#tenants.set(key, metrics);
    return metrics;
  }

  #createTenant(accountID: string, projectID: string): TenantMetrics {
    const labels = { type: this.#type, accountID, projectID };
    const counter = (what: string, help: string) =>
      this.#meter.counter(`vmagent_tenant_inserted_${what}_total`, help, labels);
    return {
      rows: counter('rows', 'Samples and histograms accepted for a tenant.'),
      metadata: counter('metadata', 'Metadata entries accepted for a tenant.'),
    };
  }

  accepted(counts: Readonly<Counts>, notes?: ParseNotes, tenant?: Tenant): void {
    const rows = counts.samples + counts.histograms;
    this.#rowsRead.inc(notes?.rowsRead ?? rows);
    if (notes !== undefined) {
      this.#rowsInvalid.inc(notes.rowsInvalid);
      this.#rowsIgnored?.inc(notes.rowsIgnored ?? 0);
      if (notes.startTimestamps !== undefined) this.#startTimestamps?.inc(notes.startTimestamps);
    }
    this.#rowsInserted.inc(rows);
    this.#rowsPerInsert.observe(rows);
    const own = tenant && this.#tenant(tenant);
    own?.rows.inc(rows);
    own?.metadata.inc(counts.metadata);
    if (counts.metadata === 0) return;
    this.#metadataRead.inc(counts.metadata);
    this.#metadataInserted.inc(counts.metadata);
  }
}
