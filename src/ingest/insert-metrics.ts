/** The counters of write requests, under vmagent's names. Updated once a request. */
import type { Counts, ParseNotes } from '../model/body.ts';
import type { Protocol } from '../protocol/protocol.ts';
import type { Counter, Histogram, Meter } from '../util/meter.ts';

/** Counters of one path as it is counted; aliases share them. */
export interface PathMetrics {
  readonly requests: Counter;
  readonly errors: Counter;
}

export class InsertMetrics {
  readonly #meter: Meter;
  readonly #protocol: string;
  readonly #paths = new Map<string, PathMetrics>();
  readonly readCalls: Counter;
  readonly readErrors: Counter;
  readonly unmarshalErrors: Counter;
  readonly #rowsRead: Counter;
  readonly #rowsInvalid: Counter | undefined;
  readonly #rowsIgnored: Counter | undefined;
  readonly #metadataRead: Counter;
  readonly #rowsInserted: Counter;
  readonly #metadataInserted: Counter;
  readonly #rowsPerInsert: Histogram;

  constructor(meter: Meter, protocol: Protocol) {
    this.#meter = meter;
    this.#protocol = protocol.family ?? protocol.name;
    const type = { type: protocol.name };
    const counter = (name: string, help: string) => meter.counter(name, help, type);
    this.readCalls = counter('vm_protoparser_read_calls_total', 'Bodies that were begun to be read.');
    this.readErrors = counter('vm_protoparser_read_errors_total', 'Bodies that could not be read.');
    this.unmarshalErrors = counter(
      'vm_protoparser_unmarshal_errors_total',
      'Bodies that could not be parsed.',
    );
    this.#rowsInvalid =
      protocol.parse && counter('vm_rows_invalid_total', 'Rows that make no sense, left out.');
    this.#rowsIgnored = protocol.ignoresRows
      ? counter('sluice_rows_ignored_total', 'Rows that are right and no samples, such as events.')
      : undefined;
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

  accepted(counts: Readonly<Counts>, notes?: ParseNotes): void {
    const rows = counts.samples + counts.histograms;
    this.#rowsRead.inc(notes?.rowsRead ?? rows);
    if (notes !== undefined) {
      this.#rowsInvalid?.inc(notes.rowsInvalid);
      this.#rowsIgnored?.inc(notes.rowsIgnored ?? 0);
    }
    this.#rowsInserted.inc(rows);
    this.#rowsPerInsert.observe(rows);
    if (counts.metadata === 0) return;
    this.#metadataRead.inc(counts.metadata);
    this.#metadataInserted.inc(counts.metadata);
  }
}
