/**
 * Who sends the most: metrics and label values by samples and by new series, estimated. Ten times a second one body
 * stands for all that came since the last one, and some of its series for all of them, so the cost does not grow with
 * the load, and bodies that are forwarded as they are stay cheap. Engine thread only.
 */
import type { Columns, Kernel } from '../kernel/kernel.ts';
import { Labels } from '../model/labels.ts';
import { type Heavy, TopK } from '../util/top-k.ts';
import { LabelReader } from './label-reader.ts';

const SAMPLE_EVERY_MS = 100;
const SERIES_MAX = 50;
/** Steps by the golden section fall evenly and never in a rhythm. */
const GOLDEN = 0.618034;
const PLACES = 500;
const SHOWN = 50;
/** Estimates are of the running window and the one before it. */
const WINDOW_MS = 5 * 60_000;
/** Series that were met lately, for those who ask what a change of rules would do to them. */
const LATELY_MAX = 2_000;

const dimensions = ['metrics', 'labelValues', 'newByMetric', 'newByLabelValue'] as const;
export type Dimension = (typeof dimensions)[number];

/** What is told to the main thread. */
export interface TalkersReport {
  /** How long it covers, in milliseconds. */
  readonly coveredMs: number;
  readonly samples: number;
  readonly newSeries: number;
  readonly top: Readonly<Record<Dimension, readonly Heavy[]>>;
}

class Window {
  readonly startMs: number;
  samples = 0;
  newSeries = 0;
  readonly top = Object.fromEntries(dimensions.map((name) => [name, new TopK(PLACES)])) as Record<
    Dimension,
    TopK
  >;

  constructor(startMs: number) {
    this.startMs = startMs;
  }
}

export class Talkers {
  readonly #reader: LabelReader;
  readonly #labels = new Labels();
  /** Newest last. */
  #windows: Window[] = [];
  #nextMs = 0;
  #samples = 0;
  #newSeries = 0;
  readonly #lately: string[] = [];
  #latelyNext = 0;
  #turn = 0;

  constructor(kernel: Kernel) {
    this.#reader = new LabelReader(kernel);
  }

  /** A body came; true when it is to be looked at by `observe`. */
  note(samples: number, nowMs: number): boolean {
    this.#samples += samples;
    return nowMs >= this.#nextMs && samples > 0;
  }

  /** `columns` may hold more new series than bodies before: those that the table gave refs to in this scan. */
  noteNew(newSeries: number): void {
    this.#newSeries += newSeries;
  }

  /** `knowsNew`: series that the table gave refs to in this scan are new. */
  observe(columns: Columns, nowMs: number, knowsNew = true): void {
    this.#nextMs = nowMs + SAMPLE_EVERY_MS;
    const window = this.#window(nowMs);
    window.samples += this.#samples;
    window.newSeries += this.#newSeries;
    this.#observe(columns, columns.seriesCount, (nth) => nth, this.#samples, 'metrics', 'labelValues');
    if (knowsNew && columns.addedCount > 0) {
      const series = (nth: number) => columns.addedSeries(nth);
      this.#observe(columns, columns.addedCount, series, this.#newSeries, 'newByMetric', 'newByLabelValue');
      this.#newSeries = 0;
    }
    this.#samples = 0;
  }

  #observe(
    columns: Columns,
    count: number,
    seriesOf: (nth: number) => number,
    weight: number,
    byMetric: Dimension,
    byLabelValue: Dimension,
  ): void {
    const { top } = this.#windows.at(-1)!;
    const looked = Math.min(count, SERIES_MAX);
    const step = count / looked;
    // Not the same places of every body: targets come in the same order each time.
    this.#turn = (this.#turn + GOLDEN) % 1;
    const offset = this.#turn;
    const each = weight / looked;
    for (let nth = 0; nth < looked; nth++) {
      const labels = this.#labels;
      this.#reader.read(columns, seriesOf(Math.floor((nth + offset) * step)), labels);
      top[byMetric].add(labels.get('__name__'), each);
      for (let index = 0; index < labels.length; index++) {
        const name = labels.names[index]!;
        if (name !== '__name__') top[byLabelValue].add(`${name}="${labels.values[index]}"`, each);
      }
      if (byMetric === 'metrics') this.#remember(labels.toString());
    }
  }

  #remember(series: string): void {
    this.#lately[this.#latelyNext] = series;
    this.#latelyNext = (this.#latelyNext + 1) % LATELY_MAX;
  }

  #window(nowMs: number): Window {
    const last = this.#windows.at(-1);
    if (last !== undefined && nowMs - last.startMs < WINDOW_MS) return last;
    const next = new Window(nowMs);
    this.#windows = last === undefined ? [next] : [last, next];
    return next;
  }

  /** Series that were looked at lately, each once. */
  get lately(): string[] {
    return [...new Set(this.#lately)];
  }

  report(nowMs: number): TalkersReport {
    const sum = (of: 'samples' | 'newSeries') =>
      this.#windows.reduce((total, window) => total + window[of], 0);
    return {
      coveredMs: this.#windows.length === 0 ? 0 : nowMs - this.#windows[0]!.startMs,
      samples: sum('samples'),
      newSeries: sum('newSeries'),
      top: Object.fromEntries(
        dimensions.map((name) => [name, joined(this.#windows.map(({ top }) => top[name]))]),
      ) as Record<Dimension, Heavy[]>,
    };
  }
}

/** The heaviest of several windows together. */
export function joined(tops: readonly TopK[]): Heavy[] {
  const sums = new Map<string, Heavy>();
  for (const { key, weight, error } of tops.flatMap((top) => top.top(PLACES))) {
    const known = sums.get(key);
    sums.set(key, {
      key,
      weight: (known?.weight ?? 0) + weight,
      error: (known?.error ?? 0) + error,
    });
  }
  return [...sums.values()].sort((a, b) => b.weight - a.weight).slice(0, SHOWN);
}
