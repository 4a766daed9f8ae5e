/**
 * When a rule flushes, and which timestamp its outputs get. Pure arithmetic on wall time in ms; the owner asks `take`
 * whenever it thinks that something is due.
 *
 * Windows end on a grid. Aligned ones count from the start of year 1 (as Go's `time.Truncate`), which for divisors of
 * a day is the same as from 1970, and for `7s`, `7m` or a week is not; the first window is longer by what was left of
 * the grid step in which the rule began. Others count from when the rule began. A tick is the shorter interval of
 * deduplication where there is one, and every tick that reaches the end of a window is a flush. Ticks that were missed
 * (the machine slept) are skipped, not made up for.
 *
 * With windows by sample time (`enable_windows`) a tick comes later by the largest delay of a sample since the last one,
 * at most by one tick.
 */
import { type ByteReader, type ByteWriter, DamagedState } from '../state/bytes.ts';

/** From Monday 0001-01-01 to 1970-01-01, UTC. */
const GRID_ORIGIN_MS = 62_135_596_800_000;

export interface ScheduleOptions {
  readonly intervalMs: number;
  /** 0 for none; divides the interval. */
  readonly dedupIntervalMs: number;
  readonly aligned: boolean;
  readonly windows: boolean;
}

export interface Tick {
  /** The end of the tick on the grid. */
  readonly deadlineMs: number;
  /** The timestamp of outputs; undefined when only deduplicated samples move on. */
  readonly flushMs: number | undefined;
}

export class FlushSchedule {
  readonly #options: ScheduleOptions;
  readonly #tickMs: number;
  #minDeadlineMs = 0;
  #deadlineMs = 0;
  #flushMs = 0;
  #lagMs = 0;

  constructor(options: ScheduleOptions, nowMs: number) {
    this.#options = options;
    this.#tickMs = options.dedupIntervalMs || options.intervalMs;
    this.#begin(nowMs);
  }

  /** Samples before this are too old: the end of the last tick, at first the beginning of the first window. */
  get minDeadlineMs(): number {
    return this.#minDeadlineMs;
  }

  /** The end of the running tick; with windows, later samples belong to the next one. */
  get deadlineMs(): number {
    return this.#deadlineMs;
  }

  /** The timestamp of the next outputs. */
  get flushMs(): number {
    return this.#flushMs;
  }

  /** When `take` has something. */
  get dueMs(): number {
    return this.#deadlineMs + this.#lagMs;
  }

  /** A sample came this much after its timestamp. */
  observeLag(lagMs: number): void {
    if (this.#options.windows && lagMs > this.#lagMs) this.#lagMs = Math.min(lagMs, this.#tickMs);
  }

  /** A window that has ended does not wait for late samples any more. */
  stopWaiting(): void {
    this.#lagMs = 0;
  }

  /** What is due, once; undefined when nothing is. */
  take(nowMs: number): Tick | undefined {
    const { intervalMs, windows } = this.#options;
    if (nowMs < this.dueMs) {
      // Only a clock that was set back makes it wait longer than that.
      if (this.#deadlineMs - nowMs > intervalMs + this.#tickMs) this.#begin(nowMs);
      return undefined;
    }
    const missed = Math.floor((nowMs - this.#deadlineMs) / this.#tickMs);
    // With windows the colours were divided at the deadline; and the next flush may be late by nearly a tick.
    const deadlineMs = windows ? this.#deadlineMs : this.#deadlineMs + missed * this.#tickMs;
    const flushMs = this.#flushMs <= deadlineMs ? this.#flushMs : undefined;
    this.#minDeadlineMs = deadlineMs;
    this.#deadlineMs += Math.max(1, windows ? missed : missed + 1) * this.#tickMs;
    this.#lagMs = 0;
    if (flushMs !== undefined) {
      const behindMs = Math.max(this.#deadlineMs - this.#flushMs, intervalMs);
      this.#flushMs += Math.ceil(behindMs / intervalMs) * intervalMs;
    }
    return { deadlineMs, flushMs };
  }

  /** The timestamp of outputs when the rule ends at `nowMs`: aligned ones stay on the grid, and so may lie ahead. */
  lastFlushMs(nowMs: number): number {
    return this.#options.aligned ? this.#flushMs : nowMs;
  }

  save(to: ByteWriter): void {
    for (const value of [this.#minDeadlineMs, this.#deadlineMs, this.#flushMs, this.#lagMs]) to.f64(value);
  }

  load(from: ByteReader): void {
    this.#minDeadlineMs = from.f64();
    this.#deadlineMs = from.f64();
    this.#flushMs = from.f64();
    this.#lagMs = from.f64();
    const times = [this.#minDeadlineMs, this.#deadlineMs, this.#flushMs, this.#lagMs];
    if (!times.every((time) => Math.abs(time) < Number.MAX_SAFE_INTEGER)) throw new DamagedState('no time');
  }

  #begin(nowMs: number): void {
    const { intervalMs, aligned } = this.#options;
    const fromMs = aligned
      ? Math.ceil((nowMs + GRID_ORIGIN_MS) / intervalMs) * intervalMs - GRID_ORIGIN_MS
      : nowMs;
    this.#minDeadlineMs = fromMs;
    this.#deadlineMs = fromMs + this.#tickMs;
    this.#flushMs = fromMs + intervalMs;
    this.#lagMs = 0;
  }
}
