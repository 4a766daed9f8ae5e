/** The metrics of one destination: vmagent's names where it has one, so that its dashboards and alerts work, and ours. */

import { kinds } from './ledger/ledger.ts';
import { dropReasons } from './model/drops.ts';
import type { Outlet } from './outlet.ts';
import type { Meter } from './util/meter.ts';

export function registerOutletMetrics(meter: Meter, outlet: Outlet): void {
  registerRemoteWrite(meter, outlet);
  registerFiles(meter, outlet);
  registerOwn(meter, outlet);
  for (const kind of kinds) {
    for (const { column } of outlet.columns()) {
      meter.counterOf(
        `sluice_ledger_destination_${kind}`,
        'Where everything went, by column of the ledger; received, replayed, taken_over, recovered, aggregated_out and deduplicated_out are together the sum of the others.',
        { destination: outlet.name, url: outlet.shownUrl, column },
        () => outlet.columns().find((other) => other.column === column)!.counts[kind],
      );
    }
  }
}

function registerRemoteWrite(meter: Meter, { queue, shownUrl: url }: Outlet): void {
  const { ledger } = queue;
  const at = { path: queue.config.directory, url };
  const count = (name: string, help: string, read: () => number) =>
    meter.counterOf(`vmagent_remotewrite_${name}`, help, at, read);
  const gauge = (name: string, help: string, read: () => number) =>
    meter.gaugeOf(`vmagent_remotewrite_${name}`, help, at, read);
  const full = ledger.ended.dropped_queue_full;
  count('rows_pushed_after_relabel_total', 'Samples for the destination.', () => {
    const dropped = dropReasons.reduce((sum, reason) => sum + ledger.dropped[reason].samples, 0);
    const { received, replayed, takenOver, aggregatedOut, deduplicatedOut } = ledger;
    const incoming = [received, replayed, takenOver, aggregatedOut, deduplicatedOut];
    return incoming.reduce((sum, { samples }) => sum + samples, -dropped);
  });
  meter.counterOf(
    'vmagent_remotewrite_relabel_metrics_dropped_total',
    "Samples that the destination's relabeling dropped.",
    { url },
    () => ledger.dropped.url_relabel.samples,
  );
  count('push_failures_total', 'Blocks that came to a full queue.', () => queue.dropped.blocks);
  count('samples_dropped_total', 'Samples dropped at a full queue.', () => full.samples);
  count('metadata_dropped_total', 'Metadata entries dropped at a full queue.', () => full.metadata);
  gauge('pending_data_bytes', 'Compressed bytes that wait.', () => queue.pendingBytes);
  gauge('pending_inmemory_blocks', 'Blocks that wait in memory.', () => queue.memoryBlocks);
  gauge('queue_blocked', '1 while the queue is full.', () => (queue.full ? 1 : 0));
}

function registerFiles(meter: Meter, { queue, shownUrl }: Outlet): void {
  const at = { path: queue.config.directory, name: shownUrl };
  const count = (name: string, help: string, read: () => number) =>
    meter.counterOf(`vm_persistentqueue_${name}`, help, at, read);
  const gauge = (name: string, help: string, read: () => number) =>
    meter.gaugeOf(`vm_persistentqueue_${name}`, help, at, read);
  count('blocks_dropped_total', 'Blocks dropped at a full queue.', () => queue.dropped.blocks);
  count('bytes_dropped_total', 'Compressed bytes dropped at a full queue.', () => queue.dropped.bytes);
  count('bytes_written_total', 'Bytes written to queue files.', () => queue.fileTraffic.written.bytes);
  count('bytes_read_total', 'Bytes read from queue files.', () => queue.fileTraffic.read.bytes);
  count('blocks_written_total', 'Blocks written to queue files.', () => queue.fileTraffic.written.records);
  count('blocks_read_total', 'Blocks read from queue files.', () => queue.fileTraffic.read.records);
  count(
    'write_duration_seconds_total',
    'Time spent writing queue files.',
    () => queue.fileTraffic.written.ms / 1000,
  );
  count(
    'read_duration_seconds_total',
    'Time spent reading queue files.',
    () => queue.fileTraffic.read.ms / 1000,
  );
  gauge('bytes_pending', 'Bytes that wait in queue files.', () => queue.unloadedBytes);
  gauge(
    'free_disk_space_bytes',
    'Room for the queue: on the disk, or up to its limit.',
    () => queue.roomBytes ?? 0,
  );
}

function registerOwn(meter: Meter, outlet: Outlet): void {
  const { queue, trend, deadLetters, shownUrl: url } = outlet;
  const own = { destination: outlet.name, url };
  const count = (name: string, help: string, read: () => number) => meter.counterOf(name, help, own, read);
  const gauge = (name: string, help: string, read: () => number) => meter.gaugeOf(name, help, own, read);
  gauge(
    'sluice_destination_oldest_age_seconds',
    'Age of the oldest unsent block.',
    () => queue.oldestAgeMs / 1_000,
  );
  gauge('sluice_destination_lanes', 'Blocks with disjoint series side by side.', () => outlet.lanes);
  gauge('sluice_destination_paused', '1 while it is paused.', () => (outlet.isPaused ? 1 : 0));
  gauge(
    'sluice_queue_seconds_to_full',
    'When the queue is full if it grows on like this; +Inf if it does not.',
    () => trend.secondsToFull(queue.roomBytes ?? Number.POSITIVE_INFINITY),
  );
  gauge(
    'sluice_queue_seconds_to_drain',
    'When nothing waits any more if that goes on like this; +Inf if it does not.',
    () => {
      return trend.secondsToDrain;
    },
  );
  count('sluice_queue_damaged_records_total', 'Records of queue files that could not be read.', () => {
    return queue.fileTraffic.damage.records;
  });
  count('sluice_queue_damaged_bytes_total', 'Bytes of queue files that could not be read.', () => {
    return queue.fileTraffic.damage.bytes;
  });
  count(
    'sluice_vmagent_queue_unreadable_blocks_total',
    'Blocks of a vmagent that could not be decoded; their samples are not known.',
    () => outlet.takenOver.unreadableBlocks,
  );
  count(
    'sluice_vmagent_queue_lost_bytes_total',
    "Bytes of a vmagent's queue that could not be read or decoded.",
    () => outlet.takenOver.lostBytes,
  );
  gauge(
    'sluice_vmagent_queue_pending_bytes',
    "Bytes of a vmagent's queue that wait; they go before everything new.",
    () => outlet.takenOver.pendingBytes,
  );
  gauge('sluice_queue_broken', '1 while queue files cannot be written or read.', () =>
    queue.failure === undefined ? 0 : 1,
  );
  gauge('sluice_dead_letters', 'What the destination refused for good and is kept.', () => deadLetters.count);
  gauge('sluice_dead_letter_bytes', 'Bytes of the dead letters.', () => deadLetters.bytes);
  count(
    'sluice_dead_letters_dropped_total',
    'Dead letters that made room for others.',
    () => deadLetters.dropped,
  );
}
