/**
 * One rule at work: which series it takes, how their samples reach the state of its outputs, and what is told at the end
 * of a window. What it decides for a series it decides once; a sample then costs a few array reads and writes.
 */
import { Labels } from '../../model/labels.ts';
import { assert } from '../../util/assert.ts';
import type { Clock } from '../../util/clock.ts';
import { DedupWindow } from '../dedup/window.ts';
import { ByteReader, type ByteWriter, DamagedState } from '../state/bytes.ts';
import type { Colour } from '../state/columns.ts';
import { normalise } from '../state/normalise.ts';
import type { OutputWriter } from '../state/output-writer.ts';
import { type SampleBatch, type SampleColumns, type Samples, timestampOf } from '../state/samples.ts';
import { NO_SLOT } from '../state/slots.ts';
import { Targets, UNMATCHED } from '../state/targets.ts';
import { Counters } from './counters.ts';
import { FlushSchedule } from './flush.ts';
import { addSuffix, Grouping, suffixOf } from './grouping.ts';
import { outputOf } from './outputs/index.ts';
import type { Output } from './outputs/output.ts';
import type { AggregationRuleSpec } from './rule.ts';
import { RuleCounts } from './rule-counts.ts';
import { RuleState } from './rule-state.ts';
import { Tellings } from './tellings.ts';

/** A relabeling: changes labels in place; false when they are dropped. */
export interface Relabeling {
  apply(labels: Labels): boolean;
}

export interface RulePorts {
  readonly clock: Clock;
  /** Whether a series is the rule's; undefined when every one is. */
  readonly matches: ((labels: Labels) => boolean) | undefined;
  readonly inputRelabel: Relabeling | undefined;
  readonly outputRelabel: Relabeling | undefined;
  /** The most groups, and the most series, that the rule keeps. */
  readonly slotsMax: number;
  /** Buffers by colour; all rules use the same, one after another. */
  readonly buffers: readonly [Samples, Samples];
}

/** Targets below 0: the series matches, and no sample of it is used. */
const RELABELED_AWAY = -2;
const REFUSED = -3;

export class RuleAggregator {
  readonly spec: AggregationRuleSpec;
  readonly counts = new RuleCounts();
  readonly #ports: RulePorts;
  readonly #grouping: Grouping;
  readonly #schedule: FlushSchedule;
  readonly #targets = new Targets();
  readonly #state: RuleState;
  readonly #counters: Counters | undefined;
  readonly #dedup: DedupWindow | undefined;
  readonly #outputs: readonly Output[];
  readonly #suffixes: readonly string[];
  readonly #tellings: Tellings;
  readonly #labels = new Labels();
  #colour: Colour = 0;
  #startMs: number;
  #silentFlushes: number;
  /** How long the last end of a window took so far, telling included, in ms of the clock that only goes on. */
  #flushTookMs = 0;

  constructor(spec: AggregationRuleSpec, ports: RulePorts) {
    this.spec = spec;
    this.#ports = ports;
    this.#grouping = new Grouping(spec);
    const nowMs = ports.clock.nowMs();
    this.#schedule = new FlushSchedule(
      {
        intervalMs: spec.intervalMs,
        dedupIntervalMs: spec.dedupIntervalMs,
        aligned: spec.alignFlush,
        windows: spec.enableWindows,
      },
      nowMs,
    );
    this.#startMs = nowMs;
    this.#silentFlushes = spec.ignoreFirstIntervals;
    const definitions = spec.outputs.map(({ name, args }) => {
      const definition = outputOf(name);
      assert(definition !== undefined, `the output ${name} of a rule that was accepted is registered`);
      return { definition, args };
    });
    const isDeduplicated = spec.dedupIntervalMs > 0;
    const tellsSeries =
      isDeduplicated || definitions.some(({ definition }) => definition.needs !== undefined);
    // With deduplication the windows are its own: what it hands over belongs to one.
    const colours = spec.enableWindows && !isDeduplicated ? 2 : 1;
    const grouping = this.#grouping;
    const countsSamples = definitions.some(({ definition }) => definition.ignoresCounts !== true);
    const { slotsMax } = ports;
    const state = new RuleState({ tellsSeries, countsSamples, grouping, colours, slotsMax });
    this.#state = state;
    if (isDeduplicated) this.#dedup = new DedupWindow(spec.enableWindows ? 2 : 1);
    if (definitions.some(({ definition }) => definition.needs === 'counters')) {
      this.#counters = new Counters(state.counterRows);
    }
    const rows = {
      groups: state.groupRows,
      series: state.seriesRows,
      counters: state.counterRows,
      colours,
      groupOfSeries: (series: number) => state.groupOf(series),
      seriesLimit: () => state.targets.limit,
    } as const;
    this.#outputs = definitions.map(({ definition, args }) => definition.create(rows, args));
    this.#suffixes = definitions.map(({ definition }) => suffixOf(spec, definition.name));
    this.#tellings = new Tellings(this.#suffixes);
    state.limitSlots();
  }

  /** Decides, once, what becomes of the samples of a series; whether the rule matches it. */
  plan(ref: number, labels: Labels): boolean {
    this.forget(ref);
    if (this.#ports.matches !== undefined && !this.#ports.matches(labels)) return false;
    const target = this.#place(labels);
    if (target >= 0) this.#state.targets.pin(target);
    this.#targets.set(ref, target);
    return true;
  }

  forget(ref: number): void {
    const target = this.#targets.take(ref);
    if (target >= 0) this.#state.targets.unpin(target);
  }

  /** Takes the samples of series that were planned and match; the largest delay of one in ms, at least 0. */
  push(batch: SampleBatch, nowMs: number): number {
    return this.#gather(batch, this.#targets.data, nowMs);
  }

  /** The same for one series that has no ref: it is planned for this call only. Undefined when it does not match. */
  pushSeries(
    labels: Labels,
    columns: SampleColumns,
    start: number,
    count: number,
    nowMs: number,
  ): number | undefined {
    if (this.#ports.matches !== undefined && !this.#ports.matches(labels)) return undefined;
    const { timestampWords, values, valueWords } = columns;
    const one = {
      seriesCount: 1,
      refs: Uint32Array.of(0),
      starts: Uint32Array.of(start),
      counts: Uint32Array.of(count),
    };
    return this.#gather(
      { ...one, timestampWords, values, valueWords },
      Int32Array.of(this.#place(labels)),
      nowMs,
    );
  }

  /** When `tick` has something to do. */
  get dueMs(): number {
    return this.#schedule.dueMs;
  }

  /** Ends what is due, once; whether anything was. What it tells waits for `tell`; nothing may wait there before. */
  tick(nowMs: number): boolean {
    const tick = this.#schedule.take(nowMs);
    if (tick === undefined) return false;
    const { deadlineMs, flushMs } = tick;
    const colour = this.#colour;
    if (this.spec.enableWindows) this.#colour = colour === 0 ? 1 : 0;
    const startMs = this.#ports.clock.monotonicMs();
    this.#flushDedup(colour, nowMs, deadlineMs + this.spec.stalenessMs);
    if (flushMs !== undefined) {
      const isSilent = this.#silentFlushes > 0;
      if (isSilent) this.#silentFlushes--;
      this.#flush(flushMs, colour, !isSilent);
    }
    this.#flushTookMs = this.#ports.clock.monotonicMs() - startMs;
    if (this.untold === 0) this.#noteTimeout();
    return true;
  }

  /** Values of windows that ended which `tell` has not written yet. */
  get untold(): number {
    return this.#tellings.size;
  }

  /** Writes up to `valuesMax` values of a window that ended, and no more once the writer has `bytesMax` bytes. */
  tell(writer: OutputWriter, valuesMax: number, bytesMax: number): void {
    const tellings = this.#tellings;
    const { outputRelabel, clock } = this.#ports;
    const { groups, pairs } = this.#state;
    const { flushMs } = tellings;
    const startMs = clock.monotonicMs();
    for (let left = valuesMax; left > 0 && tellings.size > 0; left--, tellings.next()) {
      if (writer.byteLength >= bytesMax) break;
      const { group, kind, low, high } = tellings;
      const count = groups.read(group);
      if (outputRelabel === undefined) {
        writer.addPairs(pairs, { words: groups.words, start: 0, count }, kind, flushMs, low, high);
      } else {
        const labels = this.#labels;
        labels.clear();
        for (let at = 0; at < count; at++) {
          labels.push(pairs.nameOf(groups.words[at]!), pairs.valueOf(groups.words[at]!));
        }
        addSuffix(labels, this.#suffixes[kind.output]!);
        if (kind.label !== undefined) labels.push(kind.label.name, kind.label.value);
        if (!outputRelabel.apply(labels)) continue;
        labels.filter((_, text) => text !== '');
        if (labels.length === 0) continue;
        writer.add(labels, flushMs, low, high);
      }
      this.counts.output++;
    }
    this.#flushTookMs += clock.monotonicMs() - startMs;
    if (tellings.size === 0) this.#noteTimeout();
  }

  /** How long the last end of a window took, in ms. */
  get flushTookMs(): number {
    return this.#flushTookMs;
  }

  #noteTimeout(): void {
    if (this.#flushTookMs > this.spec.intervalMs) this.counts.flushTimeouts++;
  }

  /**
   * The end of a rule whose state is not saved, in two steps, each followed by `tell` until nothing waits: a window that is over
   * and waits for late samples, and then, if the rule asks, the running one.
   */
  endWaiting(nowMs: number): void {
    this.#schedule.stopWaiting();
    this.tick(nowMs);
  }

  endRunning(nowMs: number): void {
    const isTold = this.spec.flushOnShutdown && this.#silentFlushes === 0;
    this.#flushDedup(this.#colour, nowMs, nowMs + this.spec.stalenessMs);
    this.#flush(this.#schedule.lastFlushMs(nowMs), this.#colour, isTold);
  }

  get groupCount(): number {
    return this.#state.groups.size;
  }

  /** Series that are told apart; 0 when they need not be. */
  get seriesCount(): number {
    return this.#state.series?.size ?? 0;
  }

  get counterResets(): number {
    return this.#counters?.resets ?? 0;
  }

  get dedupDropped(): number {
    return this.#dedup?.dropped ?? 0;
  }

  /** Samples that wait for the end of a window. */
  get held(): number {
    return this.counts.open + this.dedupItems;
  }

  get dedupItems(): number {
    return this.#dedup?.size ?? 0;
  }

  get dedupBytes(): number {
    return this.#dedup?.byteLength ?? 0;
  }

  /** Bytes of columns and keys; the maps of labels come on top. */
  get byteLength(): number {
    const { byteLength } = this.#tellings;
    const own = this.#state.byteLength + this.#targets.byteLength + this.dedupBytes + byteLength;
    return this.#outputs.reduce((sum, output) => sum + (output.byteLength ?? 0), own);
  }

  save(to: ByteWriter): void {
    to.f64(this.#startMs);
    to.u32(this.#silentFlushes);
    to.u32(this.#colour);
    this.#schedule.save(to);
    this.#state.save(to);
    this.#dedup?.save(to, this.#state.targets.limit);
    for (const output of this.#outputs) output.save?.(to);
    this.#tellings.save(to);
    this.counts.save(to);
    to.f64(this.counterResets);
  }

  /** Its state is that of another process: counts begin at 0. */
  startAnew(): void {
    this.counts.startAnew(this.dedupItems);
    if (this.#dedup !== undefined) this.#dedup.dropped = 0;
    if (this.#counters !== undefined) this.#counters.resets = 0;
  }

  /** Into a rule that has not had a sample. Throws `DamagedState`, and the rule is of no use then. */
  load(bytes: Uint8Array): void {
    const from = new ByteReader(bytes);
    this.#startMs = from.f64();
    this.#silentFlushes = from.u32();
    const colour = from.u32();
    if (colour > (this.spec.enableWindows ? 1 : 0)) throw new DamagedState('there is no such colour');
    this.#colour = colour as Colour;
    this.#schedule.load(from);
    this.#state.load(from);
    const { limit } = this.#state.targets;
    this.#dedup?.reserve(limit);
    this.#dedup?.load(from, limit);
    for (const output of this.#outputs) output.load?.(from);
    const { groups } = this.#state;
    this.#tellings.load(from, (group) => group >= 0 && group < groups.limit && groups.isUsed(group));
    this.counts.load(from);
    const resets = from.f64();
    if (this.#counters !== undefined) this.#counters.resets = resets;
    if (from.left > 0) throw new DamagedState('there is something behind the end');
  }

  /** The target of labels that match. */
  #place(labels: Labels): number {
    const own = this.#labels;
    own.copyFrom(labels);
    const { dropInputLabels } = this.spec;
    if (dropInputLabels.length > 0) own.filter((name) => !dropInputLabels.includes(name));
    if (this.#ports.inputRelabel?.apply(own) === false) return RELABELED_AWAY;
    normalise(own);
    if (own.length === 0) return RELABELED_AWAY;
    const target = this.#state.place(own);
    if (target === NO_SLOT) return REFUSED;
    this.#dedup?.reserve(this.#state.targets.limit);
    return target;
  }

  /** Puts what is accepted into the buffers, and folds it; the largest delay in ms. `targets` by ref. */
  #gather(batch: SampleBatch, targets: Int32Array, nowMs: number): number {
    const { refs, starts, counts, seriesCount, timestampWords, values } = batch;
    const { enableWindows } = this.spec;
    const [current, next] = this.#ports.buffers;
    const { deadlineMs } = this.#schedule;
    const isAgeChecked = this.spec.ignoreOldSamples || enableWindows;
    const oldestMs = isAgeChecked ? this.#schedule.minDeadlineMs : Number.NEGATIVE_INFINITY;
    const groupOf = this.#state.groupOfTarget;
    const plain = {
      targets,
      groupOf,
      oldestMs,
      latestMs: enableWindows ? deadlineMs : Number.POSITIVE_INFINITY,
    };
    let lagMs = 0;
    let came = 0;
    let nan = 0;
    let tooOld = 0;
    for (let row = 0; row < seriesCount; row++) {
      const before = current.length;
      row = current.takePlain(batch, row, plain);
      came += current.length - before;
      if (current.length > before) lagMs = Math.max(lagMs, nowMs - current.earliestMs);
      if (current.length === current.capacity) this.#acceptAll(nowMs);
      if (row === seriesCount) break;
      const ref = refs[row]!;
      const target = ref < targets.length ? targets[ref]! : UNMATCHED;
      if (target === UNMATCHED) continue;
      came += counts[row]!;
      if (target < 0) {
        this.#leaveOut(target, counts[row]!);
        continue;
      }
      const group = groupOf === undefined ? target : groupOf[target]!;
      const end = starts[row]! + counts[row]!;
      for (let sample = starts[row]!; sample < end; sample++) {
        const value = values[sample]!;
        // Stale markers are NaNs.
        if (Number.isNaN(value)) {
          nan++;
          continue;
        }
        const time = timestampOf(timestampWords, sample);
        if (time < oldestMs) {
          tooOld++;
          continue;
        }
        if (nowMs - time > lagMs) lagMs = nowMs - time;
        const samples = enableWindows && time > deadlineMs ? next : current;
        const at = samples.length++;
        samples.groups[at] = group;
        samples.series[at] = target;
        samples.times[at] = time;
        samples.values[at] = value;
        if (at + 1 === samples.capacity) this.#acceptAll(nowMs);
      }
    }
    this.#acceptAll(nowMs);
    this.counts.came += came;
    this.counts.ignoredNan += nan;
    this.counts.ignoredTooOld += tooOld;
    this.#schedule.observeLag(lagMs);
    return lagMs;
  }

  #leaveOut(target: number, count: number): void {
    if (target === RELABELED_AWAY) this.counts.relabelDropped += count;
    else this.counts.refused += count;
  }

  #acceptAll(nowMs: number): void {
    // Those of the running window first, so that they are not out of order after those of the next one.
    const [current, next] = this.#ports.buffers;
    if (current.length > 0) this.#accept(current, nowMs);
    if (next.length > 0) this.#accept(next, nowMs);
  }

  #accept(samples: Samples, nowMs: number): void {
    this.counts.matched += samples.length;
    const isNext = samples === this.#ports.buffers[1];
    samples.colour = isNext ? ((1 - this.#colour) as Colour) : this.#colour;
    if (this.#dedup === undefined) {
      // A sample is told at the end of its window, however stale it is then: the first window is longer than the interval,
      // and a sample of the next one may come long before.
      const toldMs = this.#schedule.flushMs + (isNext ? this.spec.intervalMs : 0);
      this.#fold(samples, nowMs, Math.max(toldMs, nowMs + this.spec.stalenessMs));
      return;
    }
    this.#dedup.fold(samples);
    samples.length = 0;
  }

  #fold(samples: Samples, nowMs: number, deadlineMs: number): void {
    this.counts.fold(samples.length, samples.colour);
    this.#state.touch(samples, deadlineMs);
    if (this.#counters !== undefined) {
      samples.countsFirsts = nowMs >= this.#startMs + this.spec.ignoreFirstSampleMs;
      this.#counters.step(samples, Math.floor(nowMs / 1000), deadlineMs);
    }
    for (const output of this.#outputs) output.fold(samples);
    samples.length = 0;
  }

  #flushDedup(colour: Colour, nowMs: number, deadlineMs: number): void {
    if (this.#dedup === undefined) return;
    const { clock, buffers } = this.#ports;
    const startMs = clock.monotonicMs();
    const samples = buffers[0];
    samples.colour = 0;
    this.#dedup.drain(colour, (slot, timestampMs, low, high) => {
      const at = samples.length++;
      samples.groups[at] = this.#state.groupOf(slot);
      samples.series[at] = slot;
      samples.times[at] = timestampMs;
      samples.words[2 * at] = low;
      samples.words[2 * at + 1] = high;
      if (samples.length === samples.capacity) this.#fold(samples, nowMs, deadlineMs);
    });
    if (samples.length > 0) this.#fold(samples, nowMs, deadlineMs);
    if (clock.monotonicMs() - startMs > this.spec.dedupIntervalMs) this.counts.dedupFlushTimeouts++;
  }

  /** Ends a window, and takes down what it tells. */
  #flush(flushMs: number, windowColour: Colour, isTold: boolean): void {
    // With deduplication the outputs have one colour.
    const colour = this.#dedup === undefined ? windowColour : 0;
    const groupCount = this.#state.sweep(flushMs, {
      clearGroup: (group) => {
        for (const output of this.#outputs) output.clear?.(group);
      },
      forgetCounter: (series) => this.#counters?.forgetStale(series, flushMs),
      isHeld: (target) => this.#dedup?.holds(target) ?? false,
    });
    const tellings = this.#tellings;
    tellings.flushMs = flushMs;
    if (isTold) tellings.expect(groupCount * this.#outputs.length);
    for (const [nth, output] of this.#outputs.entries()) {
      output.flush({
        colour,
        groups: this.#state.alive,
        groupCount,
        sampleCounts: this.#state.sampleCounts?.[colour],
        emit: (group, value, label) => {
          if (isTold) tellings.add(group, nth, value, label);
        },
      });
      output.startWindow?.(colour);
    }
    this.#state.startWindow(colour);
    this.counts.endWindow(colour);
  }
}
