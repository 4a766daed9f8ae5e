/**
 * Deduplication without aggregation (`-streamAggr.dedupInterval`): holds every sample back until its interval ends, and
 * then lets the best one of each series go on, with the timestamp and the value bits that it came with. Intervals count
 * from the start, not from a grid. Samples with labels that differ only in those to be dropped are one series.
 *
 * Used like `Aggregators`: `seriesPlan` once a series, `push` each request, `flushDue` when `nextFlushMs` has come, `tell` at
 * leisure after it, `save` and `load` around a restart, or `finish` where there is none: otherwise what is held is lost.
 */
import { Labels } from '../../model/labels.ts';
import type { Clock } from '../../util/clock.ts';
import { messageOf } from '../../util/error.ts';
import type { CheckpointPart, Restored } from '../aggregate/checkpoint.ts';
import { FlushSchedule } from '../aggregate/flush.ts';
import { ByteReader, type ByteWriter, DamagedState } from '../state/bytes.ts';
import type { Colour } from '../state/columns.ts';
import { LabelTable } from '../state/label-table.ts';
import { normalise } from '../state/normalise.ts';
import type { OutputWriter } from '../state/output-writer.ts';
import { type SampleBatch, type SampleColumns, Samples, timestampOf } from '../state/samples.ts';
import { NO_SLOT } from '../state/slots.ts';
import { Targets } from '../state/targets.ts';
import { Release } from './release.ts';
import { DedupWindow } from './window.ts';

export interface DeduplicatorOptions {
  readonly intervalMs: number;
  readonly dropInputLabels: readonly string[];
  /** Intervals by sample time: see `FlushSchedule`. */
  readonly enableWindows: boolean;
}

export interface DeduplicatorPorts {
  readonly clock: Clock;
  /** Tells this place of the pipeline apart in checkpoints. */
  readonly scope: string;
  /** The most series that are held. */
  readonly slotsMax?: number;
}

/** `received` + `resumed` = `deduplicated` + `tooOld` + `items` + `emitted`, at any time. */
export interface DeduplicatorStats {
  readonly received: number;
  /** Samples that an earlier process held. */
  readonly resumed: number;
  /** Samples that a better one kept from going on. */
  readonly deduplicated: number;
  /** Samples that were older than the window. */
  readonly tooOld: number;
  readonly emitted: number;
  /** Samples that wait. */
  readonly items: number;
  readonly series: number;
  readonly bytes: number;
  readonly flushTimeouts: number;
}

const DEFAULT_SLOTS_MAX = 2 ** 22;
const NO_BYTES = new Uint8Array(0);
const AS_THEY_ARE = { suffix: NO_BYTES, extra: NO_BYTES };

export class Deduplicator {
  readonly identity: string;
  readonly #options: DeduplicatorOptions;
  readonly #ports: DeduplicatorPorts;
  readonly #targets = new Targets();
  readonly #samples = [new Samples(), new Samples()] as const;
  readonly #labels = new Labels();
  #schedule: FlushSchedule;
  #slots: LabelTable;
  #window: DedupWindow;
  /** What is let go of: its window is over. */
  #release = new Release();
  #colour: Colour = 0;
  #received = 0;
  #resumed = 0;
  #tooOld = 0;
  #emitted = 0;
  #flushTimeouts = 0;
  #flushTookMs = 0;

  constructor(options: DeduplicatorOptions, ports: DeduplicatorPorts) {
    this.#options = options;
    this.#ports = ports;
    const { intervalMs, dropInputLabels, enableWindows } = options;
    this.identity = `dedup ${ports.scope} ${JSON.stringify([intervalMs, dropInputLabels.toSorted(), enableWindows])}`;
    this.#schedule = this.#newSchedule();
    this.#slots = new LabelTable(ports.slotsMax ?? DEFAULT_SLOTS_MAX);
    this.#window = new DedupWindow(enableWindows ? 2 : 1);
  }

  /** Whether samples of this series are held; false when there is no room or no label is left: they go on as they are. */
  seriesPlan(ref: number, labels: Labels): boolean {
    this.#forget(ref);
    const slot = this.#place(labels);
    if (slot === NO_SLOT) return false;
    this.#slots.keys.pin(slot);
    this.#targets.set(ref, slot);
    return true;
  }

  /** Holds the samples of the series that were planned; others are passed over. */
  push(batch: SampleBatch): void {
    const { refs, starts, counts, seriesCount } = batch;
    const nowMs = this.#ports.clock.nowMs();
    const targets = this.#targets.data;
    const { enableWindows } = this.#options;
    const { minDeadlineMs, deadlineMs } = this.#schedule;
    const [samples] = this.#samples;
    const plain = {
      targets,
      groupOf: undefined,
      oldestMs: enableWindows ? minDeadlineMs : Number.NEGATIVE_INFINITY,
      latestMs: enableWindows ? deadlineMs : Number.POSITIVE_INFINITY,
    };
    let lagMs = 0;
    for (let row = 0; row < seriesCount; row++) {
      const before = samples.length;
      row = samples.takePlain(batch, row, plain);
      this.#received += samples.length - before;
      if (samples.length > before) lagMs = Math.max(lagMs, nowMs - samples.earliestMs);
      if (samples.length === samples.capacity) this.#fold(samples);
      if (row === seriesCount) break;
      const slot = targets[refs[row]!] ?? NO_SLOT;
      if (slot >= 0) lagMs = this.#take(slot, batch, starts[row]!, counts[row]!, nowMs, lagMs);
    }
    this.#endPush(lagMs);
  }

  /** Holds `count` samples from `start` of a series without a ref; false as for `seriesPlan`. */
  pushSeries(labels: Labels, columns: SampleColumns, start: number, count: number): boolean {
    const slot = this.#place(labels);
    if (slot === NO_SLOT) return false;
    this.#endPush(this.#take(slot, columns, start, count, this.#ports.clock.nowMs(), 0));
    return true;
  }

  /** The refs mean nothing any more; samples that are held stay. */
  forget(refs: Iterable<number>): void {
    for (const ref of refs) this.#forget(ref);
  }

  get nextFlushMs(): number {
    return this.#schedule.dueMs;
  }

  /** Ends the window that is due; what it held waits for `tell`. Nothing may wait there before. */
  flushDue(): void {
    const { clock } = this.#ports;
    if (this.#schedule.take(clock.nowMs()) === undefined) return;
    const startMs = clock.monotonicMs();
    const colour = this.#colour;
    if (this.#options.enableWindows) this.#colour = colour === 0 ? 1 : 0;
    this.#letGo(colour);
    this.#flushTookMs = clock.monotonicMs() - startMs;
    if (this.untold === 0) this.#endFlush();
  }

  /** Samples whose window is over, and that `tell` has not written yet. */
  get untold(): number {
    return this.#release.size;
  }

  /** The same, when the next window is over, too. */
  get overdue(): number {
    return this.nextFlushMs <= this.#ports.clock.nowMs() ? this.untold : 0;
  }

  /** How long the last flush took, telling included, in ms. */
  get flushTookMs(): number {
    return this.#flushTookMs;
  }

  /** Writes up to `samplesMax` samples that wait, and no more once the writer has `bytesMax` bytes. */
  tell(writer: OutputWriter, samplesMax: number, bytesMax: number): void {
    const { clock } = this.#ports;
    const startMs = clock.monotonicMs();
    const before = this.#release.size;
    const { keys, pairs } = this.#slots;
    for (let left = samplesMax; left > 0 && this.#release.size > 0; left--, this.#release.next()) {
      if (writer.byteLength >= bytesMax) break;
      const { slot, timestampMs, low, high } = this.#release;
      const count = keys.read(slot);
      const key = { words: keys.words, start: 0, count };
      writer.addPairs(pairs, key, AS_THEY_ARE, timestampMs, low, high);
    }
    this.#emitted += before - this.#release.size;
    this.#flushTookMs += clock.monotonicMs() - startMs;
    if (this.#release.size === 0) this.#endFlush();
  }

  /** Everything is told: slots that nobody needs are free. */
  #endFlush(): void {
    const { keys } = this.#slots;
    for (let slot = 0; slot < keys.limit; slot++) {
      const isNeeded = keys.isPinned(slot) || this.#window.holds(slot);
      if (!isNeeded && keys.isUsed(slot)) this.#slots.release(slot);
    }
    if (this.#flushTookMs > this.#options.intervalMs) this.#flushTimeouts++;
  }

  /** The end when the state is not saved: lets go of everything. `drain` tells all that waits for it. */
  finish(drain: () => void): void {
    drain();
    this.#letGo(this.#colour);
    drain();
    if (this.#options.enableWindows) this.#letGo(this.#colour === 0 ? 1 : 0);
    drain();
  }

  save(): CheckpointPart[] {
    const write = (to: ByteWriter) => {
      to.u32(this.#colour);
      this.#schedule.save(to);
      this.#slots.save(to);
      this.#window.save(to, this.#slots.keys.limit);
      this.#release.save(to);
      for (const count of this.#counts()) to.f64(count);
    };
    return [{ id: this.identity, write }];
  }

  /** Takes up the state of a deduplicator with the same options, before the first series is planned. */
  load(parts: ReadonlyMap<string, Uint8Array>): Restored {
    const state = parts.get(this.identity);
    if (state === undefined) return { restored: 0, problems: [] };
    try {
      this.#load(new ByteReader(state));
      return { restored: 1, problems: [] };
    } catch (error) {
      this.#schedule = this.#newSchedule();
      this.#slots = new LabelTable(this.#slots.keys.capacity);
      this.#window = new DedupWindow(this.#options.enableWindows ? 2 : 1);
      this.#release = new Release();
      this.#colour = 0;
      return { restored: 0, problems: [`${this.#ports.scope} deduplication: ${messageOf(error)}`] };
    }
  }

  /** Samples that wait. */
  get items(): number {
    return this.#window.size + this.#release.size;
  }

  /** What was loaded is the state of another process: counts begin at 0. */
  startAnew(): void {
    this.#received = 0;
    this.#tooOld = 0;
    this.#emitted = 0;
    this.#flushTimeouts = 0;
    this.#window.dropped = 0;
    this.#resumed = this.items;
  }

  stats(): DeduplicatorStats {
    return {
      received: this.#received,
      resumed: this.#resumed,
      deduplicated: this.#window.dropped,
      tooOld: this.#tooOld,
      emitted: this.#emitted,
      items: this.items,
      series: this.#slots.keys.size,
      bytes:
        this.#window.byteLength +
        this.#targets.byteLength +
        this.#slots.byteLength +
        this.#release.byteLength,
      flushTimeouts: this.#flushTimeouts,
    };
  }

  #letGo(colour: Colour): void {
    this.#release.reserve(this.#window.sizeOf(colour));
    this.#window.drain(colour, (slot, timestampMs, low, high) => {
      this.#release.add(slot, timestampMs, low, high);
    });
  }

  #load(from: ByteReader): void {
    const colour = from.u32();
    if (colour > (this.#options.enableWindows ? 1 : 0)) throw new DamagedState('there is no such colour');
    this.#colour = colour as Colour;
    this.#schedule.load(from);
    this.#slots.load(from);
    const { keys } = this.#slots;
    this.#window.load(from, keys.limit);
    this.#release.load(from, (slot) => slot >= 0 && slot < keys.limit && keys.isUsed(slot));
    this.#received = from.f64();
    this.#resumed = from.f64();
    this.#tooOld = from.f64();
    this.#emitted = from.f64();
    this.#flushTimeouts = from.f64();
    if (from.left > 0) throw new DamagedState('there is something behind the end');
  }

  #counts(): number[] {
    return [this.#received, this.#resumed, this.#tooOld, this.#emitted, this.#flushTimeouts];
  }

  #newSchedule(): FlushSchedule {
    const { intervalMs, enableWindows } = this.#options;
    const options = { intervalMs, dedupIntervalMs: 0, aligned: false, windows: enableWindows };
    return new FlushSchedule(options, this.#ports.clock.nowMs());
  }

  #forget(ref: number): void {
    const slot = this.#targets.take(ref);
    if (slot >= 0) this.#slots.keys.unpin(slot);
  }

  #place(labels: Labels): number {
    const own = this.#labels;
    own.copyFrom(labels);
    const { dropInputLabels } = this.#options;
    if (dropInputLabels.length > 0) own.filter((name) => !dropInputLabels.includes(name));
    normalise(own);
    if (own.length === 0) return NO_SLOT;
    const slot = this.#slots.place(own);
    this.#window.reserve(this.#slots.keys.limit);
    return slot;
  }

  #take(
    slot: number,
    { timestampWords, valueWords }: SampleColumns,
    start: number,
    count: number,
    nowMs: number,
    lagBeforeMs: number,
  ): number {
    const { enableWindows } = this.#options;
    const { minDeadlineMs, deadlineMs } = this.#schedule;
    let lagMs = lagBeforeMs;
    this.#received += count;
    for (let sample = start; sample < start + count; sample++) {
      const time = timestampOf(timestampWords, sample);
      if (enableWindows && time < minDeadlineMs) {
        this.#tooOld++;
        continue;
      }
      if (nowMs - time > lagMs) lagMs = nowMs - time;
      const isNext = enableWindows && time > deadlineMs;
      const samples = isNext ? this.#samples[1] : this.#samples[0];
      const at = samples.length++;
      samples.series[at] = slot;
      samples.times[at] = time;
      samples.words[2 * at] = valueWords[2 * sample]!;
      samples.words[2 * at + 1] = valueWords[2 * sample + 1]!;
      if (samples.length === samples.capacity) this.#fold(samples);
    }
    return lagMs;
  }

  #endPush(lagMs: number): void {
    for (const samples of this.#samples) if (samples.length > 0) this.#fold(samples);
    this.#schedule.observeLag(lagMs);
  }

  #fold(samples: Samples): void {
    samples.colour = samples === this.#samples[1] ? ((1 - this.#colour) as Colour) : this.#colour;
    this.#window.fold(samples);
    samples.length = 0;
  }
}
