/** Which lines may be written: repeats of a key, and so many a second from one place. Counts what is left out. */
import type { Clock } from '../util/clock.ts';

const SECOND_MS = 1_000;

/** More keys than the program has; if a key is made of data after all, the oldest one is forgotten. */
const KEYS_MAX = 1_000;

interface Allowance {
  /** Monotonic. */
  sinceMs: number;
  written: number;
  suppressed: number;
}

/** The line may be written; so many like it were left out since the last one. */
export interface Admitted {
  readonly suppressed: number;
}

export class LineLimits {
  readonly #clock: Clock;
  readonly #perSecond: Readonly<Record<string, number>>;
  readonly #byKey = new Map<string, Allowance>();
  readonly #byPlace = new Map<string, Allowance>();

  /** `perSecond`: level → lines a second from one place; 0 or missing is no limit. */
  constructor(clock: Clock, perSecond: Readonly<Record<string, number>>) {
    this.#clock = clock;
    this.#perSecond = perSecond;
  }

  /** At most one line of this key in `everyMs`. */
  admitKey(key: string, everyMs: number): Admitted | undefined {
    return this.#admit(this.#byKey, key, everyMs, 1);
  }

  admitPerSecond(level: string, location: string): Admitted | undefined {
    const limit = this.#perSecond[level] ?? 0;
    if (limit === 0) return { suppressed: 0 };
    return this.#admit(this.#byPlace, `${level} ${location}`, SECOND_MS, limit);
  }

  #admit(allowances: Map<string, Allowance>, key: string, everyMs: number, limit: number) {
    const nowMs = this.#clock.monotonicMs();
    const known = allowances.get(key);
    if (known !== undefined && nowMs - known.sinceMs < everyMs) {
      if (known.written < limit) {
        known.written++;
        return { suppressed: 0 };
      }
      known.suppressed++;
      return undefined;
    }
    allowances.delete(key); // so that it becomes the newest
    allowances.set(key, { sinceMs: nowMs, written: 1, suppressed: 0 });
    if (allowances.size > KEYS_MAX) allowances.delete(allowances.keys().next().value!);
    return { suppressed: known?.suppressed ?? 0 };
  }
}
