/**
 * From options and rule files to what the engine does with series: reads the files, tells what is wrong with them, and
 * keeps the last good rules when a reload fails.
 */
import { Aggregation, type StageContents } from './aggregation.ts';
import type { Config } from './config/config.ts';
import { formatProblem, type Problem } from './config/problem.ts';
import type { StageStats } from './engine/aggregation-stage.ts';
import type { FormConfig, ShapeConfig } from './engine/shape.ts';
import { isShaping } from './engine/shape.ts';
import type { schema } from './options.ts';
import { routingOf } from './route/routing.ts';
import { readRuleText } from './rule-files.ts';
import type { RelabelSource } from './service/relabel-debug.ts';
import type { ShownStage } from './service/stream-agg.ts';
import { parseRules, type RuleSpec } from './transform/relabel/rule.ts';
import type { Clock } from './util/clock.ts';
import { messageOf, SluiceError } from './util/error.ts';
import type { Logger } from './util/logger.ts';
import type { Meter } from './util/meter.ts';

type ShapingConfig = Config<typeof schema.table>;

export interface ShapingPorts {
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** A file of rules as it was read. */
export interface RuleFile {
  readonly path: string;
  readonly text: string;
  readonly rules: readonly RuleSpec[];
}

export interface RuleFiles {
  /** Of -remoteWrite.relabelConfig. */
  readonly global: RuleFile;
  /** One a destination. */
  readonly destinations: readonly RuleFile[];
}

const NO_RULES: RuleFile = { path: '', text: '', rules: [] };

/** Reads all rule files that the configuration names. */
export async function readRuleFiles(
  { values, destinations, where }: ShapingConfig,
  ports: ShapingPorts,
): Promise<{ readonly files: RuleFiles; readonly problems: readonly Problem[] }> {
  const problems: Problem[] = [];
  const read = async (path: string, from: string): Promise<RuleFile> => {
    if (path === '') return NO_RULES;
    try {
      const text = await readRuleText(path, ports.env);
      const parsed = parseRules(text, path);
      problems.push(...parsed.problems);
      return { path, text, rules: parsed.rules };
    } catch (error) {
      const message = `the relabeling rules of ${path} cannot be read: ${messageOf(error)}`;
      problems.push({ where: from, message, hint: 'check the path and its permissions' });
      return NO_RULES;
    }
  };
  const global = await read(values['remoteWrite.relabelConfig'], where('remoteWrite.relabelConfig'));
  const own: RuleFile[] = [];
  for (const [index, destination] of destinations.entries()) {
    const path = destination.values['remoteWrite.urlRelabelConfig'];
    own.push(await read(path, where('remoteWrite.urlRelabelConfig', index)));
  }
  return { files: { global, destinations: own }, problems };
}

/** The rule of this component about the options, for the start and -dryRun. */
export async function checkShaping(config: ShapingConfig, ports: ShapingPorts): Promise<readonly Problem[]> {
  const { problems } = await readRuleFiles(config, ports);
  const labels = config.values['remoteWrite.label'].filter((label) => !label.includes('='));
  return [
    ...problems,
    ...labels.map((label) => ({
      where: config.where('remoteWrite.label'),
      message: `${JSON.stringify(label)} has no =`,
      hint: 'write name=value',
    })),
  ];
}

/** How each destination sees series: equal forms are one. */
export interface Shape {
  readonly config: ShapeConfig;
  /** By destination: index into `config.forms`. */
  readonly formOf: readonly number[];
}

const NO_STAGES: StageContents = { global: undefined, destinations: [] };

export function shapeOf(
  { values, destinations }: ShapingConfig,
  files: RuleFiles,
  stages: StageContents = NO_STAGES,
): Shape {
  // A shard aggregates what it owns: it shares neither rules nor windows with others.
  const isSharded = routingOf(values, destinations).kind === 'shard';
  const labels = values['remoteWrite.label'].map((label) => {
    const at = label.indexOf('=');
    return [label.slice(0, at), label.slice(at + 1)] as const;
  });
  const forms: FormConfig[] = [];
  const indexes = new Map<string, number>();
  const formOf = destinations.map(({ name, values: own }, index) => {
    const stage = stages.destinations[index];
    const form = {
      rules: files.destinations[index]!.rules,
      labels,
      rounding: {
        significantFigures: own['remoteWrite.significantFigures'],
        roundDigits: own['remoteWrite.roundDigits'],
      },
    };
    const shard = isSharded && stage !== undefined ? index : undefined;
    const key = JSON.stringify({ ...form, stage, shard }, (_, value) =>
      typeof value === 'bigint' ? `${value}` : value,
    );
    const placed =
      stage === undefined ? form : { ...form, stage: { ...stage, scope: `destination ${name}`, shard } };
    const known = indexes.get(key) ?? forms.push(placed) - 1;
    indexes.set(key, known);
    return known;
  });
  const config: ShapeConfig = {
    rules: files.global.rules,
    promNaming: values.usePromCompatibleNaming,
    sortLabels: values.sortLabels,
    labelLimits: {
      labelsMax: values.maxLabelsPerTimeseries,
      nameBytesMax: values.maxLabelNameLen,
      valueBytesMax: values.maxLabelValueLen,
    },
    maxHourlySeries: values['remoteWrite.maxHourlySeries'],
    maxDailySeries: values['remoteWrite.maxDailySeries'],
    ...(values.maxFutureOffset > 0 && {
      future: { afterMs: values.maxFutureOffset, drop: values.dropFutureSamples },
    }),
    forms,
    ...(stages.global !== undefined && { stage: { ...stages.global, scope: 'global' } }),
  };
  return { config, formOf };
}

/** The rules in force. */
export class Shaping {
  readonly #config: ShapingConfig;
  readonly #ports: ShapingPorts & { readonly clock: Clock; readonly log: Logger };
  readonly #aggregation: Aggregation;
  #files: RuleFiles | undefined;
  #shape: Shape | undefined;
  #reloads = 0;
  #errors = 0;
  #isGood = true;
  #loadedAtMs = 0;

  constructor(
    config: ShapingConfig,
    ports: ShapingPorts & { readonly clock: Clock; readonly log: Logger; readonly meter: Meter },
  ) {
    this.#config = config;
    this.#ports = ports;
    this.#aggregation = new Aggregation(config, ports);
    if (this.#hasFiles) this.#registerMetrics(ports.meter);
  }

  get #hasFiles(): boolean {
    const { values, destinations } = this.#config;
    return (
      values['remoteWrite.relabelConfig'] !== '' ||
      destinations.some(({ values: own }) => own['remoteWrite.urlRelabelConfig'] !== '')
    );
  }

  get files(): RuleFiles {
    if (this.#files === undefined) throw new Error('the rules are loaded before they are asked for');
    return this.#files;
  }

  /** The rules as they are written, for people who try them. */
  get source(): RelabelSource {
    return {
      globalRules: () => this.files.global.text,
      urlRules: (index) => this.files.destinations[index]?.text ?? '',
    };
  }

  get shape(): Shape {
    this.#shape ??= shapeOf(this.#config, this.files, this.#aggregation.contents);
    return this.#shape;
  }

  /** 0: no limit, -1: series are only counted. */
  get seriesLimits(): { readonly hourly: number; readonly daily: number } {
    const { values } = this.#config;
    return { hourly: values['remoteWrite.maxHourlySeries'], daily: values['remoteWrite.maxDailySeries'] };
  }

  /** The places that aggregate or deduplicate, with what the engine tells of them. */
  stagesWith(stats: readonly StageStats[]): ShownStage[] {
    const { stage, forms } = this.shape.config;
    return [stage, ...forms.map((form) => form.stage)].flatMap((config) =>
      config === undefined ? [] : [{ config, stats: stats.find(({ scope }) => scope === config.scope) }],
    );
  }

  /** What the engine is told; undefined when series go on as they come. */
  engineShape(shards: Pick<ShapeConfig, 'placement' | 'available'>): ShapeConfig | undefined {
    const shape = { ...this.shape.config, ...shards };
    return isShaping(shape) ? shape : undefined;
  }

  /** Throws a SluiceError when the rules cannot be used. */
  async load(): Promise<void> {
    await this.#loadFiles();
    await this.#aggregation.load();
    this.#shape = undefined;
  }

  async #loadFiles(): Promise<void> {
    const { files, problems } = await readRuleFiles(this.#config, this.#ports);
    if (problems.length > 0) {
      throw new SluiceError(
        'relabel_config',
        `cannot load the relabeling rules: ${problems.map(formatProblem).join('\n  ')}`,
      );
    }
    this.#files = files;
    this.#shape = undefined;
    this.#loadedAtMs = this.#ports.clock.nowMs();
  }

  /** Reads the files again; what is wrong is told and leaves the old rules in force. Resolves to whether they are new. */
  async reload(): Promise<boolean> {
    const isAggregationNew = await this.#aggregation.reload();
    if (isAggregationNew) this.#shape = undefined;
    return (await this.#reloadFiles()) || isAggregationNew;
  }

  async #reloadFiles(): Promise<boolean> {
    if (!this.#hasFiles) return false;
    this.#reloads++;
    try {
      await this.#loadFiles();
    } catch (error) {
      this.#errors++;
      this.#isGood = false;
      this.#ports.log.error('the relabeling rules are not reloaded, the old ones stay in force', {
        error: messageOf(error),
      });
      return false;
    }
    this.#isGood = true;
    this.#ports.log.info('the relabeling rules are reloaded');
    return true;
  }

  #registerMetrics(meter: Meter): void {
    const prefix = 'vmagent_relabel_config';
    meter.counterOf(`${prefix}_reloads_total`, 'Reloads of relabeling rules.', {}, () => this.#reloads);
    meter.counterOf(`${prefix}_reloads_errors_total`, 'Reloads that failed.', {}, () => this.#errors);
    meter.gaugeOf(`${prefix}_last_reload_successful`, '1 if the last reload succeeded.', {}, () => {
      return this.#isGood ? 1 : 0;
    });
    meter.gaugeOf(`${prefix}_last_reload_success_timestamp_seconds`, 'When rules were loaded last.', {}, () =>
      Math.floor(this.#loadedAtMs / 1000),
    );
  }
}
