/**
 * Stream aggregation: the rules of one place of the pipeline (all destinations, or one), as the engine sees them. Engine
 * thread only; nothing here waits or keeps timers.
 *
 *     const aggregators = new Aggregators(specs, ports);
 *     const { parts } = decodeCheckpoint(bytes); aggregators.load(parts);  // before the first series, or never
 *     aggregators.flushDue(); aggregators.tell(writer);    // what ended while we were away
 *     ...
 *     plan.matched = aggregators.seriesPlan(ref, labels);  // once a series: when it gets its ref, and after a reload
 *     aggregators.push(batch);                             // every request: refs, and where their samples lie
 *     aggregators.pushSeries(labels, columns, 0, 3);       // a series without a ref (the series table is full)
 *     aggregators.forget(freedRefs);                       // before the table gives them out again
 *     timer at aggregators.nextFlushMs → aggregators.flushDue();
 *     while (aggregators.untold > 0) { aggregators.tell(writer, 2000, 1e6); pass on writer.take(); }  // at leisure
 *     ...
 *     encodeCheckpoint([...aggregators.save(), ...deduplicator.save()])
 *
 * Before a request whose clock is past `nextFlushMs` is pushed, `flushDue` is called, or its samples would be told in the window
 * before; what a window tells is fixed then, and written by `tell` whenever there is time, but before the rule's next window ends.
 *
 * Whether the samples themselves go on is the engine's business (keepInput, dropInput): a series is *matched* as soon as
 * a rule's `match` says so, whatever becomes of its samples.
 *
 * A reload makes new `Aggregators` from the new rules, lets them `load` what the old ones `save`, calls `finish` on the
 * old ones for all rules but those that the new ones have, and plans every series anew. Rules that did not change keep
 * their windows.
 *
 * Every sample of a matched series is in exactly one column of the account of each rule that matches: `RuleCounts`.
 */
import type { Labels } from '../../model/labels.ts';
import type { Clock } from '../../util/clock.ts';
import { messageOf } from '../../util/error.ts';
import type { OutputWriter } from '../state/output-writer.ts';
import { type SampleBatch, type SampleColumns, Samples } from '../state/samples.ts';
import { type Relabeling, RuleAggregator } from './aggregator.ts';
import type { CheckpointPart, Restored } from './checkpoint.ts';
import { type AggregationRuleSpec, ruleIdentity } from './rule.ts';
import type { RuleCounts } from './rule-counts.ts';

/** 4 million groups or series a rule; about 1 GiB of columns and keys. */
const DEFAULT_SLOTS_MAX = 2 ** 22;

export interface AggregatorsPorts {
  readonly clock: Clock;
  /** Tells this place of the pipeline apart in checkpoints: `global`, or the name of a destination. */
  readonly scope: string;
  /** Throws for what `parseAggregationRules` would have refused. */
  readonly compileSelector: (text: string) => (labels: Labels) => boolean;
  readonly compileRelabel: (rules: readonly unknown[]) => Relabeling;
  /** The most groups, and the most series, that one rule keeps; fewer where their rows are wide. */
  readonly slotsMax?: number;
  /** Seconds, by index of the rule. */
  readonly observe?: {
    /** The largest delay of a sample, once for each request and rule. */
    samplesLag(rule: number, seconds: number): void;
    flushDuration(rule: number, seconds: number): void;
  };
}

export type RuleStats = Readonly<
  Pick<
    RuleCounts,
    | 'came'
    | 'matched'
    | 'ignoredNan'
    | 'ignoredTooOld'
    | 'relabelDropped'
    | 'refused'
    | 'aggregated'
    | 'resumed'
    | 'output'
    | 'flushTimeouts'
    | 'dedupFlushTimeouts'
  >
> & {
  /** Samples that wait for the end of a window. */
  readonly held: number;
  readonly counterResets: number;
  readonly dedupDropped: number;
  readonly dedupItems: number;
  readonly dedupBytes: number;
  readonly groups: number;
  readonly series: number;
  /** Bytes of columns, with those of deduplication; keys of groups and series come on top. */
  readonly bytes: number;
};

export class Aggregators {
  readonly specs: readonly AggregationRuleSpec[];
  /** What each rule is known by, in checkpoints and over reloads. */
  readonly identities: readonly string[];
  readonly #ports: AggregatorsPorts;
  readonly #rules: RuleAggregator[];
  readonly #buffers = [new Samples(), new Samples()] as const;

  constructor(specs: readonly AggregationRuleSpec[], ports: AggregatorsPorts) {
    this.specs = specs;
    this.#ports = ports;
    this.#rules = specs.map((spec) => this.#create(spec));
    const seen = new Map<string, number>();
    this.identities = specs.map((spec) => {
      const identity = ruleIdentity(spec);
      const nth = seen.get(identity) ?? 0;
      seen.set(identity, nth + 1);
      return `rule ${ports.scope} ${identity} ${nth}`;
    });
  }

  /** Decides, once, where the samples of a series go; whether any rule matches it. `labels` is left as it is. */
  seriesPlan(ref: number, labels: Labels): boolean {
    let isMatched = false;
    for (const rule of this.#rules) if (rule.plan(ref, labels)) isMatched = true;
    return isMatched;
  }

  /** Takes the samples of the series that were planned and match; others are passed over. */
  push(batch: SampleBatch): void {
    const nowMs = this.#ports.clock.nowMs();
    for (const [index, rule] of this.#rules.entries()) {
      const lagMs = rule.push(batch, nowMs);
      this.#ports.observe?.samplesLag(index, lagMs / 1000);
    }
  }

  /** Plans and takes `count` samples from `start` of a series without a ref; whether any rule matches it. */
  pushSeries(labels: Labels, columns: SampleColumns, start: number, count: number): boolean {
    const nowMs = this.#ports.clock.nowMs();
    let isMatched = false;
    for (const [index, rule] of this.#rules.entries()) {
      const lagMs = rule.pushSeries(labels, columns, start, count, nowMs);
      if (lagMs === undefined) continue;
      isMatched = true;
      this.#ports.observe?.samplesLag(index, lagMs / 1000);
    }
    return isMatched;
  }

  /** The refs mean nothing any more. */
  forget(refs: Iterable<number>): void {
    for (const ref of refs) for (const rule of this.#rules) rule.forget(ref);
  }

  /** When something ends, in wall time; Infinity without rules. Requests may move it on. */
  get nextFlushMs(): number {
    return this.#rules.reduce((next, rule) => Math.min(next, rule.dueMs), Number.POSITIVE_INFINITY);
  }

  /** Ends the windows that are over. Each rule tells at most one of them: windows that were missed are skipped. */
  flushDue(): void {
    const nowMs = this.#ports.clock.nowMs();
    for (const [index, rule] of this.#rules.entries()) {
      if (rule.tick(nowMs) && rule.untold === 0) this.#observeFlush(index);
    }
  }

  /** Values of windows that ended which `tell` has not written yet. */
  get untold(): number {
    return this.#rules.reduce((sum, { untold }) => sum + untold, 0);
  }

  /** Of these, those of rules whose next window is over, too. */
  get overdue(): number {
    const nowMs = this.#ports.clock.nowMs();
    return this.#rules.reduce((sum, { untold, dueMs }) => (dueMs <= nowMs ? sum + untold : sum), 0);
  }

  /**
   * Writes up to `valuesMax` values that wait, and no more once the writer has `bytesMax` bytes. `isOverdue`: only of rules whose
   * next window is over, too.
   */
  tell(writer: OutputWriter, valuesMax: number, bytesMax: number, isOverdue = false): void {
    const nowMs = this.#ports.clock.nowMs();
    let left = valuesMax;
    for (const [index, rule] of this.#rules.entries()) {
      if (rule.untold === 0 || (isOverdue && rule.dueMs > nowMs)) continue;
      const before = rule.untold;
      rule.tell(writer, left, bytesMax);
      if (rule.untold > 0) return;
      left -= before;
      this.#observeFlush(index);
    }
  }

  #observeFlush(index: number): void {
    this.#ports.observe?.flushDuration(index, this.#rules[index]!.flushTookMs / 1000);
  }

  /**
   * The end of rules whose state is not kept: those with `flush_on_shutdown` tell what they have, with the end of the
   * window as timestamp. Rules whose identity is in `except` are left alone. `drain` is called whenever something may wait for
   * `tell`, and tells all of it.
   */
  finish(drain: () => void, except: ReadonlySet<string> = new Set()): void {
    drain();
    const nowMs = this.#ports.clock.nowMs();
    for (const [index, rule] of this.#rules.entries()) {
      if (except.has(this.identities[index]!)) continue;
      rule.endWaiting(nowMs);
      drain();
      rule.endRunning(nowMs);
      drain();
    }
  }

  /** The whole state, as it is now. */
  save(): CheckpointPart[] {
    return this.#rules.map((rule, index) => ({
      id: this.identities[index]!,
      write: (to) => rule.save(to),
    }));
  }

  /** Takes up the state of rules that say the same, before the first series is planned. */
  load(parts: ReadonlyMap<string, Uint8Array>): Restored {
    let restored = 0;
    const problems: string[] = [];
    for (const [index, id] of this.identities.entries()) {
      const state = parts.get(id);
      if (state === undefined) continue;
      try {
        this.#rules[index]!.load(state);
        restored++;
      } catch (error) {
        const spec = this.specs[index]!;
        this.#rules[index] = this.#create(spec);
        problems.push(`${spec.where}: ${messageOf(error)}`);
      }
    }
    return { restored, problems };
  }

  /** What was loaded is the state of another process: counts begin at 0. */
  startAnew(): void {
    for (const rule of this.#rules) rule.startAnew();
  }

  /** By index of the rule. */
  stats(): RuleStats[] {
    return this.#rules.map((rule) => ({
      came: rule.counts.came,
      matched: rule.counts.matched,
      ignoredNan: rule.counts.ignoredNan,
      ignoredTooOld: rule.counts.ignoredTooOld,
      relabelDropped: rule.counts.relabelDropped,
      refused: rule.counts.refused,
      aggregated: rule.counts.aggregated,
      resumed: rule.counts.resumed,
      output: rule.counts.output,
      flushTimeouts: rule.counts.flushTimeouts,
      dedupFlushTimeouts: rule.counts.dedupFlushTimeouts,
      held: rule.held,
      counterResets: rule.counterResets,
      dedupDropped: rule.dedupDropped,
      dedupItems: rule.dedupItems,
      dedupBytes: rule.dedupBytes,
      groups: rule.groupCount,
      series: rule.seriesCount,
      bytes: rule.byteLength,
    }));
  }

  #create(spec: AggregationRuleSpec): RuleAggregator {
    const { clock, compileSelector, compileRelabel, slotsMax = DEFAULT_SLOTS_MAX } = this.#ports;
    const selectors = spec.match.map(compileSelector);
    const relabel = (rules: readonly unknown[]) => (rules.length === 0 ? undefined : compileRelabel(rules));
    return new RuleAggregator(spec, {
      clock,
      matches: selectors.length === 0 ? undefined : (labels) => selectors.some((matches) => matches(labels)),
      inputRelabel: relabel(spec.inputRelabel),
      outputRelabel: relabel(spec.outputRelabel),
      slotsMax,
      buffers: this.#buffers,
    });
  }
}
