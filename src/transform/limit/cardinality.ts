/**
 * -remoteWrite.maxHourlySeries and -remoteWrite.maxDailySeries: how many different series go on within an hour and within
 * a day, both counted from the first series on. Exact: vmagent asks a Bloom filter, which lets some new series through as known.
 *
 * Called once for each series and window, so a window's end makes its caller ask anew for every series.
 */
import { hash } from 'node:crypto';
import type { Verdict } from '../../model/drops.ts';
import type { Labels } from '../../model/labels.ts';
import { FingerprintSet } from './fingerprint-set.ts';

export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;

class Window {
  readonly #lengthMs: number;
  readonly max: number;
  #seen = new FingerprintSet();
  /** Undefined until the first series comes. */
  #endsMs: number | undefined;

  /** `max` -1: series are counted and none is dropped. */
  constructor(max: number, lengthMs: number) {
    this.max = max === -1 ? Number.POSITIVE_INFINITY : max;
    this.#lengthMs = lengthMs;
  }

  get size(): number {
    return this.#seen.size;
  }

  /** Begins the next window when it is time for it. */
  turn(nowMs: number): boolean {
    this.#endsMs ??= nowMs + this.#lengthMs;
    if (nowMs < this.#endsMs) return false;
    this.#seen = new FingerprintSet();
    this.#endsMs += Math.ceil((nowMs - this.#endsMs + 1) / this.#lengthMs) * this.#lengthMs;
    return true;
  }

  admits(fingerprint: Uint32Array): boolean {
    if (this.#seen.size >= this.max) return this.#seen.has(fingerprint);
    this.#seen.add(fingerprint);
    return true;
  }
}

export class CardinalityLimits {
  readonly #hour: Window | undefined;
  readonly #day: Window | undefined;

  /** 0: no limit, -1: counted only. */
  constructor(hourlyMax: number, dailyMax: number) {
    this.#hour = hourlyMax === 0 ? undefined : new Window(hourlyMax, HOUR_MS);
    this.#day = dailyMax === 0 ? undefined : new Window(dailyMax, DAY_MS);
  }

  get hourlySeries(): number {
    return this.#hour?.size ?? 0;
  }

  get dailySeries(): number {
    return this.#day?.size ?? 0;
  }

  /** `nowMs` is monotonic. Begins windows whose time has come; true when earlier answers of `check` do not hold any more. */
  turn(nowMs: number): boolean {
    const hour = this.#hour?.turn(nowMs) ?? false;
    const day = this.#day?.turn(nowMs) ?? false;
    return hour || day;
  }

  /** As in vmagent the hour is asked first, and a series that the day refuses has taken its place in the hour. */
  check(labels: Labels): Verdict {
    const fingerprint = fingerprintOf(labels);
    if (this.#hour?.admits(fingerprint) === false) return 'hourly_series_limit';
    if (this.#day?.admits(fingerprint) === false) return 'daily_series_limit';
    return 'none';
  }
}

/** 128 bits of a cryptographic hash over the labels in their order; lengths keep neighbours apart. */
function fingerprintOf({ names, values }: Labels): Uint32Array {
  let text = '';
  for (let index = 0; index < names.length; index++) {
    const name = names[index]!;
    const value = values[index]!;
    text += `${name.length}:${name}${value.length}:${value}`;
  }
  const digest = hash('sha256', text, 'buffer');
  return new Uint32Array(digest.buffer.slice(digest.byteOffset, digest.byteOffset + 16));
}
