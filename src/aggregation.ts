/**
 * From options and rule files to what the engine aggregates and deduplicates: reads the files, tells what is wrong with
 * them, and keeps the last good rules when a reload fails.
 */
import type { Config } from './config/config.ts';
import { formatProblem, type Problem } from './config/problem.ts';
import type { StageConfig } from './engine/aggregation-stage.ts';
import type { schema } from './options.ts';
import { type Environment, readRuleText } from './rule-files.ts';
import {
  type AggregationRuleSpec,
  parseAggregationRules,
  type RuleChecks,
  type RuleDefaults,
} from './transform/aggregate/rule.ts';
import { compileCondition, SelectorError } from './transform/relabel/condition.ts';
import { RegexError } from './transform/relabel/regex.ts';
import { parseRules } from './transform/relabel/rule.ts';
import type { Clock } from './util/clock.ts';
import { messageOf, SluiceError } from './util/error.ts';
import type { Logger } from './util/logger.ts';
import type { Meter } from './util/meter.ts';
import { yaml } from './util/yaml.ts';

export type AggregationConfig = Config<typeof schema.table>;

export interface AggregationPorts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly meter: Meter;
  readonly env: Environment;
}

/** Options of one place without the rules of its file. */
interface Place {
  readonly path: string;
  readonly from: string;
  readonly defaults: RuleDefaults;
  readonly dropInput: boolean;
  /** Of the deduplicator behind the rules: in vmagent this is the global flag everywhere. */
  readonly enableWindows: boolean;
}

/** What one place does, without where it is: `scope` and `shard` follow. */
export type StageContent = Omit<StageConfig, 'scope' | 'shard'>;

export interface StageContents {
  readonly global: StageContent | undefined;
  /** One a destination; undefined where nothing is aggregated or deduplicated. */
  readonly destinations: readonly (StageContent | undefined)[];
}

const checks: RuleChecks = {
  selector: (text) => {
    try {
      compileCondition([text]);
    } catch (error) {
      if (error instanceof SelectorError) return { message: error.message, hint: error.hint };
      if (error instanceof RegexError) return { message: error.message, hint: 'write a regex of RE2' };
      throw error;
    }
    return undefined;
  },
  relabel: (rule) => parseRules(yaml().stringify([rule]), '').problems,
};

function placesOf({ values, destinations, where }: AggregationConfig): readonly [Place, ...Place[]] {
  const enableWindows = values['streamAggr.enableWindows'];
  const global: Place = {
    path: values['streamAggr.config'],
    from: where('streamAggr.config'),
    defaults: {
      dedupIntervalMs: values['streamAggr.dedupInterval'],
      dropInputLabels: values['streamAggr.dropInputLabels'],
      ignoreOldSamples: values['streamAggr.ignoreOldSamples'],
      ignoreFirstIntervals: values['streamAggr.ignoreFirstIntervals'],
      enableWindows,
      keepInput: values['streamAggr.keepInput'],
    },
    dropInput: values['streamAggr.dropInput'],
    enableWindows,
  };
  const own = destinations.map(({ values: of }, index): Place => {
    const labels = of['remoteWrite.streamAggr.dropInputLabels'];
    return {
      path: of['remoteWrite.streamAggr.config'],
      from: where('remoteWrite.streamAggr.config', index),
      defaults: {
        dedupIntervalMs: of['remoteWrite.streamAggr.dedupInterval'],
        dropInputLabels: labels === '' ? [] : labels.split('^^'),
        ignoreOldSamples: of['remoteWrite.streamAggr.ignoreOldSamples'],
        ignoreFirstIntervals: of['remoteWrite.streamAggr.ignoreFirstIntervals'],
        enableWindows: of['remoteWrite.streamAggr.enableWindows'],
        keepInput: of['remoteWrite.streamAggr.keepInput'],
      },
      dropInput: of['remoteWrite.streamAggr.dropInput'],
      enableWindows,
    };
  });
  return [global, ...own];
}

interface ReadPlace {
  readonly rules: readonly AggregationRuleSpec[];
  readonly problems: readonly Problem[];
}

async function readPlace({ path, from, defaults }: Place, env: Environment): Promise<ReadPlace> {
  if (path === '') return { rules: [], problems: [] };
  let text: string;
  try {
    text = await readRuleText(path, env);
  } catch (error) {
    const message = `the aggregation rules of ${path} cannot be read: ${messageOf(error)}`;
    return { rules: [], problems: [{ where: from, message, hint: 'check the path and its permissions' }] };
  }
  return parseAggregationRules(text, path, defaults, checks);
}

function contentOf({ defaults, dropInput, enableWindows }: Place, rules: readonly AggregationRuleSpec[]) {
  const { dedupIntervalMs, dropInputLabels, keepInput } = defaults;
  if (rules.length === 0 && dedupIntervalMs === 0) return undefined;
  return { rules, keepInput, dropInput, dedupIntervalMs, dropInputLabels, enableWindows };
}

/** What StatsD sends are increments and single measurements: as they are they are of little use. */
function checkStatsd({ values, where }: Config, places: readonly Place[]): readonly Problem[] {
  const isAggregated = places.some(({ path }) => path !== '');
  if (values.statsdListenAddr === '' || values['statsd.disableAggregationEnforcement'] || isAggregated)
    return [];
  const message = 'StatsD is taken, and there are no aggregation rules that make something of it';
  const hint =
    'set -streamAggr.config to a copy of config/statsd-aggregation.yaml, or -statsd.disableAggregationEnforcement';
  return [{ where: where('statsdListenAddr'), message, hint }];
}

/** The rule of this component about the options, for the start and -dryRun. */
export async function checkAggregation(
  config: AggregationConfig,
  env: Environment,
): Promise<readonly Problem[]> {
  const places = placesOf(config);
  const read = await Promise.all(places.map((place) => readPlace(place, env)));
  const seen = new Set<string>();
  // Destinations may have a file in common.
  return [...checkStatsd(config, places), ...read.flatMap(({ problems }) => problems)].filter((problem) => {
    const text = formatProblem(problem);
    return !seen.has(text) && seen.add(text);
  });
}

interface ReloadCounts {
  reloads: number;
  errors: number;
  isGood: boolean;
  loadedAtMs: number;
}

/** The rules in force. */
export class Aggregation {
  readonly #ports: AggregationPorts;
  readonly #places: readonly [Place, ...Place[]];
  readonly #byPath = new Map<string, ReloadCounts>();
  #rules: readonly (readonly AggregationRuleSpec[])[] = [];

  constructor(config: AggregationConfig, ports: AggregationPorts) {
    this.#ports = ports;
    this.#places = placesOf(config);
    for (const { path } of this.#places) if (path !== '') this.#registerMetrics(path);
  }

  get contents(): StageContents {
    const [global, ...destinations] = this.#places.map((place, index) =>
      contentOf(place, this.#rules[index] ?? []),
    );
    return { global, destinations };
  }

  /** Throws a SluiceError when the rules cannot be used. */
  async load(): Promise<void> {
    const read = await Promise.all(this.#places.map((place) => readPlace(place, this.#ports.env)));
    const problems = new Set(read.flatMap((place) => place.problems.map(formatProblem)));
    if (problems.size > 0) {
      throw new SluiceError(
        'aggregation_config',
        `cannot load the aggregation rules: ${[...problems].join('\n  ')}`,
      );
    }
    this.#rules = read.map(({ rules }) => rules);
    for (const counts of this.#byPath.values()) counts.loadedAtMs = this.#ports.clock.nowMs();
  }

  /**
   * Reads the files again; a file with a problem is told and leaves its old rules in force. Resolves to whether rules may
   * be new.
   */
  async reload(): Promise<boolean> {
    if (this.#byPath.size === 0) return false;
    const read = await Promise.all(this.#places.map((place) => readPlace(place, this.#ports.env)));
    const failed = new Map<string, string>();
    for (const [index, { path }] of this.#places.entries()) {
      const [problem] = read[index]!.problems;
      if (problem !== undefined) failed.set(path, formatProblem(problem));
    }
    this.#rules = read.map(({ rules }, index) =>
      failed.has(this.#places[index]!.path) ? this.#rules[index]! : rules,
    );
    for (const [path, counts] of this.#byPath) this.#note(path, counts, failed.get(path));
    return true;
  }

  #note(path: string, counts: ReloadCounts, problem: string | undefined): void {
    const { clock, log } = this.#ports;
    counts.reloads++;
    counts.isGood = problem === undefined;
    if (problem === undefined) {
      counts.loadedAtMs = clock.nowMs();
      log.info('the aggregation rules are reloaded', { path });
      return;
    }
    counts.errors++;
    log.error('the aggregation rules are not reloaded, the old ones stay in force', { path, error: problem });
  }

  #registerMetrics(path: string): void {
    if (this.#byPath.has(path)) return;
    const counts: ReloadCounts = { reloads: 0, errors: 0, isGood: true, loadedAtMs: 0 };
    this.#byPath.set(path, counts);
    const { meter } = this.#ports;
    const prefix = 'vmagent_streamaggr_config';
    meter.counterOf(
      `${prefix}_reloads_total`,
      'Reloads of aggregation rules.',
      { path },
      () => counts.reloads,
    );
    meter.counterOf(`${prefix}_reloads_errors_total`, 'Reloads that failed.', { path }, () => counts.errors);
    meter.gaugeOf(`${prefix}_reload_successful`, '1 if the last reload succeeded.', { path }, () => {
      return counts.isGood ? 1 : 0;
    });
    meter.gaugeOf(
      `${prefix}_reload_success_timestamp_seconds`,
      'When the rules were loaded last.',
      { path },
      () => Math.floor(counts.loadedAtMs / 1000),
    );
  }
}
