/** The metrics of stream aggregation and deduplication: vmagent's names, one set of labels a rule. */
import { DEDUP, type StageConfig, type StageStats } from './engine/aggregation-stage.ts';
import type { ShapeConfig } from './engine/shape.ts';
import type { StageObservation } from './engine/stages.ts';
import type { RuleStats } from './transform/aggregate/aggregators.ts';
import type { AggregationRuleSpec } from './transform/aggregate/rule.ts';
import type { DeduplicatorStats } from './transform/dedup/deduplicator.ts';
import type { Histogram, Meter, MetricLabels } from './util/meter.ts';

export interface AggregationMetricsPorts {
  readonly meter: Meter;
  readonly stages: () => readonly StageStats[];
  /** How often state could not be restored. */
  readonly losses: () => number;
  /** Where the destination with this place among the destinations is shown to be. */
  readonly destinations: readonly { readonly name: string; readonly shownUrl: string }[];
}

const NO_LABELS: MetricLabels = {};

const LEDGER_HELP =
  'Where the samples of a rule or of deduplication are; came and resumed are together the sum of the others.';

const ruleColumns: Readonly<Record<string, (stats: RuleStats) => number>> = {
  came: ({ came }) => came,
  resumed: ({ resumed }) => resumed,
  nan: ({ ignoredNan }) => ignoredNan,
  too_old: ({ ignoredTooOld }) => ignoredTooOld,
  relabel: ({ relabelDropped }) => relabelDropped,
  refused: ({ refused }) => refused,
  deduplicated: ({ dedupDropped }) => dedupDropped,
  held: ({ held }) => held,
  aggregated: ({ aggregated }) => aggregated,
};

type DedupAccount = Pick<
  DeduplicatorStats,
  'received' | 'resumed' | 'deduplicated' | 'tooOld' | 'items' | 'emitted'
>;

const dedupColumns: Readonly<Record<string, (stats: DedupAccount) => number>> = {
  came: ({ received }) => received,
  resumed: ({ resumed }) => resumed,
  too_old: ({ tooOld }) => tooOld,
  deduplicated: ({ deduplicated }) => deduplicated,
  held: ({ items }) => items,
  went_on: ({ emitted }) => emitted,
};

export class AggregationMetrics {
  readonly #ports: AggregationMetricsPorts;
  /** By the JSON of their labels. */
  readonly #registered = new Map<string, MetricLabels>();
  /** By scope, rule and kind. */
  #histograms = new Map<string, Histogram>();

  constructor(ports: AggregationMetricsPorts) {
    this.#ports = ports;
    const { meter, stages, losses } = ports;
    meter.counterOf(
      'sluice_streamaggr_state_losses_total',
      'Rules whose state could not be restored.',
      NO_LABELS,
      losses,
    );
    const sum = (read: (rule: RuleStats) => number) =>
      stages()
        .flatMap(({ rules }) => rules)
        .reduce((total, rule) => total + read(rule), 0);
    meter.gaugeOf(
      'vm_streamaggr_labels_compressor_items_count',
      'Groups and series of all rules.',
      NO_LABELS,
      () => sum(({ groups, series }) => groups + series),
    );
    meter.gaugeOf('vm_streamaggr_labels_compressor_size_bytes', 'Columns of all rules.', NO_LABELS, () =>
      sum(({ bytes }) => bytes),
    );
  }

  /** Other rules are in force. */
  follow({ stage, forms }: ShapeConfig): void {
    const before = new Set(this.#registered.keys());
    this.#histograms = new Map();
    for (const config of [stage, ...forms.map((form) => form.stage)]) {
      if (config === undefined) continue;
      for (const [index, rule] of config.rules.entries()) {
        const labels = this.#labelsOf(config, rule, index);
        before.delete(this.#key(labels));
        this.#registerRule(config.scope, index, rule, labels);
      }
      if (config.dedupIntervalMs === 0) continue;
      const labels = { name: 'dedup', url: this.#dedupUrl(config.scope) };
      before.delete(this.#key(labels));
      this.#registerDedup(config.scope, labels);
    }
    for (const key of before) {
      this.#ports.meter.remove(this.#registered.get(key)!);
      this.#registered.delete(key);
    }
  }

  observe(observed: readonly StageObservation[]): void {
    for (const { scope, rule, kind, seconds } of observed) {
      this.#histograms.get(`${kind} ${rule} ${scope}`)?.observe(seconds);
    }
  }

  #key(labels: MetricLabels): string {
    return JSON.stringify(labels);
  }

  #destinationOf(scope: string): number {
    return this.#ports.destinations.findIndex(({ name }) => scope === `destination ${name}`);
  }

  #dedupUrl(scope: string): string {
    const index = this.#destinationOf(scope);
    return index < 0 ? 'dedup-global' : `dedup-${index + 1}`;
  }

  #labelsOf(
    { scope }: StageConfig,
    { outputs, name, where }: AggregationRuleSpec,
    index: number,
  ): MetricLabels {
    const written = outputs.map((output) =>
      output.args.length === 0 ? output.name : `${output.name}(${output.args.join(',')})`,
    );
    return {
      outputs: written.join(','),
      name: name || 'none',
      path: where.replace(/:\d+:\d+$/, ''),
      url: this.#ports.destinations[this.#destinationOf(scope)]?.shownUrl ?? 'global',
      position: `${index + 1}`,
    };
  }

  #isNew(labels: MetricLabels): boolean {
    const key = this.#key(labels);
    if (this.#registered.has(key)) return false;
    this.#registered.set(key, labels);
    return true;
  }

  #stage(scope: string): StageStats | undefined {
    return this.#ports.stages().find((stage) => stage.scope === scope);
  }

  #registerRule(scope: string, index: number, rule: AggregationRuleSpec, labels: MetricLabels): void {
    const { meter } = this.#ports;
    const histogram = (name: string, help: string) => meter.histogram(`vm_streamaggr_${name}`, help, labels);
    this.#histograms.set(
      `lag ${index} ${scope}`,
      histogram('samples_lag_seconds', 'The largest delay of a sample, for each request.'),
    );
    this.#histograms.set(
      `flush ${index} ${scope}`,
      histogram('flush_duration_seconds', 'How long it took to end an interval.'),
    );
    if (!this.#isNew(labels)) return;
    const count = (name: string, help: string, read: (stats: RuleStats) => number, more: MetricLabels = {}) =>
      meter.counterOf(name, help, { ...more, ...labels }, () => {
        const stats = this.#stage(scope)?.rules[index];
        return stats === undefined ? 0 : read(stats);
      });
    const own = 'vm_streamaggr';
    count(`${own}_matched_samples_total`, 'Samples that rules took.', ({ matched }) => matched);
    count(`${own}_output_samples_total`, 'Samples that rules told.', ({ output }) => output);
    count(`${own}_flush_timeouts_total`, 'Flushes that took longer than the interval.', (stats) => {
      return stats.flushTimeouts;
    });
    const ignored = 'Samples of series that rules match, and that were left out.';
    count(`${own}_ignored_samples_total`, ignored, ({ ignoredNan }) => ignoredNan, { reason: 'nan' });
    count(`${own}_ignored_samples_total`, ignored, ({ ignoredTooOld }) => ignoredTooOld, {
      reason: 'too_old',
    });
    count(
      'sluice_streamaggr_relabel_dropped_samples_total',
      'Samples of series that rules match and their relabeling dropped.',
      ({ relabelDropped }) => relabelDropped,
    );
    count(
      'sluice_streamaggr_refused_samples_total',
      'Samples of series that rules match and had no room for.',
      ({ refused }) => refused,
    );
    for (const [column, read] of Object.entries(ruleColumns)) {
      count('sluice_ledger_aggregation_samples', LEDGER_HELP, read, { column });
    }
    for (const { name } of rule.outputs.filter(({ name: output }) =>
      /^(total|increase|rate)(_|$)/.test(output),
    )) {
      const help = 'Counters that began anew.';
      count(`${own}_counter_resets_total`, help, ({ counterResets }) => counterResets, { output: name });
    }
    if (rule.dedupIntervalMs === 0) return;
    this.#registerDedupOf(labels, () => {
      const stats = this.#stage(scope)?.rules[index];
      return {
        bytes: stats?.dedupBytes ?? 0,
        items: stats?.dedupItems ?? 0,
        deduplicated: stats?.dedupDropped ?? 0,
        tooOld: 0,
        flushTimeouts: stats?.dedupFlushTimeouts ?? 0,
      };
    });
  }

  #registerDedup(scope: string, labels: MetricLabels): void {
    const duration = 'vm_streamaggr_dedup_flush_duration_seconds';
    const help = 'How long it took to let samples go.';
    this.#histograms.set(`flush ${DEDUP} ${scope}`, this.#ports.meter.histogram(duration, help, labels));
    if (!this.#isNew(labels)) return;
    const nothing = {
      ...{ bytes: 0, items: 0, deduplicated: 0, tooOld: 0, flushTimeouts: 0, received: 0, emitted: 0 },
      resumed: 0,
    };
    const read = () => this.#stage(scope)?.dedup ?? nothing;
    this.#registerDedupOf(labels, read);
    const { meter } = this.#ports;
    for (const [column, of] of Object.entries(dedupColumns)) {
      const at = { ...labels, column };
      meter.counterOf('sluice_ledger_aggregation_samples', LEDGER_HELP, at, () => of(read()));
    }
    const prefix = 'sluice_streamaggr_dedup';
    meter.counterOf(
      `${prefix}_received_samples_total`,
      'Samples that came in.',
      labels,
      () => read().received,
    );
    meter.counterOf(`${prefix}_emitted_samples_total`, 'Samples that went on.', labels, () => read().emitted);
  }

  #registerDedupOf(
    labels: MetricLabels,
    read: () => Pick<DeduplicatorStats, 'bytes' | 'items' | 'deduplicated' | 'tooOld' | 'flushTimeouts'>,
  ): void {
    const { meter } = this.#ports;
    const prefix = 'vm_streamaggr_dedup';
    meter.gaugeOf(`${prefix}_state_size_bytes`, 'Memory of deduplication.', labels, () => read().bytes);
    meter.gaugeOf(`${prefix}_state_items_count`, 'Samples that wait.', labels, () => read().items);
    meter.counterOf(
      `${prefix}_dropped_samples_total`,
      'Samples that a better one took the place of.',
      labels,
      () => {
        return read().deduplicated + read().tooOld;
      },
    );
    meter.counterOf(
      `${prefix}_flush_timeouts_total`,
      'Flushes that took longer than the interval.',
      labels,
      () => {
        return read().flushTimeouts;
      },
    );
  }
}
