/** The metrics of the way from clients to queues: vmagent's names where it has one, and ours. */
import type { EnginePool } from './engine/pool.ts';
import { type DestinationLedger, kinds } from './ledger/ledger.ts';
import { type Counts, noCounts } from './model/body.ts';
import type { Meter } from './util/meter.ts';

export interface RelaySource {
  /** The way to the queues, as the first destination of each time sees it. */
  readonly ledger: DestinationLedger;
  /** What waits for it in unfinished blocks. */
  inEngine(): Readonly<Counts>;
  engine(): EnginePool | undefined;
  orphanBytes(): number;
  /** 0: no limit, -1: series are only counted. */
  readonly seriesLimits: { readonly hourly: number; readonly daily: number };
}

export function registerRelayMetrics(meter: Meter, source: RelaySource): void {
  registerLedger(meter, source);
  registerDrops(meter, source);
  registerEngine(meter, source);
  meter.gaugeOf('sluice_orphaned_queue_bytes', 'Bytes of queues that belong to no destination.', {}, () => {
    return source.orphanBytes();
  });
}

function registerLedger(meter: Meter, { ledger, inEngine }: RelaySource): void {
  for (const kind of kinds) {
    for (const { column } of ledger.wayToQueue(noCounts)) {
      meter.counterOf(
        `sluice_ledger_${kind}_total`,
        'Where everything went on its way to the queues; received, replayed, taken_over, aggregated_out and deduplicated_out are together the sum of the others.',
        { column },
        () => ledger.wayToQueue(inEngine()).find((other) => other.column === column)!.counts[kind],
      );
    }
  }
  meter.counterOf(
    'vmagent_remotewrite_global_rows_pushed_before_relabel_total',
    'Samples that were accepted.',
    {},
    () => ledger.received.samples,
  );
}

function registerDrops(meter: Meter, { ledger: { dropped }, engine, seriesLimits }: RelaySource): void {
  meter.counterOf(
    'vmagent_remotewrite_global_relabel_metrics_dropped_total',
    'Samples that -remoteWrite.relabelConfig dropped.',
    {},
    () => dropped.relabel.samples,
  );
  for (const reason of ['too_many_labels', 'too_long_label_name', 'too_long_label_value'] as const) {
    const help = 'Series that were left out.';
    meter.counterOf('vm_rows_ignored_total', help, { reason }, () => dropped[reason].series);
  }
  for (const window of ['hourly', 'daily'] as const) {
    const max = seriesLimits[window];
    if (max === 0) continue;
    const prefix = `vmagent_${window}_series_limit`;
    meter.counterOf(`${prefix}_rows_dropped_total`, 'Samples of series beyond the limit.', {}, () => {
      return dropped[`${window}_series_limit`].samples;
    });
    meter.gaugeOf(`${prefix}_max_series`, 'The limit.', {}, () => (max === -1 ? 2 ** 31 - 1 : max));
    meter.gaugeOf(`${prefix}_current_series`, 'Different series since the window began.', {}, () => {
      return engine()?.stats?.shaping[`${window}Series`] ?? 0;
    });
  }
}

function registerEngine(meter: Meter, { engine }: RelaySource): void {
  const gauge = (name: string, help: string, read: (running: EnginePool) => number) =>
    meter.gaugeOf(`sluice_engine_${name}`, help, {}, () => {
      const running = engine();
      return running === undefined ? 0 : read(running);
    });
  gauge('memory_bytes', 'Linear memory of the engine.', ({ stats }) => stats?.memoryBytes ?? 0);
  gauge('series', 'Series in the series table.', ({ stats }) => stats?.seriesTableSize ?? 0);
  gauge('series_max', 'Room in the series table.', ({ stats }) => stats?.seriesTableCapacity ?? 0);
  gauge('plan_bytes', 'Memory of what was decided about series.', ({ stats }) => {
    return stats?.shaping.planBytes ?? 0;
  });
  gauge(
    'held_requests',
    'Requests that are not yet in finished blocks, or not in the last state of aggregation.',
    ({ heldBodies }) => heldBodies,
  );
  gauge('arena_bytes', 'Memory for requests that are not yet in finished blocks.', ({ arenaBytes }) => {
    return arenaBytes;
  });
  meter.counterOf('sluice_engine_restarts_total', 'Deaths of the engine.', {}, () => {
    return engine()?.restarts ?? 0;
  });
  meter.counterOf(
    'sluice_engine_series_decided_total',
    'How often rules were run for a series: at the first sight of its outline, and again after a reload.',
    {},
    () => engine()?.stats?.shaping.decided ?? 0,
  );
  meter.counterOf(
    'sluice_future_samples_total',
    'Samples later than -maxFutureOffset allows; 0 while that is not set.',
    {},
    () => engine()?.stats?.shaping.futureSamples ?? 0,
  );
  for (const lane of ['verbatim', 'join', 'column'] as const) {
    meter.counterOf(
      'sluice_engine_bodies_total',
      'Requests by the way that they took to the blocks of a group of destinations.',
      { lane },
      () => engine()?.stats?.lanes[lane] ?? 0,
    );
  }
}
