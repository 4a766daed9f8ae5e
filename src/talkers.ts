/** Who sends the most, put together from the engine's estimates and the clients that were counted here. */
import { Clients } from './clients.ts';
import type { EngineReport } from './engine/messages.ts';
import type { TopLine, TopShown } from './service/status.ts';
import { type Clock, sleep } from './util/clock.ts';
import type { Heavy } from './util/top-k.ts';

/** Longer than the engine takes for the largest request. */
const ANSWER_WITHIN_MS = 2_000;

export class TopTalkers {
  readonly #clock: Clock;
  readonly #clients: Clients;
  readonly #ask: () => Promise<EngineReport | undefined>;

  constructor(clock: Clock, ask: () => Promise<EngineReport | undefined>) {
    this.#clock = clock;
    this.#clients = new Clients(clock);
    this.#ask = ask;
  }

  /** A client's request was accepted. */
  note(client: string, samples: number): void {
    this.#clients.note(client, samples);
  }

  async #report(): Promise<EngineReport | undefined> {
    const done = new AbortController();
    const late = sleep(this.#clock, ANSWER_WITHIN_MS, done.signal).then(() => undefined);
    const report = await Promise.race([this.#ask(), late]);
    done.abort();
    return report;
  }

  /** Undefined when the engine does not answer in time. */
  async shown(): Promise<TopShown | undefined> {
    const report = await this.#report();
    if (report === undefined) return undefined;
    const { coveredMs, samples, newSeries, top } = report.talkers;
    const clients = this.#clients.top();
    return {
      coveredS: coveredMs / 1_000,
      samples,
      newSeries,
      metrics: lines(top.metrics, samples),
      labelValues: lines(top.labelValues, samples),
      clients: lines(
        clients,
        clients.reduce((sum, { weight }) => sum + weight, 0),
      ),
      newByMetric: lines(top.newByMetric, newSeries),
      newByLabelValue: lines(top.newByLabelValue, newSeries),
    };
  }

  /** Some of the series that came lately, as people write them. */
  async lately(): Promise<readonly string[]> {
    return (await this.#report())?.lately ?? [];
  }
}

function lines(heavy: readonly Heavy[], total: number): TopLine[] {
  return heavy.map(({ key, weight }) => ({ key, count: weight, share: total === 0 ? 0 : weight / total }));
}
