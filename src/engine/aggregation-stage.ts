/**
 * What rules of aggregation and a deduplicator do at one place: ahead of all destinations, or for one of them. Samples of
 * a series come in by its ref; outputs come out with the labels that they have. Engine thread only.
 */
import type { Fate } from '../model/drops.ts';
import type { Labels } from '../model/labels.ts';
import { Aggregators, type RuleStats } from '../transform/aggregate/aggregators.ts';
import type { CheckpointPart } from '../transform/aggregate/checkpoint.ts';
import type { AggregationRuleSpec } from '../transform/aggregate/rule.ts';
import { Deduplicator, type DeduplicatorStats } from '../transform/dedup/deduplicator.ts';
import { RelabelChain } from '../transform/relabel/chain.ts';
import { compileCondition } from '../transform/relabel/condition.ts';
import { parseRules } from '../transform/relabel/rule.ts';
import type { OutputWriter } from '../transform/state/output-writer.ts';
import type { SampleBatch, SampleColumns } from '../transform/state/samples.ts';
import type { Clock } from '../util/clock.ts';
import { yaml } from '../util/yaml.ts';

export interface StageConfig {
  /** Tells places apart in checkpoints: `global`, or `destination` and a name. */
  readonly scope: string;
  readonly rules: readonly AggregationRuleSpec[];
  readonly keepInput: boolean;
  readonly dropInput: boolean;
  /** Of the deduplicator behind the rules; 0 for none. */
  readonly dedupIntervalMs: number;
  readonly dropInputLabels: readonly string[];
  readonly enableWindows: boolean;
  /** The shard whose series it takes; undefined when it takes every series. */
  readonly shard?: number | undefined;
}

/** What outputs are, in the ledger. */
export type OutputKind = 'aggregated_out' | 'deduplicated_out';

/** The deduplicator, where rules are told by their numbers. */
export const DEDUP = -1;

/** What happened since it was asked last: a rule's delays of samples and lengths of flushes, in seconds. */
export interface Observation {
  /** Its number, or DEDUP. */
  readonly rule: number;
  readonly kind: 'lag' | 'flush';
  readonly seconds: number;
}

export interface StageStats {
  readonly scope: string;
  readonly rules: readonly RuleStats[];
  readonly dedup: DeduplicatorStats | undefined;
  /** Wall time of the last flush of anything; 0 before the first. */
  readonly lastFlushMs: number;
  readonly nextFlushMs: number;
}

const OBSERVATIONS_MAX = 1000;

const numberOf: Readonly<Record<Fate, number>> = {
  goes_on: 0,
  aggregated_in: 1,
  dropped_input: 2,
  deduplicated_in: 3,
};

export class AggregationStage {
  readonly config: StageConfig;
  readonly #clock: Clock;
  readonly #aggregators: Aggregators | undefined;
  readonly #dedup: Deduplicator | undefined;
  #observed: Observation[] = [];
  #lastFlushMs = 0;

  constructor(config: StageConfig, clock: Clock) {
    this.config = config;
    this.#clock = clock;
    const { scope, rules, dedupIntervalMs, dropInputLabels, enableWindows } = config;
    if (rules.length > 0) {
      this.#aggregators = new Aggregators(rules, {
        clock,
        scope,
        compileSelector: (text) => compileCondition([text]),
        compileRelabel,
        observe: {
          samplesLag: (rule, seconds) => this.#observe({ rule, kind: 'lag', seconds }),
          flushDuration: (rule, seconds) => this.#observe({ rule, kind: 'flush', seconds }),
        },
      });
    }
    if (dedupIntervalMs > 0) {
      const options = { intervalMs: dedupIntervalMs, dropInputLabels, enableWindows };
      this.#dedup = new Deduplicator(options, { clock, scope });
    }
  }

  /** What its rules and its deduplicator are known by in checkpoints and over reloads. */
  get identities(): readonly string[] {
    return [
      ...(this.#aggregators?.identities ?? []),
      ...(this.#dedup === undefined ? [] : [this.#dedup.identity]),
    ];
  }

  /** Decides, once a series, where its samples go; index into `fates`. `labels` stay as they are. */
  plan(ref: number, labels: Labels): number {
    const fate = fateOf(this.config, () => this.#aggregators!.seriesPlan(ref, labels));
    if (fate !== 'goes_on') this.#dedup?.forget([ref]);
    else if (this.#dedup?.seriesPlan(ref, labels) === true) return numberOf.deduplicated_in;
    return numberOf[fate];
  }

  /** The same for a series without a ref, and takes `count` of its samples from `start` on. */
  take(labels: Labels, columns: SampleColumns, start: number, count: number): number {
    const fate = fateOf(this.config, () => this.#aggregators!.pushSeries(labels, columns, start, count));
    if (fate === 'goes_on' && this.#dedup?.pushSeries(labels, columns, start, count) === true) {
      return numberOf.deduplicated_in;
    }
    return numberOf[fate];
  }

  /** Takes the samples of all series that were planned; those of others are passed over. */
  push(batch: SampleBatch): void {
    this.#aggregators?.push(batch);
    this.#dedup?.push(batch);
  }

  /** The refs mean nothing to it any more. */
  forget(refs: Iterable<number>): void {
    this.#aggregators?.forget(refs);
    this.#dedup?.forget(refs);
  }

  /** When something ends, in wall time. */
  get nextFlushMs(): number {
    return Math.min(
      this.#aggregators?.nextFlushMs ?? Number.POSITIVE_INFINITY,
      this.#dedup?.nextFlushMs ?? Number.POSITIVE_INFINITY,
    );
  }

  /** Ends what is over; what that tells waits for `tell`. Of what is overdue nothing may wait there before. */
  flushDue(): void {
    this.#lastFlushMs = this.#clock.nowMs();
    this.#aggregators?.flushDue();
    const dedup = this.#dedup;
    if (dedup === undefined) return;
    const isDue = dedup.nextFlushMs <= this.#lastFlushMs;
    dedup.flushDue();
    if (isDue && dedup.untold === 0) this.#observeDedup(dedup);
  }

  /** Outputs that wait. */
  get untold(): number {
    return (this.#aggregators?.untold ?? 0) + (this.#dedup?.untold ?? 0);
  }

  /** Of these, those of which the next window is over, too. */
  get overdue(): number {
    return (this.#aggregators?.overdue ?? 0) + (this.#dedup?.overdue ?? 0);
  }

  /**
   * Writes up to `outputsMax` outputs of one kind that wait, and no more once the writer has `bytesMax` bytes. `isOverdue`: only
   * those of which the next window is over, too.
   */
  tell(writer: OutputWriter, outputsMax: number, bytesMax: number, isOverdue = false): OutputKind {
    const aggregators = this.#aggregators;
    const dedup = this.#dedup;
    const waits = (owner: Aggregators | Deduplicator) => (isOverdue ? owner.overdue : owner.untold) > 0;
    if (aggregators !== undefined && waits(aggregators)) {
      aggregators.tell(writer, outputsMax, bytesMax, isOverdue);
      return 'aggregated_out';
    }
    if (dedup !== undefined && waits(dedup)) {
      dedup.tell(writer, outputsMax, bytesMax);
      if (dedup.untold === 0) this.#observeDedup(dedup);
    }
    return 'deduplicated_out';
  }

  #observeDedup({ flushTookMs }: Deduplicator): void {
    this.#observe({ rule: DEDUP, kind: 'flush', seconds: flushTookMs / 1000 });
  }

  /** The end of all but those in `except`, whose state goes on elsewhere. `drain` tells all that waits. */
  finish(drain: () => void, except: ReadonlySet<string>): void {
    this.#aggregators?.finish(drain, except);
    if (this.#dedup !== undefined && !except.has(this.#dedup.identity)) this.#dedup.finish(drain);
    else drain();
  }

  save(): CheckpointPart[] {
    return [...(this.#aggregators?.save() ?? []), ...(this.#dedup?.save() ?? [])];
  }

  /** Before the first series is planned; what could not be taken up, and why. */
  load(parts: ReadonlyMap<string, Uint8Array>): readonly string[] {
    return [this.#aggregators, this.#dedup].flatMap((owner) => owner?.load(parts).problems ?? []);
  }

  /** What was loaded is the state of another process: counts begin at 0. */
  startAnew(): void {
    this.#aggregators?.startAnew();
    this.#dedup?.startAnew();
  }

  get stats(): StageStats {
    return {
      scope: this.config.scope,
      rules: this.#aggregators?.stats() ?? [],
      dedup: this.#dedup?.stats(),
      lastFlushMs: this.#lastFlushMs,
      nextFlushMs: this.nextFlushMs,
    };
  }

  takeObservations(): readonly Observation[] {
    const observed = this.#observed;
    if (observed.length > 0) this.#observed = [];
    return observed;
  }

  #observe(observation: Observation): void {
    if (this.#observed.length < OBSERVATIONS_MAX) this.#observed.push(observation);
  }
}

/** What becomes of the samples behind the rules; deduplication comes after that. */
function fateOf({ rules, keepInput, dropInput }: StageConfig, isMatched: () => boolean): Fate {
  if (rules.length === 0) return 'goes_on';
  const matched = isMatched();
  const goesOn = keepInput ? matched || !dropInput : !matched && !dropInput;
  if (goesOn) return 'goes_on';
  return matched ? 'aggregated_in' : 'dropped_input';
}

/** What the stage does with a series, for people. */
export interface ExplainedStage {
  readonly fate: Fate;
  /** The rules that take it, as `file:line:col` and their intervals and outputs. */
  readonly rules: readonly string[];
}

export function explainStage(config: StageConfig, labels: Labels): ExplainedStage {
  const matching = config.rules.filter(({ match }) => match.length === 0 || compileCondition(match)(labels));
  const fate = fateOf(config, () => matching.length > 0);
  return {
    fate: fate === 'goes_on' && config.dedupIntervalMs > 0 ? 'deduplicated_in' : fate,
    rules: matching.map(
      ({ where, intervalText, outputs }) =>
        `${where}: ${outputs.map(({ name }) => name).join(', ')} every ${intervalText}`,
    ),
  };
}

/** Relabeling inside of rules: plain data as it stands in their file. Labels that begin with `__` stay. */
function compileRelabel(rules: readonly unknown[]): RelabelChain {
  return new RelabelChain(parseRules(yaml().stringify(rules), 'rule').rules, { keepsHidden: true });
}
