/** Which clients send the most samples, by address; exact as long as there are not very many of them. */
import type { Verdict } from './model/body.ts';
import { joined } from './series/talkers.ts';
import type { Clock } from './util/clock.ts';
import { type Heavy, TopK } from './util/top-k.ts';

const PLACES = 500;
const WINDOW_MS = 5 * 60_000;

export class Clients {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  #windows = [new TopK(PLACES)];
  #turnMs: number;

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock;
    this.#turnMs = clock.monotonicMs() + WINDOW_MS;
  }

  /** Counts a body once it is accepted. `client` is an address with its port. */
  note(client: string, judged: Promise<Verdict>): void {
    void judged.then((verdict) => {
      if (verdict.ok) this.#add(hostOf(client), verdict.counts.samples);
    });
  }

  #add(host: string, samples: number): void {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs >= this.#turnMs) {
      this.#windows = [...this.#windows.slice(-1), new TopK(PLACES)];
      this.#turnMs = nowMs + WINDOW_MS;
    }
    this.#windows.at(-1)!.add(host, samples);
  }

  top(): Heavy[] {
    return joined(this.#windows);
  }
}

function hostOf(client: string): string {
  const colon = client.lastIndexOf(':');
  return colon > 0 && /^\d+$/.test(client.slice(colon + 1)) ? client.slice(0, colon) : client;
}
