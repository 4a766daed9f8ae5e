import type { Meter } from '../util/meter.ts';
import type { Journal } from './journal.ts';

export function registerJournalMetrics(meter: Meter, journal: Journal): void {
  const gauge = (name: string, help: string, read: () => number) => meter.gaugeOf(name, help, {}, read);
  const count = (name: string, help: string, read: () => number) => meter.counterOf(name, help, {}, read);
  gauge('sluice_journal_file_bytes', 'Bytes of the journal on disk.', () => journal.bytes);
  gauge(
    'sluice_journal_requests',
    'Requests in the journal that are not yet safe elsewhere.',
    () => journal.requests,
  );
  gauge('sluice_journal_broken', '1 while the journal cannot be written: requests are refused.', () =>
    journal.failure === undefined ? 0 : 1,
  );
  count(
    'sluice_journal_written_requests_total',
    'Requests written to the journal.',
    () => journal.written.records,
  );
  count('sluice_journal_written_bytes_total', 'Bytes written to the journal.', () => journal.written.bytes);
  count(
    'sluice_journal_damaged_records_total',
    'Records of the journal that could not be read.',
    () => journal.damage.records,
  );
}
