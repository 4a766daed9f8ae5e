/**
 * What an output is. Its state lies in columns indexed by group (or series) slot that it asks the rule for: the rule
 * makes them grow, clears, saves and loads them. An output folds samples that were accepted (never NaN, one colour) and
 * tells a value a group at the end of each interval.
 */
import { assert } from '../../../util/assert.ts';
import type { ByteReader, ByteWriter } from '../../state/bytes.ts';
import type { Colour, Column, Rows } from '../../state/columns.ts';
import type { Samples } from '../../state/samples.ts';

export interface OutputDefinition {
  /** In the rule file, and at the end of the output's metric name. */
  readonly name: string;
  /** What it tells; ends up in the docs. */
  readonly summary: string;
  /** The numbers in parentheses; undefined when there are none. */
  readonly args?: OutputArguments;
  /** What it needs to know of the series of a group: nothing, to tell them apart, or how each grew as a counter. */
  readonly needs?: 'series' | 'counters';
  /** It does not read how many samples a group had. */
  readonly ignoresCounts?: true;
  /** Whether a group may get several values an interval. */
  readonly hasManyValues?: (args: readonly number[]) => boolean;
  readonly create: (state: OutputState, args: readonly number[]) => Output;
}

export interface OutputArguments {
  /** How it is written, for hints. */
  readonly example: string;
  /** What is wrong with the arguments; undefined when nothing is. */
  readonly check: (args: readonly number[]) => string | undefined;
}

export interface OutputState {
  /** Rows by group. */
  readonly groups: Rows;
  /** Rows by series; only with `needs`. */
  readonly series: Rows;
  /** Rows by series that are cleared as soon as the counter is forgotten; only with `needs: 'counters'`. */
  readonly counters: Rows;
  readonly colours: 1 | 2;
  /** The group of each series that has a slot; -1 for free slots. */
  readonly groupOfSeries: (series: number) => number;
  /** One more than the largest slot of a series. */
  readonly seriesLimit: () => number;
}

export interface Output {
  fold(samples: Samples): void;
  /** Emits the values of the window that ends; window columns start anew after it. */
  flush(window: FlushWindow): void;
  /** State beyond columns: forgets a group, and starts the next window of a colour. */
  clear?(group: number): void;
  startWindow?(colour: Colour): void;
  readonly byteLength?: number;
  save?(to: ByteWriter): void;
  load?(from: ByteReader): void;
}

export interface FlushWindow {
  readonly colour: Colour;
  /** The groups that live, whether or not they had samples in this window; the first `groupCount` count. */
  readonly groups: Int32Array;
  readonly groupCount: number;
  /** Samples in this window by group; undefined when all outputs of the rule ignore them. */
  readonly sampleCounts: Column | undefined;
  /** `label` is the value of the label that tells several values of one group apart. */
  emit(group: number, value: number, label?: ExtraLabel): void;
}

export interface ExtraLabel {
  readonly name: string;
  readonly value: string;
}

/** Emits for every group that had samples in this window. */
export function emitSampled(window: FlushWindow, valueFor: (group: number, count: number) => number): void {
  const counts = countsOf(window);
  for (let i = 0; i < window.groupCount; i++) {
    const group = window.groups[i]!;
    if (counts[group]! > 0) window.emit(group, valueFor(group, counts[group]!));
  }
}

/** For outputs that do not ignore them. */
export function countsOf({ sampleCounts }: FlushWindow): Float64Array {
  assert(sampleCounts !== undefined, 'samples are counted where an output reads that');
  return sampleCounts.data;
}

/** Emits for every group that lives. */
export function emitAll(window: FlushWindow, valueFor: (group: number) => number): void {
  for (let i = 0; i < window.groupCount; i++) {
    const group = window.groups[i]!;
    window.emit(group, valueFor(group));
  }
}

/** Totals above this lose whole numbers: they are told once more, and begin at 0. */
export const TOTAL_MAX = 2 ** 53;
