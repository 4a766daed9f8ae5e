/**
 * What became of the samples of the series that a rule matches. Every one is in exactly one place at any time, so with
 * what deduplication dropped (`deduplicated`) and holds
 *
 *     came + resumed = ignoredNan + ignoredTooOld + relabelDropped + refused + deduplicated + held + aggregated
 *
 * Counts are a part of the state: an engine that takes up the state of a dead one goes on with them.
 */
import type { ByteReader, ByteWriter } from '../state/bytes.ts';
import type { Colour } from '../state/columns.ts';

export class RuleCounts {
  /** Samples of series that match. */
  came = 0;
  /** Of these, those that were accepted. */
  matched = 0;
  ignoredNan = 0;
  ignoredTooOld = 0;
  /** Input relabeling dropped the series. */
  relabelDropped = 0;
  /** There was no slot for the series. */
  refused = 0;
  /** Samples of windows that ended. */
  aggregated = 0;
  /** Samples that an earlier process held. */
  resumed = 0;
  /** Values that were told. */
  output = 0;
  flushTimeouts = 0;
  dedupFlushTimeouts = 0;
  /** By colour: samples of the running windows. */
  readonly #open: [number, number] = [0, 0];

  /** Samples of windows that did not end yet; those that wait in deduplication come on top. */
  get open(): number {
    return this.#open[0] + this.#open[1];
  }

  fold(samples: number, colour: Colour): void {
    this.#open[colour] += samples;
  }

  endWindow(colour: Colour): void {
    this.aggregated += this.#open[colour];
    this.#open[colour] = 0;
  }

  /** A new process counts from 0, but for what it took up; `waiting` samples of that in deduplication. */
  startAnew(waiting: number): void {
    for (const name of COUNTS) this[name] = 0;
    this.resumed = this.open + waiting;
  }

  save(to: ByteWriter): void {
    for (const name of COUNTS) to.f64(this[name]);
    for (const samples of this.#open) to.f64(samples);
  }

  load(from: ByteReader): void {
    for (const name of COUNTS) this[name] = from.f64();
    this.#open[0] = from.f64();
    this.#open[1] = from.f64();
  }
}

const COUNTS = [
  'came',
  'matched',
  'ignoredNan',
  'ignoredTooOld',
  'relabelDropped',
  'refused',
  'aggregated',
  'resumed',
  'output',
  'flushTimeouts',
  'dedupFlushTimeouts',
] as const;
