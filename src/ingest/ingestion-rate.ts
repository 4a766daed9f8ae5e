/** -maxIngestionRate: who sends faster than allowed waits for the answer, so that the next request comes later. */
import type { Verdict } from '../model/body.ts';
import type { Clock } from '../util/clock.ts';
import type { Meter } from '../util/meter.ts';
import { RateLimiter } from '../util/rate-limit.ts';

export class IngestionRate {
  readonly #limiter: RateLimiter | undefined;
  readonly #stopping = new AbortController();

  /** 0 samples a second: no limit. */
  constructor(samplesPerS: number, { clock, meter }: { readonly clock: Clock; readonly meter: Meter }) {
    if (samplesPerS === 0) return;
    const reached = meter.counter(
      'vmagent_max_ingestion_rate_limit_reached_total',
      'Waits for -maxIngestionRate.',
    );
    this.#limiter = new RateLimiter(samplesPerS, clock, reached);
  }

  /** The same verdict, once its samples are paid for. */
  pace(judged: Promise<Verdict>): Promise<Verdict> {
    const limiter = this.#limiter;
    if (limiter === undefined) return judged;
    return judged.then(async (verdict) => {
      if (verdict.ok) await limiter.take(verdict.counts.samples, this.#stopping.signal);
      return verdict;
    });
  }

  /** Nobody waits any more. */
  stop(): void {
    this.#stopping.abort();
  }
}
