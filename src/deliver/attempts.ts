/** How attempts at one destination went, for whoever decides what it gets. Times are monotonic. */
import type { Response, Transport } from '../destination/destination.ts';
import type { Clock } from '../util/clock.ts';

/** Answers about what a block holds: the destination works. */
const ABOUT_THE_BLOCK = new Set([400, 409, 413, 415, 422]);

export interface AttemptListener {
  ended(worked: boolean, seconds: number): void;
}

export class Attempts {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  #listener: AttemptListener | undefined;
  #failingSinceMs: number | undefined;
  #lastSuccessMs: number | undefined;

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock;
  }

  /** Since when every attempt failed; undefined when the last one worked. */
  get failingSinceMs(): number | undefined {
    return this.#failingSinceMs;
  }

  get lastSuccessMs(): number | undefined {
    return this.#lastSuccessMs;
  }

  listen(listener: AttemptListener): void {
    this.#listener = listener;
  }

  /** The same transport, watched. What is broken off by a stop is no failure of the destination. */
  watch(transport: Transport): Transport {
    return {
      send: async (block, signal) => {
        const startMs = this.#clock.monotonicMs();
        let response: Response | undefined;
        try {
          response = await transport.send(block, signal);
          return response;
        } finally {
          if (!signal.aborted) this.#note(response !== undefined && hasWorked(response.status), startMs);
        }
      },
      isDoneWith: (bytes) => transport.isDoneWith?.(bytes) ?? false,
      close: () => transport.close(),
    };
  }

  #note(worked: boolean, startMs: number): void {
    const nowMs = this.#clock.monotonicMs();
    if (worked) {
      this.#lastSuccessMs = nowMs;
      this.#failingSinceMs = undefined;
    } else this.#failingSinceMs ??= nowMs;
    this.#listener?.ended(worked, (nowMs - startMs) / 1000);
  }
}

function hasWorked(status: number): boolean {
  return (status >= 200 && status < 300) || ABOUT_THE_BLOCK.has(status);
}
