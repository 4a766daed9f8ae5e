/**
 * Decides which shards take part. A series that changes its place costs the store a new series there, makes counters
 * jump in an aggregation tier, and takes its queries apart, so by default it never does: a shard that is down keeps its
 * series, and its queue keeps their samples. Where that is not wanted:
 * - `reroute`: a shard is left out when nothing worked there for `downAfterMs`.
 * - `reroute-at`: a shard keeps its series until its queue is `rerouteAtPercent` full, whether it is down or only slow.
 * It comes back when it has been well, without a break, for `holdMs`; with `reroute-at` also no fuller than half of the
 * limit. So a shard changes at most twice in `holdMs`, however wildly it behaves.
 */
import type { Clock } from '../util/clock.ts';

export const whenDownChoices = ['buffer', 'reroute', 'reroute-at'] as const;
export type WhenDown = (typeof whenDownChoices)[number];

export interface HealthPolicy {
  readonly whenDown: WhenDown;
  readonly rerouteAtPercent: number;
  readonly downAfterMs: number;
  readonly holdMs: number;
}

/** What is seen of one destination. Times are monotonic milliseconds. */
export interface Signs {
  /** Since when an attempt fails; undefined when the last ones worked, or when there is nothing to send. */
  readonly failingSinceMs: number | undefined;
  /** When it last took a block; undefined: never. */
  readonly lastSuccessMs: number | undefined;
  /** 0 to 1; 0 for a queue without a limit. */
  readonly queueFill: number;
}

export interface HealthPorts {
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** Gets a list of its own, one item for each destination. */
  onChange(available: boolean[]): void;
}

export class ShardHealth {
  readonly #policy: HealthPolicy;
  readonly #ports: HealthPorts;
  #available: boolean[];
  /** Since when a shard that is left out has been well. */
  #wellSinceMs: (number | undefined)[];

  constructor(count: number, policy: HealthPolicy, ports: HealthPorts) {
    this.#policy = policy;
    this.#ports = ports;
    this.#available = new Array<boolean>(count).fill(true);
    this.#wellSinceMs = new Array<undefined>(count).fill(undefined);
  }

  /** One item for each destination. */
  get available(): readonly boolean[] {
    return this.#available;
  }

  /** Other destinations: `from[i]` is the place that the one at i had before; undefined when it is new, and taken for well. */
  replace(from: readonly (number | undefined)[]): void {
    const [available, wellSinceMs] = [this.#available, this.#wellSinceMs];
    this.#available = from.map((place) => (place === undefined ? undefined : available[place]) ?? true);
    this.#wellSinceMs = from.map((place) => (place === undefined ? undefined : wellSinceMs[place]));
  }

  /** Call it regularly with the signs of all destinations, at least several times in `holdMs`. */
  observe(signs: readonly Signs[]): void {
    if (this.#policy.whenDown === 'buffer') return;
    const nowMs = this.#ports.clock.monotonicMs();
    let hasChanged = false;
    for (const [index, sign] of signs.entries()) {
      const isAvailable = this.#available[index]
        ? !this.#mustLeave(sign, nowMs)
        : this.#mayReturn(index, sign, nowMs);
      if (isAvailable === this.#available[index]) continue;
      this.#available[index] = isAvailable;
      this.#wellSinceMs[index] = undefined;
      hasChanged = true;
    }
    if (hasChanged) this.#ports.onChange([...this.#available]);
  }

  #mustLeave(sign: Signs, nowMs: number): boolean {
    const { whenDown, rerouteAtPercent, downAfterMs } = this.#policy;
    if (whenDown === 'reroute-at') return sign.queueFill * 100 >= rerouteAtPercent;
    const sinceMs = failingSinceMs(sign);
    return sinceMs !== undefined && nowMs - sinceMs >= downAfterMs;
  }

  #mayReturn(index: number, sign: Signs, nowMs: number): boolean {
    const { whenDown, rerouteAtPercent, downAfterMs, holdMs } = this.#policy;
    const sinceMs = failingSinceMs(sign);
    // One bad block among good ones is no illness.
    const isWorking =
      sinceMs === undefined || (sinceMs === sign.lastSuccessMs && nowMs - sinceMs < downAfterMs);
    const hasRoom = whenDown !== 'reroute-at' || sign.queueFill * 200 <= rerouteAtPercent;
    if (!isWorking || !hasRoom) {
      this.#wellSinceMs[index] = undefined;
      return false;
    }
    this.#wellSinceMs[index] ??= nowMs;
    return nowMs - this.#wellSinceMs[index] >= holdMs;
  }
}

/** Since when nothing has worked although something was tried: since the first failure, or the last success after it. */
function failingSinceMs({ failingSinceMs, lastSuccessMs }: Signs): number | undefined {
  if (failingSinceMs === undefined) return undefined;
  return Math.max(failingSinceMs, lastSuccessMs ?? failingSinceMs);
}
